"""The three polls: their addresses, and what each answer means. Pure.

Only an answer that says so in words means "no such message"; everything else that is not an answer about the
SMS is no answer at all, since a resend may hang on it.
"""

from collections.abc import Callable
from datetime import tzinfo
from typing import Final
from urllib.parse import quote, urlencode

from bridge.errors import EventError
from bridge.event import Event, Fields, from_received, from_replies, from_status, text_of
from bridge.sms import NEWS_KIND, Input, Kind, Sms
from bridge.sms_api import reasons
from bridge.sms_api.values import Listed, Polled
from bridge.sms_api.wire import Answer

PAGE_SIZE: Final = 100
_ANSWERED: Final = frozenset({200, 400, 404})

Clean = Callable[[str], str]


def status_url(rest_url: str, message_id: str) -> str:
    """Return where the status of one SMS is asked."""
    return f"{rest_url}/get/status/{quote(message_id, safe='')}"


def replies_url(rest_url: str, message_id: str) -> str:
    """Return where the answers to one SMS are asked."""
    return f"{rest_url}/get/sms/reply/{quote(message_id, safe='')}"


def received_url(rest_url: str, minutes: int, page: int) -> str:
    """Return where everything received in the last ``minutes`` is asked; pages count from 1."""
    query = urlencode({"timePeriod": minutes, "recordsPerPage": PAGE_SIZE, "page": page})
    return f"{rest_url}/get/sms/received?{query}"


def polled(sms: Sms, answer: Answer, zone: tzinfo, clean: Clean) -> Polled:
    """Return what the answer to a status poll means."""
    try:
        fields = _success(answer)
        event = from_status(fields, sms.message_id, sms.number, zone)
    except _Refused as refusal:
        if refusal.no_such:
            return Polled(Input(Kind.NO_SUCH, why=clean(refusal.why)))
        return no_answer(clean(refusal.why), credentials_refused=refusal.credentials)
    except EventError:
        return no_answer(f"HTTP {answer.status} with an unreadable answer")
    if event is None:
        return Polled(Input(Kind.NOT_TOLD, why="Unknown"))
    assert event.news is not None  # a status event always carries news
    kind = NEWS_KIND[event.news]
    return Polled(Input(kind, why=clean(event.result), price=event.price), event)


def no_answer(why: str, *, credentials_refused: bool = False) -> Polled:
    """Return a poll that told nothing."""
    return Polled(Input(Kind.NO_ANSWER, why=why), credentials_refused=credentials_refused)


def replies(sms: Sms, answer: Answer, zone: tzinfo, clean: Clean) -> Listed:
    """Return the answers to one SMS; none when the vendor has no such message."""
    return _listed(answer, clean, lambda fields: from_replies(fields, sms.message_id, zone))


def received(answer: Answer, zone: tzinfo, page: int, clean: Clean) -> Listed:
    """Return one page of what was received."""
    listed = _listed(answer, clean, lambda fields: from_received(fields, zone))
    if listed.why or not listed.events:
        return listed
    return Listed(listed.events, last_page=page >= _page_count(answer))


class _Refused(Exception):
    def __init__(self, why: str, *, no_such: bool = False, credentials: bool = False) -> None:
        super().__init__(why)
        self.why, self.no_such, self.credentials = why, no_such, credentials


def _success(answer: Answer) -> Fields:
    """Return the fields of an answer that calls itself a success, else raise _Refused or EventError."""
    reason = reasons.reason_of(answer.body)
    said = f"HTTP {answer.status}" + (f": {reason}" if reason else "")
    if answer.status in (401, 403):
        raise _Refused(said, credentials=True)
    if answer.status not in _ANSWERED:
        raise _Refused(said)
    fields = reasons.read(answer.body)
    if reasons.is_no_such(fields, reason):
        raise _Refused(reason or "RecordNotFound", no_such=True)
    if answer.status != 200 or not reasons.is_success(fields):
        raise _Refused(said, credentials=reasons.is_about_credentials(reason))
    return fields


def _listed(answer: Answer, clean: Clean, read: Callable[[Fields], tuple[Event, ...]]) -> Listed:
    try:
        return Listed(read(_success(answer)))
    except _Refused as refusal:
        if refusal.no_such:
            return Listed()
        return Listed(why=clean(refusal.why), credentials_refused=refusal.credentials)
    except EventError:
        return Listed(why=f"HTTP {answer.status} with an unreadable answer")


def _page_count(answer: Answer) -> int:
    """Return how many pages there are; when the answer does not say, more as long as there is something."""
    try:
        count = text_of(reasons.read(answer.body), "pagecount")
        return int(count[:9]) if count else 1 << 30
    except (EventError, ValueError):
        return 1 << 30
