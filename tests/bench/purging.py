"""A million rows that are kept no longer, purged while mails come in: how long each of these waits for its 250.

``python -m tests.bench.purging [ROWS]`` prints the waits with and without a purge, and how fast it goes.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from bridge.purger import Purger
from bridge.store import Purged, Retention, Store, StoreSettings, open_store
from tests.bench.filling import TEMPLATE, a_mail, fill, multiply

MEASURED_S: Final = 30.0
EVERY_S: Final = 0.01  # a mail comes so often
_SETTINGS: Final = StoreSettings(domain="sms.local")


async def run(database: str, rows: int) -> None:
    """Fill, measure, print."""
    store = await open_store(database, settings=_SETTINGS)
    await fill(store)
    await store.close()
    multiply(database, rows)
    store = await open_store(database, settings=_SETTINGS)
    serials = count(10_000_000)
    try:
        show("without a purge", await waits(store, serials))
        stop = asyncio.Event()
        began = time.monotonic()
        purging = asyncio.create_task(purged(store, stop))
        show("beside a purge", await waits(store, serials))
        stop.set()
        done, took = await purging, time.monotonic() - began
        print(f"purged {done.emptied + done.records:,} rows in {took:.0f} s, {done}")
    finally:
        await store.close()


async def purged(store: Store, stop: asyncio.Event) -> Purged:
    """Purge all that is final, however young, at the pace of the service."""
    return await Purger(store, Retention(text_ms=0, records_ms=0)).purge(stop)


async def waits(store: Store, serials: Iterator[int]) -> list[float]:
    """Return how long each mail waited (ms): one every `EVERY_S`, whatever the ones before do."""
    found: list[float] = []

    async def one(serial: int) -> None:
        began = time.monotonic()
        await store.accept(a_mail(serial))
        found.append((time.monotonic() - began) * 1000)

    tasks, until = [], time.monotonic() + MEASURED_S
    while time.monotonic() < until:
        tasks.append(asyncio.create_task(one(next(serials))))
        await asyncio.sleep(EVERY_S)
    await asyncio.gather(*tasks)
    return found


def show(what: str, found: list[float]) -> None:
    """Print some of the waits."""
    found.sort()
    at = {
        name: found[min(int(len(found) * part), len(found) - 1)]
        for name, part in (("p50", 0.5), ("p99", 0.99))
    }
    figures = ", ".join(f"{name} {ms:.1f} ms" for name, ms in at.items())
    print(f"{what}: {len(found):,} mails, {figures}, longest {found[-1]:.1f} ms", flush=True)


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        asyncio.run(run(str(Path(folder) / "bridge.db"), max(asked, TEMPLATE)))
