"""Limits at the wire: with room for N, exactly N of a flood pass, over many connections and over several nodes."""

import smtplib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flow.mails import JO, mail
from tests.flow.running import command, serve, wait_for, world, write_config
from tests.postgres import Server
from tests.threats import found

CLIENTS, EACH = 8, 40
TO = "0421000001@sms.local"


def rule(**limits: Any) -> list[dict[str, Any]]:
    return [
        {
            "match": ["*@clinic.example"],
            "proof": ["network"],
            "networks": ["127.0.0.0/8"],
            "reports": "none",
            "limits": limits,
        }
    ]


def flood(ports: Sequence[int]) -> Counter[str]:
    """Pour mails in from many clients at once; return how often each answer came, without its mail's id."""

    def pour(client: int) -> list[str]:
        answers = []
        with smtplib.SMTP("127.0.0.1", ports[client % len(ports)], timeout=60) as smtp:
            smtp.ehlo()
            for serial in range(EACH):
                smtp.mail(JO)
                assert smtp.rcpt(TO)[0] == 250, "at RCPT nothing is said of limits by time"
                code, said = smtp.data(mail(f"from {client}, {serial}").as_bytes())
                answers.append(f"{code} {said.decode().partition(' ')[0]}")
        return answers

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(answer for answers in pool.map(pour, range(CLIENTS)) for answer in answers)


@pytest.mark.threat(14, "mails of a flood that passed above a limit, or were refused below it", of="mails")
def test_of_a_flood_over_many_connections_exactly_as_many_pass_as_may(tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        config = write_config(
            tmp_path,
            vendor,
            smarthost,
            senders=rule(spend_per_month=2.50),
        )
        bridge = serve(config)
        answers = flood([bridge.smtp])
        assert answers == {"250 2.0.0": 25, "550 5.7.1": CLIENTS * EACH - 25}
        wait_for("all that was taken", lambda: len(vendor.sent()) == 25)
        wait_for("the alarms", lambda: len(smarthost.mails) == 2)
        assert len(smarthost.about("A sender has reached a limit")) == 1
        assert len(smarthost.about("four fifths of a limit")) == 1
        metrics = httpx.get(f"{bridge.desk}/metrics", trust_env=False, timeout=60).text
        assert f'smsbridge_limit_refusals_total{{limit="spend_per_month"}} {CLIENTS * EACH - 25}.0' in metrics
        assert 'smsbridge_limit_senders_at{limit="spend_per_month"} 1.0' in metrics
        listed = command("limits", "--json", "-c", str(config))
        assert '"limit": "spend_per_month", "used": 2.5, "most": 2.5' in listed.stdout
        assert bridge.stop() == 0
        assert len(vendor.sent()) == 25
        found(abs(answers["250 2.0.0"] - 25), of=CLIENTS * EACH)


@pytest.mark.threat(14, "mails of a flood that passed above a limit, or were refused below it", of="mails")
def test_of_a_flood_over_several_nodes_exactly_as_many_pass_as_may(postgres: Server, tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        config = write_config(
            tmp_path,
            vendor,
            smarthost,
            senders=rule(spend_per_month=9.0),
            spend_cap={"per_day": 3.10},
            database=postgres.database(),
        )
        with ThreadPoolExecutor(2) as pool:
            nodes = list(pool.map(lambda _: serve(config), range(2)))
        answers = flood([node.smtp for node in nodes])
        assert answers == {"250 2.0.0": 31, "550 5.7.1": CLIENTS * EACH - 31}
        wait_for("all that was taken", lambda: len(vendor.sent()) == 31)
        assert [node.stop() for node in nodes] == [0, 0]
        assert len(vendor.sent()) == 31
        found(abs(answers["250 2.0.0"] - 31), of=CLIENTS * EACH)


def test_what_is_too_fast_is_sent_later_and_the_250_says_when(tmp_path: Path) -> None:
    with world() as (vendor, smarthost):
        config = write_config(
            tmp_path, vendor, smarthost, senders=rule(per_day=2, over="pace"), timezone="Australia/Sydney"
        )
        bridge = serve(config)
        with smtplib.SMTP("127.0.0.1", bridge.smtp, timeout=60) as smtp:
            smtp.ehlo()
            said = []
            for serial in range(3):
                smtp.mail(JO)
                smtp.rcpt(TO)
                said.append(smtp.data(mail(f"alarm {serial}").as_bytes()))
        assert [code for code, _ in said[:2]] == [250, 250]
        code, last = said[2]
        # Within twelve hours of midnight it waits for the next day, before that it would expire.
        assert b"sent from " in last if code == 250 else b"when it would have expired" in last
        wait_for("what may be sent today", lambda: len(vendor.sent()) == 2)
        assert bridge.stop() == 0
        assert len(vendor.sent()) == 2
