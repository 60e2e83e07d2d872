"""Handing mails to the smarthost over kept SMTP connections; every end is a `Result`, never an error.

Owns the conversation (RFC 5321), its time-outs and who is to blame for a refusal. It does not know what the
mails say, nor when one is tried again.
"""

import asyncio
import logging
import re
import ssl
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

import aiosmtplib
from aiosmtplib import SMTP

from bridge.mail_out.values import Dead, Later, Result, Sent, Smarthost

log = logging.getLogger(__name__)

CONNECT_S: Final = 30.0
COMMAND_S: Final = 60.0  # RFC 5321, 4.5.3.2 allows minutes; a queue that waits is better than one that hangs
WHOLE_S: Final = 120.0  # one hand-over with everything; with a wait for a slot still below the row's lease
IDLE_S: Final = 20.0  # servers close idle sessions soon after
MAILS_PER_CONNECTION: Final = 100

# What may stand between < and > in MAIL and RCPT. aiosmtplib would cut a malformed address short and send.
_ADDRESS: Final = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\"(),:;<>@\[\\\]]{1,64}@[^\s\x00-\x1f\x7f-\x9f\"(),;<>@\\]{1,255}"
)
_UNSEEN: Final = re.compile(r"[^ -~]+")
_SESSION: Final = frozenset({500, 502, 503, 504, 530, 534, 535, 538})  # about the session, not the mail


@dataclass(slots=True)
class _Session:
    smtp: SMTP
    mails: int = 0
    idle_since: float = 0.0

    def reusable(self) -> bool:
        fresh = time.monotonic() - self.idle_since < IDLE_S
        return self.smtp.is_connected and fresh and self.mails < MAILS_PER_CONNECTION


class MailOut:
    """The way out through one smarthost. ``hello`` is the name we say in EHLO; ``context`` whom we trust."""

    def __init__(
        self,
        host: Smarthost,
        *,
        hello: str,
        connections: int = 4,
        context: ssl.SSLContext | None = None,
        whole_s: float = WHOLE_S,
    ) -> None:
        self._host = host
        self._hello = hello
        self._context = context or ssl.create_default_context()
        self._idle: deque[_Session] = deque()
        self._slots = asyncio.Semaphore(connections)
        self._whole_s = whole_s

    async def hand_over(self, envelope_from: str, to: str, raw: bytes) -> Result:
        """Hand ``raw`` over for one recipient; an empty ``envelope_from`` is the null sender."""
        if not _ADDRESS.fullmatch(to) or (envelope_from and not _ADDRESS.fullmatch(envelope_from)):
            return Dead("an address of the mail is malformed")
        try:
            async with self._slots, asyncio.timeout(self._whole_s):
                return await self._try(envelope_from, to, raw)
        except TimeoutError:
            return Later("the smarthost did not answer in time")
        except _SessionRefused as refused:
            return Later(str(refused))
        except ssl.SSLCertVerificationError as error:
            return Later(f"the certificate of the smarthost is not valid: {_clean(error.verify_message)}")
        except (OSError, aiosmtplib.SMTPException) as error:
            return Later(_fault(error))

    async def close(self) -> None:
        """Say goodbye on all idle connections."""
        while self._idle:
            await _quit(self._idle.popleft().smtp)

    async def _try(self, envelope_from: str, to: str, raw: bytes) -> Result:
        """On a kept connection, and once more on a new one when that was closed meanwhile."""
        session = await self._kept()
        if session:
            try:
                return await self._over(session, envelope_from, to, raw)
            except (aiosmtplib.SMTPServerDisconnected, ConnectionError):
                log.debug("a kept connection to the smarthost was closed")
        return await self._over(await self._opened(), envelope_from, to, raw)

    async def _kept(self) -> _Session | None:
        while self._idle:
            session = self._idle.pop()
            if session.reusable():
                return session
            await _quit(session.smtp)
        return None

    async def _over(self, session: _Session, envelope_from: str, to: str, raw: bytes) -> Result:
        whole = False
        try:
            result = await _transaction(session.smtp, envelope_from, to, raw)
            whole = True
        finally:
            if not whole:
                session.smtp.close()
        session.mails += 1
        session.idle_since = time.monotonic()
        if session.smtp.is_connected:
            self._idle.append(session)
        return result

    async def _opened(self) -> _Session:
        host = self._host
        smtp = SMTP(
            hostname=host.host,
            port=host.port,
            local_hostname=self._hello,
            timeout=COMMAND_S,
            use_tls=host.tls == "implicit",
            start_tls=_start_tls(host),
            tls_context=self._context,
        )
        try:
            await self._connect(smtp)
        except BaseException:
            smtp.close()
            raise
        return _Session(smtp)

    async def _connect(self, smtp: SMTP) -> None:
        try:
            await smtp.connect(timeout=CONNECT_S)
        except aiosmtplib.SMTPResponseException as error:
            raise _SessionRefused(
                f"the smarthost refused the session: {error.code} {_clean(error.message)}"
            ) from None
        if self._host.user:
            await self._log_in(smtp)

    async def _log_in(self, smtp: SMTP) -> None:
        """The answer to AUTH is not quoted: some servers repeat what they were sent."""
        try:
            await smtp.login(self._host.user, self._host.password)
        except aiosmtplib.SMTPResponseException as error:
            raise _SessionRefused(f"the smarthost refused our user or password: {error.code}") from None
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError):
            raise
        except aiosmtplib.SMTPException:
            raise _SessionRefused("the smarthost offers no AUTH that we can use") from None


def _start_tls(host: Smarthost) -> bool | None:
    """aiosmtplib's word for it: never, always, or (None) when offered."""
    if host.tls == "implicit":
        return False
    return True if host.user else None


class _SessionRefused(Exception):
    """The smarthost does not want to talk to us: the operator's matter, no fault of a mail."""


async def _transaction(smtp: SMTP, envelope_from: str, to: str, raw: bytes) -> Result:
    """One mail to one recipient. Raises only when the connection is of no more use."""
    options, encoding = [], "ascii"
    if not (envelope_from + to).isascii():
        if not smtp.supports_extension("smtputf8"):
            return Dead("the smarthost does not take addresses beyond ASCII")
        options, encoding = ["SMTPUTF8"], "utf-8"
    if not raw.isascii() and smtp.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")
    try:
        await smtp.mail(envelope_from, options=options, encoding=encoding)
        await smtp.rcpt(to, encoding=encoding)
        taken = await smtp.data(raw)
    except aiosmtplib.SMTPResponseException as error:
        await _reset(smtp)
        return _refused(error)
    return Sent(_clean(f"{taken.code} {taken.message}"))


def _refused(error: aiosmtplib.SMTPResponseException) -> Result:
    """4xx and refusals of the session: later; every other 5xx: never (RFC 5321, 4.2.1)."""
    said = _clean(f"{error.code} {error.message}")
    if 500 <= error.code < 600 and error.code not in _SESSION:
        return Dead(said)
    return Later(said)


def _fault(error: BaseException) -> str:
    """What went wrong on the way, in our own words and the system's."""
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return "the smarthost did not answer in time"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "the smarthost closed the connection"
    if isinstance(error, ssl.SSLError):
        return f"TLS with the smarthost failed: {_clean(error.reason or type(error).__name__)}"
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) else error
    if isinstance(cause, ssl.SSLError):
        return _fault(cause)
    if isinstance(cause, OSError):
        return f"the smarthost cannot be reached: {_clean(cause.strerror or type(cause).__name__)}"
    return _clean(str(error)) or type(error).__name__


def _clean(text: str) -> str:
    """A server's words as one bounded ASCII line."""
    return _UNSEEN.sub(" ", text).strip()[:200]


async def _reset(smtp: SMTP) -> None:
    """Make the session ready for the next mail, or end it."""
    try:
        await smtp.rset()
    except (aiosmtplib.SMTPException, OSError):
        smtp.close()


async def _quit(smtp: SMTP) -> None:
    try:
        await smtp.quit(timeout=2)
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        pass
    smtp.close()
