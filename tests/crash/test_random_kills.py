"""kill -9 at random moments under load, in short; `make crash` does it by the hundred."""

import time

import pytest

from tests import threats
from tests.crash.database import Engine
from tests.crash.random_kills import bad_days, kill_at_random
from tests.crash.world import world

KILLS = 8


@pytest.mark.threat(1, "lost, stuck or avoidably doubled", of="SMS, news and mails under kills")
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_kills_at_random_moments_lose_nothing_and_double_nothing_avoidable(engine: Engine) -> None:
    seed = time.time_ns() % 100_000  # another one each time; the message names it
    with world(engine, speed=20) as made:
        bad_days(made, seed)
        kill_at_random(made, KILLS, seed)
        found = made.judged()
    threats.found(found.wrong, of=found.handled)
    assert found.good, f"seed {seed}: {found.faults()}\n{found.table()}"
    assert found.accept.handled > KILLS
    assert found.report.handled >= found.accept.handled * 0.9
