"""The crash harness in full: ``python -m tests.crash [--kills 500] [--engine sqlite] [--nodes 1]``.

Rounds of kills, each on a database of its own and judged by itself; a round is made again by its seed.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from tests.crash.judge import Tally, Verdict
from tests.crash.random_kills import bad_days, kill_at_random
from tests.crash.world import world

ROUND: Final = 50  # kills on one database


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    total: Verdict | None = None
    seed, left = options.seed, options.kills
    while left > 0:
        begun, kills = time.monotonic(), min(left, ROUND)
        with world(options.engine, nodes=options.nodes, speed=options.speed) as made:
            bad_days(made, seed)
            kill_at_random(made, kills, seed)
            found = made.judged()
        total = found if total is None else _sum(total, found)
        left, seed = left - kills, seed + 1
        print(
            f"seed {seed - 1}: {kills} kills, {found.accept.handled} SMS promised, "
            f"{time.monotonic() - begun:.0f} s, {'good' if found.good else found.faults()}",
            flush=True,
        )
    assert total is not None
    print(f"\n{options.engine}, {options.nodes} node(s), {options.kills} kills at random moments")
    print(total.table())
    return 0 if total.good else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--speed", type=float, default=20.0, help="of the service's wall clock")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    return parser.parse_args(arguments)


def _sum(one: Verdict, other: Verdict) -> Verdict:
    stages = {
        stage: Tally(
            *(
                getattr(getattr(one, stage), part.name) + getattr(getattr(other, stage), part.name)
                for part in fields(Tally)
            )
        )
        for stage in ("accept", "send", "event", "report")
    }
    return Verdict(**stages, held=one.held + other.held)


if __name__ == "__main__":
    sys.exit(main())
