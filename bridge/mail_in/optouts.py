"""Who wants no SMS, held in memory so that RCPT asks no database. The store is the truth: the claim looks again.

What another process of this machine has changed is seen within seconds, what this one or another node on the same
server has, at once.
"""

import asyncio
import logging
from datetime import tzinfo
from typing import Final

from bridge.errors import StoreError
from bridge.optout import OptOut, OptOuts, day_in
from bridge.store import Store

_LOG: Final = logging.getLogger("bridge.mail_in")
LOOK_EVERY_S: Final = 3.0
AGAIN_AFTER_S: Final = 3_600.0  # all are read again: heals what a clock that was set back has hidden
OVERLAP_MS: Final = 60_000  # a change is dated when its transaction begins, and seen when that is committed
MOST: Final = 200_000  # held, some 60 MB; of more the latest, the others are noticed by the claim


class Known:
    """The opt-outs in force, as of the last look."""

    def __init__(self, store: Store, zone: tzinfo) -> None:
        self._store = store
        self._zone = zone
        self._known: dict[str, dict[str, str]] = {}
        self._seen = 0
        self._read_at = 0.0

    @property
    def now(self) -> OptOuts:
        """Who wants no SMS, as a decision needs it; empty while nobody has opted out."""
        return self._known

    async def look(self) -> None:
        """Read what has changed since the last look. Raises StoreError."""
        now = asyncio.get_running_loop().time()
        again = not self._seen or now - self._read_at >= AGAIN_AFTER_S
        changed = await self._store.optouts_changed(0 if again else self._seen - OVERLAP_MS, MOST)
        if again:
            self._known, self._read_at = {}, now
        for one in reversed(changed):
            self._note(one)
        if changed:
            self._seen = max(changed[0].changed_at, 1)

    def _note(self, one: OptOut) -> None:
        if one.ended_at is None:
            self._known.setdefault(one.number, {})[one.account] = day_in(one.at, self._zone)
        elif one.number in self._known:
            self._known[one.number].pop(one.account, None)
            if not self._known[one.number]:
                del self._known[one.number]

    async def run(self, stop: asyncio.Event) -> None:
        """Look at each change until ``stop``."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                await self._look_again()
                told = asyncio.ensure_future(self._store.wait("optouts", LOOK_EVERY_S))
                await asyncio.wait({told, stopping}, return_when=asyncio.FIRST_COMPLETED)
                told.cancel()
        finally:
            stopping.cancel()

    async def _look_again(self) -> None:
        try:
            await self.look()
        except StoreError as fault:
            _LOG.warning("cannot read who opted out", extra={"fault": str(fault)})
