"""What the vendor says: matched to an SMS, kept as it came, applied once.

News that matches nothing is kept for a while and tried again when the vendor's ids of an SMS become known:
an event may be faster than the answer to the POST.
"""

from dataclasses import replace
from typing import Final

from bridge.event import Event
from bridge.sms import HOUR, NEWS_KIND, Input, Sms
from bridge.store import keys, optouts, replies, using
from bridge.store.changing import change, sms_by_id
from bridge.store.database import Tx
from bridge.store.matching import bound_kept, has_room, insert, learn_ids, low, match, show_life
from bridge.store.rows import event_of
from bridge.store.terms import Terms
from bridge.store.values import Recorded, StoredEvent

KEPT_MS: Final = 72 * HOUR
MISSED_MS: Final = HOUR  # so long an event that was missed is looked for: far longer than no node sweeps
MAX_TRIED: Final = 100  # kept events looked at when an id becomes known


def record(tx: Tx, terms: Terms, event: Event) -> Recorded:
    """Take an event about an SMS; see `Store.record_event`."""
    mark = keys.fingerprint(
        "status", low(event.message_id), low(event.job), event.news, event.result, event.price
    )
    if tx.run("event_again", mark=mark):
        return "known"
    sms = match(tx, event)
    if sms is None:
        insert(tx, event, None, mark, kept_until=tx.now + KEPT_MS)
        bound_kept(tx, terms)
        return "kept"
    if has_room(tx, terms, sms):
        insert(tx, event, sms.id, mark)
    else:
        event = replace(event, price=None)  # each is a row, and what is no more stored is not known again
    return _apply(tx, terms, sms, event)


def try_kept(tx: Tx, terms: Terms, sms_id: int) -> None:
    """Apply what was kept for the ids that are now known to be those of this SMS."""
    tried = 0
    while tried < MAX_TRIED and (row := tx.one("kept_for", sms_id=sms_id)) is not None:
        tried += 1
        kept = event_of(row)
        sms = sms_by_id(tx, sms_id)
        assert sms is not None
        if not tx.run("event_found", id=kept.id, sms_id=sms_id):
            continue  # another node was faster
        if kept.type == "status":
            _apply(tx, terms, sms, _event(kept))
        else:
            answer = _event(kept)
            replies.tell(tx, terms, sms, answer, optouts.heard(tx, terms, answer, sms, kept.at))


def try_missed(tx: Tx, terms: Terms, limit: int) -> None:
    """Apply what was kept lately, although its id is known: an event and the answer with its id may have come to
    two nodes at the same moment, so that neither saw the other's."""
    for (sms_id,) in tx.all("sms_of_kept", since=tx.now + KEPT_MS - MISSED_MS, limit=limit):
        try_kept(tx, terms, sms_id)


def clean(tx: Tx, terms: Terms, limit: int) -> None:
    """Give up what matched nothing for too long. An answer from a phone is told as inbound then."""
    for row in tx.all("kept_too_long", now=tx.now, limit=limit):
        kept = event_of(row)
        if kept.type == "status":
            tx.run("drop_event", id=kept.id)
        else:
            tx.run("event_found", id=kept.id, sms_id=None)
            answer = _event(kept)
            replies.tell_inbound(tx, terms, answer, kept.at, optouts.heard(tx, terms, answer, None, kept.at))


def _apply(tx: Tx, terms: Terms, sms: Sms, event: Event) -> Recorded:
    assert event.news is not None, "a status event without news"
    learned = learn_ids(tx, sms, message_ids=(event.message_id,) if event.message_id else (), job=event.job)
    sms = _priced(tx, sms, event)
    new = change(tx, terms, sms, Input(NEWS_KIND[event.news], why=event.result))
    if new.attempts:
        show_life(tx, terms, new)
    if learned:
        try_kept(tx, terms, sms.id)
    return "applied" if new.state is not sms.state or new.rank != sms.rank else "recorded"


def _priced(tx: Tx, sms: Sms, event: Event) -> Sms:
    """The last price of each job counts; an SMS that was sent twice has cost both."""
    if event.price is None:
        return sms
    tx.run("put_job_price", sms_id=sms.id, job=low(event.job), price=event.price)
    row = tx.one("price_of", sms_id=sms.id)
    assert row is not None
    tx.run("set_price", id=sms.id, price=row[0])
    priced = sms.but(price=row[0])
    using.settle(tx, sms, priced)
    return priced


def _event(kept: StoredEvent) -> Event:
    return Event(
        kept.source,
        kept.type,
        kept.message_id,
        kept.phone,
        kept.raw,
        news=kept.news,
        result=kept.result,
        text=kept.text,
        job=kept.job,
        received_id=kept.received_id,
        price=kept.price,
        vendor_at=kept.vendor_at,
    )
