"""The windows of limits by time: minutes, hours, days and months, one after the other without a gap. Pure.

Minutes and hours are those of UTC. Days and months are those of the operator's zone: a day with a change of the clock
has 23 or 25 hours.
"""

import datetime
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Span = Literal["minute", "hour", "day", "month"]

_MS = {"minute": 60_000, "hour": 3_600_000}


@dataclass(frozen=True, slots=True)
class Window:
    """A time from ``begins`` until ``ends``, which is in it no more; in ms UTC."""

    begins: int
    ends: int


def window(span: Span, at: int, zone: datetime.tzinfo) -> Window:
    """Return the window of that length in which ``at`` (ms UTC) lies."""
    if span == "minute" or span == "hour":
        begins = at - at % _MS[span]
        return Window(begins, begins + _MS[span])
    first = datetime.datetime.fromtimestamp(at / 1000, zone).date()
    first = first.replace(day=1) if span == "month" else first
    begins, ends = _start(first, zone), _start(_next(first, span), zone)
    while at >= ends:  # a clock that was set back over midnight has the end of a day a second time
        first = _next(first, span)
        begins, ends = ends, _start(_next(first, span), zone)
    return Window(begins, ends)


def moment(at: int, now: int, zone: datetime.tzinfo) -> str:
    """Return a time as an answer names it: ``15:00 AEDT``, with its date when that is not today's; ASCII."""
    there = datetime.datetime.fromtimestamp(at / 1000, zone)
    today = datetime.datetime.fromtimestamp(now / 1000, zone).date()
    return f"{there:%H:%M %Z}" if there.date() == today else f"{there:%Y-%m-%d %H:%M %Z}"


@lru_cache(1_024)
def _start(day: datetime.date, zone: datetime.tzinfo) -> int:
    """The first moment of a day. Where the clock skips midnight, that is the moment in which it does."""
    midnight = datetime.datetime(day.year, day.month, day.day, tzinfo=zone)
    return round(midnight.timestamp() * 1000)


def _next(first: datetime.date, span: Span) -> datetime.date:
    later = first + datetime.timedelta(days=1 if span == "day" else 31)
    return later.replace(day=1) if span == "month" else later
