"""What senders do in an hour, and the alarm when that is far above their habit. It is counted a little later from the
SMS themselves, so that taking a mail pays nothing for it.

One node does this at a time (it has the lease); if two did, each SMS would still be counted once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bridge import velocity
from bridge.sms import HOUR, MINUTE, SECOND
from bridge.store import alarms, matching
from bridge.store.database import Row, Tx
from bridge.store.terms import Terms
from bridge.velocity import DAYS, Bounds, Excess, Habit, Hour, Measure

AT_ONCE: Final = 2_000  # SMS counted in one go
ENOUGH: Final = 10_000  # SMS to one number in an hour are not counted beyond that: each look counts them anew
LAG_MS: Final = 5 * SECOND  # so long after an SMS was begun it is stored, on whatever node
MAX_TOLD: Final = 20  # alarms an hour about all senders: who has many addresses must not flood the admin
_DAY_HOURS: Final = 24
_DONE, _FLOOR, _HOUR, _SINCE = "habit", "habit floor", "habit hour", "habit since"


@dataclass(frozen=True, slots=True)
class Counted:
    """The next SMS, counted by sender and hour: ids above ``after`` (None at the first look ever) up to ``upto``.

    ``floor``: the SMS of ``hour``, the present one, have higher ids.
    """

    after: int | None
    upto: int
    floor: int
    hour: int
    rows: Sequence[Row]

    @property
    def more(self) -> bool:
        """Return whether there may be more to count now."""
        return self.after is not None and self.upto - self.after >= AT_ONCE


def look(tx: Tx) -> Counted | None:
    """Count the SMS that were not counted yet, some at a time; None when there are none. Writes nothing."""
    after, hour = _cursor(tx, _DONE), tx.now // HOUR
    if after is None:
        latest = tx.one("latest_id")
        return Counted(None, (latest[0] if latest else 0) or 0, 0, hour, ())
    row = tx.one("habit_upto", after=after, most=AT_ONCE, before=tx.now - LAG_MS, ahead=tx.now + MINUTE)
    if row is None or row[0] is None:
        return None
    upto = int(row[0])
    floor = _cursor(tx, _FLOOR) if _cursor(tx, _HOUR) == hour else None
    floor = after if floor is None else floor
    rows = tx.all("habit_of", after=after, upto=upto, floor=floor, enough=ENOUGH)
    return Counted(after, upto, floor, hour, rows)


def keep(tx: Tx, terms: Terms, bounds: Bounds, counted: Counted) -> None:
    """Store what was counted, unless another node did, and tell the admin who is far above their habit."""
    tx.alone("habit")
    if _cursor(tx, _DONE) != counted.after:
        return
    tx.run("set_cursor", name=_DONE, value=counted.upto)
    if counted.after is None:
        tx.run("set_cursor", name=_SINCE, value=tx.now)
    if _cursor(tx, _HOUR) != counted.hour:
        tx.run("set_cursor", name=_HOUR, value=counted.hour)
        tx.run("set_cursor", name=_FLOOR, value=counted.floor)
        tx.run("drop_habits", before=counted.hour - (DAYS + 1) * _DAY_HOURS)
    if not counted.rows:
        return
    names = ("sender", "hour", "sms", "new_numbers", "one_number")
    tx.add("count_habit", [dict(zip(names, row, strict=True)) for row in counted.rows])
    if tx.now - (_cursor(tx, _SINCE) or 0) < bounds.learn_ms:
        return  # nobody's habit is known yet, and every number is new
    for sender, hour, *_ in counted.rows:
        if hour >= counted.hour - 1:  # what is older than that is no news
            _judge(tx, terms, bounds, sender, hour)


def _cursor(tx: Tx, name: str) -> int | None:
    row = tx.one("cursor", name=name)
    return int(row[0]) if row else None


def _judge(tx: Tx, terms: Terms, bounds: Bounds, sender: str, hour: int) -> None:
    row = tx.one("hour_of", sender=sender, hour=hour)
    assert row is not None
    here = Hour(*row)
    if velocity.suspects(here, bounds):
        for excess in velocity.excesses(here, _habit(tx, sender, hour), bounds):
            _tell(tx, terms, bounds, sender, excess)


def _habit(tx: Tx, sender: str, hour: int) -> Habit:
    today = hour - hour % _DAY_HOURS
    days = tx.all("busiest_of", sender=sender, since=today - DAYS * _DAY_HOURS, today=today)
    first = tx.one("known_since", sender=sender)
    known_ms = tx.now - first[0] * HOUR if first and first[0] is not None else 0
    return Habit(tuple(Hour(*day) for day in days), known_ms)


def _tell(tx: Tx, terms: Terms, bounds: Bounds, sender: str, excess: Excess) -> None:
    key = f"{excess.measure}:{sender}"
    told = tx.one("alarm_told_at", key=key)
    fresh = told is None or tx.now - told[0] >= bounds.again_ms
    if not fresh or matching.count_hour(tx, "alarms about senders", MAX_TOLD):
        alarms.note(tx, terms, key, velocity.facts(sender, excess), bounds.again_ms)


def far_above(tx: Tx) -> dict[str, int]:
    """Return how many senders were far above their habit within the last hour, by the alarm's name."""
    keys = [key for (key,) in tx.all("alarms_since", since=tx.now - HOUR)]
    return {one.value: sum(key.startswith(f"{one}:") for key in keys) for one in Measure}
