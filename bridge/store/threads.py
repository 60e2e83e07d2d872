"""The threads of a database, the same for each engine: one that writes, a few that read.

Writers share commits: the thread takes all that is waiting, has the engine run it in one transaction and tells
the event loop once. It never waits for a fuller batch; under load batches fill by themselves.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeVar, cast

from bridge.errors import StoreError
from bridge.store.database import Together, Topic, Tx

A = TypeVar("A")
T = TypeVar("T")
OnCommit = Callable[[set[Topic]], None]

MAX_BATCH: Final = 256  # units in one commit: bounds how long the first of them waits
READERS: Final = 3


@dataclass(slots=True)
class Item:
    """A unit to run, and what became of it: ``error``, or ``value`` and what it told. ``own``: it was the unit that
    failed, not the database."""

    unit: Callable[[Tx], Any]
    value: Any = None
    error: BaseException | None = None
    own: bool = False
    topics: set[Topic] = field(default_factory=set)

    def succeed(self, value: object, topics: set[Topic]) -> None:
        """It ran; that counts once its batch is committed."""
        self.value, self.topics, self.error, self.own = value, topics, None, False

    def fail(self, error: BaseException, *, own: bool) -> None:
        """Nothing of it is stored, or nobody knows."""
        self.value, self.topics, self.error, self.own = None, set(), error, own


@dataclass(slots=True)
class _Call:
    """Somebody who waits for ``unit``, or with others for the share of ``one`` in what ``units`` does."""

    future: "asyncio.Future[Any]"
    unit: Callable[[Tx], Any] | None = None
    units: Together[Any, Any] | None = None
    one: Any = None
    turn: int = 0
    wakes: Topic | None = None  # who stands by for it runs in the same commit
    stood_by: Topic | None = None  # it was such a one


@dataclass(slots=True)
class _Work:
    """An item with those who wait for it; when they share it, its value holds one for each."""

    calls: list[_Call]
    item: Item
    again: bool = False  # after it had failed with others, and after who stood by for it

    @staticmethod
    def of(calls: list[_Call], *, again: bool = False) -> "_Work":
        """The work that is done once for all ``calls``."""
        unit, units = calls[0].unit, calls[0].units
        if units is not None:
            unit = lambda tx: units(tx, [call.one for call in calls])  # noqa: E731
        assert unit is not None
        return _Work(calls, Item(unit), again)

    @property
    def divisible(self) -> bool:
        """Whether what failed may do for some of those who wait for it."""
        return len(self.calls) > 1 and self.item.own

    def answer(self) -> None:
        """Tell all who wait, but those that were cancelled meanwhile: what was committed stands."""
        item = self.item
        if item.error is not None:
            for call in self.calls:
                if not call.future.done():
                    call.future.set_exception(item.error)
            return
        shares = [item.value] if self.calls[0].units is None else item.value
        for call, share in zip(self.calls, shares, strict=True):
            if not call.future.done():
                call.future.set_result(share)


class Engine(Protocol):
    """What an engine does in the threads. Nothing of it runs in the event loop."""

    def commit(self, batch: Sequence[Item]) -> None:
        """Run ``batch`` and say of each item what became of it. Must not raise."""
        ...

    def committed(self, topics: set[Topic]) -> None:
        """Tell other processes; called after the callers were told. Must not raise."""
        ...

    def read(self, unit: Callable[[Tx], T]) -> T:
        """Return what ``unit`` returned; it may only read."""
        ...

    def wipe(self, *, rewrite: bool) -> bool:
        """See `Database.wipe`; in a thread of its own."""
        ...

    def end_writing(self) -> None:
        """Close what the writing thread has open."""
        ...

    def end_reading(self) -> None:
        """Close what the reading threads have open; they have ended."""
        ...


class ThreadedDatabase:
    """`Database` over an engine, in threads of its own; made inside the event loop that asks."""

    def __init__(self, engine: Engine, on_commit: OnCommit = lambda topics: None) -> None:
        self.engine = engine
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        # Whoever takes a call out of it, by one atomic step, is the one that runs or answers it.
        self._standing_by: dict[Topic, _Call] = {}
        self._closed = False
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._writer = threading.Thread(target=self._write_loop, name="store-writer", daemon=True)
        self._writer.start()

    async def write(self, unit: Callable[[Tx], T]) -> T:
        return cast(T, await self._asked(_Call(self._loop.create_future(), unit)))

    async def write_together(
        self, units: Together[A, T], one: A, *, turn: int = 0, wakes: Topic | None = None
    ) -> T:
        call = _Call(self._loop.create_future(), units=units, one=one, turn=turn, wakes=wakes)
        return cast(T, await self._asked(call))

    async def write_when(self, topic: Topic, unit: Callable[[Tx], T], within_s: float) -> T | None:
        if self._closed:
            raise StoreError("the database is closed")
        assert topic not in self._standing_by
        call = _Call(self._loop.create_future(), unit, stood_by=topic)
        self._standing_by[topic] = call
        timer = self._loop.call_later(within_s, self._begin, topic)
        try:
            return cast(T | None, await call.future)
        finally:
            timer.cancel()
            if call.future.cancelled():
                self.withdraw(topic)

    def withdraw(self, topic: Topic) -> None:
        call = self._standing_by.pop(topic, None)
        if call is not None and not call.future.done():
            call.future.set_result(None)

    def told(self, topics: set[Topic]) -> None:
        """Something of ``topics`` was committed, here or by another process: run what stands by for it, and tell
        of the rest."""
        rest = {topic for topic in topics if not self._begin(topic)}
        if rest:
            self._on_commit(rest)

    def _begin(self, topic: Topic) -> bool:
        """Run what stands by for ``topic`` now; return whether something did."""
        call = self._standing_by.pop(topic, None)
        if call is not None:
            self._waiting.put(call)
        return call is not None

    def _asked(self, call: _Call) -> "asyncio.Future[Any]":
        if self._closed:
            raise StoreError("the database is closed")
        self._waiting.put(call)
        return call.future

    async def read(self, unit: Callable[[Tx], T]) -> T:
        if self._closed:
            raise StoreError("the database is closed")
        return await self._loop.run_in_executor(self._readers, self.engine.read, unit)

    async def wipe(self, *, rewrite: bool) -> bool:
        return await self._loop.run_in_executor(None, partial(self.engine.wipe, rewrite=rewrite))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for topic in tuple(self._standing_by):
            self.withdraw(topic)
        self._waiting.put(None)
        await self._loop.run_in_executor(None, self._writer.join)
        await self._loop.run_in_executor(None, self._readers.shutdown)
        self.engine.end_reading()
        # What the writer's last batch told is still on its way to the loop.
        await asyncio.sleep(0)

    # --- the writing thread ---

    def _write_loop(self) -> None:
        while (call := self._waiting.get()) is not None:
            calls, last = self._drain(call)
            works = self._commit(_works(calls) + self._works_woken_by(calls))
            self._hand_back(works)
            topics = set().union(*(work.item.topics for work in works))
            if topics:
                self.engine.committed(topics)
            if last:
                break
        self.engine.end_writing()

    def _drain(self, first: _Call) -> tuple[list[_Call], bool]:
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                call = self._waiting.get_nowait()
            except queue.Empty:
                break
            if call is None:
                return batch, True
            batch.append(call)
        return batch, False

    def _works_woken_by(self, calls: list[_Call]) -> list[_Work]:
        """The work of those who stand by for what ``calls`` will tell of: last, so that it sees all of that."""
        topics = {call.wakes for call in calls if call.wakes is not None}
        woken = (self._standing_by.pop(topic, None) for topic in topics)
        return [_Work.of([call]) for call in woken if call is not None]

    def _commit(self, works: list[_Work]) -> list[_Work]:
        """Have all of it run, and what failed for one of many again for each."""
        self.engine.commit([work.item for work in works])
        again = [_Work.of([call], again=True) for work in works if work.divisible for call in work.calls]
        if not again:
            return works
        self.engine.commit([work.item for work in again])
        return [work for work in works if not work.divisible] + again

    def _hand_back(self, works: list[_Work]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver, works)
        except RuntimeError:
            pass  # the loop is closed: nobody is left to hear it

    def _deliver(self, works: list[_Work]) -> None:
        topics: set[Topic] = set()
        later: set[Topic] = set()  # told of after who stood by for it had run
        seen: set[Topic | None] = set()
        for work in works:
            if work.again:
                later |= work.item.topics
            else:
                topics |= work.item.topics
            seen |= {call.stood_by for call in work.calls}
            work.answer()
        if told := topics - seen | later:
            self.told(told)


def _works(calls: list[_Call]) -> list[_Work]:
    """The work for ``calls``: those that ask for the same share it.

    What is shared comes first, by its turn: it may wait until another node is done with a sender or a phone, and must
    not hold meanwhile what that node needs.
    """
    alone = [[call] for call in calls if call.units is None]
    together: dict[Any, list[_Call]] = {}
    for call in calls:
        if call.units is not None:
            together.setdefault(call.units, []).append(call)
    shared = sorted(together.values(), key=lambda group: group[0].turn)
    return [_Work.of(group) for group in (*shared, *alone)]
