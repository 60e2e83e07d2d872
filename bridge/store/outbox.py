"""Mails of ours: written with the change they tell of, claimed, rendered once, handed over or given up."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from bridge.dsn import Wishes
from bridge.report.values import NewNotice, OutboxState, StoredMail
from bridge.sms import MINUTE, Sms
from bridge.store import keys
from bridge.store.database import Tx
from bridge.store.rows import facts_text, mail_of, outbox_of, sms_of, wishes_of
from bridge.store.terms import Terms
from bridge.store.values import OutboxWork

LEASE_MS: Final = 3 * MINUTE  # of a claim whose node is gone: longer than a hand-over that it began may take
SET_BACK_MS: Final = (
    MINUTE  # a lease that ends so much later than one of now was given by a clock that was ahead
)
MAX_GONE: Final = 500  # claims given back in one transaction
MAX_ERROR: Final = 500


def write(
    tx: Tx,
    terms: Terms,
    notice: NewNotice,
    *,
    mail: StoredMail | None = None,
    sms_id: int | None = None,
    group: str | None = None,
    answered: bool = False,
    raw: bytes | None = None,
    state: OutboxState = OutboxState.DUE,
) -> None:
    """Store a mail of ours. ``answered``: a bounce of it tells us something, so it gets a key for that."""
    tx.run(
        "insert_outbox",
        kind=notice.kind.value,
        state=state.value,
        to=notice.to,
        message_id=keys.header_message_id(terms.settings.domain, tx.now),
        bounce_key=keys.key(tx.now) if answered else "",
        created_at=tx.now,
        due_at=tx.now,
        facts=facts_text(notice.facts),
        correction=int(notice.correction),
        sms_id=sms_id,
        mail_id=mail.id if mail else None,
        group=group,
        brand=mail.brand if mail else "default",
        raw=raw,
    )
    tx.tell("outbox")


def claim(tx: Tx, limit: int, node: str) -> tuple[OutboxWork, ...]:
    """Take mails that are due, oldest first; each is ``node``'s until it says what came of it, or is gone."""
    rows = tx.all("outbox_due", now=tx.now, limit=limit)
    work = []
    for *columns, raw in rows:
        mail = outbox_of(tuple(columns), raw)
        tx.run("take_outbox", id=mail.id, node=node, until=tx.now + LEASE_MS)
        row = tx.one("mail_by_id", id=mail.mail_id) if mail.mail_id else None
        source = mail_of(row) if row else None
        if source and mail.group:
            source = with_wishes_of_group(tx, source, mail.group)
        sms = _sms_of(tx, mail.sms_id, mail.mail_id, mail.group)
        work.append(OutboxWork(mail, source, sms))
    return tuple(work)


def with_wishes_of_group(tx: Tx, mail: StoredMail, group: str) -> StoredMail:
    """Return ``mail`` with what the clients of its whole group asked to be told; the first one names it."""
    found = [wishes for (text,) in tx.all("wishes_of_batch", batch=group) if (wishes := wishes_of(text))]
    if not found:
        return mail
    named = next((one.envelope_id for one in found if one.envelope_id), "")
    return replace(mail, dsn=Wishes(named, tuple(pair for one in found for pair in one.recipients)))


def adopt(tx: Tx) -> int:
    """Nobody is handing over now: mails whose hand-over was cut off are due at once; return how many."""
    return tx.run("give_all_outbox_back", now=tx.now)


def give_back(tx: Tx, node: str, under_way: Collection[int], lost: Collection[int]) -> frozenset[int]:
    """Make due what nobody hands over; see `Store.give_mail_back`."""
    for (outbox_id,) in tx.all("outbox_of_node", node=node):
        if outbox_id not in under_way:
            tx.run("give_outbox_back", id=outbox_id, now=tx.now)
    latest = tx.now + LEASE_MS + SET_BACK_MS
    gone: dict[int, bool] = dict(tx.all("outbox_of_gone", us=node, now=tx.now, latest=latest, limit=MAX_GONE))
    for outbox_id, over in gone.items():
        if over and outbox_id in lost:
            tx.run("give_outbox_back", id=outbox_id, now=tx.now)
            tx.tell("outbox")
    return frozenset(gone)


def _sms_of(tx: Tx, sms_id: int | None, mail_id: str | None, group: str | None) -> tuple[Sms, ...]:
    """The one SMS, else all of the group, else all of the mail (several were refused)."""
    if sms_id is not None:
        rows = tx.all("sms_as_it_is", id=sms_id)
    elif group is not None:
        rows = tx.all("sms_of_batch", batch=group)
    elif mail_id is not None:
        rows = tx.all("sms_of_mail", mail_id=mail_id)
    else:
        return ()
    return tuple(map(sms_of, rows))


def rendered(tx: Tx, mails: Sequence[tuple[int, bytes, str]]) -> None:
    """Keep finished mails (id, octets, subject): whatever is handed over later is the same."""
    for outbox_id, raw, subject in mails:
        tx.run("outbox_rendered", id=outbox_id, raw=raw, subject=subject)


def settle(tx: Tx, outbox_id: int, state: OutboxState, error: str = "") -> None:
    """A mail was handed over, refused for good, or is kept unsent."""
    tx.run("settle_outbox", id=outbox_id, state=state.value, error=error[:MAX_ERROR])


def later(tx: Tx, outbox_id: int, wait_ms: int, error: str, node: str) -> None:
    """A mail could not be handed over now. Nothing changes when it is no more ``node``'s: another is at it."""
    tx.run("outbox_later", id=outbox_id, due_at=tx.now + wait_ms, error=error[:MAX_ERROR], node=node)
