"""A sender that suddenly floods: the admin hears of it at a real smarthost, once."""

import smtplib
from pathlib import Path

import httpx

from tests.flow.mails import mail
from tests.flow.running import serve, wait_for, world, write_config

FLOODER = "jo@clinic.example"


def hand_in(port: int, sender: str, *counts: int) -> None:
    """Hand in mails of that sender, so many to each of the numbers."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for number, count in enumerate(counts):
            for turn in range(count):
                made = mail(f"{number} {turn}", f"042100{number:04}@sms.local", sender=sender)
                client.send_message(made, sender, [made["To"]])


def test_the_admin_hears_once_of_a_sender_that_floods_and_not_of_another(tmp_path: Path) -> None:
    rule = {
        "match": ["*@clinic.example"],
        "proof": ["network"],
        "networks": ["127.0.0.0/8"],
        "reports": "none",
    }
    bounds = {"sms": 6, "new_numbers": 40, "one_number": 3, "above": 2, "learn": "0s"}
    with world() as (vendor, smarthost):
        config = write_config(tmp_path, vendor, smarthost, senders=[rule], velocity=bounds)
        bridge = serve(config, program=("tests.nodes.node",))  # one that looks more often
        hand_in(bridge.smtp, "calm@clinic.example", 2, 2)
        hand_in(bridge.smtp, FLOODER, *[1] * 7)
        (told,) = wait_for("the alarm", lambda: smarthost.mails)
        assert told.to == ("admin@clinic.example",)
        assert told.parsed["Subject"].endswith("A sender sends far more than usual")
        for fact in (f"Sender: {FLOODER}", "In this hour: 7", "This alarm comes above: 6"):
            assert fact in told.text
        hand_in(bridge.smtp, FLOODER, 0, 0, 4)
        (again,) = wait_for("the other alarm", lambda: smarthost.mails[1:])
        assert again.parsed["Subject"].endswith("A sender writes to one number again and again")
        metrics = httpx.get(f"{bridge.desk}/metrics", trust_env=False, timeout=60).text
        assert 'smsbridge_senders_above_habit{what="new-numbers"} 0.0' in metrics
        assert bridge.stop() == 0
        assert len(smarthost.mails) == 2
