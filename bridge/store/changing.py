"""The one way an SMS changes: the table of `sms` applied to the stored row, with its history and its mails.

Every verb that hears something about an SMS goes through `change`.
"""

from typing import Final

from bridge.report import notices
from bridge.report.values import NewNotice, StoredMail
from bridge.sms import FINAL, Input, Sms, State, after
from bridge.store import optouts, outbox, using
from bridge.store.database import Tx
from bridge.store.rows import changed_values, mail_of, sms_of
from bridge.store.terms import Terms

MAX_HISTORY: Final = 300  # lines kept of one SMS; later ones are counted on the last


def sms_by_id(tx: Tx, sms_id: int) -> Sms | None:
    """Return the SMS with that id."""
    row = tx.one("sms_by_id", id=sms_id)
    return sms_of(row) if row else None


def as_it_is_now(tx: Tx, sms: Sms) -> Sms | None:
    """Return what an SMS that was read before has become, None when it is gone. SQLite gives the id of one that was
    forgotten away again, while the vendor is still asked about the one that had it."""
    found = sms_by_id(tx, sms.id)
    return found if found is not None and found.message_id == sms.message_id else None


def sms_by_message_id(tx: Tx, message_id: str) -> Sms | None:
    """Return the SMS with that MessageID of ours, in any case."""
    row = tx.one("sms_by_message_id", message_id=message_id.upper())
    return sms_of(row) if row else None


def change(tx: Tx, terms: Terms, sms: Sms, given: Input) -> Sms:
    """Apply ``given`` to the stored ``sms`` and return what it became; its mails are written with it."""
    changed = after(sms, given, tx.now, terms.timing)
    new = changed.sms
    if changed.moved and new.state in FINAL:
        new = _told(tx, terms, sms, new)
    if changed.moved and new.state is State.FAILED:
        optouts.told_by_vendor(tx, new, given.why)
    if new != sms:
        save(tx, new)
        using.settle(tx, sms, new)
    _remember(tx, new, changed.note, moved=changed.moved)
    if changed.moved:
        _wake(tx, new)
    return new


def save(tx: Tx, sms: Sms) -> None:
    """Write what may change in ``sms``."""
    tx.run("save_sms", id=sms.id, doubt_at=tx.now + notices.DOUBT_AFTER_MS, **changed_values(sms))


def mail_and_group(tx: Tx, mail_id: str) -> tuple[StoredMail, int, bool, str]:
    """Return a mail, the size of its group, whether its summary was written, and the group's id."""
    row = tx.one("mail_with_batch", id=mail_id)
    assert row is not None, "an SMS without its mail"
    *columns, batch, size, summarized_at = row
    return mail_of(tuple(columns)), size or 0, summarized_at is not None, batch


def _told(tx: Tx, terms: Terms, before: Sms, new: Sms) -> Sms:
    mail, size, summarized, batch = mail_and_group(tx, new.mail_id)
    due: tuple[NewNotice, ...] = notices.notices_after(before, new, mail, size, summarized=summarized)
    for notice in due:
        outbox.write(tx, terms, notice, sms_id=new.id, mail=mail)
    if size > notices.SUMMARY_ABOVE and not summarized:
        _end_in_group(tx, batch, new)
    return new.but(told=notices.told_after(new, due))


def _end_in_group(tx: Tx, batch: str, sms: Sms) -> None:
    """Let the summary be written now if that was the last of its group.

    Another node that ends one of the same group just now does not see ours, nor we its: whoever comes second leaves
    word to look again. To wait for it could be in vain, since a transaction holds many groups, in any order.
    """
    if tx.one("take_batch", id=batch) is None:
        tx.run("look_again", batch=batch)
        return
    tx.run("batch_due", id=batch, at=tx.now, sms_id=sms.id)
    tx.tell("outbox")


def _remember(tx: Tx, sms: Sms, note: str, *, moved: bool) -> None:
    """Add a line of history. Equal ones are counted, so that a flood of news cannot fill the disk."""
    values = {"sms_id": sms.id, "state": sms.state.value, "note": note[:300], "attempt": sms.attempts}
    if not moved and tx.run("history_again", at=tx.now, **values):
        return
    if not moved and tx.run("history_full", sms_id=sms.id, at=tx.now, most=MAX_HISTORY):
        return
    tx.run("add_history", at=tx.now, **values)


def _wake(tx: Tx, sms: Sms) -> None:
    if sms.state is State.QUEUED:
        tx.tell("sms")
    elif sms.state in (State.UNKNOWN, State.SUBMITTED):
        tx.tell("poll")
