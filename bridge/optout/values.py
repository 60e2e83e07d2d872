"""An opt-out as stored, what a decision sees of all of them, and the one way in which it is told."""

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

EVERY_ACCOUNT: Final = "*"

Source = Literal["reply", "vendor", "operator"]  # who said so: the phone, the vendor's result, a person here

# Number in E.164 → account → the day since when, as people read it. Those in force alone.
OptOuts = Mapping[str, Mapping[str, str]]
NOBODY: Final[OptOuts] = MappingProxyType({})

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec")
_REASON: Final = re.compile(r"opted out of SMS on (\d{1,2} [A-Z][a-z]{2,3} \d{4})$", re.ASCII)


@dataclass(frozen=True, slots=True)
class OptOut:
    """A phone that opted out at ``at`` (ms UTC) of the SMS of ``account``, or of `EVERY_ACCOUNT`.

    ``note`` is an operator's. ``ended_at`` is when it opted in again, None while the opt-out is in force.
    ``changed_at`` is when the row was last written.
    """

    number: str
    account: str
    at: int
    source: Source
    note: str
    ended_at: int | None
    changed_at: int


def view(stored: Iterable[OptOut], zone: datetime.tzinfo) -> OptOuts:
    """Return what a decision sees of ``stored``, which are in force; their days begin in ``zone``."""
    known: dict[str, dict[str, str]] = {}
    for one in stored:
        known.setdefault(one.number, {})[one.account] = day_in(one.at, zone)
    return known


def since(known: OptOuts, number: str, account: str) -> str | None:
    """Return the day since when ``number`` wants no SMS of ``account``, or None."""
    of_number = known.get(number)
    if of_number is None:
        return None
    return of_number.get(account) or of_number.get(EVERY_ACCOUNT)


def day_in(at: int, zone: datetime.tzinfo) -> str:
    """Return the day of ``at`` (ms UTC) in ``zone``: ``22 Nov 2026``."""
    local = datetime.datetime.fromtimestamp(at / 1000, zone)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def reason(which: str, day: str) -> str:
    """Return why a number gets no SMS, in ASCII; ``which`` names it, or is empty."""
    return f"{which} opted out of SMS on {day}".lstrip()


def told_day(reason: str) -> str | None:
    """Return the day that a `reason` tells, None when it is another reason."""
    found = _REASON.search(reason)
    return found[1] if found else None
