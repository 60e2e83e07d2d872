"""What the store costs, small and large: ``python -m tests.bench.store [rows]`` (a million takes some minutes).

Prints a table: accepts a second one after another and by 50 sessions, claim and finish, and the pages of
the desk, at a thousand rows and at ``rows``, with the ratio of the two.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge.decide.values import Accept, NewMail, NewSms
from bridge.event import Event, News
from bridge.retry import Answer
from bridge.rules import ReportRule
from bridge.sms import Input, Kind, State
from bridge.store import SmsFilter, Store, StoreSettings, open_store

SESSIONS = 50
EACH = 40
SENDERS = 200
LOTS = 500  # SMS handled at once while the store is filled
QUIET = ReportRule(frozenset())

Figures = dict[str, float]


def a_mail(name: int) -> Accept:
    """A mail like any other: one number of many, one sender of many."""
    number = f"+614{name * 7919 % 10**8:08}"
    text = f"Reminder {name}: your appointment is tomorrow at 9:30. Reply YES to confirm or call us."
    mail = NewMail(
        f"s{name % SENDERS}@x.example",
        "auth",
        0,
        "192.0.2.1",
        "Reminder",
        f"<{name}@x>",
        (),
        "default",
        QUIET,
        1500,
    )
    return Accept(mail, (NewSms(number, number, text, "gsm7", 1, "default", "live", "hold", 10**12),))


async def fill(store: Store, first: int, last: int) -> None:
    """Bring SMS from the mail to their end, but for a few that stay submitted."""
    for begin in range(first, last, LOTS):
        await asyncio.gather(*(store.accept(a_mail(n)) for n in range(begin, min(begin + LOTS, last))))
        await circle(store)


async def circle(store: Store) -> int:
    """Claim, finish and end all that is queued; return how many."""
    done = 0
    while rows := await store.claim("bench", LOTS):
        done += len(rows)
        await asyncio.gather(
            *(store.finish(sms.id, Input(Kind.SENT, sms.attempts), Answer.CLEAR) for sms in rows)
        )
        ended = [sms for sms in rows if sms.id % 100]
        await asyncio.gather(
            *(
                store.record_event(
                    Event("webhook", "status", sms.message_id, sms.number, "{}", News.DELIVERED, "delivered")
                )
                for sms in ended
            )
        )
    return done


async def measure(store: Store, name: int) -> Figures:
    """Return the cost of each in µs. ``name``: the first number that no mail had yet."""
    return {
        "accept, one after another": await accepts(store, name, 1, 500),
        f"accept, {SESSIONS} sessions": await accepts(store, name + 10_000, SESSIONS, EACH),
        "claim and finish": await sends(store),
        "page: newest": await pages(store, SmsFilter()),
        "page: one sender": await pages(store, SmsFilter(sender="s7@x.example")),
        "page: held": await pages(store, SmsFilter(state=State.HELD)),
        "page: delivered": await pages(store, SmsFilter(state=State.DELIVERED)),
        "page: whole number": await pages(store, SmsFilter(number="+61400007919")),
        "page: last digits": await pages(store, SmsFilter(number="7919")),
        "page: text not there": await pages(store, SmsFilter(text="nowhere to be found")),
    }


async def accepts(store: Store, name: int, sessions: int, each: int) -> float:
    async def session(first: int) -> None:
        for n in range(first, first + each):
            await store.accept(a_mail(n))

    began = time.perf_counter()
    await asyncio.gather(*(session(name + n * each) for n in range(sessions)))
    return (time.perf_counter() - began) / (sessions * each) * 1e6


async def sends(store: Store) -> float:
    began, done = time.perf_counter(), 0
    while rows := await store.claim("bench", SESSIONS):
        done += len(rows)
        await asyncio.gather(
            *(store.finish(sms.id, Input(Kind.SENT, sms.attempts), Answer.CLEAR) for sms in rows)
        )
    return (time.perf_counter() - began) / done * 1e6


async def pages(store: Store, wanted: SmsFilter) -> float:
    return await typical(lambda: store.list_sms(wanted, None, 50))


async def typical(ask: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(15):
        began = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


async def main(rows: int, folder: Path) -> None:
    store = await open_store(folder / "bridge.db", settings=StoreSettings(domain="sms.local"))
    await fill(store, 0, 1_000)
    small = await measure(store, 10_000_000)
    began = time.perf_counter()
    await fill(store, 1_000, rows)
    filled = time.perf_counter() - began
    large = await measure(store, 20_000_000 + random.randrange(1_000_000))
    began = time.perf_counter()
    await store.counts()
    counting = time.perf_counter() - began
    await store.close()
    size = (folder / "bridge.db").stat().st_size
    print(f"{'µs each':28} {'1,000 rows':>12} {f'{rows:,} rows':>16} {'ratio':>7}")
    for name, cost in small.items():
        print(f"{name:28} {cost:12,.0f} {large[name]:16,.0f} {large[name] / cost:7.2f}")
    print(
        f"filled {(rows - 1_000) / filled:,.0f} SMS/s through their whole life; {size / rows:,.0f} bytes a row"
    )
    print(f"counts: {counting * 1000:.0f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=100_000)
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(parser.parse_args().rows, Path(place)))
