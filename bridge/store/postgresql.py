"""The database of many machines: a PostgreSQL server, which orders what its nodes do by locks on rows.

A batch runs in one transaction without savepoints, since a unit hardly ever fails: then all is undone, and each
unit runs again in a transaction of its own. So a unit may run several times; one run of it is committed.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal, TypeVar

import psycopg
from psycopg.pq.abc import PGresult

from bridge.errors import StoreError
from bridge.store.at_once import asking_there, inserting_there
from bridge.store.database import Clock, Row, Topic, Tx, Values
from bridge.store.postgresql_listen import CHANNEL, LISTENING, Listener
from bridge.store.postgresql_schema import check_schema, rewrite_tables
from bridge.store.postgresql_session import Session, is_standby, raced, translated
from bridge.store.queries import numbered
from bridge.store.threads import Item, OnCommit, ThreadedDatabase

T = TypeVar("T")

TRIES: Final = 5  # of one unit that others are in the way of, or whose connection was cut
LOOK_EVERY_S: Final = 2.0  # for other nodes to tell of what was committed
WATCH_EVERY_S: Final = 1.0
PAUSE_S: Final = 0.2  # after a connection that failed; until then units fail at once
_ALONE: Final = b"SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key"


class PostgresTx:
    """`Tx` over one connection, inside a transaction."""

    __slots__ = ("_session", "_statements", "_writing", "now", "topics")

    def __init__(self, session: Session, now: int, *, writing: bool) -> None:
        self._session = session
        self._writing = writing
        self._statements = numbered(locking=writing)
        self.now = now
        self.topics: set[Topic] = set()

    def one(self, name: str, /, **values: object) -> Row | None:
        rows = self.all(name, **values)
        return rows[0] if rows else None

    def all(self, name: str, /, **values: object) -> list[Row]:
        result = self._session.run(self._statements[name], values, prepared=self._writing)
        return self._session.rows(result)

    def run(self, name: str, /, **values: object) -> int:
        result = self._session.run(self._statements[name], values, prepared=self._writing)
        return result.command_tuples or 0

    def add(self, name: str, rows: Sequence[Values]) -> int:
        return sum(result.command_tuples or 0 for result in self._each_part(inserting_there(name, rows)))

    def add_numbered(self, name: str, rows: Sequence[Values]) -> Sequence[int]:
        results = self._each_part(inserting_there(name, rows))
        return [sms_id for result in results for (sms_id,) in self._session.rows(result)]

    def each(self, name: str, rows: Sequence[Values]) -> list[Row]:
        results = self._each_part(asking_there(name, rows))
        return [row for result in results for row in self._session.rows(result)]

    def alone(self, *marks: str) -> None:
        if marks:
            keys = sorted(
                {_key(mark) for mark in marks}
            )  # in one order everywhere: no ring of nodes that wait
            self._session.execute(_ALONE, [f"{{{','.join(map(str, keys))}}}"], prepared=True)

    def _each_part(self, parts: Iterator[tuple[bytes, list[object]]]) -> Iterator[PGresult]:
        return (self._session.execute(*part, prepared=True) for part in parts)

    def tell(self, topic: Topic) -> None:
        self.topics.add(topic)


def _running_from(now: int) -> Clock:
    """The server's clock, which said ``now`` just now, without asking it again for each unit of a batch: the moments
    that a claim at its end gives away would be over."""
    read_at = time.monotonic()
    return lambda: now + int((time.monotonic() - read_at) * 1_000)


def _key(mark: str) -> int:
    digest = blake2b(mark.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a batch did not commit. ``lost``: the connection, before the commit was asked for: nothing is stored.
    ``final``: again would not help now, or it cannot be known whether it is stored."""

    error: BaseException
    kind: Literal["lost", "unit", "final"]


class PostgresEngine:
    """`Engine` over one PostgreSQL database, which must have this version's schema (see `migrate`).

    ``clock`` in place of the server's is for tests. ``busy_ms``: so long a row that another node has locked is
    waited for.
    """

    def __init__(self, url: str, *, clock: Clock | None, busy_ms: int) -> None:
        self._url = url
        self._clock = clock
        self._busy_ms = busy_ms
        self._session: Session | None = None
        self._failed: tuple[float, StoreError] | None = None
        self._local = threading.local()
        self._reading: list[Session] = []
        self._sessions: set[Session] = set()  # all of them, those that are just opened too
        self._looked_at, self._listening = -LOOK_EVERY_S, 0
        self.listens: Callable[[], int] = lambda: 0  # the one that listens for us
        self.backend = 0  # the server's process that writes for us
        self.commits = 0

    # --- the writing thread ---

    def commit(self, batch: Sequence[Item]) -> None:
        """Run ``batch`` in one transaction; if one of its units fails, each in one of its own."""
        fault = None
        for _ in range(TRIES):
            fault = self._attempt(batch)
            if fault is None:
                return
            if fault.kind == "unit" and len(batch) > 1:
                for item in batch:
                    self.commit([item])
                return
            if fault.kind == "final" or (fault.kind == "unit" and not raced(fault.error)):
                break
        assert fault is not None
        for item in batch:
            item.fail(translated(fault.error), own=fault.kind == "unit")

    def _attempt(self, batch: Sequence[Item]) -> _Fault | None:
        """Run ``batch`` in one transaction; return why it was undone, or may have been."""
        try:
            session = self._ready()
        except Exception as error:
            return _Fault(error, "final")
        committing = False
        try:
            begun = _running_from(session.begin())
            clock = self._clock or begun
            for item in batch:
                tx = PostgresTx(session, clock(), writing=True)
                item.succeed(item.unit(tx), tx.topics)
            session.look()
            committing = True
            session.commit()
            self.commits += 1
        except BaseException as error:
            if is_standby(error):
                session.close()  # another server has become the first one: it is looked for at once
            self._undo(session)
            if committing and session.lost and not is_standby(error):
                return _Fault(error, "final")
            return _Fault(error, "lost" if session.lost else "unit")
        return None

    def _undo(self, session: Session) -> None:
        try:
            if not session.lost:
                session.roll_back()
        except psycopg.Error:
            session.close()
        if session.lost:
            self._drop()

    def _ready(self) -> Session:
        if self._session is None:
            if self._failed and time.monotonic() < self._failed[0]:
                raise StoreError(str(self._failed[1]))
            try:
                self._session = self._open()
            except StoreError as error:
                self._failed = time.monotonic() + PAUSE_S, error
                raise
            self.backend = self._session.backend
        return self._session

    def _open(self) -> Session:
        session: Session | None = None
        try:
            session = Session(self._url, self._busy_ms)
            self._sessions.add(session)
            session.prepare(check_schema)
        except (StoreError, psycopg.Error) as error:
            if session is not None:
                self._close(session)
            raise translated(error) from error
        return session

    def _close(self, session: Session) -> None:
        self._sessions.discard(session)
        session.close()

    def _drop(self) -> None:
        if self._session is not None:
            self._close(self._session)
        self._session = None

    def end_silent(self) -> None:
        """End the connections of those who wait in vain. Called beside the threads, every second."""
        for session in list(self._sessions):
            session.end_if_silent()

    def committed(self, topics: set[Topic]) -> None:
        """Wake the loops of other nodes, if there are any. They look for themselves too, some times a second."""
        try:
            if self._session is not None and self._others(self._session):
                self._session.notify(CHANNEL, ",".join(sorted(topics)))
        except psycopg.Error:
            self._drop()

    def _others(self, session: Session) -> bool:
        """Whether anybody but us listens, as of some seconds ago: a node alone should not talk to itself."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at, self._listening = now, session.count(LISTENING % self.listens())
        return self._listening > 0

    def wipe(self, *, rewrite: bool) -> bool:
        """The server cleans up by itself (autovacuum); the log that it writes is its own affair."""
        if rewrite:
            rewrite_tables(self._url)
        return True

    def end_writing(self) -> None:
        self._drop()

    # --- the reading threads ---

    def read(self, unit: Callable[[Tx], T]) -> T:
        """Return what ``unit`` returned; it sees one moment."""
        for again in (True, False):
            session = self._reader()
            try:
                now = session.begin(reading=True)
                value = unit(PostgresTx(session, self._clock() if self._clock else now, writing=False))
                session.roll_back()
            except BaseException as error:
                self._end_read(session)
                if session.lost and again:
                    continue
                raise translated(error) from error
            return value
        raise AssertionError("the second read neither returned nor raised")

    def _end_read(self, session: Session) -> None:
        try:
            if not session.lost:
                session.roll_back()
        except psycopg.Error:
            session.close()
        if session.lost:
            self._close(session)
            self._reading.remove(session)
            self._local.session = None

    def _reader(self) -> Session:
        session: Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._open()
            self._reading.append(session)
        return session

    def end_reading(self) -> None:
        for session in self._reading:
            self._close(session)


class PostgresDatabase(ThreadedDatabase):
    """`Database` over one PostgreSQL database; ``on_commit`` hears of other nodes' commits too."""

    def __init__(self, url: str, *, clock: Clock | None, busy_ms: int, on_commit: OnCommit) -> None:
        engine = PostgresEngine(url, clock=clock, busy_ms=busy_ms)
        super().__init__(engine, on_commit)
        self._listener = Listener(url, lambda: engine.backend, self.told)
        engine.listens = lambda: self._listener.backend
        self._watch = asyncio.create_task(_watch(engine), name="store-watch")

    async def close(self) -> None:
        await self._listener.close()
        await super().close()
        self._watch.cancel()
        await asyncio.wait([self._watch])


async def _watch(engine: PostgresEngine) -> None:
    while True:
        await asyncio.sleep(WATCH_EVERY_S)
        engine.end_silent()
