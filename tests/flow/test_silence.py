"""Row 8 of the threats: what was said to the service in confidence stands nowhere that others read.

Every secret, a text, an answer and a number go through all of it at DEBUG, with faults on the way; then they are looked
for as they are, in base64, as in an address of the web, and in hex.
"""

import base64
import contextlib
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

import httpx
import pytest

from tests import threats
from tests.flow.mails import mail
from tests.flow.running import wait_for
from tests.flow.test_full_configuration import PASSWORD, SECRETS, Setup

TEXT: Final = "the canary sings at five"
SUBJECT: Final = "canary subject of a patient"
ANSWER: Final = "canary answers with tears"
GUESS: Final = "canary-wrong-password"
NUMBER: Final = "+61421777888"
_SHORT: Final = 9  # octets from which three of a word can only be that word


def spellings(secret: str) -> set[str]:
    """All ways in which a log may hold a secret."""
    octets = secret.encode()
    ways = {secret, secret[::-1], quote(secret), quote(secret, safe=""), quote_plus(secret), octets.hex()}
    for before in range(3):
        found = base64.b64encode(b"\0" * before + octets).decode().rstrip("=")
        inner = found[-(-before * 8 // 6) : len(found) - 2]
        ways |= {inner, inner.replace("+", "-").replace("/", "_")} if len(inner) >= _SHORT else set()
    return ways


SECRET: Final = (*SECRETS.values(), PASSWORD, GUESS, "another-one-canary", "ta8wr7ymd")
PRIVATE: Final = (
    TEXT,
    SUBJECT,
    ANSWER,
    NUMBER,
    NUMBER[1:],
    "0421777888",
    "421 777 888",
    "canary sings",
    "with tears",
)


def found(words: tuple[str, ...], *places: str) -> list[tuple[str, str]]:
    """The words that stand in one of the places, in any spelling, and the line."""
    lines = [line for place in places for line in place.splitlines()]
    return [(word, line) for word in words for way in spellings(word) for line in lines if way in line]


class Loud(Setup):
    """The service with everything in it, telling as much as it can."""

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"log": {"level": "debug", "format": "json"}}


@pytest.fixture
def loud(tmp_path: Path) -> Iterator[Setup]:
    made = Loud(tmp_path)
    with contextlib.closing(made):
        made.start()
        yield made
        made.bridge.process.kill()


@pytest.mark.threat(8, "canaries found", of="log lines")
def test_no_secret_text_or_number_is_in_logs_answers_metrics_or_the_list_of_processes(loud: Setup) -> None:
    answers: list[str] = []
    port = loud.bridge.ports["smtp"][1]
    command_line = Path(f"/proc/{loud.bridge.process.pid}/cmdline").read_text()
    limits = Path(f"/proc/{loud.bridge.process.pid}/limits").read_text()
    assert next(line for line in limits.splitlines() if "core file" in line).split()[4] == "0"

    def client() -> smtplib.SMTP_SSL:
        return smtplib.SMTP_SSL("localhost", port, timeout=30, context=loud.trusting)

    with client() as one, pytest.raises(smtplib.SMTPAuthenticationError):
        one.login("clinic-relay", GUESS)
    with client() as one:
        one.login("clinic-relay", PASSWORD)
        one.send_message(mail(TEXT, subject=SUBJECT), "jo@clinic.example", [f"{NUMBER}@sms.local"])
        for body in (TEXT * 100, "x"):  # too long; of no proven sender
            sender = "jo@clinic.example" if len(body) > 1 else "mallory@elsewhere.example"
            made = mail(body, subject=SUBJECT, sender=sender)
            with pytest.raises(smtplib.SMTPException) as refused:
                one.send_message(made, sender, [f"{NUMBER}@sms.local"])
            answers.append(str(refused.value))
        for line in (
            f"RCPT TO:<{NUMBER}@",
            f"{TEXT}",
            f"AUTH PLAIN {base64.b64encode(PASSWORD.encode()).decode()}",
        ):
            answers.append(str(one.docmd(line)))
    (sms,) = wait_for("the SMS", lambda: loud.vendor.made)

    for result, text in (("SUCCESS", ""), ("RECEIVED", ANSWER)):
        said = loud.vendor.tell(
            loud.hook, sms, result, "RECEIVED" if text else "delivered", text, verify=loud.trusting
        )
        answers.append(said.text)
    for body in (f"{{{TEXT}", f'{{"Sender": "{TEXT}", "Token": "{GUESS}"}}', f"<a>{NUMBER}</b>"):
        answers.append(httpx.post(loud.hook, content=body, verify=loud.trusting, trust_env=False).text)
    answers.append(httpx.post(loud.hook[:-2], content=TEXT, verify=loud.trusting, trust_env=False).text)
    wait_for("the answer as a mail", lambda: loud.smarthost.about(ANSWER))

    desk = {
        path: httpx.get(f"{loud.bridge.desk}{path}", trust_env=False).text
        for path in ("/", "/mails", "/audit", "/metrics", "/readyz", "/messages/1", "/mails/1", "/nowhere")
    }
    assert loud.bridge.stop() == 0
    told = "".join(loud.bridge.lines)
    assert "mail taken" in told
    everywhere = (told, command_line, *answers, *desk.values())
    telling = found(SECRET, *everywhere, *(one.raw.decode() for one in loud.smarthost.mails))
    telling += found(PRIVATE, told, desk["/metrics"], desk["/audit"], desk["/readyz"], command_line)
    threats.found(len(telling), of=len(loud.bridge.lines))
    assert telling == []


def test_what_is_looked_for_would_be_found() -> None:
    for secret in (TEXT, PASSWORD, *SECRETS.values()):
        for place in (
            secret,
            f"AUTH PLAIN {base64.b64encode(f'{chr(0)}user{chr(0)}{secret}'.encode()).decode()}",
            f"GET /x?token={quote(secret)}&y=1",
            secret.encode().hex(),
        ):
            assert found((secret,), f"a line with {place} in it"), place
