"""The counting smarthost: each hand-over of a mail written down by its Message-ID, and whether it was answered."""

import asyncio
import re
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.crash.records import Report, Sign
from tests.flow.running import Loop

_NUMBER: Final = re.compile(r"\+61 ?4[\d ]{8,12}")


class _Conversation(SMTP):
    opened_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.opened_at = time.monotonic()
        super().connection_made(transport)


class Smarthost:
    """An SMTP server on loopback. ``drops`` is asked for each mail: hang up after its final dot, before the 250?"""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.drops: Callable[[], bool] = lambda: False
        self.reports: list[Report] = []
        self.alarms: list[str] = []
        self._server = loop.do(self._start())
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _start(self) -> asyncio.Server:
        made = asyncio.get_running_loop().create_server
        return await made(
            lambda: _Conversation(self, hostname="smarthost.test", enable_SMTPUTF8=True), "127.0.0.1", 0
        )

    def close(self) -> None:
        async def stop() -> None:
            self._server.close()

        self._loop.do(stop())

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(server, _Conversation)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        part = mail.get_body(("plain",))
        text = str(part.get_content()) if part is not None else ""
        drop = self.drops()
        self._written(mail, text, server.opened_at, answered=not drop)
        if drop:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 2.0.0 kept"

    def _written(self, mail: EmailMessage, text: str, opened_at: float, *, answered: bool) -> None:
        """Write a mail down, by the number that it is about; an alarm is about none."""
        found = _NUMBER.search(str(mail["From"]))
        if found is None:
            self.alarms.append(text)
            return
        number = found[0].replace(" ", "")
        sign = cast(Sign, text.lstrip()[:1] if mail["Auto-Submitted"] else "↩")
        name = str(mail["Message-ID"])
        self.reports.append(Report(time.monotonic(), name, number, sign, text, answered, opened_at))
