"""The answers of the vendor's three polls, already read into fields, to events.

Shapes: REST v2.04 (T). Whether an answer is one at all (HTTP status, credentials) is not decided here.
"""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import islice
from typing import Final

from bridge.errors import EventError
from bridge.event import clean
from bridge.event.document import Fields, Value
from bridge.event.fields import id_of, raw_of, text_of, time_of
from bridge.event.values import Event, News
from bridge.event.words import CREDIT_HOLD, classify, squeezed

MAX_RECIPIENTS: Final = 1_000
MAX_REPLIES: Final = 1_000  # to one SMS; of more than some hundred the store keeps none
_SAME_ENDING: Final = 8  # digits that tell two spellings of a number are one


def from_status(fields: Fields, message_id: str, number: str, zone: tzinfo) -> Event | None:
    """Return what a status poll says of our SMS, None when it says neither yes nor no (status Unknown).

    ``Result`` at the top is the call's, so the recipient's words count. Raises EventError without a status.
    """
    status = squeezed(text_of(fields, "status"))
    if not status:
        raise EventError("the poll's answer has no status")
    if status == "unknown":
        return None
    ours = _recipient(fields, number)
    result = clean.word(text_of(ours, "result")) or clean.word(text_of(fields, "status"))
    return Event(
        source="poll",
        type="status",
        message_id=message_id,
        phone=number,
        raw=raw_of(fields),
        news=classify(_outcome(fields, ours), result) if status == "completed" else News.PENDING,
        result=result if status == "completed" else clean.word(text_of(fields, "status")),
        job=id_of(fields, "jobnum", "jobnumber"),
        price=clean.price(text_of(ours, "price") or text_of(fields, "price")),
        vendor_at=time_of(ours, zone),
        credit_hold=status == CREDIT_HOLD,
    )


def from_replies(fields: Fields, message_id: str, zone: tzinfo) -> tuple[Event, ...]:
    """Return the answers to one SMS that a reply poll lists."""
    replies = (
        reply for one in _mappings(fields.get("recipients")) for reply in _mappings(one.get("smsreplies"))
    )
    job = id_of(fields, "jobnum", "jobnumber")
    return tuple(_reply(reply, message_id, job, zone) for reply in islice(replies, MAX_REPLIES))


def from_received(fields: Fields, zone: tzinfo) -> tuple[Event, ...]:
    """Return everything that one page of the received poll lists, replies and inbound SMS."""
    return tuple(
        _reply(one, id_of(one, "messageid"), id_of(one, "jobnum", "jobnumber"), zone)
        for one in _mappings(fields.get("messages"))
    )


def _reply(fields: Fields, message_id: str | None, job: str | None, zone: tzinfo) -> Event:
    return Event(
        source="poll",
        type="reply" if message_id or job else "inbound",
        message_id=message_id,
        phone=clean.phone(text_of(fields, "from", "destination")),
        raw=raw_of(fields),
        text=clean.paragraph(text_of(fields, "messagetext", "message")),
        job=job,
        received_id=id_of(fields, "receivedid"),
        vendor_at=time_of(fields, zone),
    )


def _recipient(fields: Fields, number: str) -> Fields:
    """Return the recipient with our number; the only one whatever its number is; else nothing."""
    recipients = list(_mappings(fields.get("recipients")))
    if len(recipients) == 1:
        return recipients[0]
    ending = number[-_SAME_ENDING:]
    return next((one for one in recipients if _digits(text_of(one, "destination")).endswith(ending)), {})


def _outcome(fields: Fields, recipient: Fields) -> str:
    """Return the recipient's status word; without one, what the counts of the whole message say."""
    if status := text_of(recipient, "status"):
        return status
    failed, good = (text_of(fields, name).strip("0 ") != "" for name in ("failed", "success"))
    return "FAILED" if failed and not good else "SUCCESS" if good and not failed else ""


def _mappings(value: Value) -> Iterator[Fields]:
    if value is None or value == "":
        return
    if isinstance(value, str | bool) or not isinstance(value, Sequence) or len(value) > MAX_RECIPIENTS:
        raise EventError("a list in the poll's answer is none")
    for one in value:
        if not isinstance(one, dict):
            raise EventError("a list in the poll's answer holds something else than records")
        yield one


def _digits(text: str) -> str:
    return "".join(char for char in text[:100] if char.isascii() and char.isdigit())
