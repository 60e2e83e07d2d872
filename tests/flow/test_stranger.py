"""The round trip with a vendor that is not the simulator, in each of the dialects that its pages allow."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.mails import JO, hand_in, mail
from tests.flow.running import Bridge, Loop, Smarthost, serve, wait_for, write_config
from tests.flow.stranger import Dialect, Stranger

PHONE = "+61421000001"


@contextlib.contextmanager
def between(folder: Path, dialect: Dialect) -> Iterator[tuple[Bridge, Stranger, Smarthost]]:
    """A bridge between that vendor and a smarthost."""
    loop = Loop()
    vendor, smarthost = Stranger(loop, dialect), Smarthost(loop)
    settings = {
        "send_url": vendor.send_url,
        "rest_url": vendor.rest_url,
        "sender": "application@example.com",
        "token": "ta8wr7ymd",
        "auth_token": "demo-auth-token",
        "status_after": "1s",
        "received_every": "10s",
    }
    try:
        running = serve(write_config(folder, vendor, smarthost, vendor=settings))
        yield running, vendor, smarthost
        assert running.stop() == 0
        assert not [line for line in running.lines if "Traceback" in line]
    finally:
        smarthost.close()
        vendor.close()
        loop.close()


@pytest.mark.parametrize("dialect", ["page", "older"])
def test_a_vendor_with_webhooks_of_its_own_spelling(tmp_path: Path, dialect: Dialect) -> None:
    with between(tmp_path, dialect) as (running, vendor, smarthost):
        asked = mail("Your appointment is at 9:30. Größe – ok?")
        hand_in(running.smtp, asked)
        made = wait_for("the SMS", lambda: vendor.made)[0]
        assert made.form["Number"] == PHONE
        assert made.form["Message"] == "Your appointment is at 9:30. Größe - ok?"
        assert made.form["SMSEmailReply"].endswith("@sms.local")
        assert "Mode" not in made.form

        for _ in range(2):
            assert vendor.tell(running.hook, made, "SUCCESS", "delivered").status_code == 200
        wait_for("the report", lambda: smarthost.mails)
        assert vendor.tell(running.hook, made, "RECEIVED", "RECEIVED", "Yes – see you").status_code == 200
        answer = wait_for("the reply", lambda: smarthost.about("Yes – see you"))[0]
        assert answer.to == (JO,)
        assert answer.parsed["In-Reply-To"] == asked["Message-ID"]

        (message,) = running.messages()
        assert message["state"] == "delivered"
        assert message["price"] in ("0.20", 0.2, "0.2000")
        assert len(smarthost.mails) == 2, "one report, one reply, however often it is told"
        assert len(vendor.made) == 1


@pytest.mark.parametrize("dialect", ["page", "older", "loud"])
def test_a_vendor_whose_webhooks_never_arrive(tmp_path: Path, dialect: Dialect) -> None:
    with between(tmp_path, dialect) as (running, vendor, smarthost):
        hand_in(running.smtp, mail("Polled"))
        made = wait_for("the SMS", lambda: vendor.made)[0]
        report = wait_for("the report that a poll brings", lambda: smarthost.mails)[0]
        assert report.to == (JO,)
        (message,) = running.messages()
        assert message["state"] == "delivered"
        if dialect != "older":  # its received poll is XML for the next test
            made.replies.append("By poll alone")
            wait_for("the reply that a poll brings", lambda: smarthost.about("By poll alone"))
        assert [one.told for one in vendor.made] == [message["message_id"]]
