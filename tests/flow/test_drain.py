"""A long queue after an outage: sent at the configured rate, no faster, and nobody's single SMS waits behind it."""

import smtplib
import time
from pathlib import Path

from bridge.simulator import Settings
from tests.flow.mails import mail
from tests.flow.running import Vendor, serve, wait_for, world, write_config

MANY = 2_000
RATE = 80
RECIPIENTS = 100


class Book:
    """When each SMS was posted at the vendor (seconds), read on from where it was read last."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor, self._after = vendor, 0
        self.made: list[tuple[float, str]] = []

    def read(self) -> list[tuple[float, str]]:
        """Return all posts so far; none of them may have been refused."""
        for entry in self._vendor.log(kind="send", after=str(self._after)):
            self._after = entry["serial"]
            assert entry["created"], entry
            self.made.append((entry["at"] / 1000, entry["text"]))
        return self.made

    def at(self, text: str) -> float | None:
        """When the SMS with that text was posted, None if it was not yet."""
        return next((at for at, found in self.read() if found == text), None)


def hand_in_from(sender: str, port: int, text: str, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        refused = client.send_message(mail(text, sender=sender), sender, recipients)
        assert not refused


def most_within(seconds: float, moments: list[float]) -> int:
    """Return the most of ``moments`` that lie within any stretch of so many seconds."""
    moments = sorted(moments)
    first = most = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_two_thousand_queued_drain_at_the_rate_and_delay_nobody(tmp_path: Path) -> None:
    settings = Settings(port=0, delivery_delay_ms=50, magic=False, reject_duplicates=False)
    with world(settings) as (vendor, _):
        rules = [
            {
                "match": ["*@clinic.example", "*@plant.example"],
                "proof": ["network"],
                "networks": ["127.0.0.0/8"],
                "reports": "none",
            }
        ]
        ours = {
            "send_url": vendor.send_url,
            "rest_url": vendor.rest_url,
            "sender": "application@example.com",
            "token": "ta8wr7ymd",
            "auth_token": "demo-auth-token",
            "rate": f"{RATE}/s",
        }
        config = write_config(tmp_path, vendor, None, vendor=ours, senders=rules)
        # The vendor is not asked yet: mail alone runs, as when it is down.
        front = serve(config, "--only", "mail")
        for batch in range(MANY // RECIPIENTS):
            numbers = [f"04210{batch * RECIPIENTS + n:05}@sms.local" for n in range(RECIPIENTS)]
            hand_in_from("jo@clinic.example", front.smtp, f"flood {batch}", *numbers)
        assert front.stop() == 0

        bridge, book = serve(config), Book(vendor)
        wait_for("the drain to run", lambda: len(book.read()) > RATE)
        waited = []
        for alarm in ("alarm 1", "alarm 2", "alarm 3"):
            handed = time.time()
            hand_in_from("ups@plant.example", bridge.smtp, alarm, f"04220000{alarm[-1]:0>2}@sms.local")
            at = wait_for("the alarm among the flood", lambda alarm=alarm: book.at(alarm))  # type: ignore[misc]
            assert at is not None
            waited.append(at - handed)
        assert len(book.read()) < MANY, "the flood still runs"
        wait_for("the whole queue", lambda: len(book.read()) >= MANY + 3, within_s=180)
        assert len({text for _, text in book.made}) == MANY // RECIPIENTS + 3
        assert bridge.stop() == 0
        assert len(book.read()) == MANY + 3
        # Three seconds: a busy machine may stand still for a moment, and then what was due goes out together.
        assert most_within(3, [at for at, _ in book.made]) <= 3 * RATE * 1.25, "a burst above the rate"
        assert max(waited) < 2.0, waited
