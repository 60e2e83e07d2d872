"""Answers from phones: the three ways they come meet in one row, and each is mailed once.

A webhook may name a ReceivedID or not, a poll always does, and the vendor's mail holds the text somewhere.
"""

from collections.abc import Sequence
from typing import Final

from bridge.event import Event
from bridge.optout import Said
from bridge.report import notices
from bridge.report.values import NewNotice
from bridge.sms import HOUR, MINUTE, Sms
from bridge.store import keys, matching, optouts, outbox
from bridge.store.changing import mail_and_group, sms_by_id
from bridge.store.database import Tx
from bridge.store.rows import event_of
from bridge.store.terms import Terms
from bridge.store.values import DAY, Recorded, StoredEvent

SAME_MS: Final = 3 * MINUTE  # between the times that two ways tell of one answer
SAME_MAIL_MS: Final = 10 * MINUTE  # a mail takes longer
OTHERS_MS: Final = 7 * DAY  # so long the vendor gives an answer to the last SMS to that number
LOOK_BACK_MS: Final = 8 * DAY  # polls list at most some days
MAX_LOOKED_AT: Final = 200  # answers of one phone
KEPT_MS: Final = 72 * HOUR
MAX_AN_HOUR: Final = 20_000  # answers stored that belong to no SMS of ours

WITH_ID, PLAIN, MAIL = "r", "p", "m"


def record(tx: Tx, terms: Terms, events: Sequence[Event]) -> list[Recorded]:
    """Take answers from phones; see `Store.record_event`. Two ways may tell of one answer at the same time."""
    tx.alone(*(f"phone {event.phone}" for event in events))
    return [_record(tx, terms, event) for event in events]


def _record(tx: Tx, terms: Terms, event: Event) -> Recorded:
    if event.received_id and _known(tx, event, event.received_id):
        return "known"
    mark = _mark(event)
    again = "mail_again" if event.source == "mail" else "event_again"
    if mark is not None and tx.run(again, mark=mark):
        return "known"
    twin = _twin(tx, event)
    if twin is not None:
        _meet(tx, event, twin, mark)
        if twin.source == "mail":  # whose text is only roughly that of the phone
            optouts.heard(tx, terms, event, sms_by_id(tx, twin.sms_id) if twin.sms_id else None, twin.at)
        return "known"
    sms = matching.match(tx, event)
    said = optouts.heard(tx, terms, event, sms, tx.now)
    if sms is not None:
        return _of_ours(tx, terms, sms, event, mark, said)
    if _may_become_known(terms, event):
        matching.insert(tx, event, None, mark, ways=_way(event), kept_until=tx.now + KEPT_MS)
        matching.bound_kept(tx, terms)
        return "kept"
    if not matching.count_hour(tx, "inbound", MAX_AN_HOUR):
        matching.flood(tx, terms)
        return "recorded"
    matching.insert(tx, event, None, mark, ways=_way(event))
    tell_inbound(tx, terms, event, tx.now, said)
    return "applied"


def _known(tx: Tx, event: Event, received_id: str) -> bool:
    """Whether that answer is stored. Polls list the same ones for a day: only other ways are counted."""
    if event.source == "poll":
        return tx.one("reply_known", received_id=received_id) is not None
    return tx.run("reply_again", received_id=received_id) > 0


def tell(tx: Tx, terms: Terms, sms: Sms, event: Event, said: Said | None) -> None:
    """Mail an answer to whoever wrote to the phone, and note that the SMS is alive. ``said``: by this answer the
    phone opted out of SMS, or in again."""
    sms = matching.alive(tx, terms, sms)
    if terms.settings.replies_channel == "vendor":
        return  # the vendor mails it
    mail, *_ = mail_and_group(tx, sms.mail_id)
    others = tx.one("others_wrote", tail=sms.number[::-1], sender=mail.sender, since=tx.now - OTHERS_MS)
    at = event.vendor_at or tx.now
    for notice in notices.reply(sms, mail, event.text, at, others=others is not None, said=said):
        outbox.write(tx, terms, notice, sms_id=sms.id, mail=mail, answered=True)


def tell_inbound(tx: Tx, terms: Terms, event: Event, at: int, said: Said | None) -> None:
    """Mail an SMS that answers none of ours to whoever reads those."""
    due: tuple[NewNotice, ...] = notices.inbound(
        event.phone, event.text, event.vendor_at or at, terms.settings.inbound_to, said=said
    )
    for notice in due:
        outbox.write(tx, terms, notice, answered=True)


def _of_ours(tx: Tx, terms: Terms, sms: Sms, event: Event, mark: bytes | None, said: Said | None) -> Recorded:
    if not matching.has_room(tx, terms, sms):
        return "recorded"
    matching.insert(tx, event, sms.id, mark, ways=_way(event))
    tell(tx, terms, sms, event, said)
    return "applied"


def _may_become_known(terms: Terms, event: Event) -> bool:
    """An id of the vendor's may become known; with our prefix it is one of ours that is gone, or nobody's."""
    if event.type != "reply" or not (event.message_id or event.job):
        return False
    return not (event.message_id or "").upper().startswith(terms.settings.message_prefix.upper())


def _way(event: Event) -> str:
    if event.source == "mail":
        return MAIL
    return WITH_ID if event.received_id else PLAIN


def _mark(event: Event) -> bytes | None:
    """What tells that the very same came again (the vendor repeats a webhook until it hears a 200)."""
    if event.received_id:
        return None  # that is its own mark
    return keys.fingerprint(
        event.source, event.message_id, event.phone, _plain(event.text), event.vendor_at, event.job
    )


def _twin(tx: Tx, event: Event) -> StoredEvent | None:
    """Return the stored answer that is this one, come another way; each way is taken once."""
    way, at = _way(event), event.vendor_at or tx.now
    since = tx.now - LOOK_BACK_MS
    best: tuple[int, StoredEvent] | None = None
    for *row, ways in tx.all("answers_of", phone=event.phone, since=since, limit=MAX_LOOKED_AT):
        stored = event_of(tuple(row))
        apart = abs((stored.vendor_at or stored.at) - at)
        if way not in ways and _same(event, way, stored, ways, apart) and (best is None or apart < best[0]):
            best = (apart, stored)
    return best[1] if best else None


def _same(event: Event, way: str, stored: StoredEvent, ways: str, apart: int) -> bool:
    new, old = _plain(event.text), _plain(stored.text)
    if way == MAIL:
        return apart <= SAME_MAIL_MS and bool(old) and old in new
    if ways == MAIL:
        return apart <= SAME_MAIL_MS and bool(new) and new in old
    return apart <= SAME_MS and new == old


def _meet(tx: Tx, event: Event, twin: StoredEvent, mark: bytes | None) -> None:
    """Note on the stored answer that it has come this way too; what a mail told roughly is now exact."""
    mail = event.source == "mail"
    tx.run(
        "answer_meets",
        id=twin.id,
        way=_way(event),
        received_id=event.received_id,
        mark=None if mail else mark,
        mail_mark=mark if mail else None,
        text=twin.text if mail else event.text,
        vendor_at=twin.vendor_at if mail else event.vendor_at,
    )


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
