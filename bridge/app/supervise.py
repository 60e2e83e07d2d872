"""Keep a loop running: a fault that nobody foresaw is logged and the loop begins again, the others unharmed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

_LOG: Final = logging.getLogger("bridge.app")
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0

Loop = Callable[[asyncio.Event], Awaitable[None]]


async def supervise(name: str, loop: Loop, stop: asyncio.Event) -> None:
    """Run ``loop(stop)`` until ``stop`` is set; start it again, ever more slowly, when it fails."""
    pause = _FIRST_PAUSE_S
    while not stop.is_set():
        try:
            await loop(stop)
        except Exception:
            _LOG.exception("part failed, starting it again", extra={"part": name, "in_s": pause})
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, _LONGEST_PAUSE_S)
