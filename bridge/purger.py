"""The loop that does away with what is kept no longer: one node at a time, a few rows at once, at a quiet pace.

It decides nothing: what may go, and in which order, is the store's.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from bridge.errors import StoreError
from bridge.store import Purged, PurgePlace, Retention, Store

log = logging.getLogger(__name__)

EVERY_S: Final = 600.0  # from the end of one purge to the next
QUIET: Final = 9.0  # times as long as a batch took nothing is done: a tenth of one writer's time at most
SHORTEST_S: Final = 0.02
WIPES: Final = 10  # tries to empty the log, while others read what was before
WIPE_AGAIN_S: Final = 1.0


class Purger:
    """Purges while ``is_ours`` says that this node is the one to do it; a purge begins every ``every_s``."""

    def __init__(
        self,
        store: Store,
        retention: Retention,
        *,
        is_ours: Callable[[], bool] = lambda: True,
        every_s: float = EVERY_S,
        quiet: float = QUIET,
    ) -> None:
        self._store = store
        self._retention = retention
        self._is_ours = is_ours
        self._every_s = every_s
        self._quiet = quiet

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; the batch under way is finished."""
        while not stop.is_set():
            if self._is_ours():
                try:
                    await self.purge(stop)
                except StoreError as error:
                    log.warning("a purge was cut off", extra={"why": str(error)})
            await _pause(self._every_s, stop)

    async def purge(self, stop: asyncio.Event) -> Purged:
        """Do away with all that was kept for long enough; return how much that was. Raises StoreError."""
        done = Purged(next=PurgePlace())
        while done.next is not None and not stop.is_set() and self._is_ours():
            began = time.monotonic()
            done += await self._store.privacy.purge(self._retention, done.next)
            await _pause(max(SHORTEST_S, self._quiet * (time.monotonic() - began)), stop)
        if done.emptied or done.records:
            log.info(
                "purged",
                extra={
                    "sms": done.texts,
                    "events": done.events,
                    "mails": done.mails,
                    "records": done.records,
                },
            )
            await empty_log(self._store, stop)
        return done


async def empty_log(store: Store, stop: asyncio.Event) -> bool:
    """Have the database empty its log of what was dropped; return False when somebody has read it all the time."""
    for _ in range(WIPES):
        if await store.privacy.wipe():
            return True
        await _pause(WIPE_AGAIN_S, stop)
        if stop.is_set():
            break
    return False


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        pass
