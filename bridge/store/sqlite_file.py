"""One SQLite file: opening it safely, its schema and its migrations, and noticing that it was replaced.

It knows SQLite and the disk; it does not know the verbs.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from bridge.errors import StoreError
from bridge.store import schema
from bridge.store.rights import denied
from bridge.store.schema import newest, split

OLDEST_SQLITE: Final = (3, 35, 0)  # RETURNING
APPLICATION_ID: Final = 0x534D5342  # "SMSB": tells our files from anybody's
# All a page cache needs to hold of the indexes of a million rows' hot ends, in KiB.
CACHE_KIB: Final = 32 * 1024
LOG_BUSY_MS: Final = 100
REWRITE_BUSY_MS: Final = 60_000
MAX_WAL_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """Which files stand under the database's name: a commit to an unlinked file would be lost."""

    file: tuple[int, int]
    wal: tuple[int, int] | None


def open_writer(path: Path, busy_ms: int, *, create: bool = False) -> sqlite3.Connection:
    """Return a connection that may write, its schema checked. Raises StoreError in words for the operator."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed")
    try:
        if create:
            _make_private(path)
        connection = _connect(path, "rw", busy_ms)
    except sqlite3.Error as error:
        raise StoreError(f"cannot open {path}: {error}") from error
    try:
        _be_durable(connection, path)
        _check_ours(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"cannot use {path}: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def open_reader(path: Path, busy_ms: int) -> sqlite3.Connection:
    """Return a connection that can only read."""
    try:
        connection = _connect(path, "ro", busy_ms)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise StoreError(f"cannot open {path} for reading: {error}") from error
    return connection


def empty_log(path: Path) -> bool:
    """Bring all of the write-ahead log into the file and empty it; False when a reader still needs it. Mails that
    come in wait for it, `LOG_BUSY_MS` and what the disk takes."""
    connection = _connect(path, "rw", LOG_BUSY_MS)
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    return not busy


def rewrite_file(path: Path) -> None:
    """Write all of the file anew (a second or two for each 100 MB): nothing dropped is left in it."""
    connection = _connect(path, "rw", REWRITE_BUSY_MS)
    try:
        connection.execute("VACUUM")
    finally:
        connection.close()


def identity(path: Path) -> Identity | None:
    """Return what stands under the name now; None when there is no such file."""
    try:
        file = os.stat(path)  # noqa: PTH116 - with every commit; pathlib takes four times as long
    except OSError:
        return None
    try:
        wal = os.stat(f"{path}-wal")  # noqa: PTH116
    except OSError:
        return Identity((file.st_dev, file.st_ino), None)
    return Identity((file.st_dev, file.st_ino), (wal.st_dev, wal.st_ino))


def version(path: Path) -> int:
    """Return the schema number of the file at ``path``. Raises StoreError when it cannot be read."""
    connection = open_reader(path, 5_000)
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"cannot read {path}: {error}") from error
    finally:
        connection.close()
    return int(found)


def migrate(path: Path, busy_ms: int = 5_000) -> tuple[int, int]:
    """Bring the file at ``path`` to this version's schema, making it if need be.

    Returns the schema number before and after. A newer schema, or a file of something else, is refused.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder of {path}: {error.strerror}") from error
    connection = open_writer(path, busy_ms, create=True)
    try:
        return _migrate(connection, path)
    except sqlite3.Error as error:
        raise StoreError(f"cannot bring {path} up to date: {error}") from error
    finally:
        connection.close()


def _make_private(path: Path) -> None:
    """Make an empty file for its owner alone: it will hold numbers and texts, and what SQLite puts beside it
    gets the same rights. One that is there keeps the rights that the operator gave it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(denied(path, error)) from error


def _connect(path: Path, mode: str, busy_ms: int) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode={mode}"
    connection = sqlite3.connect(
        uri,
        uri=True,
        isolation_level=None,
        timeout=busy_ms / 1000,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def _be_durable(connection: sqlite3.Connection, path: Path) -> None:
    (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if journal != "wal":
        raise StoreError(f"{path}: this disk cannot keep a write-ahead log ({journal}); use a local disk")
    connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose a commit at power loss
    connection.execute("PRAGMA foreign_keys = ON")
    # What is dropped is overwritten with zeros: a person may ask to be forgotten.
    connection.execute("PRAGMA secure_delete = ON")
    # What undoes one unit of a batch is of no use after a crash; as a file it was half of all that is written.
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA journal_size_limit = {MAX_WAL_BYTES}")


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (tables or version):
        raise StoreError(f"{path} is a database of something else")
    if version > newest():
        raise StoreError(
            f"{path} was written by a newer version of the bridge (schema {version}, this one knows"
            f" {newest()}): run that version, or go back to a copy made before"
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> tuple[int, int]:
    (before,) = connection.execute("PRAGMA user_version").fetchone()
    if before == newest():
        _check_ours(connection, path)
        return before, before  # without the lock: a command that only looks need not wait for a writer
    connection.execute("BEGIN IMMEDIATE")
    (before,) = connection.execute("PRAGMA user_version").fetchone()
    _check_ours(connection, path)  # again, now that nobody else can change it
    for number, text in sorted(schema.migrations("sqlite").items()):
        if number > before:
            for statement in split(text, "sqlite"):
                connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {newest()}")
    connection.execute("COMMIT")
    return before, newest()
