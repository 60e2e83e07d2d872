"""One connection to a PostgreSQL server: its settings, its clock, statements by name, and what its errors mean.

It knows PostgreSQL and psycopg; it does not know the verbs. Statements go through libpq's own calls, prepared
once for each connection: 13 µs of our CPU for one that finds a row, where psycopg's cursors take 33.
"""

import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, TypeVar, cast

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq.abc import PGresult

from bridge.errors import StoreError
from bridge.store.database import Row
from bridge.store.queries import Numbered

T = TypeVar("T")

CONNECT_S: Final = 5
IDLE_MS: Final = 4_000  # a process that was frozen inside a transaction holds its locks no longer than this
# Found by the kernel within some 10 s: a machine that went away without a word.
_NETWORK: Final[dict[str, str | int]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# What the address does not say. Only a server that takes writes: of several in the address, or after a failover.
_USUAL: Final[dict[str, str | int]] = _NETWORK | {
    "connect_timeout": CONNECT_S,
    "target_session_attrs": "read-write",
}
_CLOCK: Final = b"SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_BEGIN_WRITING: Final = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; " + _CLOCK
_BEGIN_READING: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; " + _CLOCK
_GOOD: Final = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)

# Another transaction was in the way; the same again may do: deadlock, serialization, a key that was written meanwhile.
_RACED: Final = ("40P01", "40001", "23505")
_READ_ONLY: Final = "25006"

# A statement waits so often that long for a lock before the server ends it; then some more for a slow network.
_LOCKS_TO_END: Final = 2
_LOCKS_TO_SILENCE: Final = 3


class Session:
    """A connection that is good until a statement says otherwise (`lost`).

    The server ends what takes it too long. One that stands still ends nothing, and libpq waits for it for ever, since
    its system goes on to say that it is there: `end_if_silent`, called from another thread, is for that.
    """

    def __init__(self, url: str, lock_ms: int) -> None:
        """Connect. Raises StoreError in words for the operator, without the password, or psycopg.Error."""
        self.connection = connect(url)
        self._pgconn = self.connection.pgconn
        self._prepared: dict[bytes, bytes] = {}
        self._readable = select.poll()
        self._readable.register(self._pgconn.socket, select.POLLIN)
        # Of our own, so that it is this connection's whenever libpq gives up its one.
        self._wire = socket.socket(fileno=os.dup(self._pgconn.socket))
        self._patience_s = _LOCKS_TO_SILENCE * lock_ms / 1_000
        self._asked_at: float | None = None
        self._late: float | None = None  # the moment of a question that was late at the last look
        self._settings = _settings(lock_ms)

    def prepare(self, check: Callable[["psycopg.Connection[Row]"], None]) -> None:
        """Make the connection ready for statements; ``check`` may refuse the database. Raises as `execute`."""
        self._run(self._settings)
        self._answered(lambda: check(self.connection))

    @property
    def lost(self) -> bool:
        """Whether the connection is of no use any more."""
        return self.connection.closed

    @property
    def backend(self) -> int:
        """Return the number of the server's process for us, which marks what we NOTIFY."""
        return self._pgconn.backend_pid

    def begin(self, *, reading: bool = False) -> int:
        """Begin a transaction; return the server's clock in ms UTC."""
        return self.count(_BEGIN_READING if reading else _BEGIN_WRITING)

    def look(self) -> None:
        """Raise if the server has cut us off: it does when we were frozen for long, and has undone everything."""
        if self._readable.poll(0):
            self._pgconn.consume_input()  # its last word
            self._pgconn.consume_input()  # and the end

    def commit(self) -> None:
        """Commit: durable when it returns."""
        if self._run(b"COMMIT").command_status != b"COMMIT":
            raise psycopg.InternalError("the transaction was rolled back")  # a fault in it was overlooked

    def roll_back(self) -> None:
        """Undo the transaction."""
        self._run(b"ROLLBACK")

    def run(self, statement: Numbered, values: dict[str, object], *, prepared: bool) -> PGresult:
        """Run a statement with its values by name; see `execute`."""
        return self.execute(statement.text, [values[name] for name in statement.names], prepared=prepared)

    def execute(self, text: bytes, values: Sequence[object], *, prepared: bool) -> PGresult:
        """Run a statement; a prepared one is planned once for all values, another for these."""
        try:
            given = [_sent(value) for value in values]
        except UnicodeEncodeError as error:
            raise psycopg.DataError(str(error)) from error
        forms = [pq.Format.BINARY if isinstance(value, bytes) else pq.Format.TEXT for value in values]
        self._asked_at = time.monotonic()
        try:
            if not prepared:
                return _good(self._pgconn.exec_params(text, given, param_formats=forms))
            name = self._prepared.get(text)
            if name is None:
                name = b"s%d" % len(self._prepared)
                _good(self._pgconn.prepare(name, text))
                self._prepared[text] = name
            return _good(self._pgconn.exec_prepared(name, cast(list[bytes], given), param_formats=forms))
        finally:
            self._asked_at = None

    def rows(self, result: PGresult) -> list[Row]:
        """Return the rows of a result."""
        reader = Transformer(self.connection)
        reader.set_pgresult(result)
        return reader.load_rows(0, result.ntuples, tuple)

    def notify(self, channel: str, payload: str) -> None:
        """Wake who listens to ``channel``; outside of a transaction, whose commit would queue for a global lock."""
        self._answered(lambda: self.connection.execute("SELECT pg_notify(%s, %s)", (channel, payload)))

    def count(self, query: bytes) -> int:
        """Return the one number that ``query`` finds."""
        return int(self._run(query).get_value(0, 0) or 0)

    def end_if_silent(self) -> None:
        """End the connection if the server owes an answer for longer than it may take for one: then it is lost.

        For another thread than the one that waits, again and again. It ends what was late at two looks: when it is
        this process that stood still, the answer is there, and is read before the second.
        """
        asked_at = self._asked_at
        if asked_at is None or time.monotonic() - asked_at <= self._patience_s:
            return
        if asked_at == self._late:
            with suppress(OSError):  # it has just been closed
                self._wire.shutdown(socket.SHUT_RDWR)
        self._late = asked_at

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
        self._wire.close()

    def _run(self, text: bytes) -> PGresult:
        return self._answered(lambda: _good(self._pgconn.exec_(text)))

    def _answered(self, ask: Callable[[], T]) -> T:
        self._asked_at = time.monotonic()
        try:
            return ask()
        finally:
            self._asked_at = None


def connect(url: str, name: str = "smsbridge") -> "psycopg.Connection[Row]":
    """Return a connection that commits each statement by itself, and has that name on the server. Raises StoreError,
    without the password."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        raise StoreError(
            "the address of the database cannot be read"
        ) from None  # the error would show all of it
    try:
        return psycopg.connect(
            make_conninfo("", **{**_USUAL, **given, "application_name": name}), autocommit=True
        )
    except psycopg.Error as error:
        raise StoreError(f"cannot reach the database: {_one_line(error)}") from error


def raced(error: BaseException) -> bool:
    """Return whether another transaction was in the way, so that the same again may do."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _RACED


def is_standby(error: BaseException) -> bool:
    """Return whether the server takes no writes: another has become the first one."""
    return isinstance(error, psycopg.Error) and error.sqlstate == _READ_ONLY


def translated(error: BaseException) -> BaseException:
    """Return the error as the rest of the bridge knows it."""
    if not isinstance(error, psycopg.Error | OSError):
        return error
    new = StoreError(f"the database failed: {_one_line(error)}")
    new.__cause__ = error
    return new


def _settings(lock_ms: int) -> bytes:
    """The server's own defaults may be weaker, or none."""
    chosen: Iterable[tuple[str, object]] = (
        ("synchronous_commit", "on"),
        ("lock_timeout", lock_ms),
        ("statement_timeout", _LOCKS_TO_END * lock_ms),
        ("idle_in_transaction_session_timeout", IDLE_MS),
    )
    return "".join(f"SET {name} = {value};" for name, value in chosen).encode()


def _sent(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    # A text cannot hold NUL; what came with one is kept with the sign for "not readable" instead.
    return str(value).replace("\0", "\ufffd").encode()


def _good(result: PGresult) -> PGresult:
    if result.status not in _GOOD:
        raise errors.error_from_result(result)
    return result


def _one_line(error: BaseException) -> str:
    """The server's sentence alone: what it adds may hold numbers and texts of our rows."""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return " ".join((said or str(error)).split()) or type(error).__name__
