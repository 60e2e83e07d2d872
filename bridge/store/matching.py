"""Which SMS the vendor speaks of, and the rows that keep what it said, within bounds."""

from collections.abc import Sequence
from typing import Final

from bridge.event import Event
from bridge.retry import Answer
from bridge.sms import HOUR, Input, Kind, Sms, State
from bridge.store import accounts, alarms
from bridge.store.changing import change, sms_by_id, sms_by_message_id
from bridge.store.database import Tx
from bridge.store.terms import Terms

MAX_KEPT: Final = 10_000  # that match nothing: more than a busy day of misdirected webhooks
MAX_OF_ONE: Final = 500  # events of one SMS
MAX_IDS: Final = 20  # ids of the vendor for one SMS: each POST gives two or three
MAX_RAW: Final = 8_000  # characters kept of an event as it came
MAX_ID: Final = 100  # characters of an id that can match anything


def match(tx: Tx, event: Event) -> Sms | None:
    """Return the SMS an event is about: by our MessageID, one of the vendor's, or the vendor's job.

    A job that was given to an SMS to another phone says nothing: the number may have been given twice.
    """
    if event.message_id and len(event.message_id) <= MAX_ID:
        sms = sms_by_message_id(tx, event.message_id) or _by_vendor_id(tx, event.message_id, "m")
        if sms is not None:
            return sms
    sms = _by_vendor_id(tx, event.job, "j")
    return sms if sms is None or event.phone in ("", sms.number) or event.phone[0] != "+" else None


def _by_vendor_id(tx: Tx, value: str | None, kind: str) -> Sms | None:
    row = tx.one("sms_of_vendor_id", value=low(value), kind=kind) if value else None
    return sms_by_id(tx, row[0]) if row is not None else None


def learn_ids(tx: Tx, sms: Sms, *, message_ids: Sequence[str] = (), job: str | None = None) -> bool:
    """Store the vendor's own ids of an SMS; return whether one is new."""
    ids = [(value, "m") for value in message_ids if value and value.upper() != sms.message_id]
    ids += [(job, "j")] if job else []
    known = [
        tx.run("learn_id", value=low(value), kind=kind, sms_id=sms.id, most=MAX_IDS)
        for value, kind in ids
        if len(value) <= MAX_ID
    ]
    return any(known)


def vendor_ids(tx: Tx, sms_id: int) -> tuple[str, ...]:
    """Return the MessageIDs that the vendor itself gave an SMS, in lower case."""
    return tuple(value for (value,) in tx.all("vendor_message_ids", sms_id=sms_id))


def insert(
    tx: Tx,
    event: Event,
    sms_id: int | None,
    mark: bytes | None,
    *,
    ways: str = "",
    kept_until: int | None = None,
) -> None:
    """Store an event as it came."""
    tx.run(
        "insert_event",
        at=tx.now,
        sms_id=sms_id,
        source=event.source,
        type=event.type,
        news=event.news,
        result=event.result,
        text=event.text,
        phone=event.phone,
        message_id=event.message_id,
        job=event.job,
        received_id=event.received_id,
        price=event.price,
        vendor_at=event.vendor_at,
        credit_hold=int(event.credit_hold),
        raw=event.raw[:MAX_RAW],
        mark=None if event.source == "mail" else mark,
        mail_mark=mark if event.source == "mail" else None,
        ways=ways,
        kept_until=kept_until,
    )


def has_room(tx: Tx, terms: Terms, sms: Sms) -> bool:
    """Return whether one more event of an SMS may be kept; a flood is an alarm."""
    row = tx.one("count_events", sms_id=sms.id, most=MAX_OF_ONE)
    if row is None or row[0] < MAX_OF_ONE:
        return True
    facts = (("alarm", "event-flood"), ("message_id", sms.message_id))
    alarms.note(tx, terms, "event-flood", facts)
    return False


def bound_kept(tx: Tx, terms: Terms) -> None:
    """Drop the oldest of what matches nothing when there is too much of it."""
    if tx.run("drop_kept", most=MAX_KEPT):
        alarms.note(tx, terms, "event-flood", (("alarm", "event-flood"), ("kept", str(MAX_KEPT))))


def show_life(tx: Tx, terms: Terms, sms: Sms) -> None:
    """The vendor has shown one of our SMS: the account works."""
    accounts.hear(tx, terms, sms, Answer.SHOWN, "")


def alive(tx: Tx, terms: Terms, sms: Sms) -> Sms:
    """An answer from the phone proves that its SMS was made, whatever we believed."""
    if sms.state in (State.SENDING, State.UNKNOWN, State.HELD, State.QUEUED) and sms.attempts:
        sms = change(tx, terms, sms, Input(Kind.PENDING, why="the phone answered"))
    show_life(tx, terms, sms)
    return sms


def low(value: str | None) -> str:
    """Return an id as it is compared: vendors change its case."""
    return (value or "").lower()


def count_hour(tx: Tx, key: str, most: int) -> bool:
    """Count one more of ``key`` in this hour; return False, counting nothing, when there were ``most``."""
    return bool(tx.run("count_hour", key=key, hour=tx.now // HOUR, most=most))


def flood(tx: Tx, terms: Terms) -> None:
    """Tell the admin that more news comes than can be true."""
    alarms.note(tx, terms, "event-flood", (("alarm", "event-flood"),))
