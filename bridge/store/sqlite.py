"""The database of one machine: an SQLite file. Each unit of a batch runs in a savepoint of its own."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

from bridge.errors import StoreError
from bridge.store.at_once import asking, inserting
from bridge.store.database import Clock, Row, Topic, Tx, Values
from bridge.store.queries import statements
from bridge.store.schema import newest
from bridge.store.sqlite_file import Identity, empty_log, identity, open_reader, open_writer, rewrite_file
from bridge.store.threads import Item
from bridge.store.turns import Turns

T = TypeVar("T")

BUSY_MS: Final = 5_000  # another process may hold the lock so long before a write fails


def wall_clock() -> int:
    """Return the time in ms UTC."""
    return time.time_ns() // 1_000_000


class SqliteTx:
    """`Tx` over one connection."""

    __slots__ = ("_connection", "_statements", "now", "topics")

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection = connection
        self._statements = statements()
        self.now = now
        self.topics: set[Topic] = set()

    def one(self, name: str, /, **values: object) -> Row | None:
        return cast(Row | None, self._connection.execute(self._statements[name], values).fetchone())

    def all(self, name: str, /, **values: object) -> list[Row]:
        return self._connection.execute(self._statements[name], values).fetchall()

    def run(self, name: str, /, **values: object) -> int:
        return self._connection.execute(self._statements[name], values).rowcount

    def add(self, name: str, rows: Sequence[Values]) -> int:
        return sum(self._connection.execute(*part).rowcount for part in inserting(name, rows))

    def add_numbered(self, name: str, rows: Sequence[Values]) -> Sequence[int]:
        ids: list[int] = []
        for part in inserting(name, rows):
            done = self._connection.execute(*part)
            # One statement of the one writer: its rows have followed each other.
            ids += range(cast(int, done.lastrowid) - done.rowcount + 1, cast(int, done.lastrowid) + 1)
        return ids

    def each(self, name: str, rows: Sequence[Values]) -> list[Row]:
        return [row for part in asking(name, rows) for row in self._connection.execute(*part).fetchall()]

    def alone(self, *marks: str) -> None:
        """There is one writer at a time: every unit is."""

    def tell(self, topic: Topic) -> None:
        self.topics.add(topic)


class SqliteEngine:
    """`Engine` over one SQLite file, which must be there with this version's schema (see `migrate`)."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock = wall_clock,
        busy_ms: int = BUSY_MS,
    ) -> None:
        self._path = path
        self._clock = clock
        self._busy_ms = busy_ms
        self._turns = Turns(path)
        self._connection: sqlite3.Connection | None = None
        self._opened: Identity | None = None
        self._file: tuple[int, int] = (0, 0)
        self.commits = 0
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []

    # --- the writing thread ---

    def commit(self, batch: Sequence[Item]) -> None:
        """Run ``batch`` in one transaction; a fault of the database fails every unit of it."""
        with self._turns.turn():
            try:
                self._run(batch)
            except (sqlite3.Error, StoreError, OSError) as error:
                self._fail(batch, error)

    def _run(self, batch: Sequence[Item]) -> None:
        connection = self._ready_connection()
        connection.execute("BEGIN IMMEDIATE")
        if self._opened is None:
            self._check_still_there()
        for item in batch:
            self._run_unit(connection, item, alone=len(batch) == 1)
        if connection.in_transaction:
            connection.execute("COMMIT")
            self.commits += 1
        self._check_still_there()

    def _run_unit(self, connection: sqlite3.Connection, item: Item, *, alone: bool) -> None:
        """Run one unit; what it wrote is undone if it fails: to its savepoint, or all when it is alone."""
        if not alone:
            connection.execute("SAVEPOINT unit")
        tx = SqliteTx(connection, self._clock())
        try:
            value = item.unit(tx)
        except BaseException as error:
            if not connection.in_transaction:
                raise  # SQLite itself has rolled all of it back: disk full, I/O error
            connection.execute("ROLLBACK" if alone else "ROLLBACK TO unit")
            item.fail(_translated(error), own=True)
        else:
            item.succeed(value, tx.topics)
        if not alone:
            connection.execute("RELEASE unit")

    def _fail(self, batch: Sequence[Item], error: Exception) -> None:
        for item in batch:
            item.fail(_translated(error), own=False)
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # the connection is given up just below
        if not _only_busy(error):
            self._drop_connection()

    def committed(self, topics: set[Topic]) -> None:
        """Other processes look for themselves, some times a second."""

    def wipe(self, *, rewrite: bool) -> bool:
        """Empty the log, which holds pages as they were before; the file has remains in unused parts of pages."""
        try:
            if rewrite:
                rewrite_file(self._path)
            return empty_log(self._path)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def end_writing(self) -> None:
        self._drop_connection()
        self._turns.close()

    def _ready_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            before = identity(self._path)
            connection = open_writer(self._path, self._busy_ms)
            after = identity(self._path)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            why = f"has schema {version}, this version needs {newest()}" if version != newest() else ""
            if before is None or after is None or before.file != after.file:
                why = "was replaced while it was opened"
            if why or after is None:
                connection.close()
                raise StoreError(f"{self._path} {why}")
            self._connection, self._opened = connection, None
            self._file = after.file
        return self._connection

    def _check_still_there(self) -> None:
        """A commit counts only if the file it went to still stands under its name, and its log beside it."""
        found = identity(self._path)
        if self._opened is None and found is not None and found.file == self._file:
            self._opened = found  # the log stands there since the first transaction began
        if found is None or found != self._opened:
            raise StoreError(f"{self._path} was removed or replaced while in use")

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._opened = None

    # --- the reading threads ---

    def read(self, unit: Callable[[Tx], T]) -> T:
        try:
            connection = self._reader()
            connection.execute("BEGIN")
            try:
                return unit(SqliteTx(connection, self._clock()))
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._give_up_reader()
            raise _translated(error) from error

    def end_reading(self) -> None:
        for connection in self._reading:
            connection.close()

    def _give_up_reader(self) -> None:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            self._reading.remove(connection)
            connection.close()

    def _reader(self) -> sqlite3.Connection:
        found = identity(self._path)
        file = found.file if found else None
        if getattr(self._local, "connection", None) is None or self._local.file != file:
            self._give_up_reader()
            self._local.connection = open_reader(self._path, self._busy_ms)
            self._local.file = file
            self._reading.append(self._local.connection)
        return cast(sqlite3.Connection, self._local.connection)


def _only_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def _translated(error: BaseException) -> BaseException:
    if not isinstance(error, sqlite3.Error | OSError):
        return error
    new = StoreError(f"the database failed: {error}")
    new.__cause__ = error
    return new
