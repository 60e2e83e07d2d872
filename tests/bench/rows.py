"""A million rows: what the verbs of the store and the pages of the desk cost beside the same at a thousand.

The verbs run in this process, the desk in one of its own that is asked over HTTP. The cost of each is CPU, that of
the database's server in it if there is one. Both sizes are measured in turns; the first is
not counted.
"""

import asyncio
import contextlib
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

from bridge.retry import Answer
from bridge.sms import Input, Kind, Sms
from bridge.store import Store, StoreSettings, open_store
from tests.bench import postgresql
from tests.bench.filling import GREAT_SENDER, TEMPLATE, a_mail, fill, multiply
from tests.bench.processes import exact_cpu_of
from tests.bench.results import Goal, Line
from tests.bench.servers import Bridge, stopping

ALONE: Final = 40  # mails one after another
SESSIONS: Final = 50
EACH: Final = 4
CLAIMED: Final = 20  # rows in one claim
CLAIMS: Final = 10
PAGES: Final = 5
_SETTINGS: Final = StoreSettings(domain="sms.local")
_RATIO: Final = Goal(1.2, most=True)
_PAGE: Final = Goal(100, most=True)

# What is asked of the desk. The last two find more, or look through more, where there is more.
_PAGES: Final = {
    "list, newest": "/",
    "list, one sender": f"/?sender={GREAT_SENDER}",
    "list, one state": "/?state=delivered",
    "search, a number": "/?number=%2B61400007919",
    "search, four last digits": "/?number=7919",
    "search, a text that is nowhere": "/?text=nowhere+to+be+found",
}


@dataclass(slots=True)
class Place:
    """A store of one size, and a desk beside it. ``costs``: each figure in µs, a value a round. ``server`` is the
    process of the database, 0 when that is ours."""

    store: Store
    desk: Bridge
    serials: "count[int]"
    server: int
    costs: dict[str, list[float]] = field(default_factory=dict)
    pages: dict[str, list[float]] = field(default_factory=dict)  # ms until each was there

    def forget(self) -> None:
        """Begin anew."""
        self.costs.clear()
        self.pages.clear()

    @contextlib.contextmanager
    def costing(self, figure: str, times: int = 1) -> Iterator[None]:
        """Note the CPU of what is done inside ``times`` times: here, at the desk and in the server."""
        others = [self.desk.running.child.pid, *([self.server] if self.server else [])]
        elsewhere = sum(map(exact_cpu_of, others))
        began = time.process_time()
        yield
        used = time.process_time() - began + sum(map(exact_cpu_of, others)) - elsewhere
        self.costs.setdefault(figure, []).append(used / times * 1e6)


def on_sqlite(rounds: int, rows: int) -> list[Line]:
    """Return the figures of an SQLite database of ``rows`` SMS beside one of a thousand."""
    with tempfile.TemporaryDirectory(prefix="bench-") as few, tempfile.TemporaryDirectory() as many:
        small, large = Bridge(Path(few)), Bridge(Path(many))
        lines = _measure(small, large, rounds, rows)
        size = Path(large.database).stat().st_size
        return [*lines, Line("database", size / rows, "B", note="for an SMS")]


def on_postgresql(rounds: int, rows: int) -> list[Line]:
    """Return the same of PostgreSQL."""
    if missing := postgresql.missing():
        return [Line("many rows in PostgreSQL", None, note=missing)]
    folders = tempfile.TemporaryDirectory(prefix="bench-"), tempfile.TemporaryDirectory()
    with folders[0] as few, folders[1] as many, postgresql.running() as server:
        small = Bridge(Path(few), database=server.database())
        large = Bridge(Path(many), database=server.database())
        assert server.process is not None
        lines = _measure(small, large, rounds, rows, server.process.pid)
        size = large.count("SELECT pg_database_size(current_database())")
        return [*lines, Line("database", size / rows, "B", note="for an SMS")]


def _measure(small: Bridge, large: Bridge, rounds: int, rows: int, server: int = 0) -> list[Line]:
    asyncio.run(_fill(small, large, rows))
    with stopping((small, large)):
        for desk in (small, large):
            desk.start("web")
        return asyncio.run(_compared((small, large), rounds, server))


async def _fill(small: Bridge, large: Bridge, rows: int) -> None:
    for desk in (small, large):
        store = await open_store(desk.database, settings=_SETTINGS)
        await fill(store)
        await store.close()
    multiply(large.database, rows)


async def _compared(desks: tuple[Bridge, Bridge], rounds: int, server: int) -> list[Line]:
    serials = count(10 * TEMPLATE)
    stores = [await open_store(desk.database, settings=_SETTINGS) for desk in desks]
    places = [Place(store, desk, serials, server) for store, desk in zip(stores, desks, strict=True)]
    try:
        for turn in range(rounds + 1):
            for place in places:
                if turn == 1:
                    place.forget()  # the first turn read what a service that has grown so large has in memory
                await _accepts(place)
                await _sends(place)
                await _sweeps(place)
                await _counts(place)
                await asyncio.to_thread(_pages, place)
    finally:
        for store in stores:
            await store.close()
    return _lines(places[0], places[1])


async def _accepts(place: Place) -> None:
    async def session(mails: int) -> None:
        for _ in range(mails):
            await place.store.accept(a_mail(next(place.serials)))

    with place.costing("accept, one after another", ALONE):
        await session(ALONE)
    with place.costing(f"accept, {SESSIONS} sessions", SESSIONS * EACH):
        await asyncio.gather(*(session(EACH) for _ in range(SESSIONS)))


async def _sends(place: Place) -> None:
    found: list[Sms] = []
    with place.costing("claim, an SMS", CLAIMED * CLAIMS):
        for _ in range(CLAIMS):
            found += await place.store.claim("bench", CLAIMED)
    if len(found) != CLAIMED * CLAIMS:
        raise RuntimeError(f"{len(found)} SMS were claimed, not {CLAIMED * CLAIMS}")
    with place.costing("finish, an SMS", len(found)):
        await asyncio.gather(
            *(place.store.finish(sms, Input(Kind.SENT, sms.attempts), Answer.CLEAR) for sms in found)
        )


async def _sweeps(place: Place) -> None:
    """What runs by time alone: nothing is due, so that its cost is that of looking."""
    store = place.store
    sweeps: dict[str, Callable[[], Awaitable[object]]] = {
        "sweep: expired": store.expire,
        "sweep: claims of nodes that are gone": lambda: store.adopt_gone("bench", 60_000),
        "sweep: mails due by time": store.sweep_notices,
        "sweep: polls due": lambda: store.due_polls(10),
        "sweep: mails of ours due": lambda: store.claim_mail(10),
    }
    for name, sweep in sweeps.items():
        with place.costing(name):
            await sweep()


async def _counts(place: Place) -> None:
    """A store that has just been opened has no counts of some seconds ago to answer with."""
    store = await open_store(place.desk.database, settings=_SETTINGS)
    with place.costing("count all, at most every 5 s"):
        await store.counts()
    await store.close()


def _pages(place: Place) -> None:
    for name, path in _PAGES.items():
        with place.costing(name, PAGES):
            for _ in range(PAGES):
                began = time.perf_counter()
                _get(place.desk, path)
                place.pages.setdefault(name, []).append((time.perf_counter() - began) * 1_000)


def _get(desk: Bridge, path: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{desk.desk}{path}", timeout=30) as answer:
        answer.read()


def _lines(small: Place, large: Place) -> list[Line]:
    lines = []
    for name, costs in small.costs.items():
        here, there = median(costs), median(large.costs[name])
        note = f"{_shown(here)} → {_shown(there)}"
        ratio = median(big / little for little, big in zip(costs, large.costs[name], strict=True))
        goal = None if name.startswith(("sweep", "count")) else _RATIO
        lines.append(Line(f"{name}, ÷ at {TEMPLATE:,}", ratio, "", goal, note))
    name, times = max(large.pages.items(), key=lambda page: median(page[1]))
    return [*lines, Line(f"slowest page of the desk ({name})", median(times), "ms", _PAGE)]


def _shown(us: float) -> str:
    return f"{us / 1000:,.1f} ms" if us >= 10_000 else f"{us:,.0f} µs"
