"""Three nodes that send together: each SMS once, at one rate, whatever happens to one of them."""

import json
import signal
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.crash.vendor import Fate
from tests.flow.running import command, wait_for
from tests.nodes.given import Nodes, most_within, nodes_on, sent_by, thaw
from tests.nodes.node import QUICK
from tests.postgres import Server

DONE = ("submitted", "delivered")


def all_done(nodes: Nodes) -> bool:
    return len(nodes.in_state(*DONE)) == nodes.handed


@pytest.mark.parametrize("rate", [20, 300])
def test_each_sms_is_sent_once_and_the_rate_holds_over_all(
    postgres: Server, tmp_path: Path, rate: int
) -> None:
    with nodes_on(postgres.database(), tmp_path, rate=f"{rate}/s") as nodes:
        three = nodes.start_many(3)
        nodes.hand_in(rate * 4, *three)
        wait_for("all to be sent", lambda: all_done(nodes))
        assert set(nodes.posts().values()) == {1}
        moments = sorted(post.at for post in nodes.vendor.posts)
        # Each node's first is late: it has no connection yet, and no statement is prepared.
        warm = moments[5:]
        # What comes while the vendor stands still, as on a busy machine, it sees late and together.
        still_s = max(after - before for before, after in pairwise(moments))
        # A node that is late with its first, as others use its core, is that much nearer to the next one's.
        assert warm[-1] - warm[0] >= (len(warm) - 1) / rate * 0.85 - still_s
        assert most_within(1, moments) <= rate * (1.2 + still_s) + 3, "a burst above the rate"
        # Who claims first gets what there is for a moment: on a busy machine one may come too late each time.
        assert sum(sent_by(node) > 0 for node in three) >= 2, [sent_by(node) for node in three]
        assert [node.stop() for node in three] == [0, 0, 0]
        assert nodes.ask("SELECT id FROM node") == []


def test_a_killed_node_leaves_nothing_behind_and_the_others_go_on(postgres: Server, tmp_path: Path) -> None:
    """What it was sending becomes unknown; the vendor shows what it made of it, and nothing is sent twice."""
    with nodes_on(postgres.database(), tmp_path, rate="60/s") as nodes:
        nodes.vendor.fate = lambda form: Fate(wait_s=0.2)
        three = nodes.start_many(3)
        nodes.hand_in(600, *three)
        victim = nodes.caught_sending(*three)
        gone = nodes.id_of(victim)
        victim.kill()
        others = [node for node in three if node is not victim]
        wait_for("what it left to be given up", lambda: not nodes.sending(gone))
        given_up = nodes.given_up()
        assert min(given_up.values()) >= QUICK.silence_ms
        left = given_up.keys()
        wait_for("the others to send the rest", lambda: not nodes.in_state("sending", "queued"), 180)
        nodes.vendor.addresses = [node.hook for node in others]
        made = {post.number for post in nodes.vendor.posts}
        assert set(nodes.states()) - made <= left
        wait_for("news of what was made", lambda: not made & left & set(nodes.in_state("unknown")), 120)
        assert left - made <= set(nodes.in_state("unknown"))
        assert set(nodes.posts().values()) == {1}
        assert [node.stop() for node in others] == [0, 0]


def test_a_frozen_node_that_comes_back_changes_nothing(postgres: Server, tmp_path: Path) -> None:
    """Frozen with calls under way and others not begun, it is given up; thawed, it sends none of them."""
    with nodes_on(postgres.database(), tmp_path, rate="20/s") as nodes:
        one = nodes.start()
        frozen = nodes.id_of(one)
        nodes.hand_in(200, one)
        wait_for("it to send", lambda: sent_by(one) > 5)
        nodes.caught_sending(one)
        before = len(nodes.vendor.posts)
        left = nodes.sending(frozen)
        two = nodes.start()
        left |= nodes.sending(frozen)  # the server may have been at its last claim when it froze
        wait_for("what it was sending to be given up", lambda: not set(nodes.in_state("sending")) & left)
        assert left <= set(nodes.in_state("unknown"))
        adopted = {n: nodes.posts()[n] for n in left}
        thaw(one)
        wait_for("it to live again", lambda: frozen == nodes.id_of(one) and sent_by(two) > 5)
        wait_for(
            "the rest to be sent by both", lambda: len(nodes.in_state(*DONE)) >= nodes.handed - len(left)
        )
        assert {n: nodes.posts()[n] for n in left} == adopted, "it sent what was not its own any more"
        assert set(nodes.posts().values()) == {1}
        assert len(nodes.vendor.posts) > before
        assert set(nodes.states()) - set(nodes.in_state(*DONE)) <= left
        assert [node.stop() for node in (one, two)] == [0, 0]


def test_one_drains_under_load_and_the_others_send_the_rest(postgres: Server, tmp_path: Path) -> None:
    with nodes_on(postgres.database(), tmp_path, rate="60/s", send_timeout="10s") as nodes:
        three = nodes.start_many(3)
        leaving = next(node for node in three if nodes.id_of(node) == nodes.holder("send"))
        gone = nodes.id_of(leaving)
        nodes.vendor.fate = lambda form: Fate(wait_s=2.0)
        nodes.hand_in(300, *three)
        wait_for("it to send", lambda: nodes.sending(gone))
        wait_for("a POST", lambda: len(nodes.vendor.posts) > 10)
        leaving.process.send_signal(signal.SIGTERM)
        ready = wait_for("it to say that it drains", lambda: _not_ready(leaving.desk))
        assert "draining" in ready
        assert nodes.ask(f"SELECT draining FROM node WHERE id = '{gone}'") == [(1,)]
        assert nodes.holder("send") != gone
        assert leaving.ended() == 0
        assert not nodes.sending(gone)
        assert nodes.ask(f"SELECT 1 FROM node WHERE id = '{gone}'") == []
        wait_for("the lease to be taken over", lambda: nodes.holder("send"))
        nodes.vendor.fate = lambda form: Fate()
        wait_for("all to be sent", lambda: all_done(nodes))
        assert set(nodes.posts().values()) == {1}
        assert nodes.ask("SELECT 1 FROM history WHERE state = 'unknown'") == []


def _not_ready(desk: str) -> str:
    try:
        answer = httpx.get(f"{desk}/readyz", trust_env=False, timeout=10)
    except httpx.HTTPError:
        return ""
    return answer.text if answer.status_code == 503 else ""


def test_one_polls_until_it_is_gone_and_then_another(postgres: Server, tmp_path: Path) -> None:
    with nodes_on(
        postgres.database(), tmp_path, status_after="1s", poll_rate="5/s", received_every="10s"
    ) as nodes:
        three = nodes.start_many(3)
        nodes.hand_in(100, *three)
        wait_for("polls", lambda: len(nodes.vendor.polls) >= 10)
        holder = next(node for node in three if nodes.id_of(node) == nodes.holder("events"))
        holder.kill()
        asked = len(nodes.vendor.polls)
        wait_for("another to poll", lambda: len(nodes.vendor.polls) >= asked + 20)
        assert nodes.holder("events") in {nodes.id_of(node) for node in three if node is not holder}
        moments = [poll.at for poll in nodes.vendor.polls]
        assert most_within(1, moments) <= 5 + 1, "polls above the rate"


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_parts_in_processes_of_their_own_are_one_bridge(
    postgres: Server, tmp_path: Path, engine: str
) -> None:
    database = postgres.database() if engine == "postgresql" else f"sqlite://{tmp_path / 'bridge.db'}"
    with nodes_on(database, tmp_path) as nodes:
        front = nodes.start("--only", "mail")
        parts = [nodes.start("--only", only) for only in ("send", "events", "reports,web")]
        nodes.vendor.addresses = [parts[1].hook]
        nodes.hand_in(50, front)
        wait_for("all to be delivered", lambda: len(nodes.in_state("delivered")) == 50)
        running = {row[0] for row in nodes.ask("SELECT parts FROM node")}
        assert running == {"mail", "send", "events", "reports,web"}
        assert {row[0]: row[1] for row in nodes.ask("SELECT part, node FROM lease")} == {
            "send": nodes.id_of(parts[0]),
            "events": nodes.id_of(parts[1]),
            "reports": nodes.id_of(parts[2]),
        }
        if (
            engine == "sqlite"
        ):  # the doctor sees at once that the tests' PostgreSQL does not wait for the disk
            told = command("doctor", "--json", "-c", str(nodes.config)).stdout.splitlines()
            found = {one["what"]: one["verdict"] for one in map(json.loads, told)}
            assert [found[f"node {nodes.id_of(node)}"] for node in (front, *parts)] == ["ok"] * 4
        metrics = httpx.get(f"{parts[2].desk}/metrics", trust_env=False).text
        assert 'smsbridge_nodes{state="alive"} 4.0' in metrics
        assert [node.stop() for node in (front, *parts)] == [0, 0, 0, 0]
