"""One send: the form that goes out, and what each answer means for the SMS and for the account. Pure."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlencode

from bridge import retry
from bridge.errors import EventError
from bridge.event import Fields, id_of
from bridge.sms import Input, Kind, Sms
from bridge.sms_api import reasons
from bridge.sms_api.values import RATE_LIMIT_WAIT_MS, Credentials, Outcome
from bridge.sms_api.wire import Answer

MIN_WAIT_MS: Final = 1_000
MAX_WAIT_MS: Final = 15 * 60_000  # a vendor that says "tomorrow" is asked again before every SMS expires

# Something between us and the account is wrong, whatever the body says: sending more would not help.
_ACCOUNT_STATUS: Final = frozenset({401, 402, 403, 404, 405, 407, 410, 415})
# The vendor's page: "200 OK, OK Thanks".
_PLAIN_SUCCESS: Final = frozenset({b"ok", b"ok thanks", b"ok, ok thanks", b"200 ok, ok thanks"})

Clean = Callable[[str], str]


def form_of(sms: Sms, account: Credentials, reply_to: str | None, *, test: bool) -> bytes:
    """Return the body of a send, form-urlencoded, with the vendor's field names."""
    fields = {
        "Sender": account.sender,
        "Token": account.token,
        "Number": sms.number,
        "Message": sms.text,
        "MessageID": sms.message_id,
    }
    if reply_to:
        fields["SMSEmailReply"] = reply_to
    if test or sms.mode == "test":
        fields["Mode"] = "Test"
    return urlencode(fields, errors="replace").encode("ascii")


def outcome(sms: Sms, answer: Answer, clean: Clean, now: int) -> Outcome:
    """Return what the vendor's answer to a send means. ``now`` is ms UTC, for a Retry-After with a date."""
    status = answer.status
    if 200 <= status < 300:
        return _taken_or_not(sms, answer, clean)
    if status == 429:
        wait_ms = retry_after_ms(answer.headers.get("retry-after", ""), now)
        return Outcome(
            Input(Kind.RATE_LIMITED, sms.attempts, "the vendor asks us to slow down", wait_ms), None
        )
    if status == 408 or status >= 500:
        return unclear(sms, _with_reason(f"HTTP {status}", answer, clean))
    if 300 <= status < 400:
        return refused_account(sms, f"HTTP {status}: the vendor's address redirects")
    if status in _ACCOUNT_STATUS:
        return refused_account(sms, _with_reason(f"HTTP {status}", answer, clean))
    if status < 200:
        return unclear(sms, f"HTTP {status}")
    return _refused(sms, answer, clean)


def unclear(sms: Sms, why: str) -> Outcome:
    """Return the outcome of a send whose end nobody knows."""
    return Outcome(Input(Kind.UNCLEAR, sms.attempts, why), retry.Answer.UNCLEAR)


def not_sent(sms: Sms, why: str, wait_ms: int) -> Outcome:
    """Return the outcome of a send that surely did not leave us."""
    return Outcome(Input(Kind.NOT_SENT, sms.attempts, why, wait_ms), None)


def retry_after_ms(value: str, now: int) -> int:
    """Return a Retry-After header (seconds or an HTTP date) as a bounded wait in ms."""
    value = value.strip()[:60]
    wait_ms = RATE_LIMIT_WAIT_MS
    if value.isascii() and value.isdigit():
        wait_ms = int(value[:10]) * 1_000
    elif value:
        try:
            wait_ms = int(parsedate_to_datetime(value).timestamp() * 1_000) - now
        except (ValueError, TypeError, OverflowError):
            pass
    return max(MIN_WAIT_MS, min(wait_ms, MAX_WAIT_MS))


def _taken_or_not(sms: Sms, answer: Answer, clean: Clean) -> Outcome:
    if answer.body.strip().lower() in _PLAIN_SUCCESS:
        return _sent(sms, {})
    try:
        fields = reasons.read(answer.body)
    except EventError:
        return unclear(sms, f"HTTP {answer.status} with an unreadable answer")
    if reasons.is_failed(fields):
        return _refused(sms, answer, clean)
    if reasons.is_success(fields):
        return _sent(sms, fields)
    return unclear(sms, f"HTTP {answer.status} without a result")


def _sent(sms: Sms, fields: Fields) -> Outcome:
    theirs = _id(fields, "messageid")
    own = theirs is not None and theirs.lower() != sms.message_id.lower()
    return Outcome(Input(Kind.SENT, sms.attempts), retry.Answer.CLEAR, (theirs,) if theirs and own else ())


def _refused(sms: Sms, answer: Answer, clean: Clean) -> Outcome:
    reason = reasons.reason_of(answer.body)
    why = clean(reason)
    match reasons.about(reason):
        case "sms":
            return Outcome(Input(Kind.REFUSED_SMS, sms.attempts, why), retry.Answer.CLEAR)
        case "duplicate":
            return Outcome(Input(Kind.NEWS_DUPLICATE, sms.attempts, why), retry.Answer.CLEAR)
        case "account":
            return refused_account(sms, why)
        case "unread":
            said = _with_reason(f"HTTP {answer.status}", answer, clean)
            return Outcome(Input(Kind.REFUSED_UNREAD, sms.attempts, said), retry.Answer.UNREAD)


def refused_account(sms: Sms, why: str) -> Outcome:
    """Return the outcome of a send that the account is to blame for."""
    return Outcome(Input(Kind.REFUSED_ACCOUNT, sms.attempts, why), retry.Answer.ACCOUNT)


def _with_reason(said: str, answer: Answer, clean: Clean) -> str:
    reason = clean(reasons.reason_of(answer.body))
    return f"{said}: {reason}" if reason else said


def _id(fields: Fields, name: str) -> str | None:
    try:
        return id_of(fields, name)
    except EventError:
        return None
