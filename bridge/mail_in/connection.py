"""One connection: its life, its deadlines, its lines in and answers out, TLS. The commands are in `conversation`.

Built on aiosmtpd's protocol, of which this module is the only one to know. Its command loop and DATA reader are
replaced: they hold whole mails in memory, cancel a commit when the client hangs up, and put the client's and
exceptions' text into answers.
"""

import abc
import asyncio
import logging
from collections.abc import Iterable
from typing import Final, cast

from aiosmtpd.smtp import SMTP

from bridge.decide import Client
from bridge.mail_in import replies
from bridge.mail_in.collect import MAX_LINE
from bridge.mail_in.house import House
from bridge.mail_in.replies import Reply
from bridge.mail_in.room import normal_address, place_of
from bridge.mail_in.settings import Listener

MAX_LONGEST: Final = 12_288  # octets of a line outside DATA: RFC 4954, 4 (a login); others have less
_MOST_UNSENT: Final = 100  # answers kept together for a client that sends its commands in one go
_LINGER_S: Final = 5.0  # to take our last answer before the connection is cut
_NO_DEADLINE: Final = 1e15

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

    line_length_limit = MAX_LINE  # octets the stream reader holds before it stops reading from the socket

    def __init__(self, house: House, listener: Listener) -> None:
        self.command_size_limits: dict[str, int] = {}  # aiosmtpd's own is shared by all connections
        super().__init__(_NO_HANDLER, hostname=house.settings.hostname, loop=house.loop)
        self.house = house
        self.listener = listener
        self.client = Client("")
        self.place = ""
        self.tls_on = False
        self.session_ends = 0.0
        self._loop = house.loop
        self._wire: asyncio.WriteTransport | None = None
        self._early = b""  # of a client that begins with TLS, when it came before we could
        self._counted = False
        self._out: list[Reply] = []
        self._deadline = _NO_DEADLINE
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = False  # for a command: to be told of a shutdown at once

    def __dir__(self) -> Iterable[str]:
        """Nothing: aiosmtpd looks through every instance for commands it may call, 80 µs a connection."""
        return ()

    @abc.abstractmethod
    async def command(self, line: bytes | None) -> None:
        """Do one command line; None stands for one that was too long."""

    # Begin and end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection and begin to talk, or say that there is no room for it."""
        asyncio.StreamReaderProtocol.connection_made(self, transport)
        self._wire = cast(asyncio.WriteTransport, transport)  # uvloop's do not say that they are
        peer = transport.get_extra_info("peername")
        if not peer:  # reset before we came to look at it; left alone, its file would stay open for ever
            self.abort()
            return
        self.client = Client(normal_address(peer[0]))
        self.place = place_of(self.client.address)
        full = self.house.enter(self.client, self.place)
        if full is not None:
            self._hang_up(full)
            return
        self._counted = True
        timeouts = self.house.settings.timeouts
        self.session_ends = self._loop.time() + timeouts.session_ms / 1000
        self.wait_at_most(timeouts.idle_ms)
        self.house.begin(self, self._loop.create_task(self._handle_client()))

    def connection_lost(self, error: Exception | None) -> None:
        """The reader tells the conversation; it is never cancelled, since it may be committing."""
        if self._timer is not None:
            self._timer.cancel()
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self._wire = None
        if self._counted:
            self._counted = False
            self.house.leave(self.place)

    def eof_received(self) -> bool | None:
        """A client that closes only its sending side still gets its answers."""
        return asyncio.StreamReaderProtocol.eof_received(self)

    def close_idle(self) -> None:
        """Shutting down: a client that we wait for is told at once, others after what they are at."""
        if self._waiting:
            self._hang_up(replies.SHUTTING_DOWN)

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

    # Deadlines

    def wait_at_most(self, wait_ms: float, *, and_until: float = _NO_DEADLINE) -> None:
        """From now on the connection is given up after ``wait_ms``, and at ``and_until`` (loop time)."""
        if self._wire is None or self._wire.is_closing():
            return
        self._deadline = deadline = min(self._loop.time() + wait_ms / 1000, and_until)
        if self._timer is None or deadline < self._timer.when():
            self._ring_at(deadline)

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
        _LOG.info("time is up", extra={"client": self.client.address})
        self._hang_up(replies.TIMED_OUT)

    # Lines in, answers out

    def say(self, reply: Reply) -> None:
        """Have an answer ready; it goes out when we next wait for the client."""
        self._out.append(reply)

    async def flush(self) -> None:
        """Send the answers that stand ready."""
        if self._out:
            self._writer.write(b"".join(self._out))
            self._out.clear()
            await self._writer.drain()

    async def line(self, most: int = MAX_LONGEST) -> bytes | None:
        """The client's next line without its end, None for one over ``most`` octets.

        Answers go out first, unless the next line is already here (RFC 2920). Raises `EOFError` when the
        client has left.
        """
        if b"\n" not in _unread(self._reader) or len(self._out) > _MOST_UNSENT:
            await self.flush()
        self._waiting = True
        try:
            line: bytes = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as overrun:
            await self._skip_line(overrun.consumed)
            return None
        finally:
            self._waiting = False
        return None if len(line) > most else line.rstrip(b"\r\n")

    async def _skip_line(self, consumed: int) -> None:
        while True:
            await self._reader.read(max(consumed, 1))
            try:
                await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as overrun:
                consumed = overrun.consumed
            else:
                return

    async def octets(self, most: int) -> bytes:
        """What the client has sent, up to ``most`` octets. Raises `EOFError` when it has left."""
        chunk: bytes = await self._reader.read(most)
        if not chunk:
            raise EOFError
        return chunk

    def give_back(self, octets: bytes) -> None:
        """Let ``octets`` be read again: they belong to the next command."""
        if octets:
            _unread(self._reader)[:0] = octets

    # TLS

    async def begin_tls(self) -> None:
        """Go on inside TLS: at once on a port with implicit TLS, else after our answer to STARTTLS.

        What came in clear behind STARTTLS is thrown away (RFC 3207, 4.2).
        """
        seconds = self.house.settings.timeouts.handshake_ms / 1000
        self.wait_at_most(seconds * 1000 + 1_000)
        await (
            self.flush()
        )  # from here to `start_tls` there is no turn of the loop in which a hello could be read
        try:
            await (
                self._begin_with_hello(seconds)
                if self.listener.tls == "implicit"
                else self._handshake(seconds)
            )
        except OSError as error:
            _LOG.info("TLS failed", extra={"client": self.client.address, "fault": type(error).__name__})
        finally:
            self._wire = self._writer.transport
            if self._wire.is_closing() or self._wire.get_extra_info("ssl_object") is None:
                self.abort()
                self.connection_lost(None)  # nobody is told when a connection ends within its handshake
        if self._wire is None:
            raise Over
        _change_transport(self._reader, self._wire)
        self.tls_on = True

    async def _handshake(self, seconds: float) -> None:
        context = self.house.tls
        assert context is not None, "a listener with TLS does not start without"
        if self.listener.tls == "implicit":
            self._early = bytes(_unread(self._reader))
        _unread(self._reader).clear()
        await self._writer.start_tls(context, ssl_handshake_timeout=seconds)

    async def _begin_with_hello(self, seconds: float) -> None:
        """Shake hands with a client whose hello may be here already: the loop reads before this task begins."""
        begun = self._loop.create_task(self._handshake(seconds))
        self._loop.call_soon(
            self._loop.call_soon, self._feed_hello
        )  # right behind what `start_tls` calls soon
        await begun

    def _feed_hello(self) -> None:
        """Let the TLS layer, just put in place and not reading yet, have what came before it was there."""
        octets, self._early = self._early, b""
        if not octets or self._wire is None or self._wire.is_closing():
            return
        protocol = cast(asyncio.BufferedProtocol, self._wire.get_protocol())
        while octets:
            room = memoryview(protocol.get_buffer(len(octets)))
            part = octets[: len(room)]
            room[: len(part)] = part
            protocol.buffer_updated(len(part))
            octets = octets[len(part) :]


# asyncio gives no way to put octets back, to see whether a line has come, or (before 3.12) to change the
# transport of a reader. aiosmtpd reaches for the same two attributes.


def _unread(reader: asyncio.StreamReader) -> bytearray:
    buffer: bytearray = reader._buffer  # type: ignore[attr-defined]
    return buffer


def _change_transport(reader: asyncio.StreamReader, transport: asyncio.WriteTransport) -> None:
    reader._transport = transport  # type: ignore[attr-defined]
