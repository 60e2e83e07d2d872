"""The parts of one bridge in several processes, beside the same in one: end to end, and the full circle."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.results import Line, Run, cheaper, cpu, ratio, speed
from tests.bench.servers import SECRET, Bridge, Sink, Vendor, stopping
from tests.bench.whole import CIRCLES, MAILS, check_delivered, check_settled, circle, posted, reporting

Split = tuple[tuple[str, ...], ...]

_ONE: Final = "one process"
_ENDS: Final[Mapping[str, Split]] = {
    _ONE: ((),),
    "mail | the rest": (("mail",), ("send", "events", "reports", "web")),
}
_CIRCLES: Final[Mapping[str, Split]] = {
    _ONE: ((),),
    "mail, send, events | reports, web": (("mail", "send", "events"), ("reports", "web")),
    "mail | send, events | reports, web": (("mail",), ("send", "events"), ("reports", "web")),
}


@dataclass(frozen=True, slots=True)
class _Processes:
    """One bridge in several processes; the first of them takes the mail."""

    all: Sequence[Bridge]

    @property
    def cpu_s(self) -> float:
        return sum(one.running.cpu_s for one in self.all)

    def start(self, split: Split) -> None:
        for one, parts in zip(self.all, split, strict=True):
            one.start(*parts)


def measure(rounds: int) -> list[Line]:
    """Return the figures. The generator, the vendor and the smarthost need cores of their own beside all processes:
    where they have none, there is little to win."""
    return [
        *_compared("end to end", rounds, _ENDS, _end_to_end),
        *_compared("full circle", rounds, _CIRCLES, _full_circle),
    ]


def _compared(
    what: str, rounds: int, splits: Mapping[str, Split], once: Callable[[Split], Run]
) -> list[Line]:
    runs: dict[str, list[Run]] = {name: [] for name in splits}
    for _ in range(rounds):
        for name, split in splits.items():
            runs[name].append(once(split))
    lines = []
    for name, found in runs.items():
        lines.append(Line(f"{what}, {name}", speed(found), "per s", note=cpu(found)))
        if name != _ONE:
            lines.append(Line(f"  ÷ {_ONE}", ratio(found, runs[_ONE]), note=cheaper(found, runs[_ONE])))
    return lines


def _end_to_end(split: Split) -> Run:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        vendor = Vendor(Path(name))
        first = Bridge(Path(name), vendor.port)
        processes = _of(first, split)
        with stopping((*processes.all, vendor)):
            processes.start(split)
            run = posted(vendor, processes, first.smtp, "reused", MAILS)
            check_settled(first, MAILS)
            return run


def _full_circle(split: Split) -> Run:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        vendor, sink = Vendor(Path(name)), Sink(Path(name))
        first = reporting(Path(name), vendor, sink)
        processes = _of(first, split)
        with stopping((*processes.all, vendor, sink)):
            processes.start(split)
            vendor.tell(first.hook, f"/hooks/sms/{SECRET}")
            run = circle(processes, first.smtp, sink)
            check_delivered(first, CIRCLES)
            return run


def _of(first: Bridge, split: Split) -> _Processes:
    return _Processes([first, *(first.beside() for _ in split[1:])])
