"""Runs the conversation with one client: a coroutine that waits now for the client, now for work of ours.

Knows nothing of SMTP or sockets. An asyncio task would go on only in a later turn of the loop, by way of a stream
reader and its futures, five times a mail; this one goes on within the call that brings the octets, which saves a
fifth of a mail's time. Within it there is no current task: what needs one is given a task of its own to run in.
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

_CLIENT: Final = object()


@types.coroutine
def client_news() -> Generator[object, None, None]:
    """Wait until `Talk.client_spoke` is called; to be awaited within a talk alone."""
    yield _CLIENT


class Talk:
    """A conversation under way. ``ended`` is called once, when it is over."""

    def __init__(
        self,
        conversation: Coroutine[Any, None, None],
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[], None],
    ) -> None:
        self._conversation = conversation
        self._loop = loop
        self._ended = ended
        self._waits_for: object = None

    def begin(self) -> None:
        """Run it until it first waits."""
        self._go_on()

    def client_spoke(self) -> None:
        """Go on, if it waits for the client."""
        if self._waits_for is _CLIENT:
            self._go_on()

    def cancel(self) -> None:
        """Give up what it waits for, unless that is the client."""
        if isinstance(self._waits_for, asyncio.Future):
            self._waits_for.cancel()

    def _go_on(self, _: object = None) -> None:
        self._waits_for = None
        try:
            waits_for = self._conversation.send(None)
        except (StopIteration, asyncio.CancelledError):
            self._ended()
            return
        except BaseException:  # no conversation lets one out, but if it does, nobody waits for it in vain
            self._ended()
            raise
        self._waits_for = waits_for
        if waits_for is None:  # asyncio.sleep(0)
            self._loop.call_soon(self._go_on)
        elif waits_for is not _CLIENT:
            waits_for._asyncio_future_blocking = False  # how a future knows that its yield was understood
            waits_for.add_done_callback(self._go_on)
