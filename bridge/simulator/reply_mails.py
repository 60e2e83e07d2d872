"""The vendor's reply mails: the answer of a phone, as an HTML mail to the SMSEmailReply address of its SMS.

What the real ones look like is not documented; these look like what such vendors send.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from html import escape
from importlib import resources

import aiosmtplib

from bridge.simulator.books import Received
from bridge.simulator.documents import Times
from bridge.simulator.journal import Entry, Journal
from bridge.simulator.settings import ReplyMail, Settings

TRIES = 5
PAUSE_S = 5.0  # before the second try; each later pause is longer by as much
TIMEOUT_S = 30
MAX_WAITING = 10_000

_HTML = (resources.files("bridge.simulator") / "reply_mail.html").read_text("utf-8")

_PLAIN = """\
SMS Reply Received

From:       {number}
Received:   {received}
Message ID: {message_id}
Job number: {job}

{text}

--
Your original message:
{original}
"""


def compose(reply: Received, sender: str, timezone: str) -> EmailMessage:
    """Return the mail about a reply; the SMS' texts stand in its body alone, never in a header."""
    sms = reply.sms
    if sms is None:
        raise ValueError("only an answer to an SMS is mailed")
    values = {
        "number": reply.number,
        "received": Times(reply.at, timezone).local,
        "message_id": sms.message_id,
        "job": sms.job,
        "text": reply.text,
        "original": sms.text,
    }
    mail = EmailMessage()
    mail["From"] = f"SMS Replies <{sender}>"
    mail["To"] = sms.reply_mail
    mail["Subject"] = f"SMS Reply from {reply.number}"
    mail["Date"] = format_datetime(datetime.fromtimestamp(reply.at / 1000, UTC))
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    mail.set_content(_PLAIN.format(**values))
    mail.add_alternative(
        _HTML.format(**{name: escape(value) for name, value in values.items()}), subtype="html"
    )
    return mail


class Mailer:
    """Hands reply mails to the SMTP server of the settings, a few times if need be."""

    def __init__(self, settings: Callable[[], Settings], journal: Journal, clock: Callable[[], int]) -> None:
        self._settings, self._journal, self._clock = settings, journal, clock
        self._queue: asyncio.Queue[tuple[Received, int]] = asyncio.Queue(MAX_WAITING)

    def tell(self, reply: Received) -> None:
        """Mail that reply if its SMS asked for it and an SMTP server is set."""
        wanted = self._settings().reply_mail is not None and reply.sms is not None and reply.sms.reply_mail
        if wanted and not self._queue.full():
            self._queue.put_nowait((reply, 1))

    async def run(self) -> None:
        """Hand over for ever, one mail after another."""
        while True:
            reply, attempt = await self._queue.get()
            target = self._settings().reply_mail
            if target is not None:
                await self._hand_over(reply, attempt, target)

    async def _hand_over(self, reply: Received, attempt: int, target: ReplyMail) -> None:
        entry = self._journal.add(Entry(0, self._clock(), "mail", number=reply.number, text=reply.text))
        entry.message_id = reply.sms.message_id if reply.sms else ""
        try:
            mail = compose(reply, target.sender, self._settings().timezone)
            await aiosmtplib.send(
                mail,
                hostname=target.host,
                port=target.port,
                timeout=TIMEOUT_S,
                start_tls=False,
                local_hostname=target.sender.rpartition("@")[2],
            )
            entry.answer = "taken"
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            entry.answer, entry.reason = "failed", type(error).__name__
            if attempt < TRIES:
                asyncio.get_running_loop().call_later(attempt * PAUSE_S, self._again, reply, attempt + 1)
        entry.answered_at = self._clock()

    def _again(self, reply: Received, attempt: int) -> None:
        if not self._queue.full():
            self._queue.put_nowait((reply, attempt))
