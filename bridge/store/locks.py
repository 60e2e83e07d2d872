"""One lock file per part beside the database: a part runs in one process at a time.

The kernel gives a lock back when its process ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import PartBusy, StoreError
from bridge.store.rights import denied


@contextmanager
def part_lock(database: Path, part: str) -> Iterator[None]:
    """Hold the lock of ``part`` while inside. Raises PartBusy when another process holds it."""
    file = database.with_name(f"{database.name}.{part}.lock")
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
