"""Two bridges that face each other, and phones that answer by themselves: one SMS, and there it ends."""

import socket
from pathlib import Path

import httpx
import pytest

from bridge.simulator import Settings
from tests.flow.mails import hand_in, mail
from tests.flow.running import Bridge, Loop, Vendor, serve, wait_for, write_config
from tests.threats import found

PHONE = "0421009918"  # answers each SMS by itself
OTHER = "+61421000002"


class Facing:
    """A smarthost that is the other bridge."""

    def __init__(self, port: int) -> None:
        self.port = port


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def bridge(folder: Path, vendor: Vendor, own: str, other: str, port: int, to: int) -> Bridge:
    """A service for the domain ``own`` that takes mail of ``other``, and hands all of its own to it."""
    folder.mkdir()
    everybody = {
        "match": [f"*@{other}"],
        "proof": ["network"],
        "networks": ["127.0.0.0/8"],
        "reports": {"when": ["failed", "delivered", "reply"], "to": "sender"},
        "text": {"cut": "none", "too_long": "cut"},
    }
    return serve(
        write_config(
            folder,
            vendor,
            None,
            domains=[own],
            admin=f"{OTHER}@{other}",
            inbound_to=f"{OTHER}@{other}",
            smtp={"listen": [{"address": "127.0.0.1", "port": port, "tls": "none"}]},
            senders=[everybody],
            outbox={"smarthost": f"smtp://127.0.0.1:{to}"},
            brands={"clinic": {"name": "Clinic", "from": f"sms@{own}"}},
        )
    )


def outbox(one: Bridge) -> dict[str, float]:
    """How many mails of ours stand in which state."""
    told = httpx.get(f"{one.desk}/metrics", trust_env=False, timeout=30).text
    lines = [line for line in told.splitlines() if line.startswith("smsbridge_outbox_mails{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


@pytest.mark.threat(15, "SMS or mails taken beyond the first", of="bridges that face each other")
def test_two_bridges_that_report_to_each_other_and_phones_that_answer_end_at_one_sms(tmp_path: Path) -> None:
    loop = Loop()
    vendor = Vendor(loop, Settings(port=0, delivery_delay_ms=50))
    ports = free_port(), free_port()
    try:
        one = bridge(tmp_path / "one", vendor, "one.local", "two.local", ports[0], ports[1])
        two = bridge(tmp_path / "two", vendor, "two.local", "one.local", ports[1], ports[0])
        vendor.tell(one.hook)
        asked = mail("Where are you?", to=f"{PHONE}@one.local")
        asked.replace_header("From", f"{OTHER}@two.local")
        hand_in(one.smtp, asked)
        wait_for("the SMS", vendor.sent)
        # The report, the answer and what is told of their end: all refused by the other, for good.
        wait_for("the mails to be refused", lambda: outbox(one).get("dead", 0) >= 2)
        wait_for("nothing to be due", lambda: not any(outbox(each).get("due") for each in (one, two)))
        beyond = len(vendor.sent()) - 1 + sum(outbox(each).get("sent", 0) for each in (one, two))
        found(beyond, of=2)
        assert beyond == 0
        assert len(one.messages()) == 1
        assert two.messages() == []
        assert [each.stop() for each in (one, two)] == [0, 0]
    finally:
        vendor.close()
        loop.close()
