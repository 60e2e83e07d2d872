"""Who wants no SMS: heard from the phone, from the vendor or from an operator, and looked at by the claim.

An opt-out is of one account of the vendor, that is of the number that its SMS come from: whoever answers STOP to the
clinic's number still gets the plant's alarms from another. It goes by the time at which something was said, not by
the time at which we heard of it.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from bridge import optout
from bridge.event import Event, squeezed
from bridge.log import mask
from bridge.optout import EVERY_ACCOUNT, OptOut, Said
from bridge.sms import MINUTE, Sms
from bridge.store import audit
from bridge.store.database import Row, Tx
from bridge.store.terms import Terms
from bridge.store.values import DAY, Actor

CLOCKS_APART_MS: Final = (
    2 * MINUTE
)  # a STOP that a phone sends after a person let it in again may look older than that
KEPT_MS: Final = 30 * DAY  # the vendor repeats a webhook for a day, and a poll looks back a week
BLACKLISTED: Final = "destinationisblacklisted"

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


def heard(tx: Tx, terms: Terms, event: Event, sms: Sms | None, came_at: int) -> Said | None:
    """Take what an answer from a phone, which came to us at ``came_at``, says about SMS to it, and return that; None
    when it says something else, or something that is over by now. ``sms`` is the one of ours that it answers, if any.

    An answer that belongs to none of ours is given to the account that wrote to that phone last, as the vendor does;
    if there is none, it is meant for all.
    """
    said = terms.settings.optout_words.said(event.text)
    if said is None:
        return None
    number, account = _who(tx, event, sms)
    if not number:
        return None
    at = _said_at(event.vendor_at, came_at)
    if said == "start":
        _opt_in(tx, number, account, at)
        return "start"
    return "stop" if opt_out(tx, number, account, at, "reply") else None


def told_by_vendor(tx: Tx, sms: Sms, result: str) -> None:
    """Note that the vendor refused ``sms`` because its phone is on the vendor's own list, if ``result`` says so.

    That was so when the SMS was handed over: a phone that opted in after that is left alone.
    """
    if BLACKLISTED in squeezed(result):
        opt_out(tx, sms.number, sms.account, sms.claimed_at or tx.now, "vendor")


def opt_out(tx: Tx, number: str, account: str, at: int, source: optout.Source, note: str = "") -> bool:
    """Note that ``number`` opted out at ``at``; return whether it is out now: not if it came back since."""
    if tx.one("opted_in_since", number=number, account=account, at=at):
        return False
    if tx.run("opt_out", number=number, account=account, at=at, source=source, note=note, now=tx.now):
        tx.tell("optouts")
    return True


def add(tx: Tx, actor: Actor, number: str, account: str, note: str) -> bool:
    """Note at a person's word that ``number`` wants no SMS; return False if that is known."""
    if any(one.account in (account, EVERY_ACCOUNT) for one in of_numbers(tx, (number,))):
        return False
    audit.note(tx, actor, "opt out", mask(number), account=account)
    return opt_out(tx, number, account, tx.now, "operator", note)


def remove(tx: Tx, actor: Actor, number: str, account: str | None) -> int:
    """Let SMS to ``number`` through again, at a person's word; return how many opt-outs that ended."""
    at = tx.now - CLOCKS_APART_MS
    ended = tx.run("end_opt_out", number=number, account=account, at=at, now=tx.now)
    if ended:
        audit.note(tx, actor, "opt in", mask(number), account=account or EVERY_ACCOUNT)
        tx.tell("optouts")
    return ended


def of_numbers(tx: Tx, numbers: Iterable[str]) -> tuple[OptOut, ...]:
    """Return the opt-outs in force of ``numbers``."""
    return tuple(_optout(row) for number in numbers for row in tx.all("optouts_of", number=number))


def changed(tx: Tx, since: int, limit: int) -> tuple[OptOut, ...]:
    """Return what was written at ``since`` or later, the latest first; of one that is over too."""
    return tuple(map(_optout, tx.all("optouts_changed", since=since, limit=limit)))


def listed(tx: Tx, before: tuple[int, str, str] | None, limit: int) -> tuple[OptOut, ...]:
    """Return those in force, the latest first, behind ``before`` (time, number, account)."""
    at, number, account = before or ((1 << 63) - 1, "", "")
    return tuple(map(_optout, tx.all("list_optouts", at=at, number=number, account=account, limit=limit)))


def at_claim(terms: Terms, since: int) -> str:
    """Return why an SMS to a phone that opted out ``since`` then is not sent."""
    return optout.reason("", optout.day_in(since, terms.settings.timezone))


def clean(tx: Tx, limit: int) -> None:
    """Drop what is over for so long that nothing older can come any more."""
    tx.run("drop_optouts", before=tx.now - KEPT_MS, limit=limit)


def _said_at(told: int | None, came_at: int) -> int:
    """Return when it was said at the latest. Webhooks tell the minute alone, polls the second: as they tell it, a START
    would often lie before the STOP that it answers, and be taken for an older word."""
    if told is None:
        return came_at
    return min(told if told % MINUTE else told + MINUTE - 1, came_at)


def _opt_in(tx: Tx, number: str, account: str, at: int) -> None:
    ended = tx.run("opt_in", number=number, account=account, at=at, now=tx.now)
    tx.run("note_opt_in", number=number, account=account, at=at, source="reply", now=tx.now)
    if ended:
        tx.tell("optouts")


def _who(tx: Tx, event: Event, sms: Sms | None) -> tuple[str, str]:
    """Return the number that spoke, empty when it is none, and the account that it spoke to."""
    number = event.phone if _E164.fullmatch(event.phone) else ""
    if sms is not None:
        return number or sms.number, sms.account
    candidates: Sequence[str] = (
        (number,) if number else (f"+{event.phone}",)
    )  # some write it without its plus
    for candidate in candidates:
        if row := tx.one("wrote_last", tail=candidate[::-1]):
            return candidate, row[0]
    return number, EVERY_ACCOUNT


def _optout(row: Row) -> OptOut:
    return OptOut(*row)
