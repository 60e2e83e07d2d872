"""The crash harness in full: ``python -m tests.crash [--kills 500] [--engine sqlite] [--nodes 1]``.

First every named step, then rounds of kills at random moments, each on a database of its own and judged by itself;
a round is made again by its seed.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from tests.crash.database import Engine
from tests.crash.judge import Tally, Verdict
from tests.crash.random_kills import PAUSE_S, bad_days, kill_at_random
from tests.crash.step_kills import kill_at_step, kill_one_of_several
from tests.crash.steps import steps
from tests.crash.world import world

STEPS_SPEED: Final = 60.0  # of the service's wall clock
ROUND: Final = 50  # kills on one database
STORIES: Final = 5  # told of a round that went wrong


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    found = {}
    if not options.no_steps and options.nodes > 1:
        found["every named step, killed"] = _steps_among(options.nodes, options.speed)
    elif not options.no_steps:
        found["every named step, killed"] = _steps(options.engine, cut=False)
        if options.engine == "sqlite":
            found["every named step, power cut"] = _steps(options.engine, cut=True)
    if options.kills:
        found[f"{options.kills} kills at random moments"] = _random(options)
    for what, one in found.items():
        print(f"\n{options.engine}, {options.nodes} node(s): {what}\n{one.table()}")
    return 0 if all(one.good for one in found.values()) else 1


def _steps(engine: Engine, *, cut: bool) -> Verdict:
    with world(engine, speed=STEPS_SPEED) as made:
        made.start()
        for step in steps(engine):
            seen = kill_at_step(made, step, cut=cut)
            print(f"{'power cut' if cut else 'kill'} {step.name}: {seen}", flush=True)
        return made.judged()


def _steps_among(nodes: int, speed: float) -> Verdict:
    """The first of several nodes dies at each step; with the others there, what it left is done by them."""
    with world("postgresql", nodes=nodes, speed=speed) as made:
        made.start_all()
        for step in steps("postgresql"):
            tries = kill_one_of_several(made, step)
            print(f"kill {step.name}: hit at try {tries}", flush=True)
        return made.judged()


def _random(options: argparse.Namespace) -> Verdict:
    total: Verdict | None = None
    left, seed = options.kills, options.seed
    while left > 0:
        begun, kills = time.monotonic(), min(left, ROUND)
        with world(options.engine, nodes=options.nodes, speed=options.speed) as made:
            bad_days(made, seed)
            kill_at_random(made, kills, seed, options.pause)
            found = made.judged()
            if not found.good:
                print("\n".join(map(made.story, found.named()[:STORIES])))
        total = found if total is None else _sum(total, found)
        print(
            f"seed {seed}: {kills} kills, {found.accept.handled} SMS promised, "
            f"{time.monotonic() - begun:.0f} s, {'good' if found.good else found.faults()}",
            flush=True,
        )
        left, seed = left - kills, seed + 1
    assert total is not None
    return total


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--no-steps", action="store_true", help="random moments only")
    parser.add_argument(
        "--speed", type=float, help="of the wall clock: 20; 3 for several nodes, which beat in true time"
    )
    parser.add_argument(
        "--pause", type=float, default=PAUSE_S, help="of a client between two mails, in seconds (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    options = parser.parse_args(arguments)
    options.speed = options.speed or (20.0 if options.nodes == 1 else 3.0)
    return options


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
