"""The rows of the table, what a mark says is measured, and the figures that come together from many tests."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ROWS: Final[Mapping[int, str]] = {
    1: "kill -9 or power cut anywhere from the final dot to the last report",
    2: "a vendor that times out, resets, lies; webhooks doubled, late, missing",
    3: "a client that hangs up during the commit and sends again",
    4: "a disk full, a database locked, read-only or gone",
    5: "SMTP smuggling, bare CR, LF, NUL, STARTTLS injection",
    6: "endless lines, floods of connections, slow octets, bombs of headers and parts",
    7: "guessing of passwords and of users",
    8: "secrets in logs, database, errors, mails",
    9: "relaying",
    10: "forged senders",
    11: "DKIM signatures that prove nothing",
    12: "SPF without end, SPF that cannot be asked",
    13: "toll fraud",
    14: "pumping: floods of one sender, over many nodes at once",
    15: "loops of mail",
    16: "header injection by texts, senders, result words",
    17: "HTML and script in mails and on pages, marks of direction",
    18: "webhooks forged, replayed, confused, bombs",
    19: "a vendor that answers 200 and sends nothing",
    20: "the desk: other sites' pages, frames, redirects, writing",
    21: "redirects, proxies of the environment, bad certificates on the way out",
    22: "two services on one database, clocks that jump, restarts with a full queue",
    23: "odd but honest clients are served",
    24: "answers that tell one sender of another",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """What a mark says: the row, what was measured over what, and the bound.

    Without a unit it is a count of bad cases, summed over all tests; with one it is a value, of which the worst
    counts. The arguments are those of the mark ``threat``.
    """

    row: int
    what: str
    of: str = "cases"
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        if self.row not in ROWS:
            raise ValueError(f"there is no threat {self.row}")
        if self.unit and self.at_most is None and self.at_least is None:
            raise ValueError(f"{self.what}: a value needs a bound")

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the least and the most that are allowed."""
        if not self.unit:
            return 0, self.at_most or 0
        return (
            -math.inf if self.at_least is None else self.at_least,
            math.inf if self.at_most is None else self.at_most,
        )

    def bound(self) -> str:
        """Return the bound in words."""
        least, most = self.bounds
        if least == most or not self.unit:
            return f"= {_number(most)}"
        if math.isinf(least) or math.isinf(most):
            return f"≤ {_number(most)}" if math.isinf(least) else f"≥ {_number(least)}"
        return f"{_number(least)} to {_number(most)}"


@dataclass(slots=True)
class Figure:
    """All that was found of one measure."""

    measure: Measure
    values: list[float] = field(default_factory=list)
    of: int = 0
    tests: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)

    def add(self, told: list[tuple[float, int]]) -> None:
        """Take what one test told: values or counts, each with the cases it was found in."""
        self.values += [value for value, _ in told]
        self.of += sum(of for _, of in told)

    @property
    def good(self) -> bool:
        """Whether there is a figure, within the bound, and every test of it passed."""
        least, most = self.measure.bounds
        values = self.values if self.measure.unit else [sum(self.values)]
        return bool(self.of) and not self.failed and all(least <= value <= most for value in values)

    def text(self) -> str:
        """Return the figure in words, as ``smuggled 0 of 38 sequences``."""
        one = self.measure
        if not self.of:
            return f"{one.what}: no figure"
        if not one.unit:
            return f"{one.what} {_number(sum(self.values))} of {self.of:,} {one.of}"
        least, most = one.bounds
        low, high = min(self.values), max(self.values)
        worst = _number(low) if math.isinf(most) else _number(high)
        if low < high and not math.isinf(least) and not math.isinf(most):
            worst = f"{_number(low)} to {_number(high)}"
        return f"{one.what} {worst} {one.unit} over {self.of:,} {one.of}"


_told: list[tuple[str, float, int]] | None = None


def found(value: float, of: int = 1, *, what: str = "") -> None:
    """Tell a figure of the running test: ``value`` bad cases, or a value, seen in ``of`` cases.

    ``what`` names the measure when the test carries several marks. Outside a test it does nothing.
    """
    if _told is not None:
        _told.append((what, value, of))


def listen(told: list[tuple[str, float, int]] | None) -> None:
    """Let `found` tell into that list from now on, or nowhere. For the plugin alone."""
    global _told
    _told = told


def measures(mark_arguments: list[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> tuple[Measure, ...]:
    """Return what the marks of a test say. Raises ValueError when one says nonsense."""
    try:
        return tuple(Measure(*args, **kwargs) for args, kwargs in mark_arguments)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
