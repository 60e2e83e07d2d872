"""What comes from outside and is wrong: configuration, webhooks, phones, the vendor's certificate, the smarthost."""

import signal
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import lxml.html
import pytest

from bridge.simulator import Account, Settings
from tests.flow.mails import JO, hand_in, mail
from tests.flow.running import (
    Bridge,
    Loop,
    Mail,
    Smarthost,
    Vendor,
    command,
    serve,
    wait_for,
    world,
    write_config,
)
from tests.flow.stranger import Stranger
from tests.mail_out.sink import certificate

PHONE = "+61421000001"


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[tuple[Bridge, Vendor, Smarthost]]:
    with world(Settings(port=0, delivery_delay_ms=100, magic=False, max_segments=100)) as (vendor, smarthost):
        running = serve(write_config(tmp_path, vendor, smarthost))
        vendor.tell(running.hook)
        yield running, vendor, smarthost
        assert running.stop() == 0
        assert not [line for line in running.lines if "Traceback" in line]


def test_a_wrong_configuration_is_told_whole_and_starts_nothing(tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        path = write_config(
            tmp_path,
            vendor,
            smarthost,
            region="Australia",
            spend_cap={"per_day": "much"},
            desk={"users": "desk-users.yaml"},
            colour="green",
            database="mysql://localhost/sms",
            expire_after="soon",
        )
    served = command("serve", "-c", str(path))
    assert served.returncode == 78
    for key in ("region", "spend_cap", "colour", "database", "expire_after", "desk.users"):
        lines = [line for line in served.stderr.splitlines() if f": {key}" in line]
        assert lines, f"nothing is said of {key}"
        assert lines[0].startswith(f"{path}:"), "with its place"
    assert "not in this version" in served.stderr
    assert "Traceback" not in served.stderr
    assert command("check-config", str(path)).stderr.count("\n") >= 5
    assert not (tmp_path / "bridge.db").exists()


def test_webhooks_that_are_not_the_vendors_change_nothing(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, vendor, smarthost = bridge
    vendor.rule(on="webhook", action="lose")
    hand_in(running.smtp, mail("Wait for it"))
    (sent,) = wait_for("the SMS", vendor.sent)
    wait_for("its answer", lambda: running.messages()[0]["state"] == "submitted")
    good = {
        "Sender": "application@example.com",
        "Token": "ta8wr7ymd",
        "Type": "SMS",
        "Destination": PHONE,
        "MessageID": sent["message_id"],
        "Status": "FAILED",
        "Result": "Undelivered",
    }

    def post(url: str = running.hook, **body: Any) -> int:
        return httpx.post(url, trust_env=False, timeout=30, **body).status_code

    assert post(running.hook[:-1], json=good) in (401, 404)
    assert post(json=good | {"Token": "guess"}) == 401
    assert post(content=b"\x00junk") == 400
    assert post(content=b"[" * 60_000) == 400
    assert post(content=b"<!DOCTYPE a [<!ENTITY b 'c'>]><root>&b;</root>") == 400
    assert post(content=b"x" * 100_000) == 413
    assert running.messages()[0]["state"] == "submitted"
    assert not smarthost.mails
    assert post(json=good) == 200
    wait_for("the failure, from who knows the token", lambda: smarthost.mails)


def test_what_phones_answer_is_text_and_nothing_else(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, vendor, smarthost = bridge
    hand_in(running.smtp, mail("Your turn", subject="=?utf-8?q?Hi=0D=0ABcc=3A_evil=40evil=2Eexample?="))
    wait_for("the report", lambda: smarthost.mails)
    answers = (
        "yes\r\nBcc: evil@evil.example\r\nSubject: owned\r\n\r\nbody",
        "<script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:x'>tap</a>",
        "{{ 7*7 }} {% include '/etc/passwd' %} ${x} %s %(x)s",
        "\u202egnp.exe\u202c \u2066hidden\u2069 \x07bell",
        "x" * 10_000,
    )
    for count, answer in enumerate(answers, start=1):
        vendor.reply(PHONE, answer)
        wait_for("the reply", lambda count=count: len(smarthost.mails) > count)  # type: ignore[misc]
    usual = set(smarthost.mails[0].parsed.keys())
    assert "Bcc" not in usual
    for one in smarthost.mails:
        assert one.to == (JO,)
        assert set(one.parsed.keys()) <= usual
        assert "owned" not in str(one.parsed["Subject"])
        html = one.parsed.get_body(("html",))
        assert isinstance(html, EmailMessage)
        written = html.get_content()
        tree = lxml.html.fromstring(written)
        assert not tree.xpath(
            "//script | //@onerror | //a[starts-with(@href, 'javascript')] | //img[@src='x']"
        )
        assert len(one.raw) < 100_000
    assert smarthost.about("{{ 7*7 }}")
    assert smarthost.about("<script>alert(1)</script>")
    page = httpx.get(f"{running.desk}/messages/{running.messages()[0]['message_id']}", trust_env=False)
    assert page.status_code == 200
    assert "<script>alert(1)" not in page.text


def test_webhooks_doubled_late_and_out_of_order_are_told_once(
    bridge: tuple[Bridge, Vendor, Smarthost],
) -> None:
    running, vendor, smarthost = bridge
    vendor.rule(on="webhook", action="double", copies=3)
    hand_in(running.smtp, mail("Thrice told"))
    wait_for("the report", lambda: smarthost.mails)
    vendor.reply(PHONE, "Thrice answered")
    wait_for("the reply", lambda: smarthost.about("Thrice answered"))
    wait_for("all webhooks", lambda: len(vendor.log(kind="webhook")) >= 6)
    hand_in(running.smtp, mail("After it"), "0421000002@sms.local")
    wait_for("its report", lambda: len(smarthost.mails) >= 3)
    assert len(smarthost.mails) == 3


@pytest.mark.parametrize(
    ("outcome", "words"),
    [("Destination is blacklisted", "opted out"), ("Rejected-Duplicate", "within a minute")],
)
def test_a_bad_end_is_told_in_plain_words(
    bridge: tuple[Bridge, Vendor, Smarthost], outcome: str, words: str
) -> None:
    running, vendor, smarthost = bridge
    vendor.rule(on="webhook", action="lose")
    hand_in(running.smtp, mail("Bad end"))
    (sent,) = wait_for("the SMS", vendor.sent)
    event = {
        "Sender": "application@example.com",
        "Token": "ta8wr7ymd",
        "Type": "SMS",
        "Destination": PHONE,
        "MessageID": sent["message_id"],
        "Status": "FAILED",
        "Result": outcome,
        "Price": "",
    }
    assert httpx.post(running.hook, json=event, trust_env=False, timeout=30).status_code == 200
    report = wait_for("the report", lambda: smarthost.mails)[0]
    assert words in report.text
    assert running.messages()[0]["state"] == "failed"


def test_a_vendor_with_a_wrong_certificate_gets_nothing_and_the_sms_waits(tmp_path: Path) -> None:
    loop = Loop()
    tls, _ = certificate(tmp_path)
    vendor = Stranger(loop, "loud", tls)
    try:
        running = serve(write_config(tmp_path, vendor, None))
        hand_in(running.smtp, mail("Not to strangers"))
        wait_for("the refusal in the log", lambda: [one for one in running.lines if "not sent" in one])
        (message,) = running.messages()
        assert message["state"] in ("queued", "sending")
        assert vendor.posts == []
        told = "".join(running.lines)
        assert "certificate" in told
        assert "ta8wr7ymd" not in told
        assert running.stop() == 0
    finally:
        vendor.close()
        loop.close()


def test_a_smarthost_that_is_away_delays_and_one_that_refuses_alarms_once(tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        refused: list[Mail] = []

        def at_data(one: Mail) -> str | None:
            if one.to == ("admin@clinic.example",):
                return None
            refused.append(one)
            return "554 5.7.1 not from you"

        smarthost.at_data = at_data
        running = serve(write_config(tmp_path, vendor, smarthost))
        vendor.tell(running.hook)
        for serial in range(3):
            hand_in(running.smtp, mail(f"Refused {serial}"), f"042100000{serial}@sms.local")
        alarm = wait_for("the alarm", lambda: smarthost.mails)[0]
        assert alarm.to == ("admin@clinic.example",)
        wait_for("three refusals", lambda: len(refused) == 3)

        smarthost.at_data = lambda one: "451 4.3.0 later" if not refused.clear() else None  # type: ignore[func-returns-value]
        hand_in(running.smtp, mail("Put off"), "0421000009@sms.local")
        wait_for("it to be put off", lambda: [one for one in running.lines if "later: " in one])
        assert len(smarthost.mails) == 1, "one alarm, however many are refused"
        page = httpx.get(f"{running.desk}/mails", trust_env=False)
        assert page.status_code == 200
        assert "dead" in page.text.lower()
        assert running.stop() == 0


def test_a_refused_account_alarms_once_and_resume_from_another_process_starts_it(tmp_path: Path) -> None:
    wrong = Settings(
        port=0, delivery_delay_ms=50, magic=False, accounts=(Account("x@example.com", "no", "no"),)
    )
    with world(wrong) as (vendor, smarthost):
        running = serve(write_config(tmp_path, vendor, smarthost))
        hand_in(running.smtp, mail("First"))
        alarm = wait_for(
            "the alarm", lambda: [one for one in smarthost.mails if "account" in one.text.lower()]
        )[0]
        assert alarm.to == ("admin@clinic.example",)
        hand_in(running.smtp, mail("Second"), "0421000002@sms.local")
        assert [m["state"] for m in running.messages()] == ["queued", "queued"]
        posts = len(vendor.log(kind="send"))
        told = httpx.get(f"{running.desk}/", trust_env=False).text
        assert "resume" in told.lower() or "stopped" in told.lower()

        mended = Settings(
            port=int(vendor.simulator.url.rpartition(":")[2]), delivery_delay_ms=50, magic=False
        )
        vendor.restart(mended)
        vendor.tell(running.hook)
        done = command("resume", "-c", str(running.config))
        assert done.returncode == 0, done.stderr
        wait_for("both SMS", lambda: len(vendor.sent()) == 2)
        wait_for("both ends", lambda: [m["state"] for m in running.messages()] == ["delivered", "delivered"])
        assert posts == 1
        assert running.stop() == 0
        assert len([one for one in smarthost.mails if "sending has stopped" in one.text.lower()]) <= 1


def test_ctrl_c_ends_it_in_order_as_sigterm_does(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, _, _ = bridge
    client = smtplib.SMTP("127.0.0.1", running.smtp, timeout=30)
    try:
        assert client.noop()[0] == 250
        running.process.send_signal(signal.SIGINT)
        assert running.ended() == 0
        assert client.noop()[0] == 421
    finally:
        client.close()
