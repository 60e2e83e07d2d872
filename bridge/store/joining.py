"""The same text to the same number again and again: which SMS joins it, and that SMS kept true to its count.

Within the transaction that takes the mails, so that a 250 stands for a joined mail as for any. Nodes that take the same
text at once do it one after the other; an SMS is changed only while nobody has tried to send it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bridge.decide.values import JoinSame, NewSms
from bridge.joining import Joined, Step, Window, next_step
from bridge.sms import Sms, State
from bridge.sms_text import joined
from bridge.store import alarms, keys
from bridge.store.database import Tx
from bridge.store.rows import sms_of
from bridge.store.taking import Taking, Waiting
from bridge.store.terms import Terms
from bridge.store.values import DAY

NOTE: Final = "joined: the same text came again"
MANY: Final = 1_000  # mails for one SMS: the admin hears of it, since each is a row, and no limit counts them


@dataclass(slots=True)
class SameText:
    """A text that may be joined: its window, the stored SMS that waits for its end, and what is to be written."""

    mark: bytes
    window: Window | None = None
    stored: Sms | None = None
    waiting: Waiting | None = None
    changed: bool = False


Known = dict[bytes, SameText]


def marks_of(taking: Sequence[Taking]) -> list[bytes]:
    """Return the marks of the texts of these mails that may be joined."""
    asked = [one for one in taking if one.join is not None]
    return sorted({_mark(one, new) for one in asked for new in one.fresh if not new.refused})


def alone_with(marks: Sequence[bytes]) -> list[str]:
    """Return what nobody else may have to do with meanwhile."""
    return [f"same {mark.hex()}" for mark in marks]


def look(tx: Tx, marks: Sequence[bytes]) -> Known:
    """Return what is known of the texts with these marks, for `settle` and `store`. No other unit may have to do with
    them until this one ends: it is alone with `alone_with`."""
    known = {mark: SameText(mark) for mark in marks}
    for mark, until, sms_id in tx.each("same_of", [{"mark": mark} for mark in marks]):
        same = known[bytes(mark)]
        same.stored, begun = _begun(tx, sms_id)
        same.window = Window(until, begun)
    return known


def settle(tx: Tx, one: Taking, known: Known) -> Callable[[], None]:
    """Tell which of the new SMS of a mail are joined to others, and which begin the SMS that joins those to come.

    Returns what takes that back, for a mail that is refused after all.
    """
    if one.join is None:
        return _nothing
    fresh, one.fresh = one.fresh, []
    before = [_as_it_is(known[_mark(one, new)]) for new in fresh if not new.refused]
    for new in fresh:
        if new.refused:
            one.fresh.append(new)
        else:
            _settle(tx, one, new, one.join, known[_mark(one, new)])

    def undo() -> None:
        for restore in reversed(before):
            restore()

    return undo


def _nothing() -> None: ...


def _as_it_is(same: SameText) -> Callable[[], None]:
    """Return what brings a text back to what it is now."""
    window, waiting, changed = same.window, same.waiting, same.changed
    count, mails = (waiting.count, len(waiting.mails)) if waiting else (0, 0)

    def restore() -> None:
        same.window, same.waiting, same.changed = window, waiting, changed
        if waiting:
            waiting.count = count
            del waiting.mails[mails:]

    return restore


def _mark(one: Taking, new: NewSms) -> bytes:
    return mark_of(one.mail.sender, new.number, new.text, new.account, new.mode)


def mark_of(sender: str, number: str, text: str, account: str, mode: str) -> bytes:
    """Return what tells that one sender's text to one number comes again."""
    return keys.fingerprint(sender, number, text, account, mode)


def _begun(tx: Tx, sms_id: int | None) -> tuple[Sms | None, Joined | None]:
    """The SMS begun for a text: as stored if it waits, and what counts of it. One that another unit has at this moment
    is as good as sent: to wait for it could be in vain, since each has many, in any order."""
    if sms_id is None:
        return None, None
    row = tx.one("sms_to_join", id=sms_id)
    if row is None:
        there = tx.one("sms_as_it_is", id=sms_id)
        return None, Joined(waits=False, sent_at=tx.now) if there else None
    sms = sms_of(row)
    waits = sms.state is State.QUEUED and not sms.attempts
    return sms if waits else None, Joined(waits, sms.claimed_at)


def _settle(tx: Tx, one: Taking, new: NewSms, join: JoinSame, same: SameText) -> None:
    found = next_step(same.window, tx.now, join.within_ms)
    if found.step is Step.ADD:
        if same.waiting is None:
            assert same.stored is not None
            sms = same.stored
            same.waiting = Waiting(new, join, sms.due_at, sms.segments, sms.joined, sms)
        same.waiting.count += 1
        same.waiting.mails.append(one.mail_id)
        one.joined += 1
        return
    same.changed, same.waiting = True, None
    if found.step is Step.BEGIN:
        same.waiting = Waiting(new, join, found.until, join.segments, 1)
        one.begun = {**(one.begun or {}), len(one.fresh): same.waiting}
    same.window = Window(found.until, Joined(waits=True) if same.waiting else None)
    one.fresh.append(new)


def begun(one: Taking, place: int, sms: Sms) -> Sms:
    """Return ``sms``, the one at ``place`` of what is new in a mail, as one that waits if it was begun as such."""
    waiting = one.begun.get(place) if one.begun else None
    if waiting is None:
        return sms
    text = joined(waiting.new.text, waiting.count, waiting.join.more, waiting.most)
    waiting.sms = replace(
        sms,
        text=text.text,
        encoding=text.encoding,
        segments=text.segments,
        joined=waiting.count,
        due_at=max(waiting.until, sms.due_at),  # later, where a limit makes it wait
        expires_at=waiting.until + waiting.new.expire_after_ms,
    )
    return waiting.sms


def store(tx: Tx, terms: Terms, texts: Iterable[SameText], new: Sequence[Sms]) -> None:
    """Write what `settle` found, once the mails and their ``new`` SMS are stored."""
    ids = {sms.message_id: sms.id for sms in new if sms.joined}
    told = [(_id(same.waiting, ids), same) for same in texts]
    changed = [
        {"mark": same.mark, "until": same.window.until, "sms_id": sms_id}
        for sms_id, same in told
        if same.changed and same.window
    ]
    if changed:
        tx.add("put_same", changed)
    mails = [
        {"sms_id": sms_id, "mail_id": mail_id}
        for sms_id, same in told
        for mail_id in (same.waiting.mails if same.waiting else ())
    ]
    if mails:
        tx.add("insert_joined", mails)
    for sms_id, same in told:
        if sms_id is not None and same.waiting is not None and same.waiting.mails:
            _tell(tx, sms_id, same.waiting)
            _alarm(tx, terms, same.waiting)


def _id(waiting: Waiting | None, ids: dict[str, int]) -> int | None:
    if waiting is None or waiting.sms is None:
        return None
    return ids.get(waiting.sms.message_id, waiting.sms.id)


def _tell(tx: Tx, sms_id: int, waiting: Waiting) -> None:
    """Let the SMS and its history say how many it stands for."""
    assert waiting.sms is not None
    if waiting.sms.joined != waiting.count:
        text = joined(waiting.new.text, waiting.count, waiting.join.more, waiting.most)
        tx.run(
            "join_sms",
            id=sms_id,
            text=text.text,
            encoding=text.encoding,
            segments=text.segments,
            joined=waiting.count,
            expires_at=max(waiting.until, tx.now) + waiting.new.expire_after_ms,
            now=tx.now,
        )
    line = {"sms_id": sms_id, "note": NOTE, "times": len(waiting.mails), "at": tx.now}
    if not tx.run("join_again", **line):
        tx.run("join_history", **line)


def _alarm(tx: Tx, terms: Terms, waiting: Waiting) -> None:
    assert waiting.sms is not None
    if waiting.count - len(waiting.mails) < MANY <= waiting.count:
        sender = waiting.sms.sender
        facts = (("alarm", "joined-many"), ("sender", sender), ("joined", f"{waiting.count:,}"))
        alarms.note(tx, terms, f"joined-many:{sender}", facts)


def clean(tx: Tx, limit: int) -> None:
    """Forget texts that nothing is joined to any more."""
    tx.run("drop_same", before=tx.now - DAY, limit=limit)
