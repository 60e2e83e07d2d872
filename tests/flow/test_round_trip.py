"""Mail → SMS → report → answer from the phone → mail → answer from the inbox → SMS, as processes on real wires."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flow.running import Bridge, Smarthost, Vendor, command, serve, wait_for, world, write_config
from tests.threats import found

pytestmark = pytest.mark.traced

JO = "jo@clinic.example"
PHONE = "+61421000001"


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Bridge, Vendor, Smarthost]]:
    changes: dict[str, Any] = {}
    if request.param == "postgresql":
        changes = {"database": request.getfixturevalue("postgres").database()}
    with world() as (vendor, smarthost):
        running = serve(write_config(tmp_path, vendor, smarthost, **changes))
        vendor.tell(running.hook)
        yield running, vendor, smarthost
        assert running.stop() == 0


def mail(text: str, to: str = "0421000001@sms.local", subject: str = "Appointment") -> EmailMessage:
    made = EmailMessage()
    made["From"] = f"Jo <{JO}>"
    made["To"] = to
    made["Subject"] = subject
    made["Message-ID"] = make_msgid(domain="clinic.example")
    made.set_content(text)
    return made


def hand_in(port: int, made: EmailMessage, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.send_message(made, JO, recipients or (made["To"],))


def test_the_whole_conversation(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, vendor, smarthost = bridge
    asked = mail("Your appointment is at 9:30. Answer YES.\n\n-- \nRiverside Clinic")
    hand_in(running.smtp, asked)

    sms = wait_for("the SMS at the vendor", lambda: vendor.sent(PHONE))
    assert [one["text"] for one in sms] == ["Your appointment is at 9:30. Answer YES."]

    report = wait_for("the report", lambda: smarthost.mails)[0]
    assert report.to == (JO,)
    assert report.envelope_from in ("", "<>")
    assert report.parsed["Subject"] == "Re: Appointment"
    assert report.parsed["In-Reply-To"] == asked["Message-ID"]
    assert report.parsed["Auto-Submitted"] == "auto-replied"
    assert report.parsed["From"].addresses[0].addr_spec == f"{PHONE}@sms.local"

    vendor.reply(PHONE, "YES, see you")
    answer = wait_for("the reply as a mail", lambda: smarthost.about("YES, see you"))[0]
    assert answer.to == (JO,)
    assert answer.parsed["In-Reply-To"] == asked["Message-ID"]
    assert answer.parsed["Auto-Submitted"] is None
    assert answer.envelope_from.startswith("bounce+")

    back = mail("Great, bring your card.\n\nOn Monday +61 421 000 001 wrote:\n> YES, see you")
    del back["To"]
    back["To"] = str(answer.parsed["From"])
    back["In-Reply-To"] = answer.parsed["Message-ID"]
    hand_in(running.smtp, back, answer.parsed["From"].addresses[0].addr_spec)
    wait_for("the second SMS", lambda: len(vendor.sent(PHONE)) == 2)
    assert vendor.sent(PHONE)[1]["text"] == "Great, bring your card."


def test_a_mail_handed_in_twice_makes_one_sms(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, vendor, _ = bridge
    made = mail("Once only")
    for _ in range(3):
        hand_in(running.smtp, made)
    hand_in(running.smtp, mail("Last"))
    wait_for("the last SMS", lambda: [one for one in vendor.sent(PHONE) if one["text"] == "Last"])
    assert [one["text"] for one in vendor.sent(PHONE)] == ["Once only", "Last"]


def test_the_desk_and_the_command_line_tell_the_same(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, _, _ = bridge
    hand_in(running.smtp, mail("Seen everywhere"))
    wait_for("its end", lambda: [m for m in running.messages() if m["state"] == "delivered"])
    (message,) = running.messages()
    assert message["number"] == PHONE
    assert message["sender"] == JO
    assert message["attempts"] == 1
    page = httpx.get(f"{running.desk}/messages/{message['message_id']}", trust_env=False).text
    assert "Seen everywhere" in page
    shown = command("messages", "show", message["message_id"], "-c", str(running.config))
    assert "Seen everywhere" in shown.stdout
    assert httpx.get(f"{running.desk}/readyz", trust_env=False).status_code == 200
    metrics = httpx.get(f"{running.desk}/metrics", trust_env=False).text
    assert 'smsbridge_sms{state="delivered"} 1.0' in metrics


@pytest.mark.threat(8, "canaries found", of="log lines")
def test_logs_show_neither_numbers_nor_texts_nor_secrets(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, vendor, smarthost = bridge
    hand_in(running.smtp, mail("A very private text", subject="Private subject"))
    wait_for("the report", lambda: smarthost.mails)
    vendor.reply(PHONE, "A private answer")
    wait_for("the reply", lambda: smarthost.about("A private answer"))
    canaries = ("421000001", "private", "Private", "ta8wr7ymd", "demo-auth-token", "test-webhook-secret")
    lines = list(running.lines)
    telling = [line for line in lines if any(canary in line for canary in canaries)]
    found(len(telling), of=len(lines))
    assert not telling


def test_a_number_outside_the_prefixes_is_refused_at_rcpt(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, vendor, _ = bridge
    with smtplib.SMTP("127.0.0.1", running.smtp, timeout=30) as client:
        client.ehlo()
        client.mail(JO)
        code, said = client.rcpt("+6421000001@sms.local")
        assert code == 550
        assert said.startswith(b"5.7.1")
        code, said = client.rcpt("0421000001@other.example")
        assert (code, said[:5]) == (550, b"5.7.1")
    assert vendor.sent() == []


def test_a_vendor_that_is_down_delays_and_loses_nothing(tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        config = write_config(tmp_path, vendor, smarthost)
        vendor.rule(on="send", action="refuse", status=429, retry_after=1, times=3)
        running = serve(config)
        vendor.tell(running.hook)
        hand_in(running.smtp, mail("Patience"))
        wait_for("the SMS", lambda: vendor.sent(PHONE))
        wait_for("the report", lambda: smarthost.mails)
        assert running.stop() == 0


@pytest.mark.threat(22, "let in beside a first", of="services on one file")
@pytest.mark.parametrize("bridge", ["sqlite"], indirect=True)  # a server may have several
def test_a_second_service_on_the_same_database_is_refused(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, _, _ = bridge
    second = command("serve", "-c", str(running.config))
    assert second.returncode == 1
    assert "mail" in second.stderr
