"""SMTP smuggling: whatever stands around a lone dot, what follows it is text of the first mail or refused."""

import asyncio
import ssl
from dataclasses import replace

import pytest

from tests.attack.clients import From
from tests.attack.test_strangers import POLICY_HERE
from tests.mail_in.conftest import AUTH_RULE, POLICY, Starter
from tests.threats import found

AROUND = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
    b"\r\r\n.\r\r\n", b"\n\r.\r\n", b"\r\n.\r\r\n", b"\n\n.\n\n", b"\x85.\x85", b"\xe2\x80\xa8.\xe2\x80\xa8",
    b"\r\n..\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n", b"\x0b.\x0b", b"\x0c.\x0c",
]  # fmt: skip
HEAD = b"From: ups@plant.example\r\nSubject: s\r\n\r\n"
SECOND = (
    b"MAIL FROM:<ups@plant.example>\r\nRCPT TO:<0421000002@sms.local>\r\nDATA\r\n"
    + HEAD
    + b"smuggled\r\n.\r\n"
)


@pytest.mark.threat(5, "smuggled", of="sequences")
@pytest.mark.parametrize("around", AROUND, ids=repr)
async def test_a_network_sender_smuggles_no_second_mail(start: Starter, around: bytes) -> None:
    server = await start(policy=POLICY_HERE)

    def talk() -> str:
        with From("127.0.0.1", server.port) as client:
            client.envelope("0421000001@sms.local")
            client.say("DATA")
            client.send(HEAD + b"first" + around + SECOND)
            return client.answer()

    assert (await asyncio.to_thread(talk))[:3] in ("250", "552")
    assert {sms.number for sms in await server.sms()} <= {"+61421000001"}


@pytest.mark.threat(5, "smuggled", of="sequences")
@pytest.mark.parametrize("around", AROUND, ids=repr)
async def test_a_stranger_reaches_no_number_behind_a_mail_to_postmaster(
    start: Starter, around: bytes
) -> None:
    server = await start(policy=replace(POLICY, rules=(AUTH_RULE,)))

    def talk() -> str:
        with From("127.0.0.2", server.port) as client:
            client.envelope("postmaster", sender="a@stranger.example")
            client.say("DATA")
            client.send(HEAD + b"first" + around + SECOND)
            return client.answer()

    assert (await asyncio.to_thread(talk))[:3] in ("250", "521")
    assert await server.sms() == ()


BEHIND_STARTTLS = [
    b"RSET\r\n", b"NOOP", b"EHLO evil\r\n", b"EHLO evil\r\n" + SECOND, b"STARTTLS\r\n", b"QUIT\r\n", b"\r\n", b"\n\n",
    b"\0", b"AUTH PLAIN AGNsaW5pYwBvcGVuIHNlc2FtZQ==\r\n", b"MAIL FROM:<ups@plant.example>\r\n",
]  # fmt: skip


@pytest.mark.threat(5, "done of what was put behind STARTTLS in clear", of="injections")
async def test_what_comes_in_clear_behind_starttls_is_never_done(
    start: Starter, trusting: ssl.SSLContext
) -> None:
    server = await start("starttls")

    def talk(injected: bytes, ends: bytes) -> list[str]:
        with From("127.0.0.1", server.port) as client:
            client.answer()
            client.say("EHLO c")
            client.send(b"STARTTLS" + ends + injected)
            assert client.answer().startswith("220 ")
            client.start_tls(trusting)
            return [
                client.say(one)[:9] for one in ("NOOP", "MAIL FROM:<a@plant.example>", "STARTTLS", "NOOP")
            ]

    done = 0
    for injected in BEHIND_STARTTLS:
        for ends in (b"\r\n", b"\n"):
            answers = await asyncio.to_thread(talk, injected, ends)
            done += answers != ["250 2.0.0", "503 5.5.1", "503 5.5.1", "250 2.0.0"]
    found(done, of=2 * len(BEHIND_STARTTLS))
    assert done == 0
    assert await server.sms() == ()
