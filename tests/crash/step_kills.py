"""Kill at named steps: a tracer ends the service at the moment; then it is looked at, and begun again."""

import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.crash.clients import Client
from tests.crash.database import STATE_OF
from tests.crash.steps import Seen, Step
from tests.crash.tracer import spoken
from tests.crash.world import World
from tests.flow.running import wait_for

TRIES: Final = 4  # something else may commit in the middle of a step: the kill hit that, and is tried again
TRIES_AMONG_NODES: Final = 60  # the traced one is slow: the others are mostly quicker to claim a report
WITHIN_S: Final = 30.0


def kill_at_step(world: World, step: Step, *, cut: bool = False) -> Seen:
    """Kill the only node at ``step`` of one mail, start it again, and let the mail come to its end.

    ``cut``: of the database only what was synced is left, as after a power cut. Returns how things stood after the
    kill; fails when the kill could not be made to hit where the step says.
    """
    expected = (step.cut or step.then) if cut else step.then
    for _ in range(TRIES):
        seen = _killed(world, step, cut=cut)
        world.start()
        wait_for("the rest of the mail's way", world.clients[-1].is_done, WITHIN_S)
        wait_for("all to settle", world.settled, 120)
        if expected.holds(seen):
            return seen
    raise AssertionError(f"the kill never hit {step.name}: {seen}, not {expected}")


def kill_one_of_several(world: World, step: Step) -> int:
    """Kill the first of several nodes at ``step`` of a mail that came to it, start it again, and let all settle.

    What the others do meanwhile with what it left is theirs: the judges look at it, not we. Returns how many tries it
    took, as another node may do a step of any mail; fails when the kill could not be made to hit.
    """
    for tries in range(1, TRIES_AMONG_NODES + 1):
        client = Client(f"step {len(world.clients)}", lambda: _first_of(world), mails=1, pause_s=0)
        world.vendor.addresses = [world.node.hook]
        hit = _hit(world, step, client)
        if hit:
            world.start()
        wait_for("the rest of the mail's way", client.is_done, WITHIN_S)
        wait_for("all to settle", world.settled, 240)
        if hit:
            return tries
    raise AssertionError(f"the kill never hit {step.name}")


def _first_of(world: World) -> int:
    first = world.nodes[0]
    return first.smtp if first else world.port()


def _killed(world: World, step: Step, *, cut: bool) -> Seen:
    log = world.database.log if cut else None
    client = Client(f"step {len(world.clients)}", world.port, mails=1, pause_s=0)
    assert _hit(world, step, client, log=log), "the service never came to this step"
    if log is not None:
        shutil.copyfile(log.with_name(log.name + ".synced"), log)
        log.with_name(log.name.replace("-wal", "-shm")).unlink(missing_ok=True)
    return _seen(world, client)


def _hit(world: World, step: Step, client: Client, *, log: Path | None = None) -> bool:
    """Let ``client`` begin and a tracer kill the first node at ``step``; False when another node has done it."""

    def over() -> bool:
        return tracer.poll() is not None or (len(world.nodes) > 1 and client.is_done() and world.settled())

    tracer = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.tracer", str(world.node.process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert tracer.stdin is not None
    assert tracer.stdout is not None
    with tracer:
        try:
            tracer.stdin.write(spoken(step.points, log))
            tracer.stdin.close()
            assert tracer.stdout.readline() == "tracing\n"
            world.clients.append(client)
            client.start()
            wait_for(f"the kill {step.name}", over, WITHIN_S)
            with suppress(subprocess.TimeoutExpired):
                tracer.wait(1)  # the last step of all: it settled, and is about to be hit
        finally:
            tracer.kill()
    if tracer.returncode:
        return False
    world.is_dead()
    time.sleep(0.05)  # what was on its way to the client and to the judges is heard
    return True


def _seen(world: World, client: Client) -> Seen:
    (number,) = client.numbers
    found = world.database.look_at_the_dead(STATE_OF.format(number))
    sms, mail = found[0] if found else ("", "")
    return Seen(
        answered=bool(client.handed),
        posts=sum(post.number == number for post in world.vendor.posts),
        sms=sms,
        taken=any(hook.number == number and hook.taken_at is not None for hook in world.vendor.hooks),
        handed_over=sum(report.number == number for report in world.smarthost.reports),
        mail=mail,
    )
