"""What falls due by time alone: doubts to be told, summaries to be written, old rows to be dropped."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bridge.report import notices
from bridge.report.values import StoredMail
from bridge.sms import HOUR, MINUTE, NEVER, Sms
from bridge.store import events, joining, nodes, optouts, outbox, using
from bridge.store.changing import mail_and_group, save
from bridge.store.database import Tx
from bridge.store.rows import mail_of, sms_of
from bridge.store.terms import Terms

SET_BACK_MS: Final = MINUTE  # less than that is waited for
_CLOCK: Final = "clock"
AT_ONCE: Final = 200  # rows of a kind in one transaction: it must not hold up mails that come in


def notices_due(tx: Tx, terms: Terms) -> None:
    """Write the mails whose time has come; see `Store.sweep_notices`."""
    for row in tx.all("doubts_due", now=tx.now, limit=AT_ONCE):
        _doubt(tx, terms, sms_of(row))
    for (batch,) in tx.all("batches_again", limit=AT_ONCE):
        _look_again(tx, batch)
    for (batch,) in tx.all("batches_due", now=tx.now, limit=AT_ONCE):
        _summary(tx, terms, batch)


def clean(tx: Tx, terms: Terms) -> None:
    """Drop what has served its time: known texts, texts that were joined, news that matched nothing, counts of past
    hours, nodes that are gone for long, what was used of limits in windows that are over. News whose SMS is known by
    now stays."""
    tx.run("drop_seen", now=tx.now, limit=AT_ONCE * 10)
    optouts.clean(tx, AT_ONCE)
    tx.run("drop_tally", before=tx.now // HOUR - 1)
    joining.clean(tx, AT_ONCE * 10)
    events.try_missed(tx, terms, AT_ONCE)
    events.clean(tx, terms, AT_ONCE)
    nodes.clean(tx)
    using.clean(tx, terms, AT_ONCE * 10)


def look_at_clock(tx: Tx) -> None:
    """Notice that the clock was set back, by the last look or by an SMS or mail that is younger than now. What was to
    fall due by the clock that was ahead would wait for as long as the clock went back: it is due now."""
    seen = [row[0] for row in (tx.one("cursor", name=_CLOCK), tx.one("latest_waiting")) if row and row[0]]
    tx.run("set_cursor", name=_CLOCK, value=tx.now)
    if max(seen, default=0) - tx.now < SET_BACK_MS:
        return
    if tx.run("sms_due_again", now=tx.now, never=NEVER):
        tx.tell("sms")
        tx.tell("poll")
    tx.run("drop_used_ahead", now=tx.now)
    if tx.run("outbox_due_again", now=tx.now):
        tx.tell("outbox")


def _doubt(tx: Tx, terms: Terms, sms: Sms) -> None:
    mail, size, summarized, _ = mail_and_group(tx, sms.mail_id)
    due = notices.doubts(sms, mail, size, summarized=summarized)
    for notice in due:
        outbox.write(tx, terms, notice, sms_id=sms.id, mail=mail)
    if due:
        save(tx, replace(sms, told=notices.told_after(sms, due)))
    tx.run("doubt_looked_at", id=sms.id, never=NEVER)


def _look_again(tx: Tx, batch: str) -> None:
    """Two nodes ended an SMS of a group at once: what neither saw is seen now, unless one is not done yet."""
    if tx.one("take_batch", id=batch) is not None:
        tx.run("looked_at", batch=batch)
        tx.run("batch_due", id=batch, at=tx.now, sms_id=0)


def _summary(tx: Tx, terms: Terms, batch: str) -> None:
    group = [sms_of(row) for row in tx.all("sms_to_sum_up", batch=batch)]
    row = tx.one("take_batch", id=batch)
    if row is None or row[0] is None or row[0] > tx.now:
        return  # another node is at it or was faster, or the group has grown
    if (mail := _first_mail(tx, batch, group)) is not None:
        _tell(tx, terms, batch, group, mail)
    tx.run("batch_summarized", id=batch, at=tx.now)


def _tell(tx: Tx, terms: Terms, batch: str, group: Sequence[Sms], mail: StoredMail) -> None:
    for notice in notices.summary(group, mail):
        outbox.write(tx, terms, notice, mail=mail, group=batch)
        for sms in group:
            told = notices.told_by_summary(sms, mail)
            if told != sms.told:
                save(tx, replace(sms, told=told))


def _first_mail(tx: Tx, batch: str, group: Sequence[Sms]) -> StoredMail | None:
    """Return the mail that a group began with, or the first that is left: a node may have forgotten the only phone of
    that one while another took the next part of the same mail."""
    row = tx.one("mail_by_id", id=batch) or (tx.one("mail_by_id", id=group[0].mail_id) if group else None)
    return outbox.with_wishes_of_group(tx, mail_of(row), batch) if row else None
