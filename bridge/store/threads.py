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
from typing import Any, Final, Protocol, TypeVar, cast

from bridge.errors import StoreError
from bridge.store.database import Topic, Tx

T = TypeVar("T")
OnCommit = Callable[[set[Topic]], None]

MAX_BATCH: Final = 256  # units in one commit: bounds how long the first of them waits
READERS: Final = 3


@dataclass(slots=True)
class Item:
    """A unit that waits, and what became of it: ``error``, or ``value`` and what it told."""

    unit: Callable[[Tx], Any]
    future: "asyncio.Future[Any]"
    value: Any = None
    error: BaseException | None = None
    topics: set[Topic] = field(default_factory=set)

    def succeed(self, value: object, topics: set[Topic]) -> None:
        """It ran; that counts once its batch is committed."""
        self.value, self.topics, self.error = value, topics, None

    def fail(self, error: BaseException) -> None:
        """Nothing of it is stored, or nobody knows."""
        self.value, self.topics, self.error = None, set(), error


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
        self._waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._closed = False
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._writer = threading.Thread(target=self._write_loop, name="store-writer", daemon=True)
        self._writer.start()

    async def write(self, unit: Callable[[Tx], T]) -> T:
        if self._closed:
            raise StoreError("the database is closed")
        item = Item(unit, self._loop.create_future())
        self._waiting.put(item)
        return cast(T, await item.future)

    async def read(self, unit: Callable[[Tx], T]) -> T:
        if self._closed:
            raise StoreError("the database is closed")
        return await self._loop.run_in_executor(self._readers, self.engine.read, unit)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._waiting.put(None)
        await self._loop.run_in_executor(None, self._writer.join)
        await self._loop.run_in_executor(None, self._readers.shutdown)
        self.engine.end_reading()
        # What the writer's last batch told is still on its way to the loop.
        await asyncio.sleep(0)

    # --- the writing thread ---

    def _write_loop(self) -> None:
        while (item := self._waiting.get()) is not None:
            batch, last = self._drain(item)
            self.engine.commit(batch)
            self._hand_back(batch)
            topics = set().union(*(item.topics for item in batch))
            if topics:
                self.engine.committed(topics)
            if last:
                break
        self.engine.end_writing()

    def _drain(self, first: Item) -> tuple[list[Item], bool]:
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _hand_back(self, batch: list[Item]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver, batch)
        except RuntimeError:
            pass  # the loop is closed: nobody is left to hear it

    def _deliver(self, batch: list[Item]) -> None:
        topics: set[Topic] = set()
        for item in batch:
            topics |= item.topics
            if item.future.done():
                continue  # its caller was cancelled; the commit stands
            if item.error is None:
                item.future.set_result(item.value)
            else:
                item.future.set_exception(item.error)
        if topics:
            self._on_commit(topics)
