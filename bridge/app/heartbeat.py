"""This process as one of the nodes on the database: it shows that it lives, and knows which work is its alone."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bridge.app.supervise import supervise
from bridge.errors import StoreError
from bridge.sms_api import boot_clock
from bridge.store import Node, Store

_LOG: Final = logging.getLogger("bridge.app")
_AGAIN_S: Final = 1.0  # after a heartbeat that could not be stored


@dataclass(frozen=True, slots=True)
class Pulse:
    """How nodes watch each other.

    A node shows itself every ``beat_s``. Silent for ``silence_ms`` and the longest call to the vendor it is gone;
    every ``sweep_s`` that is looked for. Work of one node at a time stays its own for ``lease_ms`` without a sign.
    """

    beat_s: float = 5.0
    lease_ms: int = 15_000
    silence_ms: int = 30_000
    sweep_s: float = 10.0


def this_node(parts: Sequence[str], gone_after_ms: int) -> Node:
    """Return a node for this process. Its id is random: a restarted process is another node."""
    host = socket.gethostname()[:40]
    return Node(f"{host}-{secrets.token_hex(4)}", host, os.getpid(), tuple(parts), gone_after_ms)


class Heartbeat:
    """Keeps ``node`` among the living. What it may do alone is told from its own clock: a node that was frozen,
    or has lost the database, knows that its leases may be another's by now."""

    def __init__(
        self, store: Store, node: Node, pulse: Pulse, clock: Callable[[], float] = boot_clock
    ) -> None:
        self._store, self.node, self.pulse, self._clock = store, node, pulse, clock
        self._held: frozenset[str] = frozenset()
        self._shown_at = clock()
        self._draining = False

    def holds(self, part: str) -> bool:
        """Return whether the work of ``part`` that one node at a time does is ours at this moment."""
        silent_ms = (self._clock() - self._shown_at) * 1_000
        return part in self._held and silent_ms < self.pulse.lease_ms and not self._draining

    async def beat(self) -> None:
        """Show that we live. Raises StoreError."""
        at = self._clock()  # before the call: by the database's clock the lease ends no earlier
        held = await self._store.beat(self.node, self.pulse.lease_ms, draining=self._draining)
        silent_s = at - self._shown_at
        if silent_s * 1_000 >= self.node.gone_after_ms:
            _LOG.warning(
                "silent for so long that others took over what was being sent", extra={"s": silent_s}
            )
        self._shown_at, self._held = at, held

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until ``stop``."""
        pause_s = self.pulse.beat_s
        while not stop.is_set():
            await asyncio.sleep(pause_s)
            try:
                await self.beat()
                pause_s = self.pulse.beat_s
            except StoreError as error:
                _LOG.error("no heartbeat could be stored", extra={"why": str(error)})
                pause_s = min(_AGAIN_S, self.pulse.beat_s)

    async def drain(self) -> None:
        """Give back what we do alone, and tell that we end."""
        self._draining = True
        try:
            await self.beat()
        except StoreError as error:
            _LOG.error("others learn only from our silence that we end", extra={"why": str(error)})

    async def leave(self) -> None:
        """Be gone in good order: nothing runs here any more."""
        try:
            left = await self._store.leave(self.node.id)
            if left:
                _LOG.warning("SMS are left unknown", extra={"count": left})
        except StoreError as error:
            _LOG.error("others learn only from our silence that we are gone", extra={"why": str(error)})


@asynccontextmanager
async def alive(store: Store, node: Node, pulse: Pulse) -> AsyncIterator[Heartbeat]:
    """Be a node while inside. Raises StoreError when the first heartbeat cannot be stored."""
    here = Heartbeat(store, node, pulse)
    await here.beat()
    beating = asyncio.create_task(supervise("heartbeat", here.run, asyncio.Event()), name="heartbeat")
    try:
        yield here
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await here.leave()
