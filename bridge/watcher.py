"""Watches what senders do: counts it beside the way of the mails, and has the admin told who is far above their habit.

It meets the other loops in the store alone; without it nothing is lost but the alarm.
"""

import asyncio
import logging
from collections.abc import Callable

from bridge.errors import StoreError
from bridge.store import Store
from bridge.velocity import Bounds

log = logging.getLogger(__name__)


class Watcher:
    """Looks every ``every_s``; ``is_ours`` tells whether this node does it: one at a time does."""

    def __init__(self, store: Store, bounds: Bounds, *, is_ours: Callable[[], bool], every_s: float) -> None:
        self._store, self._bounds, self._is_ours, self._every_s = store, bounds, is_ours, every_s

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop``."""
        while not stop.is_set():
            try:
                while self._is_ours() and await self._store.watch(self._bounds) and not stop.is_set():
                    pass
            except StoreError as error:
                log.warning("what senders do could not be counted", extra={"why": str(error)})
            try:
                await asyncio.wait_for(stop.wait(), self._every_s)
            except TimeoutError:
                continue
