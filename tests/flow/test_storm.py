"""Alarm storms at the wire: the same text again and again is one SMS at once, and one that says how often it came."""

import json
import re
import smtplib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flow.mails import JO, mail
from tests.flow.running import Bridge, command, serve, wait_for, world, write_config
from tests.postgres import Server
from tests.threats.figures import found

ALARM = "UPS 3 on battery"
TO = "0421000001@sms.local"


def rule(join_same: str, **changes: Any) -> list[dict[str, Any]]:
    limits = {"segments": 1, "recipients": 20, "join_same": join_same}
    one = {"match": ["*@clinic.example"], "proof": ["network"], "networks": ["127.0.0.0/8"], "limits": limits}
    return [one | changes]


def storm(port: int, count: int, *recipients: str) -> list[str]:
    """Hand in so many alarms over one connection, each a mail of its own; return what each was answered."""
    answers = []
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo()
        for _ in range(count):
            client.mail(JO)
            for one in recipients or (TO,):
                assert client.rcpt(one)[0] == 250
            code, said = client.data(mail(ALARM).as_bytes())
            assert code == 250
            answers.append(said.decode())
    return answers


def texts(vendor: Any) -> list[str]:
    return sorted(one["text"] for one in vendor.sent())


def told_of(vendor: Any) -> int:
    """Return how many alarms the SMS speak of."""
    said = [re.fullmatch(rf"{ALARM}(?: \(\+(\d+) more\))?", text) for text in texts(vendor)]
    return sum(int(one[1] or 1) for one in said if one)


def shown(bridge: Bridge, message: dict[str, Any]) -> dict[str, Any]:
    done = command("messages", "show", str(message["id"]), "--json", "-c", str(bridge.config))
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.threat(14, "SMS of a storm that were one too many or lost", of="alarms")
def test_58_alarms_at_once_are_two_sms_and_the_second_counts_57(tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        bridge = serve(write_config(tmp_path, vendor, smarthost, senders=rule("10s")))
        vendor.tell(bridge.hook)
        first, *others = storm(bridge.smtp, 58)
        assert "1 SMS queued, 1 segment" in first
        assert all("1 joined, one SMS will say how often the same text came" in one for one in others)
        wait_for("the second SMS", lambda: len(vendor.sent()) == 2)
        assert texts(vendor) == [ALARM, f"{ALARM} (+57 more)"]
        wait_for("both reports", lambda: len(smarthost.mails) == 2)
        (told,) = smarthost.about("57 mails with the same text")
        assert f"> {ALARM} (+57 more)" in told.text
        second = bridge.messages()[-1]
        story = shown(bridge, second)
        assert (story["joined"], story["segments"], story["state"]) == (57, 1, "delivered")
        page = httpx.get(f"{bridge.desk}/messages/{second['message_id']}", trust_env=False, timeout=60)
        assert "57 mails<small>with the same text" in page.text
        assert bridge.stop() == 0
        assert (len(vendor.sent()), len(smarthost.mails)) == (2, 2)
        found(abs(told_of(vendor) - 58), 58)


@pytest.mark.threat(14, "SMS of a storm that were one too many or lost", of="alarms")
def test_a_storm_with_a_kill_in_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        config = write_config(tmp_path, vendor, smarthost, senders=rule("3s"))
        bridge = serve(config)
        storm(bridge.smtp, 30)
        wait_for("the first SMS", lambda: len(vendor.sent()) == 1)
        bridge.kill()
        bridge = serve(config)
        vendor.tell(bridge.hook)
        storm(bridge.smtp, 28)
        wait_for("every alarm to be told", lambda: told_of(vendor) >= 58)
        assert bridge.stop() == 0
        assert told_of(vendor) == 58
        assert len(vendor.sent()) <= 4  # the restart may have taken longer than the window
        found(abs(told_of(vendor) - 58), 58)


@pytest.mark.threat(14, "SMS of a storm that were one too many or lost", of="alarms")
def test_alarms_that_come_to_two_nodes_at_once_are_one_storm(postgres: Server, tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        config = write_config(
            tmp_path, vendor, smarthost, senders=rule("10s", reports="none"), database=postgres.database()
        )
        with ThreadPoolExecutor(6) as pool:
            nodes = list(pool.map(lambda _: serve(config), range(2)))
            numbers = [f"042100000{n}@sms.local" for n in range(3)]

            def pour(client: int) -> Sequence[str]:
                order = numbers if client % 2 else numbers[::-1]
                return storm(nodes[client % 2].smtp, 10, *order)

            list(pool.map(pour, range(6)))
        wait_for("the second SMS to each", lambda: len(vendor.sent()) == 6)
        assert texts(vendor) == [ALARM] * 3 + [f"{ALARM} (+59 more)"] * 3
        assert [node.stop() for node in nodes] == [0, 0]
        assert len(vendor.sent()) == 6
        found(abs(told_of(vendor) - 180), 180)
