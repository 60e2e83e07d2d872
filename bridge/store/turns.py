"""Processes that write to one SQLite file take turns by a lock beside it.

SQLite itself lets who finds the file locked sleep, for longer each time, up to a tenth of a second: with two
processes that write all the time, most of their time. Who waits here looks again at once, for a moment; after
that, and where the lock cannot be had, SQLite's own is waited for.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bridge.store.locks import open_lock

LOOK_S: Final = 0.0003
LONGEST_S: Final = 1.0  # of a process that stands still with the lock, no more than this is lost on top


class Turns:
    """The turns of the file at ``path``. For one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn while inside, or go on without it after `LONGEST_S`."""
        lock = self._opened()
        if lock is None or not _taken(lock):
            yield
            return
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the lock's file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _opened(self) -> int | None:
        """Return the lock, its file made if need be; None when that cannot be."""
        if self._lock is None:
            try:
                self._lock = open_lock(self._path, "turn")
            except OSError:
                return None
        return self._lock


def _taken(lock: int) -> bool:
    until = time.monotonic() + LONGEST_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(LOOK_S)
        except OSError:
            return False
        else:
            return True
