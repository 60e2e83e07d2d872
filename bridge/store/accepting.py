"""Taking a mail: duplicates decided, the mail and its SMS written. This is the commit that a 250 stands for."""

from dataclasses import replace
from typing import Final

from bridge.decide.values import Accept, NewMail, NewSms
from bridge.report import notices
from bridge.sms import MINUTE, NEVER, Sms, State
from bridge.store import keys, outbox
from bridge.store.changing import save
from bridge.store.database import Tx
from bridge.store.rows import mail_of, sms_values, with_id
from bridge.store.rows import mail_values as values_of_mail
from bridge.store.terms import Terms
from bridge.store.values import Accepted

# A mail without Message-ID may come again because our 250 was lost: senders try again within minutes.
UNHEARD_MS: Final = 15 * MINUTE
# Transactions of one mail that a server split arrive together; a device that gives every mail the same
# Message-ID must not gather them for ever.
GROUP_MS: Final = 15 * MINUTE
MAX_GROUP: Final = 1_000  # numbers; then another begins


def accept(tx: Tx, terms: Terms, taken: Accept) -> Accepted:
    """Store a mail and its SMS; see `Store.accept`."""
    mail_id = keys.mail_id(tx.now)
    fresh, first = [], None
    for new in taken.sms:
        earlier = _seen(tx, terms, taken.mail, new, mail_id)
        if earlier is None:
            fresh.append(new)
        else:
            first = first or earlier
    duplicates = len(taken.sms) - len(fresh)
    if not fresh:
        return Accepted(first or mail_id, (), duplicates, 0)
    batch = _group(tx, taken.mail, mail_id, len(fresh))
    tx.run("insert_mail", **values_of_mail(taken.mail, mail_id, tx.now, batch))
    stored = tuple(_insert(tx, terms, taken.mail, mail_id, new) for new in fresh)
    queued = tuple(sms for sms in stored if sms.state is State.QUEUED)
    refused = tuple(sms for sms in stored if sms.state is State.REFUSED)
    if refused:
        _tell_refused(tx, terms, mail_id, refused)
    if queued:
        tx.tell("sms")
    return Accepted(mail_id, queued, duplicates, len(refused))


def acknowledge(tx: Tx, mail_id: str) -> None:
    """The client has heard our 250: what it sends from now on is meant, even if it is the same."""
    tx.run("seen_heard", mail_id=mail_id)


def _seen(tx: Tx, terms: Terms, mail: NewMail, new: NewSms, mail_id: str) -> str | None:
    """Note this text of this mail; return the id of the mail it came in before, None if it is new.

    Uniqueness is the table's. A number that was refused and is allowed now is no duplicate.
    """
    header = mail.header_message_id
    if header is None and mail.proof == "operator":
        return None  # no line that breaks: a person sees what happened
    mark = keys.fingerprint(mail.sender, header, new.number, new.text, "refused" if new.refused else "")
    wait = UNHEARD_MS if header is None else terms.settings.duplicates_window_ms
    if tx.run(
        "note_seen", mark=mark, mail_id=mail_id, until=tx.now + wait, now=tx.now, open=int(header is None)
    ):
        return None
    row = tx.one("seen_in", mark=mark)
    assert row is not None
    return str(row[0])


def _group(tx: Tx, mail: NewMail, mail_id: str, numbers: int) -> str:
    """Return the group of a mail, that is the first mail with its sender and Message-ID, and count it."""
    batch, before = mail_id, 0
    if mail.header_message_id is not None:
        tx.alone(
            "mail", mail.sender, mail.header_message_id
        )  # a server that split it sends the parts at once
        row = tx.one("group_of", header=mail.header_message_id, sender=mail.sender, since=tx.now - GROUP_MS)
        if row is not None and row[1] < MAX_GROUP:
            batch, before = row
    if before + numbers > notices.SUMMARY_ABOVE:
        # One that grows after its summary is summed up again.
        at = tx.now + notices.SUMMARY_AFTER_MS
        tx.run("grow_batch", id=batch, size=before + numbers, at=at)
    return str(batch)


def _insert(tx: Tx, terms: Terms, mail: NewMail, mail_id: str, new: NewSms) -> Sms:
    now = tx.now
    sms = Sms(
        id=0,
        message_id=keys.message_id(terms.settings.message_prefix, now),
        mail_id=mail_id,
        number=new.number,
        text=new.text,
        encoding=new.encoding,
        segments=new.segments,
        account=new.account,
        mode=new.mode,
        on_unknown=new.on_unknown,
        reply_key=keys.key(now),
        state=State.REFUSED if new.refused else State.QUEUED,
        created_at=now,
        updated_at=now,
        due_at=NEVER if new.refused else now,
        expires_at=now + new.expire_after_ms,
        state_since=now,
        result=new.refused,
        resubmit_of=new.resubmit_of,
        sender=mail.sender,
    )
    tail = new.number[::-1]
    row = tx.one("insert_sms", recipient=new.recipient, tail=tail, **sms_values(sms))
    assert row is not None
    return with_id(sms, row[0])


def _tell_refused(tx: Tx, terms: Terms, mail_id: str, refused: tuple[Sms, ...]) -> None:
    row = tx.one("mail_by_id", id=mail_id)
    assert row is not None
    mail = mail_of(row)
    due = notices.refusals(refused, mail)
    for notice in due:
        outbox.write(tx, terms, notice, mail=mail, sms_id=refused[0].id if len(refused) == 1 else None)
    for sms in refused if due else ():
        save(tx, replace(sms, told=notices.told_after(sms, due)))
