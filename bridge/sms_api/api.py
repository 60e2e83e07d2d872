"""`SmsApi`: one object for all accounts of the vendor; every verb ends in a value, never in an error of the wire."""

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import httpx

from bridge.retry import backoff_ms
from bridge.rules import Mode
from bridge.sms import Input, Kind, Sms
from bridge.sms_api import polling, sending
from bridge.sms_api.reasons import Scrubber
from bridge.sms_api.values import Credentials, Listed, Outcome, Polled
from bridge.sms_api.wire import Answer, NotSent, Unclear, Wire

SEND_CONNECTIONS: Final = 40
POLL_CONNECTIONS: Final = 10
POLL_DEADLINE_S: Final = 20.0
MAX_ANSWER: Final = 64 * 1024
LONG_ANSWER: Final = 2 * 1024  # read beside the loop: of 2 MB that are made for it, a kilobyte takes 1.5 ms
MAX_LIST: Final = 2 * 1024 * 1024  # a page of 100 received SMS of ten segments each, escaped

_T = TypeVar("_T")

_SEND_HEADERS: Final = httpx.Headers(
    {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "smsbridge",
    }
)


class SmsApi:
    """The vendor. ``accounts`` maps an account's key to its credentials; ``mode`` test sends nothing real.

    ``send_timeout_ms`` is a send's whole time, its answer's body included. ``transport`` makes the wire of
    tests, one for each client.
    """

    def __init__(
        self,
        accounts: Mapping[str, Credentials],
        send_url: str,
        rest_url: str,
        *,
        mode: Mode = "live",
        send_timeout_ms: int = 30_000,
        vendor_timezone: str = "Australia/Sydney",
        tls: ssl.SSLContext | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self._accounts = dict(accounts)
        self._send_url = httpx.URL(send_url)
        self._rest_url = rest_url.rstrip("/")
        self._mode = mode
        self._reader = ThreadPoolExecutor(1, "vendor-read")
        self._zone = ZoneInfo(vendor_timezone)
        self._clean = Scrubber(
            secret for one in accounts.values() for secret in (one.token, one.auth_token or "")
        )
        tls = tls or ssl.create_default_context()
        self.send_timeout_ms = send_timeout_ms
        deadline_s = send_timeout_ms / 1_000
        self._sends = Wire(SEND_CONNECTIONS, MAX_ANSWER, deadline_s, tls, transport)
        self._polls = Wire(POLL_CONNECTIONS, MAX_LIST, min(POLL_DEADLINE_S, deadline_s), tls, transport)

    @property
    def accounts_with_polls(self) -> frozenset[str]:
        """The keys of the accounts that have an auth_token."""
        return frozenset(key for key, account in self._accounts.items() if account.auth_token)

    @property
    def concurrency(self) -> int:
        """How many sends have a connection each; more at once would only wait for one."""
        return SEND_CONNECTIONS

    @property
    def poll_concurrency(self) -> int:
        """How many polls have a connection each."""
        return POLL_CONNECTIONS

    async def send(
        self, sms: Sms, reply_to: str | None = None, before: Callable[[], None] = lambda: None
    ) -> Outcome:
        """Send one SMS and return what came of it. Once begun it ends by itself, cancelled caller or not.

        ``before`` is called when a connection stands, right before the first octet leaves; when it raises TooLate,
        so does this.
        """
        account = self._accounts.get(sms.account)
        if account is None:
            why = f"the account {self._clean(sms.account)} is not configured"
            return sending.refused_account(sms, why)
        form = sending.form_of(sms, account, reply_to, test=self._mode == "test")
        return await self._sends.finished(self._sent(sms, form, before))

    async def status(self, sms: Sms, message_id: str | None = None) -> Polled:
        """Ask what became of one SMS, by our MessageID or by another one that the vendor gave it."""
        if not self._auth_token(sms.account):
            return Polled(Input(Kind.NO_POLL))
        url = polling.status_url(self._rest_url, message_id or sms.message_id)
        answer = await self._poll(sms.account, url)
        if isinstance(answer, str):
            return polling.no_answer(answer)
        return await self._read(answer, lambda: polling.polled(sms, answer, self._zone, self._clean))

    async def replies(self, sms: Sms) -> Listed:
        """Ask for the answers to one SMS."""
        answer = await self._poll(sms.account, polling.replies_url(self._rest_url, sms.message_id))
        if isinstance(answer, str):
            return Listed(why=answer)
        return await self._read(answer, lambda: polling.replies(sms, answer, self._zone, self._clean))

    async def received(self, account: str, minutes: int, page: int = 1) -> Listed:
        """Ask for one page (from 1) of everything an account received in the last ``minutes``."""
        answer = await self._poll(account, polling.received_url(self._rest_url, minutes, page))
        if isinstance(answer, str):
            return Listed(why=answer)
        return await self._read(answer, lambda: polling.received(answer, self._zone, page, self._clean))

    async def close(self) -> None:
        """Wait for every send that runs, cut off polls, and close all connections."""
        await self._sends.close()
        await self._polls.close(cut=True)
        self._reader.shutdown(wait=False, cancel_futures=True)

    async def _read(self, answer: Answer, read: Callable[[], _T]) -> _T:
        """Return what ``read`` makes of an answer."""
        if len(answer.body) <= LONG_ANSWER:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._reader, read)

    async def _sent(self, sms: Sms, form: bytes, before: Callable[[], None]) -> Outcome:
        try:
            answer = await self._sends.ask("POST", self._send_url, _SEND_HEADERS, form, before)
        except NotSent as error:
            wait_ms = backoff_ms(sms.attempts, random.random())  # noqa: S311 - jitter, not a secret
            return sending.not_sent(sms, self._clean(str(error)), wait_ms)
        except Unclear as error:
            return sending.unclear(sms, self._clean(str(error)))
        now = time.time_ns() // 1_000_000
        return await self._read(answer, lambda: sending.outcome(sms, answer, self._clean, now))

    async def _poll(self, account: str, url: str) -> Answer | str:
        """Return the answer to a poll, or in words why there is none."""
        token = self._auth_token(account)
        if not token:
            return "the account has no auth_token"
        headers = {
            "Authorization": f"Basic {token}",  # the raw token: the vendor's rule, not RFC 7617's
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "smsbridge",
        }
        return await self._polls.finished(self._asked(httpx.URL(url), headers))

    async def _asked(self, url: httpx.URL, headers: Mapping[str, str]) -> Answer | str:
        try:
            return await self._polls.ask("GET", url, headers)
        except (NotSent, Unclear) as error:
            return self._clean(str(error)) or "no answer"

    def _auth_token(self, account: str) -> str | None:
        known = self._accounts.get(account)
        return known.auth_token if known else None
