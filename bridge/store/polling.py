"""Which SMS to ask the vendor about, and what its answers change."""

from typing import Final

from bridge.event import Event
from bridge.report.values import MailKind, NewNotice, OutboxState
from bridge.retry import Answer
from bridge.sms import MINUTE, NEWS_KIND, SECOND, Input, Kind, Sms, State
from bridge.store import accounts, alarms, matching, outbox, replies
from bridge.store.changing import as_it_is_now, change
from bridge.store.database import Tx
from bridge.store.rows import sms_of
from bridge.store.terms import Terms

LEASE_MS: Final = 60 * SECOND  # then an SMS whose poll told nothing is polled again: its process is gone
URGENT_MS: Final = 10 * MINUTE  # so long after its settle time an SMS goes before all others
MAX_REPLY_MAILS: Final = 20  # an hour for one SMS
MAX_POSTMASTER: Final = 10  # an hour for one client address
MAX_POSTMASTER_IN_ALL: Final = 200  # an hour, from however many addresses: nobody has to be known to write
MAX_REPLY_TEXT: Final = 4_000  # characters quoted of the vendor's mail
_NEWS: Final = frozenset(NEWS_KIND.values())


def due(tx: Tx, terms: Terms, limit: int) -> tuple[Sms, ...]:
    """Return SMS to poll and lease them; those whose settle time has just ended come first."""
    ended = tx.now - terms.timing.settle_ms
    rows = tx.all("settled_to_poll", now=tx.now, ended=ended, since=ended - URGENT_MS, limit=limit)
    if len(rows) < limit:
        rows += tx.all("to_poll", now=tx.now, limit=limit)
    found = {sms.id: sms for sms in map(sms_of, rows)}
    taken = tuple(found.values())[:limit]
    for sms in taken:
        tx.run("lease_poll", id=sms.id, until=tx.now + LEASE_MS)
    return taken


def polled(tx: Tx, terms: Terms, asked: Sms, given: Input) -> Sms | None:
    """Apply what a poll told; see `Store.polled`."""
    sms = as_it_is_now(tx, asked)
    if sms is None:
        return None
    new = change(tx, terms, sms, given)
    if given.kind in _NEWS:
        accounts.hear(tx, terms, new, Answer.SHOWN, "")
    elif given.kind is Kind.NO_SUCH and sms.state is State.SUBMITTED and new.state is State.UNKNOWN:
        accounts.hear(tx, terms, new, Answer.SILENT, new.result)
    return new


def replies_due(tx: Tx, limit: int) -> tuple[Sms, ...]:
    """Return SMS whose replies to ask for, and lease them."""
    taken = tuple(sms_of(row) for row in tx.all("replies_to_poll", now=tx.now, limit=limit))
    for sms in taken:
        tx.run("lease_reply_poll", id=sms.id, until=tx.now + LEASE_MS)
    return taken


def reply_polled(tx: Tx, asked: Sms) -> None:
    """The replies were asked for; what was asked for meanwhile stays due."""
    if as_it_is_now(tx, asked) is not None:
        tx.run("reply_polled", id=asked.id, now=tx.now)


def known_key(tx: Tx, kind: str, key: str) -> bool:
    """Return whether a key of ``reply+<key>@`` or ``bounce+<key>@`` is ours."""
    name = "sms_of_reply_key" if kind == "reply" else "outbox_of_bounce_key"
    return tx.one(name, key=key.lower()) is not None


def vendor_mail(tx: Tx, terms: Terms, key: str, text: str) -> bool:
    """The vendor mailed an answer: ask for it by a poll, or take the mail's text for it."""
    row = tx.one("sms_of_reply_key", key=key.lower())
    if row is None:
        return False
    sms = sms_of(row)
    if not matching.count_hour(tx, f"reply {sms.id}", MAX_REPLY_MAILS):
        return False
    if sms.account in terms.settings.accounts_with_polls:
        tx.run("want_reply_poll", id=sms.id, now=tx.now)
        tx.tell("poll")
        return True
    text = text[:MAX_REPLY_TEXT]
    event = Event("mail", "reply", sms.message_id, sms.number, text, text=text)
    replies.record(tx, terms, [event])
    return True


def bounce(tx: Tx, terms: Terms, key: str) -> bool:
    """A mail of ours came back: mark it, and tell the admin once."""
    row = tx.one("outbox_of_bounce_key", key=key.lower())
    if row is None:
        return False
    outbox_id, to, kind = row
    if tx.run("outbox_bounced", id=outbox_id):
        facts = (("alarm", "bounce"), ("to", to), ("kind", kind))
        alarms.note(tx, terms, f"bounce:{to}", facts)
    return True


def postmaster(tx: Tx, terms: Terms, raw: bytes, client: str) -> bool:
    """Hand a mail for postmaster on to the admin as it came; without an admin it is kept."""
    if not matching.count_hour(tx, f"postmaster {client}", MAX_POSTMASTER):
        return False
    if not matching.count_hour(tx, "postmaster", MAX_POSTMASTER_IN_ALL):
        return False
    notice = NewNotice(MailKind.POSTMASTER, terms.settings.admin, (("client", client),))
    outbox.write(tx, terms, notice, raw=raw, state=OutboxState.DUE if notice.to else OutboxState.KEPT)
    return True
