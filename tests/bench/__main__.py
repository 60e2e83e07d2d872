"""Measures everything and prints it with the budget: ``python -m tests.bench [--only PART,…] [--rounds N]``.

Every part puts servers on loopback and a load on them, ours and the others in turns, so that a busy machine
slows all of them. Figures are medians; ratios are medians of the rounds' ratios.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Final

from tests.bench import accept, cost, delay, memory, nodes, parts, rows, whole
from tests.bench.load import program
from tests.bench.results import Line, show

ROUNDS: Final = 5
ROWS: Final = 1_000_000

PARTS: Final[dict[str, tuple[str, Callable[[int, int], list[Line]]]]] = {
    "accept": ("durable accept", lambda rounds, rows: accept.measure(rounds)),
    "send": ("end to end", lambda rounds, rows: whole.end_to_end(rounds)),
    "circle": ("full circle", lambda rounds, rows: whole.full_circle(rounds)),
    "parts": ("parts in processes of their own", lambda rounds, rows: parts.measure(rounds)),
    "delay": ("delay", lambda rounds, rows: delay.inside()),
    "start": ("start", lambda rounds, rows: delay.start()),
    "sign": ("signature", lambda rounds, rows: delay.signature()),
    "memory": ("memory", lambda rounds, rows: memory.measure()),
    "cost": ("cost of an SMS", lambda rounds, rows: cost.measure()),
    "nodes": ("two nodes", lambda rounds, rows: nodes.measure(rounds)),
    "rows": ("many rows, SQLite", rows.on_sqlite),
    "rows-pg": ("many rows, PostgreSQL", rows.on_postgresql),
}


def main() -> int:
    reader = argparse.ArgumentParser(prog="make bench", description=__doc__)
    reader.add_argument("--only", metavar="PART,…", help=f"some of: {','.join(PARTS)} (default: all)")
    reader.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    reader.add_argument("--rows", type=int, default=ROWS, help=f"SMS in a large database, default: {ROWS}")
    options = reader.parse_args()
    wanted = options.only.split(",") if options.only else list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        reader.error(f"no such part: {', '.join(sorted(unknown))}")
    if program("smtp-source") is None or program("smtp-sink") is None:
        print(
            "the benchmark needs smtp-source and smtp-sink (Debian: apt-get install postfix)", file=sys.stderr
        )
        return 1
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a start without compiled files is another figure
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load}")
    began_at = time.monotonic()
    for name in wanted:
        title, measure = PARTS[name]
        show(title, measure(max(options.rounds, 1), options.rows))
    print(f"{(time.monotonic() - began_at) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
