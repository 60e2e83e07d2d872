"""Killed at every named step, the service loses nothing and doubles nothing; where a commit is cut, as a power cut."""

from collections.abc import Sequence

import pytest

from tests import threats
from tests.crash.database import Engine
from tests.crash.step_kills import kill_at_step
from tests.crash.steps import Step, steps
from tests.crash.world import world

FAST = 60  # the settle time passes in two seconds


def kill_at_each(engine: Engine, chosen: Sequence[Step]) -> None:
    with world(engine, speed=FAST) as made:
        made.start()
        for step in chosen:
            # A kill between write and sync leaves the commit, as one after it does; a power cut takes it away.
            kill_at_step(made, step, cut=engine == "sqlite" and step.cut is not None)
        found = made.judged()
    threats.found(found.wrong, of=found.handled)
    assert found.good, f"{found.faults()}\n{found.table()}"
    assert not found.send.unavoidable
    assert found.held == 0
    assert found.accept.handled >= len(chosen)


@pytest.mark.threat(1, "lost, stuck or avoidably doubled", of="SMS, news and mails under kills")
def test_a_kill_at_every_named_step_loses_nothing_and_doubles_nothing() -> None:
    kill_at_each("sqlite", steps("sqlite"))


@pytest.mark.threat(1, "lost, stuck or avoidably doubled", of="SMS, news and mails under kills")
def test_a_kill_in_and_after_every_commit_on_postgresql_does_neither() -> None:
    """The moments that look otherwise there; `make crash` goes through all of them."""
    kill_at_each(
        "postgresql",
        [step for step in steps("postgresql") if step.name.startswith(("in ", "after the commit"))],
    )
