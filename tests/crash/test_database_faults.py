"""The database cannot be written under a service that runs: mail is put off with 451, and afterwards all goes on."""

from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests import threats
from tests.crash.clients import Client
from tests.crash.faults import FAULTS, Fault, disk_full, small_disk
from tests.crash.world import World, world
from tests.flow.running import wait_for

# Of the wall clock: no faster, so that the lease of a mail is still longer than the service waits for its database.
SPEED = 4


def ready(made: World) -> int:
    return httpx.get(f"{made.node.desk}/readyz", trust_env=False, timeout=30).status_code


def in_fault_and_back(made: World, fault: Fault) -> None:
    made.start()
    made.clients = [Client(f"client {place}", made.port, pause_s=0.02) for place in range(3)]
    codes: Counter[int] = Counter()

    def answered(code: int) -> int:
        return sum(client.codes.count(code) for client in made.clients)

    for client in made.clients:
        client.start()
    wait_for("mails to be taken", lambda: answered(250) >= 10)
    with fault(made):
        # A mail whose commit was under way when it began may still be taken; one put off by each client is later.
        wait_for("mails to be put off", lambda: all(451 in client.codes for client in made.clients))
        taken, put_off = answered(250), answered(451)
        before = [len(client.codes) for client in made.clients]
        assert ready(made) == 503, "as soon as a mail was put off"
        wait_for("more to be put off", lambda: answered(451) >= put_off + 3)
        meanwhile = [code for n, one in zip(before, made.clients, strict=True) for code in one.codes[n:]]
        threats.found(sum(code != 451 for code in meanwhile), of=len(meanwhile))
        assert answered(250) == taken, "none is taken meanwhile"
    wait_for("mails to be taken again", lambda: answered(250) >= taken + 10)
    wait_for("readiness", lambda: ready(made) == 200)
    found = made.judged()
    for client in made.clients:
        codes.update(client.codes)
    assert set(codes) == {250, 451}
    assert found.good, f"{found.faults()}\n{found.table()}"
    assert not found.send.unavoidable
    assert found.report.unavoidable == ()
    assert not [line for line in made.node.lines if "Traceback" in line]
    assert made.node.stop() == 0


@pytest.mark.threat(4, "answers other than 451", of="mails while nothing could be written")
@pytest.mark.parametrize("name", FAULTS)
def test_mail_is_put_off_and_none_is_lost(name: str) -> None:
    with world(speed=SPEED) as made:
        in_fault_and_back(made, FAULTS[name])


@pytest.mark.threat(4, "answers other than 451", of="mails while nothing could be written")
def test_a_disk_that_is_really_full_puts_mail_off_and_loses_none(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk), world(speed=SPEED, home=disk) as made:
        in_fault_and_back(made, disk_full)
