"""The rate towards the vendor, kept in the database, so that it holds over all nodes and across restarts.

Moments are given away in the transaction that claims; one that is not used is lost, never made up for.
"""

from dataclasses import dataclass
from typing import Final

from bridge.store.database import Tx

# Moments are given away for so long ahead: should the node die, what it has not begun is `unknown` all the same.
AHEAD_US: Final = 400_000
BUSY_US: Final = 10_000  # another node is claiming just now
NAME: Final = "send"


@dataclass(frozen=True, slots=True)
class Moments:
    """The ``count`` next moments, ``step_us`` apart, the first ``first_us`` from now; with none, ``again_us`` is
    how long to wait before asking again. All in microseconds."""

    count: int
    first_us: int = 0
    step_us: int = 0
    again_us: int = 0

    def waits_s(self, count: int) -> tuple[float, ...]:
        """Return how many seconds from now on each of the first ``count`` moments is."""
        return tuple((self.first_us + place * self.step_us) / 1_000_000 for place in range(count))


def free(tx: Tx, step_us: int, most: int) -> Moments:
    """Return up to ``most`` moments that nobody has taken, ``step_us`` apart; 0: no rate."""
    if not step_us:
        return Moments(most)
    row = tx.one("free_moment", name=NAME)
    return next_moments(row[0], tx.now * 1_000, step_us, most) if row else Moments(0, again_us=BUSY_US)


def next_moments(free_at: int, now: int, step_us: int, most: int) -> Moments:
    """Return up to ``most`` moments from ``free_at`` on, none further ahead than `AHEAD_US`."""
    first = max(free_at - now, 0)
    if first > AHEAD_US + step_us:
        first = AHEAD_US  # nobody was given that: the clock was set back
    if first > AHEAD_US:
        return Moments(0, again_us=first - AHEAD_US // 2)
    return Moments(min(most, (AHEAD_US - first) // step_us + 1), first, step_us)


def take(tx: Tx, moments: Moments, count: int) -> None:
    """Take the first ``count`` of ``moments``."""
    if moments.step_us and count:
        free_at = tx.now * 1_000 + moments.first_us + count * moments.step_us
        tx.run("take_moments", name=NAME, free_at=free_at)
