"""Hints between the loops of one process: something of a topic was committed."""

import asyncio
from collections.abc import Iterable

from bridge.store.database import Topic


class Hints:
    """One flag per topic. It stays up until somebody has seen it, so that a hint between two looks counts."""

    def __init__(self) -> None:
        self._flags: dict[Topic, asyncio.Event] = {}

    def give(self, topics: Iterable[Topic]) -> None:
        """Wake who waits for one of ``topics``."""
        for topic in topics:
            self._flag(topic).set()

    async def wait(self, topic: Topic, timeout_s: float) -> None:
        """Return at a hint, or when the time is over."""
        flag = self._flag(topic)
        try:
            async with asyncio.timeout(timeout_s):
                await flag.wait()
        except TimeoutError:
            return
        flag.clear()

    def seen(self, topic: Topic) -> bool:
        """Return whether there was a hint that nobody has seen, and take it down."""
        flag = self._flag(topic)
        raised = flag.is_set()
        flag.clear()
        return raised

    def _flag(self, topic: Topic) -> asyncio.Event:
        return self._flags.setdefault(topic, asyncio.Event())
