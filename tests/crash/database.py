"""A look into the bridge's database from outside, while it is served and after its server was killed."""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tests import postgres
from tests.crash.clock import Clock

Engine = Literal["sqlite", "postgresql"]
Rows = list[tuple[Any, ...]]

STATE_OF: Final = """SELECT sms.state, coalesce(outbox.state, '') FROM sms LEFT JOIN outbox ON outbox.sms_id = sms.id
                     WHERE sms.number = '{}'"""
STORY_OF: Final = """SELECT sms.state, sms.due_at, history.at, history.state, note, history.attempt, times, last_at
                     FROM sms JOIN history ON history.sms_id = sms.id WHERE number = '{}' ORDER BY history.id"""
MOVES: Final = "SELECT count(*) FROM history"  # a poll that is like the one before is counted on its line
OPEN_SMS: Final = "SELECT count(*) FROM sms WHERE state IN ('queued', 'sending', 'unknown', 'submitted')"
OPEN_MAILS: Final = "SELECT count(*) FROM outbox WHERE state = 'due'"


@dataclass(frozen=True, slots=True)
class Database:
    """A database of the bridge. ``look`` reads what is committed; ``look_at_the_dead`` changes nothing meanwhile.

    ``log`` is SQLite's write-ahead log; ``server`` the PostgreSQL of its own, ``standby`` what takes its place.
    """

    url: str
    look: Callable[[str], Rows]
    look_at_the_dead: Callable[[str], Rows]
    log: Path | None = None
    server: postgres.Server | None = None
    standby: postgres.Server | None = None

    def count(self, what: str) -> int:
        """Return the one number that a query finds."""
        return int(self.look(what)[0][0])


def sqlite_in(folder: Path) -> Database:
    """Return a database that is a file in ``folder``, not made yet."""
    file = folder / "bridge.db"

    def look(query: str) -> Rows:
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as database:
            return list(database.execute(query))

    def look_at_the_dead(query: str) -> Rows:
        """Out of a copy: to open the database itself would mend it."""
        with tempfile.TemporaryDirectory() as place:
            for one in folder.glob("bridge.db*"):
                shutil.copy(one, place)
            with contextlib.closing(sqlite3.connect(Path(place) / "bridge.db")) as database:
                return list(database.execute(query))

    return Database(f"sqlite://{file}", look, look_at_the_dead, log=folder / "bridge.db-wal")


@contextlib.contextmanager
def postgresql(clock: Clock, *, standby: bool = False) -> Iterator[Database]:
    """A server of its own, which waits for the disk as one in service does, and lives by ``clock``; with a standby
    that has all that it answers."""
    import psycopg

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres.running(durable=True, env=clock.env))
        other = stack.enter_context(postgres.standby_of(server)) if standby else None
        url = server.database()
        if other is not None:
            url = url.replace(f":{server.port}/", f":{server.port},127.0.0.1:{other.port}/")

        def look(query: str) -> Rows:
            with psycopg.connect(url, target_session_attrs="read-write") as connection:
                return list(connection.execute(query.encode()))

        yield Database(url, look, look, server=server, standby=other)
