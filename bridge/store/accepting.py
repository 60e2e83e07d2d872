"""Taking a mail: duplicates and limits decided, the mail and its SMS written. This is the commit that a 250 stands
for."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from typing import Any, Final

from bridge.decide import answers
from bridge.decide.values import Accept, NewSms, Refuse
from bridge.report import notices
from bridge.sms import MINUTE, NEVER, Sms, State
from bridge.store import audit, joining, keys, outbox, using
from bridge.store.changing import save
from bridge.store.database import Tx
from bridge.store.rows import mail_of, sms_values, with_id
from bridge.store.rows import mail_values as values_of_mail
from bridge.store.taking import Taking
from bridge.store.terms import Terms
from bridge.store.values import Accepted, Actor

# A mail without Message-ID may come again because our 250 was lost: senders try again within minutes.
UNHEARD_MS: Final = 15 * MINUTE
# Transactions of one mail that a server split arrive together; a device that gives every mail the same
# Message-ID must not gather them for ever.
GROUP_MS: Final = 15 * MINUTE
MAX_GROUP: Final = 1_000  # numbers; then another begins


def accept(tx: Tx, terms: Terms, mails: Sequence[Accept]) -> list[Accepted]:
    """Store mails that came at the same time, each table written once for all; see `Store.accept`."""
    accepted: dict[int, Accepted] = {}
    places: Sequence[int] = range(len(mails))
    while places:
        taking = [Taking.of(mails[place], keys.mail_id(tx.now)) for place in places]
        stored = _take(tx, terms, taking)
        for place, one in zip(places, taking, strict=True):
            if not one.again:
                accepted[place] = _accepted(tx, terms, one, stored.get(one.mail_id, ()))
        places = [place for place, one in zip(places, taking, strict=True) if one.again]
    return [accepted[place] for place in range(len(mails))]


def _take(tx: Tx, terms: Terms, taking: Sequence[Taking]) -> dict[str, tuple[Sms, ...]]:
    """Store what is new in these mails and keeps its limits; return it by the id of its mail."""
    _tell_duplicates(tx, terms, taking)
    fresh = [one for one in taking if one.fresh]
    if not fresh:
        return {}
    texts = _group(tx, terms, fresh)
    if any(one.over for one in fresh):
        _forget_refused(tx, taking)
    kept = [one for one in fresh if one.stored]
    if kept:
        tx.add("insert_mail", [values_of_mail(one.mail, one.mail_id, tx.now, one.batch) for one in kept])
    new = _insert(tx, terms, kept)
    if texts:
        joining.store(tx, terms, texts.values(), new)
    stored = iter(new)
    return {one.mail_id: tuple(islice(stored, len(one.fresh))) for one in kept}


def _forget_refused(tx: Tx, taking: Sequence[Taking]) -> None:
    """Forget what was noted of mails that are refused: when they come again, they are meant.

    A mail that is all a repetition of one that is refused is no duplicate: it is taken again, or if it asks for the
    same it gets the same answer.
    """
    refused = {one.mail_id: one for one in taking if one.over or one.again}
    for one in refused.values():
        for mark in one.marks:
            tx.run("forget_seen", mark=mark, mail_id=one.mail_id)
    for one in taking:
        repeated = [refused[owner] for owner in one.owners if owner in refused]
        if repeated and one.mail_id not in refused:
            first = repeated[0]
            alike = one.sms == first.sms and one.taken.limits == first.taken.limits
            one.over = first.over if alike else None
            one.again = one.over is None


def _accepted(tx: Tx, terms: Terms, one: Taking, stored: tuple[Sms, ...]) -> Accepted:
    if one.over is not None:
        return Accepted("", (), 0, 0, over=one.over)
    duplicates = len(one.sms) - len(stored) - one.joined
    if not stored:
        first = one.owners[0] if one.owners else one.mail_id
        return Accepted(one.mail_id if one.joined else first, (), duplicates, 0, one.joined)
    queued = tuple(sms for sms in stored if sms.state is State.QUEUED and not sms.joined)
    refused = tuple(sms for sms in stored if sms.state is State.REFUSED)
    if refused:
        _tell_refused(tx, terms, one.mail_id, refused)
    if queued:
        tx.tell("sms")
    joined = len(stored) - len(queued) - len(refused) + one.joined
    later = using.later(one.dues, tx.now, terms)
    return Accepted(one.mail_id, queued, duplicates, len(refused), joined, later=later)


def accept_by_hand(tx: Tx, terms: Terms, taken: Accept, what: str, by: Actor) -> Accepted:
    """Store what an operator asked for, and that they did; see `Store.accept_by_hand`."""
    (accepted,) = accept(tx, terms, [taken])
    for sms in accepted.queued:
        audit.note(tx, by, what, sms.id, number=sms.number, segments=sms.segments, of=sms.resubmit_of)
    return accepted


def acknowledge(tx: Tx, mail_ids: Sequence[str]) -> list[None]:
    """The clients have heard our 250s: what they send from now on is meant, even if it is the same."""
    for mail_id in sorted(mail_ids):
        tx.run("seen_heard", mail_id=mail_id)
    return [None] * len(mail_ids)


def _tell_duplicates(tx: Tx, terms: Terms, taking: Sequence[Taking]) -> None:
    """Note each text of each mail, and tell those that are new from those that came before.

    Uniqueness is the table's. A number that was refused and is allowed now is no duplicate.
    """
    owners: dict[bytes, str] = {}  # by fingerprint: the mail that it came in first
    notes, marked = [], []
    for one in taking:
        for new in one.sms:
            mark = _mark(one.taken, new)
            marked.append((one, new, mark))
            if mark is not None and mark not in owners:
                owners[mark] = one.mail_id
                notes.append(_note(tx, terms, one, mark))
    notes.sort(
        key=itemgetter("mark")
    )  # in one order everywhere, so that nodes do not wait for each other in a ring
    if notes and tx.add("note_seen", notes) < len(notes):
        for note in notes:
            row = tx.one("seen_in", mark=note["mark"])
            assert row is not None
            owners[note["mark"]] = str(row[0])
    begun: set[bytes] = set()
    for one, new, mark in marked:
        is_new = mark is None or (owners[mark] == one.mail_id and mark not in begun)
        one.settle(new, mark, None if is_new or mark is None else owners[mark])
        if mark is not None:
            begun.add(mark)


def _mark(taken: Accept, new: NewSms) -> bytes | None:
    mail, signed = taken.mail, taken.signed
    if mail.header_message_id is None and mail.proof == "operator":
        return None  # no line that breaks: a person sees what happened
    text = f"signed {signed.body} {mail.subject}" if signed and signed.body else new.text
    return mark_of(mail.sender, mail.header_message_id, new.number, text, refused=bool(new.refused))


def mark_of(sender: str, header: str | None, number: str, text: str, *, refused: bool) -> bytes:
    """Return what tells that one text of one mail to one number has come before."""
    return keys.fingerprint(sender, header, number, text, "refused" if refused else "")


def _note(tx: Tx, terms: Terms, one: Taking, mark: bytes) -> dict[str, Any]:
    unheard = one.mail.header_message_id is None
    wait = UNHEARD_MS if unheard else terms.settings.duplicates_window_ms
    signed = one.taken.signed
    until = max(tx.now + wait, signed.until if signed else 0)
    return {"mark": mark, "mail_id": one.mail_id, "until": until, "now": tx.now, "open": int(unheard)}


def _group(tx: Tx, terms: Terms, taking: Sequence[Taking]) -> joining.Known:
    """Give each mail its group, that is the first mail with its sender and Message-ID, and count it: in its group, and
    for its limits, which may refuse it. What is joined to another SMS makes none and is not counted. Returns the texts
    that may be joined."""
    named = sorted(
        {(one.mail.sender, one.mail.header_message_id) for one in taking if one.mail.header_message_id}
    )
    counting = using.Counting(terms, [one.taken for one in taking])
    same = joining.marks_of(taking)
    # A server that split a mail sends the parts at once. All in one go, before any row: no ring of nodes that wait.
    tx.alone(
        *(f"mail {sender} {header}" for sender, header in named), *counting.marks, *joining.alone_with(same)
    )
    texts = joining.look(tx, same) if same else {}
    counting.look(tx)
    since = tx.now - GROUP_MS
    found = tx.each(
        "group_of", [{"header": header, "sender": sender, "since": since} for sender, header in named]
    )
    groups = {(sender, header): (str(batch), int(size)) for sender, header, batch, size in found}
    refused: set[str] = set()
    for one in taking:
        key = (one.mail.sender, one.mail.header_message_id or one.mail_id)
        batch, before = groups.get(key, (one.mail_id, 0))
        if before >= MAX_GROUP:
            batch, before = one.mail_id, 0
        one.again = bool(refused) and not refused.isdisjoint(one.owners)
        if not one.again:
            undo = joining.settle(tx, one, texts)
            _count(tx, counting, one, batch, before, taking)
            if one.over:
                undo()
        if one.again or one.over:
            refused.add(one.mail_id)
            continue
        size = before + len(one.fresh)
        one.batch, groups[key] = batch, (batch, size)
        if size > notices.SUMMARY_ABOVE:
            # One that grows after its summary is summed up again.
            tx.run("grow_batch", id=batch, size=size, at=tx.now + notices.SUMMARY_AFTER_MS)
    counting.write(tx, terms)
    return texts


def _count(
    tx: Tx, counting: using.Counting, one: Taking, batch: str, before: int, taking: Sequence[Taking]
) -> None:
    """Count a mail for its limits: its numbers in its group, of which ``before`` are stored, and what it uses."""
    if before and before + len(one.fresh) > one.taken.limits.recipients:
        one.over = _too_many(tx, one, batch, taking)
    if one.over is None:
        counted = counting.take(tx, one)
        if isinstance(counted, Refuse):
            one.over = counted
        else:
            one.dues = counted


def _too_many(tx: Tx, one: Taking, batch: str, taking: Sequence[Taking]) -> Refuse | None:
    """The refusal of a part of a mail that a server has split, when all parts have more numbers than one mail may. But
    a device that gives all its mails one Message-ID may write to the same numbers again and again."""
    numbers = {number for (number,) in tx.all("numbers_of_batch", batch=batch)}
    for part in (other for other in taking if other is one or other.batch == batch):
        numbers |= {new.number for new in part.fresh}
    most = one.taken.limits.recipients
    return answers.too_many(most) if len(numbers) > most else None


def _insert(tx: Tx, terms: Terms, taking: Sequence[Taking]) -> list[Sms]:
    """Write the new SMS of all mails; return them in order."""
    asked = [
        (new, joining.begun(one, place, _sms(tx, terms, one, new, due, using.cost_of(one, place))))
        for one in taking
        for place, (new, due) in enumerate(zip(one.fresh, one.when(tx.now, NEVER), strict=True))
    ]
    rows = [{"recipient": new.recipient, "tail": new.number[::-1], **sms_values(sms)} for new, sms in asked]
    ids = tx.add_numbered("insert_sms", rows)
    return [with_id(sms, sms_id) for (_, sms), sms_id in zip(asked, ids, strict=True)]


def _sms(tx: Tx, terms: Terms, one: Taking, new: NewSms, due: int, cost: int | None) -> Sms:
    now = tx.now
    return Sms(
        id=0,
        message_id=keys.message_id(terms.settings.message_prefix, now),
        mail_id=one.mail_id,
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
        due_at=due,
        expires_at=now + new.expire_after_ms,
        state_since=now,
        result=new.refused,
        resubmit_of=new.resubmit_of,
        sender=one.mail.sender,
        reserved=None if new.refused else cost,
    )


def _tell_refused(tx: Tx, terms: Terms, mail_id: str, refused: tuple[Sms, ...]) -> None:
    row = tx.one("mail_by_id", id=mail_id)
    assert row is not None
    mail = mail_of(row)
    refused = notices.heard_of(refused, mail)
    due = notices.refusals(refused, mail)
    for notice in due:
        outbox.write(tx, terms, notice, mail=mail, sms_id=refused[0].id if len(refused) == 1 else None)
    for sms in refused if due else ():
        save(tx, replace(sms, told=notices.told_after(sms, due)))
