"""Lock files beside the database: one for each part, which runs in one process at a time, and one for turns at writing.

The kernel gives a lock back when its process ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import PartBusy, StoreError
from bridge.store.rights import denied


def lock_file(database: Path, name: str) -> Path:
    """Return where the lock ``name`` of a database lies."""
    return database.with_name(f"{database.name}.{name}.lock")


def open_lock(database: Path, name: str) -> int:
    """Return the lock ``name``, open, its file made if need be for who owns the database. Raises OSError.

    What lies there already is taken as it is, a link not at all: root must not make or give away a file that the owner
    of the folder has chosen.
    """
    owner = database.stat()
    file = lock_file(database, name)
    try:
        made = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    if os.geteuid() == 0:
        os.fchown(made, owner.st_uid, owner.st_gid)
    return made


@contextmanager
def part_lock(database: Path, part: str) -> Iterator[None]:
    """Hold the lock of ``part`` while inside. Raises PartBusy when another process holds it."""
    file = lock_file(database, part)
    try:
        descriptor = open_lock(database, part)
    except OSError as error:
        raise StoreError(denied(file, error)) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PartBusy(
                f"the part “{part}” already runs on this database in another process (it holds {file});"
                " stop that one first"
            ) from error
        yield
    finally:
        os.close(descriptor)
