"""The service is stopped, killed or frozen: it ends in order, and begins again where it was."""

import contextlib
import os
import signal
import smtplib
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.flow.mails import JO, hand_in, mail
from tests.flow.running import Bridge, Loop, Mail, Smarthost, serve, wait_for, world, write_config
from tests.flow.stranger import Form, Made, Said, Stranger

pytestmark = pytest.mark.traced


@contextlib.contextmanager
def strangers() -> Iterator[tuple[Stranger, Smarthost]]:
    """A vendor that can be told what to do at each POST, and a smarthost."""
    loop = Loop()
    vendor, smarthost = Stranger(loop, "loud"), Smarthost(loop)
    try:
        yield vendor, smarthost
    finally:
        smarthost.close()
        vendor.close()
        loop.close()


def settings_of(vendor: Stranger, **changes: object) -> dict[str, object]:
    return {
        "send_url": vendor.send_url,
        "rest_url": vendor.rest_url,
        "sender": "application@example.com",
        "token": "ta8wr7ymd",
        "auth_token": "demo-auth-token",
        "rate": "100/s",
        "status_after": "1s",
        "settle": "2m",
    } | changes


def number(serial: int) -> str:
    return f"042100{serial:04}@sms.local"


def test_a_mail_that_the_smarthost_took_before_the_kill_comes_again_under_the_same_id(tmp_path: Path) -> None:
    running: list[Bridge] = []
    with strangers() as (vendor, smarthost):

        def at_data(one: Mail) -> str | None:
            if not smarthost.mails:  # after the last dot, before our 250
                running[-1].process.kill()
            return None

        smarthost.at_data = at_data
        config = write_config(tmp_path, vendor, smarthost, vendor=settings_of(vendor))
        running.append(serve(config))
        hand_in(running[-1].smtp, mail("Handed over twice"), number(1))
        running[-1].process.wait(60)
        assert len(smarthost.mails) == 1
        running.append(serve(config))
        wait_for("the mail again", lambda: len(smarthost.mails) == 2)
        first, again = smarthost.mails
        assert again.parsed["Message-ID"] == first.parsed["Message-ID"]
        assert again.raw == first.raw
        assert len(vendor.made) == 1
        assert running[-1].stop() == 0
        assert len(smarthost.mails) == 2


def test_sigterm_under_load_loses_nothing_and_exits_in_time(tmp_path: Path) -> None:
    answered: list[str] = []
    with world() as (vendor, smarthost):
        config = write_config(tmp_path, vendor, smarthost)
        for turn in range(2):
            bridge = serve(config)
            vendor.tell(bridge.hook)
            clients = [
                threading.Thread(
                    target=pour, args=(bridge.smtp, f"turn {turn} client {i}", answered), daemon=True
                )
                for i in range(3)
            ]
            before = len(answered)
            for client in clients:
                client.start()
            wait_for("a flow of mails", lambda before=before: len(answered) > before + 60)  # type: ignore[misc]
            assert bridge.stop() == 0
            assert not [line for line in bridge.lines if "Traceback" in line]
            for client in clients:
                client.join(30)
        bridge = serve(config)
        vendor.tell(bridge.hook)
        wait_for("the rest", lambda: len(vendor.sent()) >= len(answered))
        made = Counter(entry["text"] for entry in vendor.sent())
        assert set(answered) <= set(made)
        assert not {text for text, times in made.items() if times > 1}
        assert bridge.stop() == 0


def test_a_service_that_stops_takes_no_more_mail_while_a_send_is_under_way(tmp_path: Path) -> None:
    """Mail that it took now would lie in the queue until the next start: another server should have it."""
    go_on = threading.Event()
    with strangers() as (vendor, smarthost):

        def at_send(form: Form, make: Callable[[], Made]) -> Said:
            made = make()
            go_on.wait(60)
            return vendor.success(made)

        vendor.at_send = at_send
        bridge = serve(write_config(tmp_path, vendor, smarthost, vendor=settings_of(vendor)))
        with smtplib.SMTP("127.0.0.1", bridge.smtp, timeout=30) as waiting:
            waiting.ehlo()
            hand_in(bridge.smtp, mail("Under way"), number(1))
            wait_for("the POST", lambda: vendor.made)
            bridge.process.send_signal(signal.SIGTERM)
            wait_for("the door to be shut", lambda: not reachable(bridge.smtp))
            with contextlib.suppress(smtplib.SMTPServerDisconnected):
                assert waiting.mail(JO)[0] == 421
        assert bridge.process.poll() is None, "the send under way is waited for"
        go_on.set()
        assert bridge.ended() == 0
        (message,) = bridge.messages()
        assert (message["state"], message["attempts"]) == ("submitted", 1)


def reachable(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def pour(port: int, name: str, answered: list[str]) -> None:
    """Hand in mails until the service says that it stops; remember those that were answered 250."""
    serial = 0
    with contextlib.suppress(OSError, smtplib.SMTPException):
        while True:
            with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
                for _ in range(5):
                    text = f"{name} mail {serial}"
                    serial += 1
                    client.send_message(mail(text), JO, [number(hash(text) % 10_000)])
                    answered.append(text)


def frozen_after_a_claim(bridge: Bridge, vendor: Stranger) -> bool:
    """Freeze the service; let it run on when it has claimed nothing that is still to be sent."""
    os.kill(bridge.process.pid, signal.SIGSTOP)
    time.sleep(0.1)  # what has left it arrives
    with contextlib.closing(sqlite3.connect(bridge.config.parent / "bridge.db")) as database:
        claimed = {row[0] for row in database.execute("SELECT number FROM sms WHERE state = 'sending'")}
    if claimed - {form["Number"] for form in vendor.posts}:
        return True
    os.kill(bridge.process.pid, signal.SIGCONT)
    return False


def test_a_service_frozen_between_claim_and_post_does_not_send_what_another_may_have_taken(
    tmp_path: Path,
) -> None:
    """Frozen for ten seconds with rows claimed ahead of the rate: each is sent once all the same."""
    with strangers() as (vendor, smarthost):
        config = write_config(tmp_path, vendor, smarthost, vendor=settings_of(vendor, rate="4/s"))
        bridge = serve(config)
        for serial in range(12):
            hand_in(bridge.smtp, mail(f"mail {serial}"), number(serial))
        wait_for("it to be frozen between the two", lambda: frozen_after_a_claim(bridge, vendor))
        thawed = threading.Timer(10, os.kill, (bridge.process.pid, signal.SIGCONT))
        thawed.start()
        thawed.join()
        wait_for("all SMS", lambda: len(vendor.made) >= 12)
        wait_for("their reports", lambda: len(smarthost.mails) >= 12)
        assert Counter(one.form["Message"] for one in vendor.made) == Counter(f"mail {n}" for n in range(12))
        given_back = [line for line in bridge.lines if "give back" in line]
        assert given_back, "rows claimed before the freeze go back to the queue"
        assert bridge.stop() == 0
