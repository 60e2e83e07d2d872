"""What is kept no longer, in batches: texts first, then the records themselves.

A batch is one transaction and small, so that a mail that comes in waits for it no longer than for another mail.
Nothing that is under way is touched: no SMS that is not final, no mail of ours that is not sent, and no SMS that
such a mail still has to tell of. Counted is from when an SMS became final, an event came, a mail was written.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bridge.sms import Kind
from bridge.store.database import Row, Tx
from bridge.store.values import DAY, Purged, PurgeFigures, PurgePlace, Retention

AT_ONCE: Final = 25  # rows looked at in one transaction: some 4 ms on SQLite, that a mail may have to wait
_MARK: Final = "purge"  # of whoever purges: one batch at a time over all nodes
_KINDS: Final = sorted((kind.value for kind in Kind), key=len, reverse=True)


def step(tx: Tx, retention: Retention, place: PurgePlace, *, limit: int = AT_ONCE) -> Purged:
    """Purge the batch that begins at ``place``; see `Privacy.purge`."""
    tx.alone(_MARK)
    stages = _stages(retention)
    if place.stage >= len(stages):
        return Purged()
    stage = stages[place.stage]
    until = tx.now - stage.kept_ms
    rows = tx.all(stage.rows, until=until, since=place.since, last=place.last, limit=limit)
    done = stage.work(tx, rows)
    if place.is_first:
        tx.run("drop_alarms_before", until=tx.now - max(stage.kept_ms for stage in stages))
    if len(rows) == limit:
        at, last = rows[-1][:2]
        there = PurgePlace(place.stage, at, last)
    else:
        there = PurgePlace(place.stage + 1)
    done = replace(done, next=there if there.stage < len(stages) else None)
    _count(tx, done)
    return done


def would(tx: Tx, retention: Retention) -> Purged:
    """Return how many rows there are to purge; see `Privacy.would_purge`."""
    counts = Counter[str]()
    for stage in _stages(retention):
        row = tx.one(f"count_{stage.rows}", until=tx.now - stage.kept_ms)
        counts[stage.counted] += row[0] if row else 0
    return Purged(counts["texts"], counts["events"], counts["mails"], counts["records"])


def figures(tx: Tx) -> PurgeFigures:
    """Return what was purged so far; see `Privacy.purge_figures`."""
    found: dict[str, int] = dict(tx.all("purge_figures"))
    return PurgeFigures(found.get("purged at"), found.get("purged texts", 0), found.get("purged records", 0))


@dataclass(frozen=True, slots=True)
class _Stage:
    """``rows`` finds (time, id, …) of what was kept for ``kept_ms``, ``work`` does away with it and counts that
    as ``counted``."""

    rows: str
    counted: str
    kept_ms: int
    work: Callable[[Tx, Sequence[Row]], Purged]


def _stages(retention: Retention) -> list[_Stage]:
    text_ms, records_ms = retention.text_ms, retention.records_ms
    found = []
    if text_ms is not None or records_ms is not None:
        kept = min(ms for ms in (text_ms, records_ms) if ms is not None)
        # A record loses its text first, so that all that are to go stand in one index.
        found += [
            _Stage("texts_to_empty", "texts", kept, _empty_sms),
            _Stage("events_to_empty", "events", kept, _empty_events),
            _Stage("mails_to_empty", "mails", kept, _empty_mails),
        ]
    if records_ms is not None:
        found += [
            _Stage("records_to_drop", "records", records_ms, _drop_records),
            _Stage("events_to_drop", "records", records_ms, _drop_events),
            _Stage("mails_to_drop", "records", records_ms, _drop_mails),
        ]
    return found


def _empty_sms(tx: Tx, rows: Sequence[Row]) -> Purged:
    emptied, mails = 0, set()
    for _, sms_id, mail_id in rows:
        if not is_needed(tx, sms_id, mail_id) and tx.run("empty_sms", id=sms_id):
            shorten_notes(tx, sms_id)
            mails |= {mail_id, *joined_to(tx, sms_id)}
            emptied += 1
    for mail_id in sorted(mails):
        tx.run("empty_subjects", mail_id=mail_id)
    return Purged(texts=emptied)


def shorten_notes(tx: Tx, sms_id: int) -> None:
    """Leave of each line of history what happened, without the words of the vendor, which may quote the text."""
    for note_id, note in tx.all("notes_of", sms_id=sms_id):
        tx.run("set_note", id=note_id, note=_what(note))


def _what(note: str) -> str:
    kind = next((kind for kind in _KINDS if note.startswith(kind)), None)
    if kind is None:
        return note  # words of ours alone
    return f"{kind} (stale)" if note.startswith(f"{kind} (stale)") else kind


def _empty_events(tx: Tx, rows: Sequence[Row]) -> Purged:
    ours = [event_id for _, event_id, sms_id in rows if sms_id is None or not _is_under_way(tx, sms_id)]
    return Purged(events=sum(tx.run("empty_event", id=event_id) for event_id in ours))


def _empty_mails(tx: Tx, rows: Sequence[Row]) -> Purged:
    ours = [mail_id for _, mail_id, sms_id in rows if sms_id is None or not _is_under_way(tx, sms_id)]
    return Purged(mails=sum(tx.run("empty_outbox", id=mail_id) for mail_id in ours))


def _drop_records(tx: Tx, rows: Sequence[Row]) -> Purged:
    going = [(sms_id, mail_id) for _, sms_id, mail_id in rows if not is_needed(tx, sms_id, mail_id)]
    mails = {mail for sms_id, mail_id in going for mail in (mail_id, *joined_to(tx, sms_id))}
    dropped = sum(drop_sms(tx, sms_id) for sms_id, _ in going)
    tx.run("count_habits_from")
    for mail_id in sorted(mails):
        drop_group(tx, mail_id)
    return Purged(records=dropped)


def joined_to(tx: Tx, sms_id: int) -> list[str]:
    """Return the mails that have no SMS of their own for what this one tells."""
    return [mail_id for (mail_id,) in tx.all("mails_joined_to", sms_id=sms_id)]


def drop_sms(tx: Tx, sms_id: int) -> int:
    """Drop a final SMS with all that was kept of it alone; return 1, or 0 when it was not final."""
    for name in _OF_ONE:
        tx.run(name, id=sms_id)
    tx.run("drop_joining_to", id=sms_id, since=tx.now - DAY)
    return tx.run("drop_sms", id=sms_id)


_OF_ONE: Final = (
    "drop_history_of",
    "drop_vendor_ids_of",
    "drop_job_prices_of",
    "drop_reply_poll_of",
    "drop_events_of",
    "drop_outbox_of",
)


def drop_group(tx: Tx, mail_id: str) -> bool:
    """Drop a mail and those of its group, once none of them has an SMS left; return whether they went."""
    row = tx.one("group_left", mail_id=mail_id)
    if row is None or row[1]:
        return False
    for name in ("drop_outbox_of_group", "looked_at", "drop_batch", "drop_mails_of_group"):
        tx.run(name, batch=row[0])
    return True


def _drop_events(tx: Tx, rows: Sequence[Row]) -> Purged:
    return Purged(records=sum(tx.run("drop_event", id=event_id) for _, event_id, _ in rows))


def _drop_mails(tx: Tx, rows: Sequence[Row]) -> Purged:
    return Purged(records=sum(tx.run("drop_outbox", id=mail_id) for _, mail_id, _ in rows))


def _is_under_way(tx: Tx, sms_id: int) -> bool:
    return tx.one("sms_under_way", id=sms_id) is not None


def is_needed(tx: Tx, sms_id: int, mail_id: str) -> bool:
    """Return whether a mail of ours that is still to be made or sent speaks of the SMS."""
    return tx.one("sms_is_needed", sms_id=sms_id, mail_id=mail_id) is not None


def _count(tx: Tx, done: Purged) -> None:
    for name, count in (("purged texts", done.emptied), ("purged records", done.records)):
        if count:
            tx.run("count_purged", name=name, count=count)
    if done.next is None:
        tx.run("set_cursor", name="purged at", value=tx.now)
