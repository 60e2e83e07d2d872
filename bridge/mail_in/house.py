"""What all conversations share: settings, room, logins, the intake, and the constant answers made of them."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from bridge.decide import Client
from bridge.mail_in import replies
from bridge.mail_in.intake import Intake, Standing, standing_of
from bridge.mail_in.logins import Logins
from bridge.mail_in.replies import Reply
from bridge.mail_in.room import STRANGERS_PER_S, UNNAMED, Connections, Flow, Full, Memory, within
from bridge.mail_in.settings import Settings, Tls
from bridge.mail_in.talk import Talk
from bridge.rules import Policy

if TYPE_CHECKING:
    from bridge.mail_in.connection import Connection

_LOG: Final = logging.getLogger("bridge.mail_in")
_COMPLAIN_EVERY_S: Final = 60.0
_MOST_CLIENTS: Final = 10_000  # remembered with their candidate rules


class House:
    """The server as its connections see it. Lives from start to stop."""

    def __init__(self, settings: Settings, policy: Policy, intake: Intake) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.tls: ssl.SSLContext | None = settings.tls
        self.intake = intake
        self.logins = Logins(settings.users, self.loop.time)
        self.memory = Memory(settings.max_memory)
        self.strangers_flow = Flow(STRANGERS_PER_S, self.loop.time)
        self.draining = False
        self.greeting = replies.checked(f"220 {settings.hostname} ESMTP")
        self.hello = replies.checked(f"250 {settings.hostname}")
        self.conversations: dict[Connection, None] = {}  # in the order in which they came
        self._complained_at = -_COMPLAIN_EVERY_S
        self._all_over: asyncio.Future[None] | None = None
        self._connections = Connections(settings.max_connections, settings.reserved, settings.max_per_address)
        self._policy = policy
        self._standings: dict[Client, Standing] = {}
        self._same: dict[tuple[int, ...], Standing] = {}
        self._extensions: dict[tuple[Tls, bool], Reply] = {}

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return self._connections.open

    def enter(self, client: Client, place: str) -> Reply | None:
        """Count a new connection, or the answer that sends it away."""
        return self._entered(lambda: self._connections.enter(place, lambda: self.knows(client)))

    def enter_unnamed(self) -> Reply | None:
        """As `enter`, for a balancer's connection whose client is to be named by `name`."""
        return self._entered(self._connections.enter_unnamed)

    def name(self, client: Client, place: str) -> Reply | None:
        """As `enter`, for a connection that was counted by `enter_unnamed`; sent away, it counts no more."""
        self._connections.leave(UNNAMED)
        return self.enter(client, place)

    def _entered(self, enter: Callable[[], Full | None]) -> Reply | None:
        full = enter()
        if full == "server" and self._make_room():
            full = enter()
        if full is None:
            return None
        return replies.TOO_MANY_FROM_YOU if full == "address" else replies.TOO_MANY_CONNECTIONS

    def _make_room(self) -> bool:
        """Send the stranger away that has been here longest: a few of them could hold all room there is, for as long
        as an idle client may stay. Who is proven, or has just come, stays."""
        return any(conversation.make_room() for conversation in tuple(self.conversations))

    def is_balancer(self, address: str) -> bool:
        """Whether a connection from there must begin with a header of the PROXY protocol."""
        return bool(self.settings.balancers) and within(address, self.settings.balancers)

    def complain(self, balancer: str) -> None:
        """Log that a balancer did not say whose connection it was: once a minute, since it may do so for each."""
        now = self.loop.time()
        if now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            _LOG.warning(
                "a balancer sent no PROXY header, or none that can be read", extra={"client": balancer}
            )

    def knows(self, client: Client) -> bool:
        """Whether the client is proven already, by its network or by a login."""
        return self.standing(client).known

    def leave(self, place: str) -> None:
        """A counted connection has ended."""
        self._connections.leave(place)

    def begin(self, connection: "Connection", conversation: Coroutine[Any, Any, None]) -> Talk:
        """The conversation, ready to run, and kept until it ends."""
        self.conversations[connection] = None
        return Talk(conversation, self.loop, lambda: self._end(connection))

    def _end(self, connection: "Connection") -> None:
        self.conversations.pop(connection, None)
        if self._all_over is not None and not self.conversations and not self._all_over.done():
            self._all_over.set_result(None)

    async def all_over(self) -> None:
        """Wait until no conversation is left."""
        if self.conversations:
            self._all_over = self._all_over or self.loop.create_future()
            await asyncio.shield(self._all_over)

    def standing(self, client: Client) -> Standing:
        """What this client may hope for before its mail is here."""
        found = self._standings.get(client)
        if found is None:
            if len(self._standings) >= _MOST_CLIENTS:
                self._standings.clear()
                self._same.clear()
            found = self._standings[client] = self._shared(standing_of(self._policy, client))
        return found

    def _shared(self, standing: Standing) -> Standing:
        """The same value for all clients of one standing: ten thousand strangers may share as many rules."""
        return self._same.setdefault(
            (standing.known, *(rule.index for rule in standing.candidates)), standing
        )

    def renew_users(self, users: Mapping[str, str]) -> None:
        """Let these be the SMTP users from now on."""
        self.logins.renew(users)
        self._extensions.clear()

    def extensions(self, tls: Tls, inside_tls: bool) -> Reply:
        """The answer to EHLO on such a listener."""
        key = (tls, inside_tls)
        if key not in self._extensions:
            self._extensions[key] = replies.several(self._names(tls, inside_tls))
        return self._extensions[key]

    def _names(self, tls: Tls, inside_tls: bool) -> list[str]:
        names = [
            self.settings.hostname,
            "PIPELINING",
            f"SIZE {self.settings.max_size}",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
        ]
        if tls == "starttls" and not inside_tls:
            names.append("STARTTLS")
        if inside_tls and self.logins.any:
            names.append("AUTH PLAIN LOGIN")
        return [*names, "ENHANCEDSTATUSCODES"]
