"""One SMTP session that is set up: what we say goes out as it is, what the smarthost says comes back reply by reply.

aiosmtplib connects, does TLS and AUTH, and hands its connection over: it asks one thing at a time, which costs two
round trips more a mail and half of the CPU.
"""

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass
from typing import Final, cast

from aiosmtplib import SMTP, SMTPServerDisconnected

COMMAND_S: Final = 60.0  # RFC 5321, 4.5.3.2 allows minutes; a queue that waits is better than one that hangs
IDLE_S: Final = 20.0  # servers close idle sessions soon after
QUIT_S: Final = 2.0
MAILS_PER_CONNECTION: Final = 100
MAX_REPLY: Final = 64 * 1024  # octets of what is said and not yet read
_LINE: Final = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)  # RFC 5321, 4.2


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply; the lines of its text in one."""

    code: int
    text: str


class Session(asyncio.Protocol):
    """A session of ``smtp``, which is connected and is not used any more for itself."""

    def __init__(self, smtp: SMTP) -> None:
        self._smtp = smtp
        self._wire = cast(asyncio.Transport, smtp.transport)
        self._unread = bytearray()
        self._texts: list[str] = []
        self._begun = 0  # octets of the lines of a reply that has not ended
        self._replies: deque[Reply] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._fault = ""
        self._used_at = time.monotonic()
        self._mails = 0
        self._wire.set_protocol(self)

    def offers(self, extension: str) -> bool:
        """Whether the smarthost's EHLO named an extension."""
        return self._smtp.supports_extension(extension)

    def say(self, octets: bytes) -> None:
        """Send commands or a mail. Raises SMTPServerDisconnected."""
        if not self.open:
            raise SMTPServerDisconnected(self._fault or "the connection is closed")
        self._wire.write(octets)

    async def reply(self) -> Reply:
        """Return the next reply. Raises SMTPServerDisconnected when none will come, TimeoutError when it is late."""
        if not self._replies:
            if self._fault:
                raise SMTPServerDisconnected(self._fault)
            self._waiting = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(COMMAND_S):
                await self._waiting
        if not self._replies:
            raise SMTPServerDisconnected(self._fault)
        return self._replies.popleft()

    def over(self) -> None:
        """One mail is done with."""
        self._mails += 1
        self._used_at = time.monotonic()

    @property
    def reusable(self) -> bool:
        """Whether another mail can go this way: not closed, not worn, and nothing unasked was said."""
        fresh = time.monotonic() - self._used_at < IDLE_S and self._mails < MAILS_PER_CONNECTION
        return fresh and self.open and not (self._replies or self._unread)

    @property
    def open(self) -> bool:
        """Whether the connection stands, as far as we know."""
        return not self._fault and not self._wire.is_closing()

    def close(self) -> None:
        """Close at once."""
        self._fail("the connection is closed")

    async def quit(self) -> None:
        """Say goodbye, and close."""
        try:
            async with asyncio.timeout(QUIT_S):
                self.say(b"QUIT\r\n")
                await self.reply()
        except (SMTPServerDisconnected, TimeoutError):
            pass
        self.close()

    # --- called by the event loop ---

    def data_received(self, data: bytes) -> None:
        self._unread += data
        *lines, rest = self._unread.split(b"\r\n")
        self._unread = rest
        for line in lines:
            self._take(bytes(line))
        if len(rest) + self._begun > MAX_REPLY or len(self._replies) > MAX_REPLY // 1_000:
            self._fail("the smarthost says too much")
        self._wake()

    def eof_received(self) -> None:
        self._fail("the smarthost closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the smarthost closed the connection")

    def _take(self, line: bytes) -> None:
        found = _LINE.fullmatch(line)
        if found is None:
            self._fail("the smarthost does not speak SMTP")
            return
        self._texts.append((found[3] or b"").decode("ascii", "replace"))
        self._begun += len(line) + 2
        if found[2] != b"-":
            self._replies.append(Reply(int(found[1]), " ".join(self._texts)))
            self._texts, self._begun = [], 0

    def _fail(self, why: str) -> None:
        self._fault = self._fault or why
        self._wire.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done() and (self._replies or self._fault):
            self._waiting.set_result(None)
