"""For all tests: properties are judged by their result, not by the clock, since the machine may be busy."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import postgres as postgresql

pytest_plugins = ["tests.threats.plugin"]

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(autouse=True)
def _untraced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have only tests that are marked `traced` measure the coverage of the processes they start: it more than doubles
    the work of a start, and what is killed leaves none behind."""
    if request.node.get_closest_marker("traced") is None:
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgresql.Server]:
    """A PostgreSQL that does not wait for the disk, for all tests of this process."""
    with postgresql.running() as server:
        yield server
