"""One connection: its life, its deadlines, its lines in and answers out, TLS. The commands are in `conversation`.

Built on aiosmtpd's protocol, of which this module is the only one to know. Its command loop and DATA reader are
replaced: they hold whole mails in memory, cancel a commit when the client hangs up, and put the client's and
exceptions' text into answers. Octets go from the transport straight into the conversation (see `talk`).
"""

import abc
import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterable, Iterator
from typing import Final, cast

from aiosmtpd.smtp import SMTP

from bridge.decide import Client
from bridge.mail_in import proxy, replies
from bridge.mail_in.collect import MAX_LINE
from bridge.mail_in.handshake import shake_hands
from bridge.mail_in.house import House
from bridge.mail_in.replies import Reply
from bridge.mail_in.room import UNNAMED, normal_address, place_of
from bridge.mail_in.settings import Listener
from bridge.mail_in.talk import Talk, client_news

MAX_LONGEST: Final = 12_288  # octets of a line outside DATA: RFC 4954, 4 (a login); others have less
_MOST_UNREAD: Final = 2 * MAX_LINE  # octets that wait here while we are busy; then the client waits
_MOST_UNSENT: Final = 100  # answers kept together for a client that sends its commands in one go
_LINGER_S: Final = 5.0  # to take our last answer before the connection is cut
_NO_DEADLINE: Final = 1e15
STRANGERS_STAY_S: Final = 3.0  # at least, when others want in: enough for TLS and a login, or for a mail

_LOG: Final = logging.getLogger("bridge.mail_in")
logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd logs passwords at INFO


class Over(Exception):
    """The conversation ends now, after the answers that stand ready."""


class _NoHandler:
    """aiosmtpd wants an object to look through for handlers."""

    def __dir__(self) -> Iterable[str]:
        return ()


_NO_HANDLER: Final = _NoHandler()


class Connection(SMTP):
    """The protocol of one connection, without a word of SMTP."""

    def __init__(self, house: House, listener: Listener) -> None:
        self.command_size_limits: dict[str, int] = {}  # aiosmtpd's own is shared by all connections
        super().__init__(_NO_HANDLER, hostname=house.settings.hostname, loop=house.loop)
        self.house = house
        self.listener = listener
        self.client = Client("")
        self.place = UNNAMED
        self.tls_on = False
        self.session_ends = 0.0
        self._loop = house.loop
        self._wire: asyncio.Transport | None = None
        self._talk: Talk | None = None
        self._unread = bytearray()
        self._left = False  # nothing more will come
        self._counted = False
        self._begun = 0.0
        self._out: list[Reply] = []
        self._deadline = _NO_DEADLINE
        self._timer: asyncio.TimerHandle | None = None
        self._deaf = False  # reading is paused: more came than we can take
        self._stuck = False  # writing is paused: the client takes no more
        self._waiting = False  # for a command: to be told of a shutdown at once
        self._made_to_wait = False  # before its login is looked at: given up when others want in

    def __dir__(self) -> Iterable[str]:
        """Nothing: aiosmtpd looks through every instance for commands it may call, 80 µs a connection."""
        return ()

    @abc.abstractmethod
    async def command(self, line: bytes | None) -> None:
        """Do one command line; None stands for one that was too long."""

    @abc.abstractmethod
    def ends_at(self) -> float:
        """The loop's time at which a client that we wait for is sent away, whatever it says."""

    # Begin and end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection and begin to talk, or say that there is no room for it."""
        self._wire = cast(asyncio.Transport, transport)  # uvloop's do not say that they are
        peer = transport.get_extra_info("peername")
        if not peer:  # reset before we came to look at it; left alone, its file would stay open for ever
            self.abort()
            return
        self.client = Client(normal_address(peer[0]))
        if self.house.draining:
            self._hang_up(replies.SHUTTING_DOWN)
            return
        if self.house.is_balancer(self.client.address):
            full = self.house.enter_unnamed()
        else:
            self.place = place_of(self.client.address)
            full = self.house.enter(self.client, self.place)
        if full is not None:
            self._hang_up(full)
            return
        self._counted = True
        timeouts = self.house.settings.timeouts
        self._begun = self._loop.time()
        self.session_ends = self._begun + timeouts.session_ms / 1000
        self.wait_at_most(timeouts.idle_ms)
        self._talk = self.house.begin(self, self._handle_client())
        self._talk.begin()

    def data_received(self, data: bytes) -> None:
        """Let the conversation go on; what it cannot take now waits, up to a bound."""
        self._unread += data
        self._tell_talk()
        if len(self._unread) > _MOST_UNREAD and self._wire is not None:
            self._wire.pause_reading()
            self._deaf = True

    def eof_received(self) -> bool | None:
        """A client that closes only its sending side still gets its answers."""
        self._left = True
        self._tell_talk()
        return not self.tls_on  # TLS has no such half

    def connection_lost(self, error: Exception | None) -> None:
        """The conversation is told; it is never cancelled, since it may be committing."""
        if self._timer is not None:
            self._timer.cancel()
        self._wire = None
        self._left = True
        if error is not None:
            self._unread.clear()  # cut off: what came before is not done
        self._uncount()
        self._tell_talk()

    def pause_writing(self) -> None:
        """The client does not take our answers: nothing more is done for it."""
        self._stuck = True

    def resume_writing(self) -> None:
        """It takes them again."""
        self._stuck = False
        self._tell_talk()

    def _tell_talk(self) -> None:
        if self._talk is not None:
            self._talk.client_spoke()

    def cancel(self) -> None:
        """Give up the work of ours that the conversation waits for."""
        if self._talk is not None:
            self._talk.cancel()

    def close_idle(self) -> None:
        """Shutting down: a client that we wait for is told at once, others after what they are at."""
        if self._waiting:
            self._hang_up(replies.SHUTTING_DOWN)

    def make_room(self) -> bool:
        """Leave to let another client in, if ours is a stranger who had time enough, and no work of ours is for it.
        Guesses that are made to wait must not hold their place as long."""
        stayed_s = self._loop.time() - self._begun
        at_work = self._deadline == _NO_DEADLINE
        if not self._counted or at_work or stayed_s < STRANGERS_STAY_S or self.house.knows(self.client):
            return False
        self._uncount()
        self._hang_up(replies.TOO_MANY_CONNECTIONS)
        if self._made_to_wait:
            self.cancel()
        return True

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self.house.leave(self.place)

    def abort(self) -> None:
        """Cut the connection."""
        if self._wire is not None:
            self._wire.abort()

    def _hang_up(self, last: bytes) -> None:
        """Say ``last`` and close; a client that does not take it is cut off."""
        if self._wire is None or self._wire.is_closing():
            return
        if self.tls_on or self.listener.tls != "implicit":  # before its handshake nobody could read it
            self._wire.write(last)
        self._wire.close()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_LINGER_S, self.abort)

    async def _handle_client(self) -> None:
        """The conversation, from greeting to end."""
        try:
            if self.place == UNNAMED:
                await self._learn_client()
            if self.listener.tls == "implicit":
                await self.begin_tls()
            self.say(self.house.greeting)
            while True:
                await self.command(await self.line())
        except (Over, EOFError, OSError):
            pass
        except Exception:
            _LOG.exception("conversation failed", extra={"client": self.client.address})
        finally:
            self._hang_up(b"".join(self._out))

    async def _learn_client(self) -> None:
        """Let the balancer say whose connection this is. Raises `Over` when it does not, or there is no room."""
        balancer = self.client.address
        self.wait_at_most(self.house.settings.timeouts.proxy_ms)
        self._waiting = True
        try:
            while (header := proxy.read(bytes(self._unread[: proxy.MAX_V2]))) is None:
                await self._news()
        except proxy.NotProxy:
            self._give_up_waiting()
            raise Over from None
        self._waiting = False
        del self._unread[: header.length]
        # A client that it cannot name is in no network, above all not in that of the balancer.
        self.client = Client(header.address or "")
        place = place_of(header.address or balancer)
        full = self.house.name(self.client, place)
        if full is not None:
            self._counted = False
            self._hang_up(full)
            raise Over
        self.place = place
        self.wait_at_most(self.house.settings.timeouts.idle_ms)

    # Deadlines

    def wait_at_most(self, wait_ms: float, *, and_until: float = _NO_DEADLINE) -> None:
        """From now on the connection is given up after ``wait_ms``, and at ``and_until`` (loop time)."""
        if self._wire is None or self._wire.is_closing():
            return
        self._deadline = deadline = min(self._loop.time() + wait_ms / 1000, and_until)
        if self._timer is None or deadline < self._timer.when():
            self._ring_at(deadline)

    @contextlib.contextmanager
    def made_to_wait(self) -> Iterator[None]:
        """While inside, the client waits for us because it failed before, and leaves when others want in."""
        self.wait_at_most(self.house.settings.timeouts.idle_ms)
        self._made_to_wait = True
        try:
            yield
        finally:
            self._made_to_wait = False
            self.wait_for_ever()

    def wait_for_ever(self) -> None:
        """From now on the connection is given all the time it takes: the work is ours."""
        self._deadline = _NO_DEADLINE

    def _ring_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._rung)

    def _rung(self) -> None:
        """The timer is not moved by each command; when it rings too early, it is set again."""
        now = self._loop.time()
        if self._deadline > now:
            self._ring_at(min(self._deadline, now + self.house.settings.timeouts.idle_ms / 1000))
            return
        self._give_up_waiting()

    def _give_up_waiting(self) -> None:
        if self.place == UNNAMED:
            self.house.complain(self.client.address)
            self._hang_up(replies.NO_PROXY_HEADER)
        else:
            _LOG.info("time is up", extra={"client": self.client.address})
            self._hang_up(replies.TIMED_OUT)

    # Lines in, answers out

    def say(self, reply: Reply) -> None:
        """Have an answer ready; it goes out when we next wait for the client."""
        self._out.append(reply)

    async def flush(self) -> None:
        """Send the answers that stand ready. Raises `ConnectionResetError` when nobody is there any more."""
        if self._out:
            if self._wire is None:
                raise ConnectionResetError
            self._wire.write(b"".join(self._out))
            self._out.clear()
        while self._stuck:
            await self._news()

    async def line(self, most: int = MAX_LONGEST) -> bytes | None:
        """The client's next line without its end, None for one over ``most`` octets.

        Answers go out first, unless the next line is already here (RFC 2920). Raises `EOFError` when the
        client has left.
        """
        unread = self._unread
        end = unread.find(b"\n") + 1
        if not end or len(self._out) > _MOST_UNSENT:
            await self.flush()
        too_long = False
        if not end:
            self.wait_at_most(self.house.settings.timeouts.idle_ms, and_until=self.ends_at())
        while not end:
            if len(unread) > most:
                unread.clear()
                too_long = True
            self._waiting = True
            await self._news()
            self._waiting = False
            end = unread.find(b"\n") + 1
        line = bytes(unread[:end])
        del unread[:end]
        return None if too_long or end > most else line.rstrip(b"\r\n")

    async def octets(self, most: int) -> bytes:
        """What the client has sent, up to ``most`` octets. Raises `EOFError` when it has left."""
        while not self._unread:
            await self._news()
        chunk = bytes(self._unread[:most])
        del self._unread[:most]
        return chunk

    def give_back(self, octets: bytes) -> None:
        """Let ``octets`` be read again: they belong to the next command."""
        self._unread[:0] = octets

    async def _news(self) -> None:
        """Wait until the client sends or takes something. Raises `EOFError` when it has left."""
        if self._wire is None or (self._left and not self._stuck):
            raise EOFError
        if self._deaf:
            self._deaf = False
            self._wire.resume_reading()
        await client_news()

    # TLS

    async def begin_tls(self) -> None:
        """Go on inside TLS: at once on a port with implicit TLS, else after our answer to STARTTLS.

        What came in clear behind STARTTLS is thrown away (RFC 3207, 4.2).
        """
        seconds = self.house.settings.timeouts.handshake_ms / 1000
        self.wait_at_most(seconds * 1000 + 1_000)
        await self.flush()
        inside = None
        try:
            if self._wire is not None:
                assert self.house.tls is not None, "a listener with TLS does not start without"
                inside = await shake_hands(self._wire, self, self.house.tls, self._take_hello, seconds)
        except OSError as error:
            _LOG.info("TLS failed", extra={"client": self.client.address, "fault": _fault_of(error)})
        finally:
            if inside is None or inside.is_closing():
                self.abort()
                self.connection_lost(None)  # nobody is told when a connection ends within its handshake
        if self._wire is None:
            raise Over
        self._wire = inside
        self.tls_on = True

    def _take_hello(self) -> bytes:
        """What came in clear: of a port with implicit TLS the client's hello, else nothing that counts."""
        hello = bytes(self._unread) if self.listener.tls == "implicit" else b""
        self._unread.clear()
        return hello


def _fault_of(error: OSError) -> str:
    """Why a handshake failed. OpenSSL's own few words tell a client that is too old ("unsupported protocol", "no
    shared cipher") from one that does not trust our certificate ("tlsv1 alert unknown ca")."""
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return reason.replace("_", " ").lower() if reason else type(error).__name__
