"""Whether a sender is far above its habit: many more SMS than usual, many new numbers, one number again and again.

Pure. Counts are those of one hour of the clock. The habit is what the sender's busiest hour of a day usually is. The
busiest day alone does not count: what was too much once is not usual the next time, while a weekly batch is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DAY_MS: Final = 24 * 3_600_000
HOUR_MS: Final = 3_600_000
DAYS: Final = 15  # looked back on: a weekly batch is in them twice, whatever day it is


class Measure(StrEnum):
    """What is counted of a sender in an hour; the value names the alarm."""

    SMS = "sender-many"
    NEW_NUMBERS = "sender-new-numbers"
    ONE_NUMBER = "sender-one-number"


@dataclass(frozen=True, slots=True)
class Bounds:
    """From when on an hour is too much: above the least of its measure, and ``above`` times what is usual.

    ``learn_ms``: so long nobody's habit is known, after the first start and for a new sender. ``again_ms``: the same
    alarm about the same sender at most once in so long.
    """

    above: int = 4
    sms: int = 60
    new_numbers: int = 30
    one_number: int = 20
    learn_ms: int = 7 * DAY_MS
    again_ms: int = 6 * HOUR_MS

    def least(self, measure: Measure) -> int:
        """Return how many in an hour are never too many."""
        return {
            Measure.SMS: self.sms,
            Measure.NEW_NUMBERS: self.new_numbers,
            Measure.ONE_NUMBER: self.one_number,
        }[measure]


@dataclass(frozen=True, slots=True)
class Hour:
    """What a sender did in an hour: SMS, numbers that none had gone to before, the most SMS to one number."""

    sms: int
    new_numbers: int
    one_number: int

    def count(self, measure: Measure) -> int:
        """Return the count of one measure."""
        return {
            Measure.SMS: self.sms,
            Measure.NEW_NUMBERS: self.new_numbers,
            Measure.ONE_NUMBER: self.one_number,
        }[measure]


@dataclass(frozen=True, slots=True)
class Habit:
    """What is known of a sender: its busiest hour (each measure by itself) of each day before today on which it sent,
    and since when it is known, ms before now."""

    days: tuple[Hour, ...]
    known_ms: int

    def usual(self, measure: Measure) -> int:
        """Return the busiest hour of the second busiest day; of a single day that one's, 0 without any."""
        peaks = sorted((day.count(measure) for day in self.days), reverse=True)
        return peaks[min(1, len(peaks) - 1)] if peaks else 0


@dataclass(frozen=True, slots=True)
class Excess:
    """One measure far above the habit: how many there were, how many are usual, above how many it is told."""

    measure: Measure
    count: int
    usual: int
    limit: int


def suspects(hour: Hour, bounds: Bounds) -> bool:
    """Return whether the habit is worth a look: something is above what is never too much."""
    return any(hour.count(measure) > bounds.least(measure) for measure in Measure)


def excesses(hour: Hour, habit: Habit, bounds: Bounds) -> tuple[Excess, ...]:
    """Return what the admin should hear of a sender's hour."""
    return tuple(_excesses(hour, habit, bounds))


def _excesses(hour: Hour, habit: Habit, bounds: Bounds) -> Iterator[Excess]:
    for measure in Measure:
        usual, least = habit.usual(measure), bounds.least(measure)
        # Of a new sender nobody knows what is usual: what is never too much counts as that.
        known = usual if habit.known_ms >= bounds.learn_ms else max(usual, least)
        limit = max(least, bounds.above * known)
        if hour.count(measure) > limit:
            yield Excess(measure, hour.count(measure), usual, limit)


def facts(sender: str, excess: Excess) -> Sequence[tuple[str, str]]:
    """Return what the alarm says, for `report.alarms`."""
    return (
        ("alarm", excess.measure.value),
        ("sender", sender),
        ("count", str(excess.count)),
        ("usual", str(excess.usual)),
        ("limit", str(excess.limit)),
    )
