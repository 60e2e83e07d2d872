"""What the benchmark prints: a line a figure, its goal beside it, met or missed and by how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound of the budget. ``most``: it is an upper one."""

    bound: float
    most: bool = False

    def missed_by(self, value: float) -> bool:
        return value > self.bound if self.most else value < self.bound

    def verdict(self, value: float) -> str:
        if not self.missed_by(value):
            return "met"
        return f"MISSED by {abs(value - self.bound) / self.bound:.0%}" if self.bound else "MISSED"

    def __str__(self) -> str:
        return f"{'≤' if self.most else '≥'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure; ``value`` None: it could not be measured, and ``note`` says why."""

    figure: str
    value: float | None
    unit: str = ""
    goal: Goal | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        return self.value is not None and self.goal is not None and self.goal.missed_by(self.value)

    def cells(self) -> tuple[str, ...]:
        if self.value is None:
            return self.figure, "–", str(self.goal or ""), "not measured", self.note
        whole = self.value >= 100 or isinstance(self.value, int)
        shown = f"{self.value:,.0f}" if whole else f"{self.value:.2f}"
        verdict = self.goal.verdict(self.value) if self.goal else ""
        return self.figure, f"{shown} {self.unit}".rstrip(), str(self.goal or ""), verdict, self.note


@dataclass(frozen=True, slots=True)
class Run:
    """One burst of load on one server: mails a second, and the server's own CPU a mail (µs; None: unknown)."""

    per_second: float
    cpu_us: float | None = None


def ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> float:
    """Return the median of the ratios of runs that followed each other: a slow moment slows both."""
    return median(our.per_second / their.per_second for our, their in zip(ours, theirs, strict=True))


def speed(runs: Sequence[Run]) -> float:
    """Return the median of mails a second."""
    return median(run.per_second for run in runs)


def cpu(runs: Sequence[Run]) -> str:
    """Return the medians of CPU a mail, and of the cores that were busy with it, as a note."""
    known = [(run.cpu_us, run.cpu_us * run.per_second / 1e6) for run in runs if run.cpu_us is not None]
    if not known:
        return ""
    used, cores = (median(values) for values in zip(*known, strict=True))
    return f"{used:,.0f} µs CPU a mail, {cores:.1f} cores"


def cheaper(ours: Sequence[Run], theirs: Sequence[Run]) -> str:
    """Return, as a note, our CPU a mail over theirs."""
    pairs = [(our.cpu_us, their.cpu_us) for our, their in zip(ours, theirs, strict=True)]
    known = [our / their for our, their in pairs if our is not None and their]
    return f"CPU {median(known):.2f} ×" if known else ""


def show(title: str, lines: Sequence[Line]) -> None:
    """Print one part of the table."""
    heads = (title, "measured", "goal", "", "")
    rows = [line.cells() for line in lines]
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    print()
    for row in (heads, tuple("-" * width for width in widths), *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(flush=True)
