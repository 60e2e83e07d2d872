"""An SMTP client for mails that differ from each other, and for moments at which they are handed in."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench.load import SIZE


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one number; the vendor's books know its SMS by ``serial`` (see `tests.bench.vendor`)."""

    sender: str
    number: str
    serial: int

    @property
    def raw(self) -> bytes:
        text = f"serial{self.serial} ".ljust(70, "x")
        lines = "\r\n".join([text] * (SIZE // len(text)))
        head = f"From: {self.sender}\r\nMessage-ID: <{self.serial}@bench.test>\r\n\r\n"
        return f"{head}{lines}\r\n.\r\n".encode()


class Session:
    """A connection on which mails are handed in, one after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Session":
        session = cls(*await asyncio.open_connection("127.0.0.1", port))
        await session._answered(b"220")
        await session._say(b"HELO bench.test\r\n", b"250")
        return session

    async def hand_in(self, mail: Mail) -> tuple[float, float]:
        """Return when its last dot went out and when it was answered 250 (monotonic s). Raises on another answer."""
        await self._say(b"MAIL FROM:<%s>\r\n" % mail.sender.encode(), b"250")
        await self._say(b"RCPT TO:<%s@sms.local>\r\n" % mail.number.encode(), b"250")
        await self._say(b"DATA\r\n", b"354")
        self._writer.write(mail.raw)
        ended_at = time.monotonic()
        await self._answered(b"250")
        return ended_at, time.monotonic()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _say(self, line: bytes, wanted: bytes) -> None:
        self._writer.write(line)
        await self._answered(wanted)

    async def _answered(self, wanted: bytes) -> None:
        reply = await self._reader.readline()
        if not reply.startswith(wanted):
            raise RuntimeError(f"{reply!r}, not {wanted!r}")


async def hand_in_all(port: int, mails: Iterable[Mail], sessions: int) -> None:
    """Hand in ``mails`` as fast as they are taken."""
    left = iter(mails)

    async def one() -> None:
        session = await Session.open(port)
        for mail in left:
            await session.hand_in(mail)
        await session.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(sessions):
            group.create_task(one())
