"""The three polls: the status of an SMS, the answers to it, and everything received in a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.types import Receive, Scope, Send

from bridge.simulator import documents
from bridge.simulator.acting import act, refusal, written
from bridge.simulator.books import Received, Sms
from bridge.simulator.exchange import Exchange, Reply
from bridge.simulator.faults import Action, Subject
from bridge.simulator.journal import Entry, Kind
from bridge.simulator.settings import Account
from bridge.simulator.vendor import Vendor

MAX_PAGE = 1_000
BARE_404 = b"<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>"


class BadQuery(ValueError):
    """A query the vendor cannot read; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which received SMS a poll asks for: times in milliseconds, ``until`` not included."""

    since: int
    until: int
    size: int
    page: int


@dataclass(frozen=True, slots=True)
class Asked:
    """One poll under way: the id it asks about, the SMS found under it, its line in the journal."""

    exchange: Exchange
    message_id: str
    sms: Sms | None
    entry: Entry


class Poll(ABC):
    """What all polls share: the token, faults, the journal."""

    kind: Kind

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one poll."""
        exchange = Exchange(scope, receive, send, self._vendor.closing)
        message_id = str(scope.get("path_params", {}).get("message_id", ""))[:200]
        sms = self._vendor.books.find(message_id) if message_id else None
        asked = Asked(exchange, message_id, sms, self._entered(message_id, sms))
        account = self._account(exchange)
        right = self._right(account, asked)
        await self._let_out(right, account.sender if account else "", asked)
        asked.entry.answered_at = self._vendor.clock()

    @abstractmethod
    def good(self, account: Account, asked: Asked) -> Reply:
        """Return the answer to a poll with a good token."""

    def _right(self, account: Account | None, asked: Asked) -> Reply:
        if asked.exchange.method not in ("GET", "HEAD"):
            return self.refuse(405, "Method not allowed", asked)
        if account is None:
            return self.refuse(401, "Unauthorized", asked)
        return self.good(account, asked)

    async def _let_out(self, right: Reply, sender: str, asked: Asked) -> None:
        """Send the right answer, or what a rule makes of it."""
        entry = asked.entry
        subject = Subject(entry.number, entry.text, sender, asked.message_id)
        rule = self._vendor.rules.find(self.kind, subject, entry.at)
        if rule is not None:
            entry.rule = rule.id
            right = self._bent(rule.action, right, asked)
        if rule is not None and rule.action.name not in ("not_found", "state"):
            entry.answer = rule.action.name
            entry.http, _ = await act(rule.action, right, asked.exchange, self._vendor.settings)
        else:
            await asked.exchange.answer(right)
            entry.http = right.status

    def _bent(self, action: Action, right: Reply, asked: Asked) -> Reply:
        if action.name == "not_found":
            return self.not_found(asked)
        if action.name == "state" and asked.sms is not None:
            asked.entry.answer = action.state
            document = documents.status(asked.sms, self._vendor.settings.timezone, state=action.state)
            return written(document, 200, asked.exchange)
        return right

    def refuse(self, http: int, reason: str, asked: Asked) -> Reply:
        """Return a refusal and note it."""
        asked.entry.answer, asked.entry.reason = "refused", reason
        return refusal(http, reason, asked.exchange, self._vendor.settings)

    def not_found(self, asked: Asked) -> Reply:
        """Return "no such message" in the shape of the settings and note it."""
        asked.entry.answer = "not_found"
        http, document = documents.no_such_message(asked.message_id, self._vendor.settings.not_found)
        return written(document, http, asked.exchange) if document else Reply(http, BARE_404, "text/html")

    def _account(self, exchange: Exchange) -> Account | None:
        """The vendor wants ``Basic`` and the raw token, nothing in base64."""
        scheme, _, token = exchange.header("authorization").partition(" ")
        token = token.strip()
        if scheme.lower() != "basic" or not token:
            return None
        accounts = self._vendor.settings.accounts
        return next((account for account in accounts if account.auth_token == token), None)

    def _entered(self, message_id: str, sms: Sms | None) -> Entry:
        entry = Entry(serial=0, at=self._vendor.clock(), kind=self.kind, message_id=message_id)
        if sms is not None:
            entry.number, entry.text, entry.account, entry.sms = sms.number, sms.text, sms.account, sms.serial
        return self._vendor.journal.add(entry)


class StatusPoll(Poll):
    """`GET …/get/status/{MessageID}`."""

    kind: Kind = "status"

    def good(self, account: Account, asked: Asked) -> Reply:
        """Return the SMS' status document; the SMS of another account does not exist."""
        sms = asked.sms
        if sms is None or sms.account.lower() != account.sender.lower():
            return self.not_found(asked)
        asked.entry.answer = sms.state
        document = documents.status(sms, self._vendor.settings.timezone, replies=self.kind == "reply")
        return written(document, 200, asked.exchange)


class ReplyPoll(StatusPoll):
    """`GET …/get/sms/reply/{MessageID}`: the status document with what the phone answered."""

    kind: Kind = "reply"


class ReceivedPoll(Poll):
    """`GET …/get/sms/received`: what phones sent, newest first, in pages."""

    kind: Kind = "received"

    def good(self, account: Account, asked: Asked) -> Reply:
        """Return one page of the account's received SMS."""
        timezone = self._vendor.settings.timezone
        try:
            window = read_window(asked.exchange.query(), self._vendor.clock(), timezone)
        except BadQuery as error:
            return self.refuse(400, str(error), asked)
        messages = list(self._within(window, account.sender.lower()))
        first = (window.page - 1) * window.size
        asked.entry.answer = f"{len(messages)} received"
        page = messages[first : first + window.size]
        document = documents.received(page, len(messages), window.page, window.size, timezone)
        return written(document, 200, asked.exchange)

    def _within(self, window: Window, sender: str) -> Iterator[Received]:
        for message in reversed(self._vendor.books.received):
            if message.at < window.since:
                return
            if message.at < window.until and message.account.lower() == sender:
                yield message


def read_window(query: dict[str, str], now: int, timezone: str) -> Window:
    """Return what a received poll asks for: ``timePeriod`` in minutes (a day if absent), or two dates."""
    size = _whole(query, "recordsPerPage", 100, MAX_PAGE)
    page = _whole(query, "page", 1, 10**9)
    if "dateFrom" in query or "dateTo" in query:
        since = _moment(query.get("dateFrom", ""), timezone) if query.get("dateFrom") else 0
        until = _moment(query.get("dateTo", ""), timezone) if query.get("dateTo") else now + 1
        return Window(since, until, size, page)
    return Window(now - _whole(query, "timePeriod", 1_440, 60 * 24 * 366) * 60_000, now + 1, size, page)


def _whole(query: dict[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise BadQuery(f"Invalid {name}")
    return int(text)


def _moment(text: str, timezone: str) -> int:
    try:
        moment = datetime.fromisoformat(text[:40])
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(timezone))
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BadQuery("Invalid dateFrom or dateTo") from error
