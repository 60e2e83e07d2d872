"""Which engine a database is for, by its address; and the store opened on it, made or upgraded first."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.decide.use import Key, Use
from bridge.errors import StoreError
from bridge.sms import Timing
from bridge.store import schema, sqlite_file, using
from bridge.store.database import Clock, Database
from bridge.store.locks import part_lock
from bridge.store.rights import denied
from bridge.store.sqlite import BUSY_MS, SqliteEngine, wall_clock
from bridge.store.store import PartLock, Store
from bridge.store.threads import Engine, ThreadedDatabase
from bridge.store.values import StoreSettings
from bridge.store.waiting import Hints

if TYPE_CHECKING:
    from bridge.store.postgresql_schema import Server

_USUAL: Final = Timing()
_POSTGRESQL: Final = ("postgresql://", "postgres://")


def is_postgresql(database: str | Path) -> bool:
    """Return whether ``database`` is the address of a PostgreSQL database; else it is the path of a file."""
    return str(database).startswith(_POSTGRESQL)


def is_there(database: str | Path) -> bool:
    """Return whether the database has been made. Raises StoreError when a server cannot be asked, or a folder may not
    be looked into."""
    if is_postgresql(database):
        return look_at_server(str(database)).schema > 0
    try:
        return Path(database).exists()
    except OSError as error:
        raise StoreError(denied(Path(database), error)) from error


def is_current(database: str | Path) -> bool:
    """Return whether the database has been made and has this version's schema; nothing is changed. Raises
    StoreError when that cannot be seen."""
    if is_postgresql(database):
        return look_at_server(str(database)).schema == schema.newest()
    return is_there(database) and sqlite_file.version(Path(database)) == schema.newest()


def look_at_server(url: str) -> "Server":
    """Return what is known of the PostgreSQL server at ``url``; nothing is changed. Raises StoreError."""
    from bridge.store import postgresql_schema

    return postgresql_schema.look(url)


def migrate(database: str | Path) -> tuple[int, int]:
    """Bring a database to this version's schema, making it if need be.

    Returns the schema number before and after. Raises StoreError in a sentence for the operator: a newer schema,
    something else's database, no rights.
    """
    if is_postgresql(database):
        from bridge.store import (
            postgresql_schema,
        )  # psycopg costs time and memory that SQLite's users need not pay

        return postgresql_schema.migrate(str(database))
    return sqlite_file.migrate(Path(database))


def used_by(database: str | Path, sender: str) -> Mapping[Key, Use]:
    """Return what counts for the limits of a sender's next mail. Only reads, and makes or upgrades nothing.

    Raises StoreError when the database cannot be read, or is of another version.
    """
    engine: Engine
    if is_postgresql(database):
        from bridge.store.postgresql import PostgresEngine

        engine = PostgresEngine(str(database), clock=None, busy_ms=BUSY_MS)
    else:
        engine = SqliteEngine(Path(database))
    try:
        return engine.read(lambda tx: using.of_sender(tx, sender))
    finally:
        engine.end_reading()


async def open_store(
    database: str | Path,
    *,
    settings: StoreSettings,
    timing: Timing = _USUAL,
    clock: Clock | None = None,
    busy_ms: int = BUSY_MS,
) -> Store:
    """Open the database, made or upgraded first: the path of an SQLite file, or the URL of a PostgreSQL one.

    Several processes may have it open. ``clock`` in place of the database's is for tests; ``busy_ms``: so long
    a write waits for what another process has locked. Raises StoreError as `migrate` does.
    """
    await asyncio.get_running_loop().run_in_executor(None, migrate, database)
    hints = Hints()
    opened: Database
    alone: PartLock | None = None
    if is_postgresql(database):
        from bridge.store.postgresql import PostgresDatabase

        opened = PostgresDatabase(str(database), clock=clock, busy_ms=busy_ms, on_commit=hints.give)
    else:
        file = Path(database)
        opened = ThreadedDatabase(SqliteEngine(file, clock=clock or wall_clock, busy_ms=busy_ms), hints.give)
        alone = partial(part_lock, file)
    return Store(opened, hints, alone, settings, timing)
