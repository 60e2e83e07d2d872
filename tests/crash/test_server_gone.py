"""PostgreSQL crashes under load, and comes back or its standby takes over: mail is put off until then."""

import pytest

from tests import threats
from tests.crash.clients import Client
from tests.crash.world import World, world
from tests.flow.running import wait_for

SPEED = 4  # of the wall clock: see test_database_faults
CRASHES = 3


def begin(made: World) -> None:
    """Let three clients hand in mails."""
    made.clients = [Client(f"client {place}", made.port, pause_s=0.02) for place in range(3)]
    for client in made.clients:
        client.start()


def wait_for_more(made: World, code: int, count: int) -> None:
    def answered() -> int:
        return sum(client.codes.count(code) for client in made.clients)

    before = answered()
    wait_for(f"{count} more answers {code}", lambda: answered() >= before + count)


@pytest.mark.threat(1, "lost, stuck or avoidably doubled", of="SMS, news and mails under kills")
def test_a_database_server_that_crashes_under_load_loses_and_doubles_nothing() -> None:
    with world("postgresql", speed=SPEED) as made:
        made.start()
        server = made.database.server
        assert server is not None
        begin(made)
        for _ in range(CRASHES):
            wait_for_more(made, 250, 20)
            made.crash_server()
            wait_for_more(made, 451, 1)
            server.start()
        found = made.judged()
        threats.found(found.wrong, of=found.handled)
        codes = {code for client in made.clients for code in client.codes}
        assert codes == {250, 451}
        assert found.good, f"{found.faults()}\n{found.table()}"
        assert not found.send.unavoidable
        assert not [line for line in made.node.lines if "Traceback" in line]
        assert made.node.stop() == 0


@pytest.mark.threat(1, "lost, stuck or avoidably doubled", of="SMS, news and mails under kills")
@pytest.mark.parametrize("nodes", [1, 2])
def test_a_standby_that_takes_over_under_load_has_all_that_was_answered(nodes: int) -> None:
    with world("postgresql", nodes=nodes, speed=SPEED, standby=True) as made:
        made.start_all()
        standby = made.database.standby
        assert standby is not None
        begin(made)
        wait_for_more(made, 250, 40)
        made.crash_server()
        wait_for_more(made, 451, 1)
        standby.promote()
        wait_for_more(made, 250, 40)
        found = made.judged()
        threats.found(found.wrong, of=found.handled)
        assert found.good, f"{found.faults()}\n{found.table()}"
        assert not found.send.unavoidable
        assert not [line for node in made.up for line in node.lines if "Traceback" in line]
        assert [node.stop() for node in made.up] == [0] * nodes
