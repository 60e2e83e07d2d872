"""A webhook's fields, in any of the vendor's spellings, to one `Event`.

Field sets: A (the vendor's page), B (v2.04) and v3. Names are as `document.normal` leaves them.
"""

import json
from collections.abc import Iterable
from datetime import UTC, tzinfo
from typing import Final

from bridge.errors import EventError
from bridge.event import clean
from bridge.event.document import Fields, Value
from bridge.event.values import Event, EventType, Source
from bridge.event.words import CREDIT_HOLD, classify, squeezed

MAX_RAW: Final = 16_000
_TYPES: Final[dict[str, EventType]] = {"sms": "status", "smsreply": "reply", "smsinbound": "inbound"}
_SECRET: Final = frozenset({"sender", "token", "apikey", "authtoken", "auth_token"})

_UTC_TIMES: Final = (
    "senttimeutc_rfc3339",
    "sendtimeutc_rfc3339",
    "senttimeutc_iso8601",
    "senttimeutc",
    "sendtimeutc",
    "sentdateutc",
    "receivedtimeutc_rfc3339",
    "receivedtimeutc",
    "receiveddateutc",
)
_LOCAL_TIMES: Final = (
    "senttimelocal",
    "senttime",
    "sentdate",
    "receivedtimelocal",
    "receivedtime",
    "receiveddate",
)


def is_ours(fields: Fields) -> bool:
    """Return whether the news is about SMS at all; accounts may also hear of other kinds of message.

    Raises EventError when ``Type`` is missing or no text.
    """
    kind = text_of(fields, "type")
    if not kind.strip():
        raise EventError("the event has no type")
    return squeezed(kind) in _TYPES


def from_fields(fields: Fields, source: Source, zone: tzinfo) -> Event:
    """Return the event that the fields of one webhook tell. Local times are in ``zone``.

    Raises EventError when a field has a shape it cannot have, or nothing says which SMS or phone it is about.
    """
    kind = _TYPES.get(squeezed(text_of(fields, "type")))
    if kind is None:
        raise EventError("the event is not about an SMS")
    if kind == "status" and squeezed(text_of(fields, "status")) == "received":
        kind = "reply"
    event = _reply(fields, source, zone, kind) if kind != "status" else _status(fields, source, zone)
    if not (event.message_id or event.job or (event.phone and kind != "status")):
        raise EventError("the event names no SMS")
    return event


def _status(fields: Fields, source: Source, zone: tzinfo) -> Event:
    result = clean.word(text_of(fields, "result"))
    status = text_of(fields, "status")
    if not result and not status.strip():
        raise EventError("the event has neither status nor result")
    return Event(
        source=source,
        type="status",
        message_id=id_of(fields, "messageid"),
        phone=clean.phone(text_of(fields, "destination")),
        raw=raw_of(fields),
        news=classify(status, result),
        result=result or clean.word(status),
        job=id_of(fields, "jobnumber", "jobnum"),
        price=clean.price(text_of(fields, "price")),
        vendor_at=time_of(fields, zone),
        credit_hold=squeezed(result) == CREDIT_HOLD,
    )


def _reply(fields: Fields, source: Source, zone: tzinfo, kind: EventType) -> Event:
    return Event(
        source=source,
        type=kind,
        message_id=id_of(fields, "messageid"),
        phone=clean.phone(text_of(fields, "destination", "from")),
        raw=raw_of(fields),
        text=clean.paragraph(text_of(fields, "message", "messagetext")),
        job=id_of(fields, "jobnumber", "jobnum"),
        received_id=id_of(fields, "receivedid"),
        vendor_at=time_of(fields, zone),
    )


def text_of(fields: Fields, *names: str) -> str:
    """Return the first field among ``names`` that is not empty, "" if none is (null is empty too).

    Raises EventError when it holds anything but a text or number.
    """
    for name in names:
        value = fields.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise EventError("a field holds something else than text")
        if value.strip():
            return value
    return ""


def id_of(fields: Fields, *names: str) -> str | None:
    """Return an id as one clean word, None if there is none."""
    return clean.word(text_of(fields, *names), 100) or None


def time_of(fields: Fields, zone: tzinfo) -> int | None:
    """Return the event's moment in ms UTC; UTC fields are believed before local ones."""
    return _first_moment(fields, _UTC_TIMES, UTC) or _first_moment(fields, _LOCAL_TIMES, zone)


def _first_moment(fields: Fields, names: Iterable[str], zone: tzinfo) -> int | None:
    for name in names:
        text = text_of(fields, name)
        if text and (at := clean.moment(text, zone)) is not None:
            return at
    return None


def raw_of(fields: Fields) -> str:
    """Return what came, as JSON text, without the credentials in it and bounded."""
    kept: dict[str, Value] = {name: value for name, value in fields.items() if name not in _SECRET}
    text = json.dumps(kept, ensure_ascii=False, default=str)
    return clean.paragraph(text, MAX_RAW)
