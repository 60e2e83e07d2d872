"""A person who asks to be forgotten: all that was written to one number or came from it goes, whatever its age.

What is under way stays, and is told: an SMS that may still be sent, and a mail that is still to be. A few SMS at a
time are dropped, each batch whole; a purge that was cut off is done again.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from bridge.dsn import Wishes
from bridge.phone import Number
from bridge.report.values import MailKind, OutboxState
from bridge.sms import FINAL, HOUR, Sms, State
from bridge.store import accepting, joining, optouts
from bridge.store.database import Tx
from bridge.store.purging import AT_ONCE, drop_group, drop_sms, is_needed, joined_to
from bridge.store.rows import facts_of, mail_of, sms_of, wishes_text
from bridge.store.terms import Terms
from bridge.store.values import Trace

MAX_SHOWN: Final = 1_000  # SMS under way that are looked at
PART: Final = 500  # rows dropped in one transaction
READ: Final = 1_000  # rows of a list that is looked through
GIVE_UP_MS: Final = 5 * 24 * HOUR  # then a mail of ours that nobody takes is dead (see `reporter`)
_WRITTEN: Final = re.compile(r"[0-9](?:[ ./()-]{0,3}[0-9]){5,19}")


@dataclass(frozen=True, slots=True)
class Person:
    """A phone number, and every way in which somebody may have written it."""

    number: str
    spellings: frozenset[str]

    @staticmethod
    def of(number: Number) -> "Person":
        """Return who has that number."""
        code = str(number.country_code)
        rest = number.e164[1 + len(code) :]
        return Person(number.e164, frozenset({rest, f"0{rest}", f"{code}{rest}", f"00{code}{rest}"}))

    @property
    def tail(self) -> str:
        """The number backwards."""
        return self.number[::-1]

    @property
    def like(self) -> str:
        """A pattern of all texts that may name the number."""
        return "%" + "%".join(self.number[-4:]) + "%"

    def is_named_in(self, *texts: str) -> bool:
        """Return whether one of the texts names the number."""
        found = (written.group() for text in texts for written in _WRITTEN.finditer(text))
        return any(re.sub("[^0-9]", "", written) in self.spellings for written in found)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows about a person that belong to no SMS: ids of events and of mails of ours, keys of alarms; and ids of mails
    whose client asked for reports about the person by name."""

    events: tuple[int, ...] = ()
    mails: tuple[int, ...] = ()
    alarms: tuple[str, ...] = ()
    wishes: tuple[str, ...] = ()
    due: tuple[int, ...] = ()  # times of mails that are still to be sent

    def parts(self) -> Iterator["Rows"]:
        """Yield all rows, a few at a time."""
        longest = max(map(len, (self.events, self.mails, self.alarms, self.wishes)))
        for at in range(0, longest, PART):
            part = slice(at, at + PART)
            yield Rows(self.events[part], self.mails[part], self.alarms[part], self.wishes[part])


def trace(tx: Tx, terms: Terms, person: Person, rows: Rows) -> Trace:
    """Return how much is known of a person, and what of it is under way."""
    open_sms = [sms_of(row) for row in tx.all("under_way_to", tail=person.tail, limit=MAX_SHOWN)]
    due = [at for _, at in tx.all("mails_due_about", tail=person.tail, limit=MAX_SHOWN)] + list(rows.due)
    summary = tx.one("summary_due_about", tail=person.tail)
    ends = [_end(terms, sms) for sms in open_sms] + [at + GIVE_UP_MS for at in due]
    ends += [summary[0]] if summary else []
    return Trace(
        sms=_count(tx, "count_sms_to", person),
        events=_count(tx, "count_events_about", person) + len(rows.events),
        mails=len(rows.mails),
        alarms=len(rows.alarms),
        under_way=dict(Counter(sms.state for sms in open_sms)),
        under_way_ids=tuple(sms.id for sms in open_sms),
        mails_due=len(due) + (1 if summary else 0),
        opted_out=bool(optouts.of_numbers(tx, (person.number,))),
        ends_by=max((end for end in ends if end is not None), default=None),
    )


def _count(tx: Tx, name: str, person: Person) -> int:
    row = tx.one(name, tail=person.tail)
    return int(row[0]) if row else 0


def _end(terms: Terms, sms: Sms) -> int | None:
    """When an SMS is final at the latest; None when a person must decide."""
    if sms.state is State.HELD:
        return None
    if sms.state is State.QUEUED:
        return sms.expires_at
    return (sms.submitted_at or sms.state_since) + terms.timing.give_up_after_ms


def rows_of(tx: Tx, person: Person) -> Rows:
    """Return what belongs to no SMS and names the person. Reads all of it: some seconds for a million rows."""
    events, mails, due = [], [], []
    after = 0
    while found := tx.all("events_of_phone", like=person.like, after=after, limit=READ):
        events += [event_id for event_id, phone in found if person.is_named_in(phone)]
        after = found[-1][0]
    after = 0
    while found := tx.all("mails_that_name", like=person.like, after=after, limit=READ):
        for mail_id, kind, state, facts, created_at in found:
            if not _is_about(person, kind, facts):
                continue
            if state == OutboxState.DUE:
                due.append(created_at)
            else:
                mails.append(mail_id)
        after = found[-1][0]
    alarms = [
        key for key, facts in tx.all("alarms_that_name", like=person.like) if person.is_named_in(key, facts)
    ]
    return Rows(tuple(events), tuple(mails), tuple(alarms), _wishes(tx, person), tuple(due))


def _wishes(tx: Tx, person: Person) -> tuple[str, ...]:
    wishes, last = [], ""
    while found := tx.all("wishes_that_name", like=person.like, after=last, limit=READ):
        wishes += [mail_id for mail_id, dsn in found if person.is_named_in(dsn)]
        last = found[-1][0]
    return tuple(wishes)


def _is_about(person: Person, kind: str, facts: str) -> bool:
    """An answer is about the phone it came from, whomever its text names; an alarm about all that it names."""
    at = dict(facts_of(facts))
    return person.is_named_in(*(at.values() if kind == MailKind.ALARM else [at.get("phone", "")]))


def forget_sms(tx: Tx, person: Person, after: int) -> tuple[int, int | None]:
    """Drop the next SMS to the person; return how many went, and behind which to go on (None: that was all).

    One of which a mail of ours has still to tell stays: the phone may have answered since the work began.
    """
    found = [sms_of(row) for row in tx.all("sms_to", tail=person.tail, after=after, limit=AT_ONCE)]
    ended = [sms for sms in found if sms.state in FINAL and not is_needed(tx, sms.id, sms.mail_id)]
    mails = {mail for sms in ended for mail in (sms.mail_id, *joined_to(tx, sms.id))}
    for sms in ended:
        _forget_marks(tx, sms)
    dropped = sum(drop_sms(tx, sms.id) for sms in ended)
    tx.run("count_habits_from")
    for mail_id in sorted(mails):
        if not drop_group(tx, mail_id):
            tx.run("empty_shared_mails", mail_id=mail_id)
    return dropped, found[-1].id if len(found) == AT_ONCE else None


def _forget_marks(tx: Tx, sms: Sms) -> None:
    """Drop what tells that the same comes again."""
    row = tx.one("mail_by_id", id=sms.mail_id)
    if row is not None:
        mail = mail_of(row)
        refused = sms.state is State.REFUSED
        mark = accepting.mark_of(mail.sender, mail.header_message_id, sms.number, sms.text, refused=refused)
        tx.run("drop_seen_of", mark=mark)
    same = joining.mark_of(sms.sender, sms.number, sms.text, sms.account, sms.mode)
    tx.run("drop_same_of", mark=same)


def forget_rows(tx: Tx, rows: Rows, person: Person) -> None:
    """Drop those rows; of a mail's wishes those about the person."""
    for event_id in rows.events:
        tx.run("drop_event", id=event_id)
    for mail_id in rows.mails:
        tx.run("drop_outbox", id=mail_id)
    for key in rows.alarms:
        tx.run("drop_alarm", key=key)
    for wished in rows.wishes:
        row = tx.one("mail_by_id", id=wished)
        if row is not None:
            tx.run("set_wishes", id=wished, dsn=wishes_text(_without(mail_of(row).dsn, person)))


def _without(wishes: Wishes | None, person: Person) -> Wishes | None:
    if wishes is None:
        return None
    others = [
        (number, wish) for number, wish in wishes.recipients if not person.is_named_in(number, wish.original)
    ]
    return replace(wishes, recipients=tuple(others)) if others else None


def forget_in_accounts(tx: Tx, person: Person) -> None:
    """An account remembers to which numbers its last SMS failed alike: it need not know which."""
    for key, health in tx.all("accounts"):
        if person.number in health:
            at = json.loads(health)
            for name in ("unread", "silent"):
                at[name] = ["forgotten" if number == person.number else number for number in at[name]]
            at["why"] = "" if person.is_named_in(at["why"]) else at["why"]
            tx.run("put_account", key=key, health=json.dumps(at))


def forget_optouts(tx: Tx, person: Person) -> None:
    """Keep of opt-outs only that they are in force."""
    tx.run("forget_optouts", number=person.number, before=tx.now - HOUR)
    tx.run("empty_optout_notes", number=person.number)
