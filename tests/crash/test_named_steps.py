"""Killed at every named step, the service loses nothing and doubles nothing; where a commit is cut, as a power cut."""

from tests.crash.step_kills import kill_at_step
from tests.crash.steps import steps
from tests.crash.world import world

FAST = 60  # the settle time passes in two seconds


def test_a_kill_at_every_named_step_loses_nothing_and_doubles_nothing() -> None:
    every = steps("sqlite")
    with world("sqlite", speed=FAST) as made:
        made.start()
        for step in every:
            # A kill between write and sync leaves the commit, as one after it does; a power cut takes it away.
            kill_at_step(made, step, cut=step.cut is not None)
        found = made.judged()
    assert found.good, f"{found.faults()}\n{found.table()}"
    assert not found.send.unavoidable
    assert found.held == 0
    assert found.accept.handled >= len(every)
