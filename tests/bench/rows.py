"""A million rows: what the verbs of the store and the pages of the desk cost beside the same at a thousand.

The verbs run in this process, and their cost is its CPU; the desk runs in one of its own, and its cost is the
time until a page is there. Both sizes are measured in turns.
"""

import asyncio
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

from bridge.retry import Answer
from bridge.sms import Input, Kind
from bridge.store import Store, StoreSettings, open_store
from tests.bench.filling import GREAT_SENDER, TEMPLATE, a_mail, fill, multiply
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

# What is asked of the desk; those with no goal for their ratio find more, or look through more, in more rows.
_LIST: Final = {
    "list, newest": "/",
    "list, one sender": f"/?sender={GREAT_SENDER}",
    "list, one state": "/?state=delivered",
    "search, a number": "/?number=%2B61400007919",
}
_WIDE: Final = {
    "search, four last digits": "/?number=7919",
    "search, a text that is nowhere": "/?text=nowhere+to+be+found",
}


@dataclass(slots=True)
class Place:
    """A store of one size, and a desk beside it. ``costs``: each figure in µs, a value a round."""

    store: Store
    desk: Bridge
    serials: "count[int]"
    costs: dict[str, list[float]] = field(default_factory=dict)

    def note(self, figure: str, seconds: float, times: int = 1) -> None:
        self.costs.setdefault(figure, []).append(seconds / times * 1e6)


def measure(rounds: int, rows: int) -> list[Line]:
    """Return the figures of an SQLite database of ``rows`` SMS beside one of a thousand."""
    with tempfile.TemporaryDirectory(prefix="bench-") as few, tempfile.TemporaryDirectory() as many:
        desks = Bridge(Path(few)), Bridge(Path(many))
        asyncio.run(_fill(desks, rows))
        with stopping(desks):
            for desk in desks:
                desk.start("web")
            return asyncio.run(_compared(desks, rounds, rows))


async def _fill(desks: tuple[Bridge, Bridge], rows: int) -> None:
    for desk in desks:
        store = await open_store(desk.database, settings=_SETTINGS)
        await fill(store)
        await store.close()
    multiply(desks[1].database, rows)


async def _compared(desks: tuple[Bridge, Bridge], rounds: int, rows: int) -> list[Line]:
    serials = count(10 * TEMPLATE)
    places = [Place(await open_store(desk.database, settings=_SETTINGS), desk, serials) for desk in desks]
    try:
        for _ in range(rounds):
            for place in places:
                await _accepts(place)
                await _sends(place)
                await _sweeps(place)
                await _counts(place)
                await asyncio.to_thread(_pages, place)
    finally:
        for place in places:
            await place.store.close()
    return _lines(places[0], places[1], rows)


async def _accepts(place: Place) -> None:
    async def session(mails: int) -> None:
        for _ in range(mails):
            await place.store.accept(a_mail(next(place.serials)))

    began = time.process_time()
    await session(ALONE)
    place.note("accept, one after another", time.process_time() - began, ALONE)
    began = time.process_time()
    await asyncio.gather(*(session(EACH) for _ in range(SESSIONS)))
    place.note(f"accept, {SESSIONS} sessions", time.process_time() - began, SESSIONS * EACH)


async def _sends(place: Place) -> None:
    claimed, finished = 0.0, 0.0
    for _ in range(CLAIMS):
        began = time.process_time()
        found = await place.store.claim("bench", CLAIMED)
        claimed += time.process_time() - began
        began = time.process_time()
        await asyncio.gather(
            *(place.store.finish(sms.id, Input(Kind.SENT, sms.attempts), Answer.CLEAR) for sms in found)
        )
        finished += time.process_time() - began
        if len(found) != CLAIMED:
            raise RuntimeError(f"{len(found)} SMS were claimed, not {CLAIMED}")
    place.note("claim, an SMS", claimed, CLAIMED * CLAIMS)
    place.note("finish, an SMS", finished, CLAIMED * CLAIMS)


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
        began = time.process_time()
        await sweep()
        place.note(name, time.process_time() - began)


async def _counts(place: Place) -> None:
    """A store that has just been opened has no counts of some seconds ago to answer with."""
    store = await open_store(place.desk.database, settings=_SETTINGS)
    began = time.process_time()
    await store.counts()
    place.note("count all, at most every 5 s", time.process_time() - began)
    await store.close()


def _pages(place: Place) -> None:
    for name, path in (_LIST | _WIDE).items():
        for _ in range(PAGES):
            began = time.perf_counter()
            _get(place.desk, path)
            place.note(name, time.perf_counter() - began)


def _get(desk: Bridge, path: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{desk.desk}{path}", timeout=30) as answer:
        answer.read()


def _lines(small: Place, large: Place, rows: int) -> list[Line]:
    lines = []
    for name, costs in small.costs.items():
        here, there = median(costs), median(large.costs[name])
        note = f"{_shown(here)} → {_shown(there)}"
        ratio = median(big / little for little, big in zip(costs, large.costs[name], strict=True))
        goal = None if name in _WIDE or name.startswith(("sweep", "count")) else _RATIO
        lines.append(Line(f"{name}, ÷ at {TEMPLATE:,}", ratio, "", goal, note))
    slowest = max(max(large.costs[name]) for name in _LIST | _WIDE)
    lines.append(Line("slowest page of the desk", slowest / 1000, "ms", _PAGE))
    lines.append(Line("database", large.desk.database.stat().st_size / rows, "B", note="for an SMS"))
    return lines


def _shown(us: float) -> str:
    return f"{us / 1000:,.1f} ms" if us >= 10_000 else f"{us:,.0f} µs"
