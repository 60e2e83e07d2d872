"""kill -9 at any moment: nothing that was answered 250 is lost, nothing is sent twice that a poll can tell."""

import random
import smtplib
import threading
import time
from collections import Counter
from email.message import EmailMessage
from pathlib import Path

import httpx

from bridge.simulator import Settings
from tests.flow.running import Bridge, Vendor, serve, wait_for, world, write_config

JO = "jo@clinic.example"
ROUNDS = 6
OPEN = ("queued", "sending", "unknown")


class Client(threading.Thread):
    """Hands in mails one after another as fast as it can, and remembers those that were answered 250."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self._port, self._name = port, name
        self.answered: list[str] = []

    def run(self) -> None:
        try:
            with smtplib.SMTP("127.0.0.1", self._port, timeout=30) as client:
                for serial in range(10_000):
                    text = f"{self._name}-{serial}"
                    number = f"04210{random.randrange(100_000):05}"
                    client.sendmail(JO, [f"{number}@sms.local"], made(text, number).as_bytes())
                    self.answered.append(text)
        except (OSError, smtplib.SMTPException):
            return  # the bridge was killed


def made(text: str, number: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = JO, f"{number}@sms.local"
    mail["Message-ID"] = f"<{text}@clinic.example>"
    mail.set_content(text)
    return mail


def settled(bridge: Bridge) -> bool:
    """Whether nothing is left to do, by the metrics: asking the command line in a loop would cost too much."""
    metrics = httpx.get(f"{bridge.desk}/metrics", trust_env=False).text
    return not any(f'smsbridge_sms{{state="{state}"}}' in metrics for state in OPEN)


def test_kill_9_at_random_moments_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    settings = Settings(port=0, delivery_delay_ms=50, magic=False, reject_duplicates=False)
    answered: list[str] = []
    with world(settings) as (vendor, smarthost):
        config = write_config(tmp_path, vendor, smarthost, vendor=_vendor(vendor))
        for turn in range(ROUNDS):
            bridge = serve(config)
            vendor.tell(bridge.hook)
            clients = [Client(bridge.smtp, f"round{turn}-client{i}") for i in range(3)]
            for client in clients:
                client.start()
            time.sleep(random.uniform(0.02, 0.1))
            wait_for("some mails", lambda clients=clients: any(len(one.answered) > 3 for one in clients))  # type: ignore[misc]
            bridge.kill()
            for client in clients:
                client.join(30)
                answered += client.answered
        bridge = serve(config)
        vendor.tell(bridge.hook)
        wait_for("all to settle", lambda: settled(bridge), within_s=300)
        known = {m["text"]: m for m in bridge.messages("--limit", "100000")}
        assert set(answered) <= set(known), "a mail that was answered 250 is lost"
        made_at_vendor = Counter(
            entry["text"] for entry in vendor.log(kind="send", limit="100000") if entry["created"]
        )
        assert set(answered) <= set(made_at_vendor)
        doubled = {text: times for text, times in made_at_vendor.items() if times > 1}
        assert doubled == {}, "sent twice although the vendor's poll could tell"
        assert bridge.stop() == 0


def _vendor(vendor: Vendor) -> dict[str, object]:
    return {
        "send_url": vendor.simulator.send_url,
        "rest_url": vendor.simulator.rest_url,
        "sender": "application@example.com",
        "token": "ta8wr7ymd",
        "auth_token": "demo-auth-token",
        "rate": "200/s",
        "poll_rate": "200/s",
        "settle": "2m",
    }
