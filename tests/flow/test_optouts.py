"""STOP typed on a phone, told by webhook or poll: refused at RCPT with its date until START. On real wires."""

import re
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.running import Bridge, Smarthost, Vendor, command, serve, wait_for, world, write_config
from tests.flow.test_round_trip import JO, PHONE, hand_in, mail

DAY = r"\d{1,2} [A-Z][a-z]{2,3} 20\d\d"  # of the operator's clock


@pytest.fixture(params=["sqlite", "postgresql", "polls"])
def bridge(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Bridge, Vendor, Smarthost]]:
    changes: dict[str, Any] = {}
    if request.param == "postgresql":
        changes = {"database": request.getfixturevalue("postgres").database()}
    with world() as (vendor, smarthost):
        config = write_config(tmp_path, vendor, smarthost, **changes)
        if request.param == "polls":
            config.write_text(config.read_text().replace("vendor:\n", "vendor:\n  received_every: 10s\n"))
        running = serve(config)
        if request.param != "polls":
            vendor.tell(running.hook)
        yield running, vendor, smarthost
        assert running.stop() == 0


def asked(port: int, recipient: str = "0421000001@sms.local") -> str:
    """The answer to a recipient; no mail is sent."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.helo("clinic")
        client.mail(JO)
        code, said = client.rcpt(recipient)
        return f"{code} {said.decode()}"


def test_stop_start_and_a_person_between(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, vendor, smarthost = bridge
    hand_in(running.smtp, mail("Your appointment is at 9:30"))
    wait_for("the SMS at the vendor", lambda: vendor.sent(PHONE))

    vendor.reply(PHONE, "Stop, I can't come at 5")
    vendor.reply(PHONE, "“Stop” please!")
    wait_for("the refusal", lambda: asked(running.smtp).startswith("550"))
    assert re.fullmatch(f"550 5.7.1 \\+61 421\\.\\.\\. opted out of SMS on {DAY}", asked(running.smtp))
    assert asked(running.smtp, "0421000002@sms.local").startswith("250")

    answer = wait_for("the STOP as a mail", lambda: smarthost.about("“Stop” please!"))[0]
    assert answer.to == (JO,)
    text = answer.parsed.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "they opted out of SMS" in text
    assert "Answer this mail" not in text
    assert "opted out" not in smarthost.about("I can't come at 5")[0].parsed.as_string()

    listed = command("optout", "list", "-c", str(running.config))
    assert PHONE in listed.stdout
    sent = command("send", PHONE, "by hand", "-c", str(running.config))
    assert (sent.returncode, "opted out of SMS on" in sent.stderr) == (1, True)

    vendor.reply(PHONE, "START")
    wait_for("the way to be free", lambda: asked(running.smtp).startswith("250"))
    assert len(vendor.sent(PHONE)) == 1, "nobody was sent a confirmation"

    done = command("optout", "add", "0421 000 001", "--note", "asked at the desk", "-c", str(running.config))
    assert done.returncode == 0, done.stderr
    wait_for("the refusal", lambda: asked(running.smtp).startswith("550"))
    assert command("optout", "remove", PHONE, "-c", str(running.config)).returncode == 0
    wait_for("the way to be free", lambda: asked(running.smtp).startswith("250"))
    hand_in(running.smtp, mail("See you again"))
    wait_for("the second SMS", lambda: len(vendor.sent(PHONE)) == 2)


def test_an_sms_that_waits_is_not_sent_to_a_phone_that_opted_out_meanwhile(tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        config = write_config(tmp_path, vendor, smarthost)
        running = serve(config, "--only", "mail,reports,events,web")
        hand_in(running.smtp, mail("You will not read this"))
        assert command("optout", "add", PHONE, "-c", str(config)).returncode == 0
        assert running.stop() == 0
        running = serve(config)
        told = wait_for("the report", lambda: smarthost.about("You will not read this"))[0]
        text = told.parsed.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert re.search(f"They opted out of SMS on {DAY}, so we did not send it\\.", " ".join(text.split()))
        assert vendor.sent(PHONE) == []
        assert running.stop() == 0
