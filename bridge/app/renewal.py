"""Files that are read again while the service runs: certificates with their keys, and the SMTP users.

They are looked at every some seconds, and at once on SIGHUP. What cannot be read, or is only half written, changes
nothing: what was read before stays, and the admin hears of it. Tells too when a certificate will expire.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bridge.config import Validity, validity
from bridge.errors import ConfigError, StoreError
from bridge.store import Store

_LOG: Final = logging.getLogger("bridge.app")
LOOK_EVERY_S: Final = 5.0
SETTLED_S: Final = 2.0  # so long after its last change a file counts as wholly written
EXPIRY_EVERY_S: Final = 3_600.0
WARN_DAYS: Final = (14, 3, 0)  # before the end of a certificate; each is told once
_ONCE_MS: Final = 400 * 24 * 3_600_000

_Marks = tuple[tuple[int, int, int] | None, ...]


class Renewable:
    """``files`` that ``load`` makes into something, raising `ConfigError`, and ``use`` puts in its place."""

    def __init__(
        self, name: str, files: Sequence[Path], load: Callable[[], Any], use: Callable[[Any], None]
    ) -> None:
        self.name, self.files, self.load, self.use = name, tuple(files), load, use
        self.taken: _Marks | None = (
            None  # None: not looked at yet; they may have changed since they were first read
        )
        self.failed: _Marks | None = None  # could not be used when last looked at
        self.told: _Marks | None = None  # and somebody was told

    def marks(self) -> _Marks:
        """Return what tells one state of the files from another."""
        return tuple(map(_mark, self.files))

    @property
    def at_rest(self) -> bool:
        """Whether nothing was written in the last seconds."""
        now = time.time_ns()
        return all(not mark or abs(now - mark[0]) > SETTLED_S * 1e9 for mark in self.marks())


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Renewal:
    """The loop that looks at files. ``certificates`` are those whose end is watched."""

    def __init__(self, store: Store, renewables: Sequence[Renewable], certificates: Sequence[Path]) -> None:
        self._store = store
        self._renewables = tuple(renewables)
        self._certificates = tuple(certificates)
        self._asked = asyncio.Event()
        self._expiry_at = 0.0

    def ask(self) -> None:
        """Look now: somebody says that something has changed."""
        self._asked.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the files until ``stop``."""
        while not stop.is_set():
            asked = self._asked.is_set()
            self._asked.clear()
            try:
                for one in self._renewables:
                    await self._look(one, asked)
                if time.monotonic() >= self._expiry_at:
                    await self._expiry()
                    self._expiry_at = time.monotonic() + EXPIRY_EVERY_S
            except StoreError as error:
                _LOG.warning("an alarm cannot be stored", extra={"why": str(error)})
            await self._wait(stop)

    async def _wait(self, stop: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._asked, stop)]
        await asyncio.wait(waiting, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()

    async def _look(self, one: Renewable, asked: bool) -> None:
        marks = one.marks()
        if marks == one.taken or (one.taken is None and not any(marks)):
            one.taken, one.failed, one.told = marks, None, None
            return
        if not asked and (marks == one.told or not one.at_rest):
            return
        try:
            loaded = await asyncio.to_thread(one.load)
        except ConfigError as error:
            # Of a pair, the second file may be just about to be written: once more before anybody is told.
            if asked or one.failed == marks:
                await self._tell(one, str(error))
                one.told = marks
            one.failed = marks
            return
        if one.marks() == marks:
            one.use(loaded)
            if one.taken is not None:
                self._expiry_at = 0.0
                _LOG.info("read again", extra={"what": one.name})
            one.taken, one.failed, one.told = marks, None, None

    async def _tell(self, one: Renewable, why: str) -> None:
        _LOG.error("cannot be read again, what was read before stays", extra={"what": one.name, "why": why})
        facts = (("alarm", "renewal"), ("what", one.name), ("file", str(one.files[0])), ("why", why))
        await self._store.note_alarm(f"renewal:{one.files[0]}", facts)

    async def _expiry(self) -> None:
        for path in self._certificates:
            with contextlib.suppress(ValueError):  # what cannot be read is told as such
                await self._tell_expiry(path, validity(path))

    async def _tell_expiry(self, path: Path, of: Validity) -> None:
        days = of.days_left(time.time())
        due = [limit for limit in WARN_DAYS if days < limit]
        if not due:
            return
        name = "certificate-expired" if days < 0 else "certificate"
        facts = (("alarm", name), ("file", str(path)), ("expires", f"{of.ends:%d %b %Y %H:%M} UTC"))
        await self._store.note_alarm(f"{name}:{due[-1]}:{of.serial:x}"[:100], facts, _ONCE_MS)
