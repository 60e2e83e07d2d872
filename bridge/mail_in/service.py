"""The SMTP server: its listeners, and how it ends without losing a mail that it is about to answer."""

import asyncio
import contextlib
import functools
import os
from collections.abc import Mapping
from typing import Final

from bridge.errors import ConfigError
from bridge.mail_in.conversation import Conversation
from bridge.mail_in.house import House
from bridge.mail_in.intake import Intake
from bridge.mail_in.optouts import Known
from bridge.mail_in.settings import Listener, Settings
from bridge.proving import Prover
from bridge.rules import Policy
from bridge.store import Store

_BACKLOG: Final = 512


class MailIn:
    """Mail in. `start`, then `drain`, then `stop`; all in one event loop."""

    def __init__(
        self, store: Store, policy: Policy, settings: Settings, prover: Prover | None = None
    ) -> None:
        self._policy = policy
        self._prover = prover
        self._settings = settings
        self._optouts = Known(store, settings.timezone)
        self._intake = Intake(store, policy, settings.instance, self._optouts, prover)
        self._house: House | None = None
        self._servers: list[asyncio.Server] = []

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return self._house.open_connections if self._house else 0

    @property
    def listening(self) -> bool:
        """Whether all listeners are up and new mails are taken."""
        return bool(self._servers) and all(server.is_serving() for server in self._servers)

    async def watch_optouts(self, stop: asyncio.Event) -> None:
        """Know who wants no SMS, until ``stop``: a loop beside the listeners."""
        await self._optouts.run(stop)

    async def start(self) -> tuple[int, ...]:
        """Listen; the port that each listener really got, in their order. Raises `ConfigError` and `StoreError`."""
        if self._settings.tls is None and any(one.tls != "none" for one in self._settings.listeners):
            raise ConfigError("smtp: a listener with TLS needs a certificate and a key")
        await self._optouts.look()
        self._house = House(self._settings, self._policy, self._intake)
        try:
            for listener in self._settings.listeners:
                self._servers.append(await self._listen(self._house, listener))
        except ConfigError:
            await self.stop()
            raise
        return tuple(server.sockets[0].getsockname()[1] for server in self._servers)

    async def _listen(self, house: House, listener: Listener) -> asyncio.Server:
        make = functools.partial(Conversation, house, listener)
        try:
            return await house.loop.create_server(make, listener.address, listener.port, backlog=_BACKLOG)
        except OSError as fault:
            reason = os.strerror(fault.errno or 0).lower()  # asyncio's own words name the address once more
            raise ConfigError(
                f"cannot listen on {listener.address}:{listener.port} (SMTP): {reason}"
            ) from fault

    def renew_users(self, users: Mapping[str, str]) -> None:
        """Let these be the SMTP users from now on (as `Settings.users`). Who logged in as one that is gone, or has
        another password now, may finish the mail that was begun."""
        if self._house is not None:
            self._house.renew_users(users)

    async def drain(self, timeout_s: float) -> None:
        """Take no new connection or mail; wait, at most ``timeout_s``, for the mails that are on their way in."""
        self._close_servers()
        if self._house is None:
            return
        self._house.draining = True
        for conversation in tuple(self._house.conversations):
            conversation.close_idle()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._house.all_over(), timeout_s)

    async def stop(self) -> None:
        """Cut what is still connected, and let every commit that was begun end."""
        self._close_servers()
        if self._house is not None:
            self._house.draining = True
            for conversation in tuple(self._house.conversations):
                conversation.abort()
            await self._intake.settle()
            for conversation in tuple(self._house.conversations):
                conversation.cancel()
            await self._house.all_over()
            await self._intake.settle()
            self._house.logins.close()
        if self._prover is not None:
            await self._prover.close()
        self._intake.close()

    def _close_servers(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
