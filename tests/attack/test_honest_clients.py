"""What odd but honest clients say, each in its own way: all are served. Whole programs are in `tests.mail_in`."""

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import Final

import pytest

from tests.mail_in.client import Client
from tests.mail_in.conftest import PASSWORD, Running, Starter
from tests.threats import found

TO: Final = "RCPT TO:<0421000001@sms.local>"
ALARM: Final = b"From: ups@plant.example\r\nMessage-ID: <1@x>\r\n\r\nBattery low\r\n"
CLINIC: Final = ALARM.replace(b"ups@plant", b"desk@clinic")


Way = Callable[[Running, ssl.SSLContext, int], str]


def own(mail: bytes, number: int) -> bytes:
    """``mail`` with a text of its own: the same one again makes no second SMS."""
    return mail.replace(b"Battery low", b"Battery low, %d" % number)


def said(client: Client, *commands: str, mail: bytes = ALARM) -> str:
    """Say the commands, each of which must be taken, and hand the mail in; the last answer."""
    for command in commands:
        answer = client.say(command)
        if not answer.startswith("2"):
            return answer
    return client.mail(mail)


def greeted(client: Client, *commands: str, mail: bytes = ALARM) -> str:
    client.answer()
    return said(client, *commands, mail=mail)


def envelope(parameters: str = "", of_rcpt: str = "", hello: str = "EHLO c") -> tuple[str, ...]:
    return hello, f"MAIL FROM:<ups@plant.example>{parameters}", f"{TO}{of_rcpt}"


def plainly(*commands: str, mail: bytes = ALARM) -> Way:
    def way(server: Running, trusting: ssl.SSLContext, number: int) -> str:
        with Client(server.ports[0]) as client:
            return greeted(client, *commands, mail=own(mail, number))

    return way


def octets(*commands: bytes, mail: bytes = ALARM) -> Way:
    """All of it in one piece, and as it is."""

    def way(server: Running, trusting: ssl.SSLContext, number: int) -> str:
        with Client(server.ports[0]) as client:
            client.send(b"".join(commands) + own(mail, number) + b".\r\n")
            answers = [client.answer() for _ in range(len(commands) + 2)]
            return answers[-1]

    return way


def on_465(*login: str) -> Way:
    def way(server: Running, trusting: ssl.SSLContext, number: int) -> str:
        with Client(server.ports[2], trusting) as client:
            client.answer()
            client.say("ehlo c")
            for command in login:
                if not (answer := client.say(command)).startswith(("334", "235")):
                    return answer
            return said(client, "MAIL FROM:<desk@clinic.example> AUTH=<>", TO, mail=own(CLINIC, number))

    return way


def with_starttls(server: Running, trusting: ssl.SSLContext, number: int) -> str:
    with Client(server.ports[1]) as client:
        client.answer()
        client.say("EHLO c")
        client.say("starttls")
        client.start_tls(trusting)
        return said(client, *envelope(), mail=own(ALARM, number))


def word(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WAYS: Final = {
    "HELO only": plainly(*envelope(hello="HELO c")),
    "small letters": plainly("helo c", "mail from:<ups@plant.example>", "rcpt to:<0421000001@sms.local>"),
    "a blank behind the colon": plainly("EHLO c", "MAIL FROM: <ups@plant.example>", "RCPT TO: <0421000001@sms.local>"),
    "no angle brackets": plainly("EHLO c", "MAIL FROM:ups@plant.example", "RCPT TO:0421000001@sms.local"),
    "blanks at the end": plainly("EHLO c ", "MAIL FROM:<ups@plant.example> ", f"{TO}  "),
    "an address literal as name": plainly(*envelope(hello="EHLO [192.0.2.1]")),
    "a name with an underscore": plainly(*envelope(hello="EHLO win_pc.local")),
    "EHLO twice": plainly("EHLO c", *envelope()),
    "RSET between": plainly("EHLO c", "MAIL FROM:<ups@plant.example>", "RSET", *envelope()[1:]),
    "AUTH=<>": plainly(*envelope(" AUTH=<>")),
    "AUTH=address": plainly(*envelope(" AUTH=ups+40plant.example")),
    "SIZE and BODY": plainly(*envelope(" SIZE=55 BODY=7BIT")),
    "8BITMIME": plainly(*envelope(" BODY=8BITMIME"), mail=ALARM + "für Jürgen\r\n".encode()),
    "8 bits unasked": plainly(*envelope(hello="HELO c"), mail=ALARM + b"f\xfcr J\xfcrgen\r\n"),
    "SMTPUTF8": plainly("EHLO c", "MAIL FROM:<jürgen@plant.example> SMTPUTF8", TO),
    "NOTIFY and ORCPT": plainly(*envelope(" RET=HDRS ENVID=QQ1", " NOTIFY=FAILURE ORCPT=rfc822;a+40b@x")),
    "NOTIFY=NEVER": plainly(*envelope(" RET=FULL", " NOTIFY=NEVER")),
    "ORCPT in UTF-8": plainly(*envelope(" SMTPUTF8", " ORCPT=utf-8;jürgen@x NOTIFY=DELAY")),
    "the null sender": plainly("EHLO c", "MAIL FROM:<>", TO),
    "a sender without domain": plainly("EHLO c", "MAIL FROM:<root>", TO),
    "no Message-ID": plainly(*envelope(), mail=ALARM.replace(b"Message-ID: <1@x>\r\n", b"")),
    "no header": plainly(*envelope(), mail=b"Battery low\r\n"),
    "no From": plainly(*envelope(), mail=b"Subject: x\r\n\r\nBattery low\r\n"),
    "an empty body": plainly(*envelope(), mail=b"From: ups@plant.example\r\nSubject: Battery low\r\n\r\n"),
    "a line of 60,000 octets": plainly(*envelope(), mail=ALARM + b"<p>" + b"x" * 60_000 + b"</p>\r\n"),
    "bare line feeds": plainly(*envelope(), mail=ALARM.replace(b"\r\n", b"\n") + b"\r\n"),
    "NUL in the text": plainly(*envelope(), mail=ALARM + b"a\0b\r\n"),
    "dots": plainly(*envelope(), mail=ALARM + b"..\r\n...\r\n.. .\r\n"),
    "all in one piece": octets(b"EHLO c\r\n", *(f"{one}\r\n".encode() for one in envelope()[1:]), b"DATA\r\n"),
    "commands that end in LF": octets(b"HELO c\n", *(f"{one}\n".encode() for one in envelope()[1:]), b"DATA\n"),
    "STARTTLS": with_starttls,
    "port 465, AUTH PLAIN": on_465(f"AUTH PLAIN {word(f'{chr(0)}clinic{chr(0)}{PASSWORD}')}"),
    "port 465, auth plain in two steps": on_465("auth plain", word(f"clinic\0clinic\0{PASSWORD}")),
    "port 465, AUTH LOGIN": on_465("AUTH LOGIN", word("clinic"), word(PASSWORD)),
    "port 465, auth login with its name": on_465(f"auth login {word('Clinic')}", word(PASSWORD)),
}  # fmt: skip


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_each_way_of_honest_clients_is_served(start: Starter, trusting: ssl.SSLContext) -> None:
    server = await start("none", "starttls", "implicit")
    turned_away = {}
    for number, (name, way) in enumerate(WAYS.items(), 1):
        answer = await asyncio.to_thread(way, server, trusting, number)
        if not answer.startswith("250 2.0.0 ") or len(await server.sms()) != number:
            turned_away[name] = answer
    found(len(turned_away), of=len(WAYS))
    assert turned_away == {}
