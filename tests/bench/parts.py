"""The full circle with the parts of one bridge in several processes, beside the same in one."""

import tempfile
from pathlib import Path
from typing import Final

from tests.bench.results import Line, Run, cheaper, cpu, ratio, speed
from tests.bench.servers import SECRET, Bridge, Sink, Vendor, stopping
from tests.bench.whole import CIRCLES, check_delivered, circle, reporting

Split = tuple[tuple[str, ...], ...]

ONE: Final[Split] = ((),)
SPLITS: Final[dict[str, Split]] = {
    "one process": ONE,
    "two: mail,send,events | reports,web": (("mail", "send", "events"), ("reports", "web")),
    "three: mail | send,events | reports,web": (("mail",), ("send", "events"), ("reports", "web")),
}


def measure(rounds: int) -> list[Line]:
    """Return the figures; the generator, the vendor and the smarthost need a core of their own beside them."""
    runs: dict[str, list[Run]] = {name: [] for name in SPLITS}
    for _ in range(rounds):
        for name, split in SPLITS.items():
            runs[name].append(_round(split))
    alone = runs[next(iter(SPLITS))]
    lines = []
    for name, found in runs.items():
        lines.append(Line(f"full circle, {name}", speed(found), "per s", note=cpu(found)))
        if found is not alone:
            lines.append(Line("  ÷ one process", ratio(found, alone), note=cheaper(found, alone)))
    return lines


def _round(split: Split) -> Run:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        vendor, sink = Vendor(folder), Sink(folder)
        first = reporting(folder, vendor, sink)
        processes: list[Bridge] = [first, *(first.beside() for _ in split[1:])]
        with stopping((*processes, vendor, sink)):
            for process, parts in zip(processes, split, strict=True):
                process.start(*parts)
            vendor.tell(first.hook, f"/hooks/sms/{SECRET}")
            run = circle(first, processes, sink)
            check_delivered(first, CIRCLES)
            return run
