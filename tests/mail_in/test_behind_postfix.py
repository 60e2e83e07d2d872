"""Mails that come through a Postfix: STARTTLS that it verifies, delivery reports asked for, 8 bits, UTF-8, `<>`."""

import asyncio
import smtplib
import time
from pathlib import Path

import pytest

from tests.mail_in.conftest import Starter
from tests.mail_in.relay import relay_to

NUMBER = "0421000001@sms.local"
PLANT = "ups@plant.example"


def send(
    port: int, sender: str, text: str, *, of_mail: tuple[str, ...] = (), of_rcpt: tuple[str, ...] = ()
) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        raw = f"From: {PLANT}\r\nSubject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        client.sendmail(sender, [NUMBER], raw.encode(), [*of_mail, "BODY=8BITMIME"], of_rcpt)


def wait_for(log: Path, words: str, times: int = 1) -> str:
    """The lines of the log once ``words`` are there so often."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        text = log.read_text("utf-8", "replace") if log.exists() else ""
        if text.count(words) >= times:
            return text
        time.sleep(0.05)
    raise AssertionError(text)


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_what_a_postfix_relays_inside_tls_is_taken(
    start: Starter, certificate: tuple[str, str]
) -> None:
    server = await start("starttls")

    def go() -> None:
        with relay_to(server.port, certificate[0]) as (port, log):
            send(port, PLANT, "plain")
            send(
                port,
                PLANT,
                "with reports",
                of_mail=("RET=HDRS", "ENVID=QQ1"),
                of_rcpt=("NOTIFY=SUCCESS,DELAY",),
            )
            send(port, "", "from nobody")
            send(port, "jürgen@plant.example", "für Jürgen", of_mail=("SMTPUTF8",))
            send(port, PLANT, "..\r\n.\r\nend")
            wait_for(log, "status=sent", times=5)

    await asyncio.to_thread(go)
    texts = sorted(sms.text for sms in await server.sms())
    assert texts == ["..\n.\nend", "from nobody", "für Jürgen", "plain", "with reports"]


async def test_a_postfix_learns_why_a_mail_is_refused(start: Starter, certificate: tuple[str, str]) -> None:
    server = await start("starttls")

    def go() -> str:
        with relay_to(server.port, certificate[0]) as (port, log):
            with smtplib.SMTP("127.0.0.1", port) as client:
                client.sendmail(PLANT, ["1900123456@sms.local"], b"From: ups@plant.example\r\n\r\nhi\r\n")
            return wait_for(log, "status=bounced")

    assert "550 5.7.1 +61 190... is a premium number" in await asyncio.to_thread(go)
