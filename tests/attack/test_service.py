"""The running service under attack from outside: port scans, loops, automatic answers, foreign protocols."""

import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from tests.attack.clients import reset
from tests.flow.mails import JO, hand_in, mail
from tests.flow.running import Bridge, Mail, Smarthost, Vendor, serve, wait_for, world, write_config

PHONE = "+61421000001"
SCANS = 600


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bridge, Vendor, Smarthost]]:
    """One service for all tests here: each finds it working, whatever the one before did."""
    with world() as (vendor, smarthost):
        running = serve(write_config(tmp_path_factory.mktemp("attack"), vendor, smarthost))
        vendor.tell(running.hook)
        yield running, vendor, smarthost
        assert running.stop() == 0


@pytest.mark.threat(6, "floods that kept others out", of="floods")
def test_connections_that_are_reset_at_once_leave_no_open_file(
    service: tuple[Bridge, Vendor, Smarthost],
) -> None:
    bridge = service[0]
    files = Path(f"/proc/{bridge.process.pid}/fd")
    httpx.get(f"{bridge.desk}/healthz", trust_env=False)
    before = len(list(files.iterdir()))
    for _ in range(SCANS):
        for port in (bridge.smtp, bridge.ports["desk"], bridge.ports["hook"]):
            reset(port)
    wait_for("the files to be closed", lambda: len(list(files.iterdir())) < before + SCANS // 10)
    assert not [line for line in bridge.lines if "Traceback" in line]
    with smtplib.SMTP("127.0.0.1", bridge.smtp, timeout=30) as client:
        assert client.noop()[0] == 250
    assert httpx.get(f"{bridge.desk}/healthz", trust_env=False).status_code == 200


@contextmanager
def nothing_happens(vendor: Vendor, bridge: Bridge) -> Iterator[None]:
    """No SMS goes out and no mail is written within the block, once all that came before it is reported."""
    wait_for("each SMS to be delivered and reported", lambda: _all_is_reported(bridge))
    before = len(vendor.sent()), bridge.messages(), _mails_of_ours(bridge)
    yield
    assert (len(vendor.sent()), bridge.messages(), _mails_of_ours(bridge)) == before


def _all_is_reported(bridge: Bridge) -> bool:
    reported = [line for line in bridge.lines if '"kind": "delivered"' in line and "handed over" in line]
    under_way = [line for line in _mails_of_ours(bridge) if 'state="sent"' not in line]
    return len(reported) == len(bridge.messages()) and not under_way


def _mails_of_ours(bridge: Bridge) -> list[str]:
    told = httpx.get(f"{bridge.desk}/metrics", trust_env=False).text
    return [line for line in told.splitlines() if line.startswith("smsbridge_outbox_mails")]


def _refused(bridge: Bridge, made: bytes, sender: str, recipient: str) -> str:
    with (
        smtplib.SMTP("127.0.0.1", bridge.smtp, timeout=30) as client,
        pytest.raises(smtplib.SMTPException) as no,
    ):
        client.sendmail(sender, [recipient], made)
    fault = no.value
    if isinstance(fault, smtplib.SMTPDataError):
        return f"{fault.smtp_code} {fault.smtp_error!r}"
    assert isinstance(fault, smtplib.SMTPRecipientsRefused)
    return str(fault.recipients)


def vacation(to: Mail) -> EmailMessage:
    """What a mailbox answers when its owner is away (RFC 3834)."""
    made = mail("I am away until Monday.", to=f"{PHONE}@sms.local", subject="Out of office")
    made["Auto-Submitted"] = "auto-replied"
    made["In-Reply-To"] = str(to.parsed["Message-ID"])
    return made


def exchange(to: Mail) -> EmailMessage:
    """What Exchange answers: marked as generated, from nobody, to the mail it names."""
    made = mail("I am away until Monday.", to=f"{PHONE}@sms.local", subject="Automatic reply")
    made["Auto-Submitted"] = "auto-generated"
    made["In-Reply-To"] = str(to.parsed["Message-ID"])
    return made


@pytest.mark.threat(15, "automatic mails taken or answered", of="mails")
def test_our_own_mails_come_back_and_automatic_answers_to_them_end_there(
    service: tuple[Bridge, Vendor, Smarthost],
) -> None:
    bridge, vendor, smarthost = service
    hand_in(bridge.smtp, mail("Does this loop?"))
    wait_for("the SMS", lambda: vendor.sent(PHONE))
    vendor.reply(PHONE, "No, it does not")
    answer = wait_for("the answer", lambda: smarthost.about("No, it does not"))[0]
    with nothing_happens(vendor, bridge):
        for back in smarthost.mails:
            for sender in (JO, back.envelope_from):
                assert "5.7.1" in _refused(bridge, back.raw, sender, f"{PHONE}@sms.local")
        assert "5.7.1" in _refused(bridge, vacation(answer).as_bytes(), JO, f"{PHONE}@sms.local")
        assert "5.7.1" in _refused(bridge, vacation(answer).as_bytes(), "", f"{PHONE}@sms.local")
        assert "5.7.1" in _refused(bridge, exchange(answer).as_bytes(), "", f"{PHONE}@sms.local")
    human = mail("Then see you at five", to=f"{PHONE}@sms.local", subject=f"Re: {answer.parsed['Subject']}")
    human["In-Reply-To"] = str(answer.parsed["Message-ID"])
    hand_in(bridge.smtp, human)
    wait_for("a person's answer to go out", lambda: [s for s in vendor.sent(PHONE) if "five" in s["text"]])


def _posted(send: Callable[[str], httpx.Response], port: int) -> None:
    # A connection that is closed with octets of the request unread is reset, whatever was answered before.
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        send(f"http://127.0.0.1:{port}/")


def test_what_a_web_server_posts_to_the_smtp_port_is_no_mail(
    service: tuple[Bridge, Vendor, Smarthost],
) -> None:
    bridge, vendor, _ = service
    lines = (
        "EHLO x",
        f"MAIL FROM:<{JO}>",
        f"RCPT TO:<{PHONE}@sms.local>",
        "DATA",
        f"From: {JO}",
        "",
        "posted",
        ".",
    )
    spoken = "\r\n".join([*lines, "QUIT", ""])
    with nothing_happens(vendor, bridge), httpx.Client(trust_env=False, timeout=30) as web:
        web.headers.clear()  # each header field would count as a mistake, and ten end the conversation too
        _posted(lambda url: web.post(url, content=spoken.encode()), bridge.smtp)
        _posted(lambda url: web.put(url, content=spoken.encode()), bridge.smtp)
        _posted(lambda url: web.request("OPTIONS", url, content=spoken.encode()), bridge.smtp)
