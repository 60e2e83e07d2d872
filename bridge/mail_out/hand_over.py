"""Handing mails to the smarthost over kept SMTP connections; every end is a `Result`, never an error.

Owns the connections, their time-outs, and what stands in the way of one. It does not know what the mails say, nor
when one is tried again.
"""

import asyncio
import logging
import re
import ssl
from collections import deque
from typing import Final

import aiosmtplib
from aiosmtplib import SMTP

from bridge.mail_out import session as sessions
from bridge.mail_out.session import Session
from bridge.mail_out.transaction import clean, transaction
from bridge.mail_out.values import Dead, Later, Result, Smarthost

log = logging.getLogger(__name__)

CONNECT_S: Final = 30.0
WHOLE_S: Final = 120.0  # one hand-over with everything, the wait for a connection too

# What may stand between < and > in MAIL and RCPT. aiosmtplib would cut a malformed address short and send.
_ADDRESS: Final = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\"(),:;<>@\[\\\]]{1,64}@[^\s\x00-\x1f\x7f-\x9f\"(),;<>@\\]{1,255}"
)


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
        self._idle: deque[Session] = deque()
        self._slots = asyncio.Semaphore(connections)
        self._whole_s = whole_s

    async def hand_over(self, envelope_from: str, to: str, raw: bytes) -> Result:
        """Hand ``raw`` over for one recipient; an empty ``envelope_from`` is the null sender."""
        if not _ADDRESS.fullmatch(to) or (envelope_from and not _ADDRESS.fullmatch(envelope_from)):
            return Dead("an address of the mail is malformed")
        try:
            async with asyncio.timeout(self._whole_s) as whole, self._slots:
                return await self._try(envelope_from, to, raw, whole)
        except TimeoutError:
            return Later("the smarthost did not answer in time")
        except _SessionRefused as refused:
            return Later(str(refused))
        except ssl.SSLCertVerificationError as error:
            return Later(f"the certificate of the smarthost is not valid: {clean(error.verify_message)}")
        except (OSError, aiosmtplib.SMTPException) as error:
            return Later(_fault(error))

    async def close(self) -> None:
        """Say goodbye on all idle connections."""
        while self._idle:
            await self._idle.popleft().quit()

    async def _try(self, envelope_from: str, to: str, raw: bytes, whole: asyncio.Timeout) -> Result:
        """On a kept connection, and once more on a new one when that was closed meanwhile."""
        session = await self._kept()
        if session:
            try:
                return await self._over(session, envelope_from, to, raw)
            except (aiosmtplib.SMTPServerDisconnected, ConnectionError):
                log.debug("a kept connection to the smarthost was closed")
        return await self._over(await self._opened(whole), envelope_from, to, raw)

    async def _kept(self) -> Session | None:
        while self._idle:
            session = self._idle.pop()
            if session.reusable:
                return session
            await session.quit()
        return None

    async def _over(self, session: Session, envelope_from: str, to: str, raw: bytes) -> Result:
        try:
            result = await transaction(session, envelope_from, to, raw)
        except BaseException:
            session.close()
            raise
        session.over()
        if session.open:
            self._idle.append(session)
        return result

    async def _opened(self, whole: asyncio.Timeout) -> Session:
        host = self._host
        smtp = SMTP(
            hostname=host.host,
            port=host.port,
            local_hostname=self._hello,
            timeout=sessions.COMMAND_S,
            use_tls=host.tls == "implicit",
            start_tls=_start_tls(host),
            tls_context=self._context,
        )
        try:
            await self._connect(smtp, whole)
        except BaseException:
            smtp.close()
            raise
        return Session(smtp)

    async def _connect(self, smtp: SMTP, whole: asyncio.Timeout) -> None:
        try:
            await smtp.connect(timeout=CONNECT_S)
            _go_on(whole)
            await _greet(smtp)
            _go_on(whole)
        except aiosmtplib.SMTPResponseException as error:
            raise _SessionRefused(
                f"the smarthost refused the session: {error.code} {clean(error.message)}"
            ) from None
        if self._host.user:
            await self._log_in(smtp)
            _go_on(whole)

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


def _go_on(whole: asyncio.Timeout) -> None:
    """Raise TimeoutError if the time is over. aiosmtplib waits with `asyncio.wait_for`, which before Python 3.12 loses
    a cancellation that comes together with what it waits for."""
    if whole.expired():
        raise TimeoutError


async def _greet(smtp: SMTP) -> None:
    """Say who we are where aiosmtplib would do it later: at first, and again once TLS is on (RFC 3207, 4.2)."""
    if smtp.is_ehlo_or_helo_needed:
        try:
            await smtp.ehlo()
        except aiosmtplib.SMTPHeloError:
            await smtp.helo()


def _start_tls(host: Smarthost) -> bool | None:
    """aiosmtplib's word for it: never, always, or (None) when offered."""
    if host.tls == "implicit":
        return False
    return True if host.user else None


class _SessionRefused(Exception):
    """The smarthost does not want to talk to us: the operator's matter, no fault of a mail."""


def _fault(error: BaseException) -> str:
    """What went wrong on the way, in our own words and the system's."""
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return "the smarthost did not answer in time"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "the smarthost closed the connection"
    if isinstance(error, ssl.SSLError):
        return f"TLS with the smarthost failed: {clean(error.reason or type(error).__name__)}"
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) else error
    if isinstance(cause, ssl.SSLError):
        return _fault(cause)
    if isinstance(cause, OSError):
        return f"the smarthost cannot be reached: {clean(cause.strerror or type(cause).__name__)}"
    return clean(str(error)) or type(error).__name__
