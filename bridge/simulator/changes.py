"""Who watches the phone page, and which phones changed since they last looked. Knows numbers alone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MAX_WATCHERS = 64
COALESCE_S = 0.06  # a burst of SMS becomes one message to the page


class TooManyWatchers(Exception):
    """No more pages can watch at the same time."""


class Watcher:
    """One open page: the numbers that changed, in the order of their change, or all of them."""

    def __init__(self) -> None:
        self.numbers: dict[str, None] = {}
        self.everything = True
        self.changed = asyncio.Event()
        self.changed.set()

    async def take(self) -> list[str] | None:
        """Return the numbers that changed since the last time, after a breath; None stands for everything."""
        await asyncio.sleep(COALESCE_S)
        self.changed.clear()
        numbers, everything = self.numbers, self.everything
        self.numbers, self.everything = {}, False
        return None if everything else list(numbers)


class Changes:
    """All watchers. Costs nothing while nobody watches."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()

    @contextmanager
    def watch(self) -> Iterator[Watcher]:
        """Enter a watcher for the time of the block; raise TooManyWatchers beyond the limit."""
        if len(self._watchers) >= MAX_WATCHERS:
            raise TooManyWatchers
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def touch(self, number: str) -> None:
        """Say that the thread of that number changed."""
        for watcher in self._watchers:
            watcher.numbers.pop(number, None)
            watcher.numbers[number] = None
            watcher.changed.set()

    def touch_all(self) -> None:
        """Say that everything changed."""
        for watcher in self._watchers:
            watcher.everything = True
            watcher.changed.set()
