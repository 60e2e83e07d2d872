"""A Postfix in front of the running service asks for reports by NOTIFY, and what it asked for comes back."""

import smtplib
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest
from flufl.bounce import all_failures

from bridge.simulator.settings import Settings
from tests.flow.mails import JO
from tests.flow.running import Bridge, Mail, Smarthost, serve, wait_for, world, write_config
from tests.mail_in.relay import relay_to
from tests.mail_out.sink import certificate

GOOD, BAD = "+61421000001", "+61421009902"


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[tuple[Bridge, Smarthost, int]]:
    """The service, where its reports go, and the port of the Postfix in front of it."""
    certificate(tmp_path)
    smtp = {
        "listen": [{"address": "127.0.0.1", "port": 0, "tls": "starttls"}],
        "certificate": str(tmp_path / "localhost.crt"),
        "key": str(tmp_path / "localhost.key"),
    }
    with world(Settings(port=0, delivery_delay_ms=100)) as (vendor, smarthost):
        running = serve(write_config(tmp_path, vendor, smarthost, smtp=smtp))
        vendor.tell(running.hook)
        with relay_to(running.smtp, str(tmp_path / "localhost.crt")) as (port, _):
            yield running, smarthost, port
        assert running.stop() == 0


def hand_in(port: int, about: str, number: str, of_rcpt: str, of_mail: str = "ENVID=none") -> None:
    raw = f"From: {JO}\r\nTo: kim@alias.example\r\nSubject: {about}\r\nMessage-ID: <{about}@x>\r\n\r\n{about}\r\n"
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail(JO, [f"{number}@sms.local"], raw.encode(), of_mail.split(), of_rcpt.split())


def reports(smarthost: Smarthost) -> list[str]:
    """The subjects of what came back about mails."""
    return [subject for one in smarthost.mails if (subject := str(one.parsed["Subject"])).startswith("Re: ")]


def report(smarthost: Smarthost, about: str) -> Mail:
    (found,) = [one for one in smarthost.mails if one.parsed["Subject"] == f"Re: {about}"]
    return found


def groups(mail: Mail) -> list[Message]:
    parsed = BytesParser().parsebytes(mail.raw)
    (status,) = [part for part in parsed.walk() if part.get_content_type() == "message/delivery-status"]
    return [group for group in status.get_payload() if isinstance(group, Message)]


def test_each_mail_has_the_reports_that_were_asked_for_it(setting: tuple[Bridge, Smarthost, int]) -> None:
    running, smarthost, port = setting
    hand_in(port, "never", BAD, "NOTIFY=NEVER")
    hand_in(port, "failure-that-is-none", GOOD, "NOTIFY=FAILURE")
    hand_in(port, "plain", GOOD, "")
    asked = "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;kim@alias.example"
    hand_in(port, "success", GOOD, asked, "ENVID=QQ314159 RET=HDRS")
    hand_in(port, "failure", BAD, asked, "ENVID=QQ+2B1 RET=FULL")
    wait_for("all SMS to end", lambda: [row["state"] for row in running.messages()].count("delivered") == 3)
    wait_for("the others to fail", lambda: [row["state"] for row in running.messages()].count("failed") == 2)
    wait_for("three reports", lambda: len(reports(smarthost)) >= 3)
    assert sorted(reports(smarthost)) == ["Re: failure", "Re: plain", "Re: success"]

    assert report(smarthost, "plain").parsed.get_content_type() == "multipart/alternative"
    assert "Delivered to" in report(smarthost, "success").text

    of_mail, of_number = groups(report(smarthost, "success"))
    assert of_mail["Original-Envelope-Id"] == "QQ314159"
    assert of_number["Original-Recipient"] == "rfc822; kim@alias.example"
    assert of_number["Final-Recipient"] == f"rfc822; {GOOD}@sms.local"
    assert (of_number["Action"], of_number["Status"]) == ("delivered", "2.0.0")

    failed = report(smarthost, "failure")
    assert failed.envelope_from in ("", "<>")
    of_mail, of_number = groups(failed)
    assert of_mail["Original-Envelope-Id"] == "QQ+1"
    assert (of_number["Action"], of_number["Status"]) == ("failed", "5.0.0")
    assert of_number["Diagnostic-Code"] == "x-sms; Bad Number"
    assert all_failures(BytesParser().parsebytes(failed.raw)) == (
        frozenset(),
        frozenset({b"kim@alias.example"}),
    )
