"""Handing mails to a smarthost: who is to blame decides whether a mail waits or dies."""

import asyncio
import base64
import ssl
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.mail_out import Dead, Later, MailOut, Result, Sent, Smarthost
from tests.mail_out.sink import certificate, saying, serving

MAIL = b"From: a@sms.local\r\nSubject: hello\r\n\r\nline\r\n.dot\r\n"


def out(port: int, context: ssl.SSLContext | None = None, **changes: Any) -> MailOut:
    more = {key: changes.pop(key) for key in ("connections", "whole_s") if key in changes}
    host = replace(Smarthost("127.0.0.1", port, "starttls"), **changes)
    return MailOut(host, hello="sms.local", context=context, **more)


async def once(mail_out: MailOut, sender: str = "", to: str = "alex@clinic.example") -> Result:
    try:
        return await mail_out.hand_over(sender, to, MAIL)
    finally:
        await mail_out.close()


async def test_a_mail_arrives_octet_for_octet_with_the_null_sender() -> None:
    async with serving() as sink:
        result = await once(out(sink.port))
    assert result == Sent("250 2.0.0 taken")
    assert sink.mails == [("", ["alex@clinic.example"], MAIL)] or sink.mails[0][2] == MAIL
    assert sink.mails[0][0] in ("", "<>")


async def test_a_reply_carries_its_bounce_address() -> None:
    async with serving() as sink:
        await once(out(sink.port), sender="bounce+k1@sms.local")
    assert sink.mails[0][0] == "bounce+k1@sms.local"


async def test_one_connection_carries_many_mails() -> None:
    async with serving() as sink:
        mail_out = out(sink.port, connections=1)
        results = await asyncio.gather(*(mail_out.hand_over("", f"n{n}@a.example", MAIL) for n in range(20)))
        await mail_out.close()
    assert all(isinstance(result, Sent) for result in results)
    assert (len(sink.mails), sink.connections) == (20, 1)


async def test_no_more_connections_are_opened_than_allowed() -> None:
    async with serving() as sink:
        mail_out = out(sink.port, connections=3)
        await asyncio.gather(*(mail_out.hand_over("", f"n{n}@a.example", MAIL) for n in range(30)))
        await mail_out.close()
    assert len(sink.mails) == 30
    assert 1 <= sink.connections <= 3


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    async with serving() as sink:
        mail_out = out(sink.port)
        assert isinstance(await mail_out.hand_over("", "a@a.example", MAIL), Sent)
        sink.drop_next = True
        assert isinstance(await mail_out.hand_over("", "b@a.example", MAIL), Sent)
        await mail_out.close()
    assert (len(sink.mails), sink.connections) == (2, 2)


@pytest.mark.parametrize(
    ("field", "answer", "kind"),
    [
        ("at_mail", "451 4.3.0 not now", Later),
        ("at_mail", "550 5.7.1 this sender may not", Dead),
        ("at_mail", "530 5.7.0 authentication required", Later),
        ("at_rcpt", "450 4.2.0 greylisted", Later),
        ("at_rcpt", "452 4.2.2 mailbox full", Later),
        ("at_rcpt", "550 5.1.1 no such user", Dead),
        ("at_data", "451 4.7.1 try again", Later),
        ("at_data", "554 5.7.1 looks like spam", Dead),
        ("at_data", "421 4.3.2 going down", Later),
    ],
)
async def test_4xx_waits_and_5xx_about_the_mail_is_dead(
    field: str, answer: str, kind: type[Later | Dead]
) -> None:
    async with serving() as sink:
        setattr(sink, field, answer)
        mail_out = out(sink.port)
        result = await mail_out.hand_over("", "alex@clinic.example", MAIL)
        assert result == kind(answer)
        setattr(sink, field, "")
        assert isinstance(await mail_out.hand_over("", "kim@clinic.example", MAIL), Sent)
        await mail_out.close()


async def test_a_connection_that_stood_idle_too_long_or_carried_enough_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.mail_out.session.MAILS_PER_CONNECTION", 2)
    async with serving() as sink:
        mail_out = out(sink.port)
        for _ in range(3):
            assert isinstance(await mail_out.hand_over("", "a@a.example", MAIL), Sent)
        assert sink.connections == 2
        monkeypatch.setattr("bridge.mail_out.session.IDLE_S", -1.0)
        assert isinstance(await mail_out.hand_over("", "a@a.example", MAIL), Sent)
        await mail_out.close()
    assert (len(sink.mails), sink.connections) == (4, 3)


async def test_a_server_that_is_gone_when_we_say_goodbye_does_no_harm() -> None:
    async with serving() as sink:
        mail_out = out(sink.port)
        assert isinstance(await mail_out.hand_over("", "a@a.example", MAIL), Sent)
        sink.drop_at_quit = True
        await mail_out.close()
    assert len(sink.mails) == 1


async def test_a_command_that_gets_no_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.mail_out.session.COMMAND_S", 0.2)
    async with serving() as sink:
        sink.hang = True
        result = await once(out(sink.port))
    assert result == Later("the smarthost did not answer in time")


async def test_a_server_that_speaks_no_tls_on_a_tls_port_waits() -> None:
    async with saying(b"220 hello") as port:
        result = await once(out(port, tls="implicit"))
    assert isinstance(result, Later)
    assert "TLS" in result.error


async def test_a_server_that_hangs_up_at_auth_waits(tmp_path: Path) -> None:
    server, client = certificate(tmp_path)
    async with serving(server, auth=True) as sink:
        sink.drop_at_auth = True
        result = await once(out(sink.port, client, user="bridge", password="s3cret-canary"))
    assert result == Later("the smarthost closed the connection")


async def test_a_closed_port_waits() -> None:
    async with serving() as sink:
        port = sink.port
    result = await once(out(port))
    assert isinstance(result, Later)
    assert "cannot be reached" in result.error


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((b"554 5.7.1 go away",), "refused the session: 554"),
        ((b"220 hello", b"550 no EHLO", b"550 no HELO"), "refused the session: 550"),
        ((b"this is no SMTP",), "refused the session"),
        ((b"220 hello",), "closed the connection"),
        ((b"220 hello", b"250 me", b"250 ok", b"250 ok"), "closed the connection"),
    ],
)
async def test_a_server_that_does_not_want_to_talk_kills_no_mail(
    lines: tuple[bytes, ...], words: str
) -> None:
    async with saying(*lines) as port:
        result = await once(out(port))
    assert isinstance(result, Later)
    assert words in result.error


async def test_a_server_that_hangs_is_left_and_the_mail_waits() -> None:
    async with serving() as sink:
        sink.hang = True
        result = await once(out(sink.port, whole_s=0.3))
    assert result == Later("the smarthost did not answer in time")


async def test_a_mail_that_waits_for_a_connection_waits_no_longer_than_one_that_has_it() -> None:
    """Its claim would be over before it was handed over."""
    async with serving() as sink:
        sink.hang = True
        mail_out = out(sink.port, connections=1, whole_s=2.0)
        began = time.monotonic()
        both = await asyncio.gather(*(mail_out.hand_over("", "alex@clinic.example", MAIL) for _ in range(2)))
        took_s = time.monotonic() - began
        await mail_out.close()
    assert both == [Later("the smarthost did not answer in time")] * 2
    assert took_s < 3.5, "the other began to count when it had the connection"


@pytest.mark.parametrize("last", [b"220 hello", b"250 me"])
async def test_an_answer_in_the_very_moment_in_which_the_time_is_over_changes_nothing(last: bytes) -> None:
    """What ends a wait and what ends the hand-over are met in one turn of the loop."""
    async with saying(b"220 hello", b"250 me", b"250 ok", still_after=last, still_s=0.5) as port:
        result = await once(out(port, whole_s=0.3))
    assert result == Later("the smarthost did not answer in time")


async def test_what_a_server_says_is_one_bounded_line_of_ascii() -> None:
    hostile = b"550 5.1.1 \x1b[31m\xff\xfc \t" + b"x" * 400
    async with saying(b"220 hello", b"250 me", b"250 ok", hostile, b"250 ok") as port:
        result = await once(out(port))
    assert isinstance(result, Dead)
    assert result.error.isascii()
    assert result.error.isprintable()
    assert len(result.error) <= 200


async def test_starttls_is_used_when_offered_and_verified(tmp_path: Path) -> None:
    server, client = certificate(tmp_path)
    async with serving(server) as sink:
        assert isinstance(await once(out(sink.port, client)), Sent)
    session = sink.servers[0].session
    assert session is not None
    assert session.ssl is not None


async def test_a_certificate_nobody_vouches_for_stops_the_mail_but_kills_it_not(tmp_path: Path) -> None:
    server, _ = certificate(tmp_path)
    async with serving(server) as sink:
        result = await once(out(sink.port, ssl.create_default_context()))
    assert isinstance(result, Later)
    assert "certificate" in result.error
    assert sink.mails == []


async def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "other.example")
    async with serving(server) as sink:
        result = await once(out(sink.port, client))
    assert isinstance(result, Later)
    assert "certificate" in result.error
    assert sink.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("implicit", [False, True])
async def test_a_user_logs_in_over_tls(tmp_path: Path, implicit: bool) -> None:
    server, client = certificate(tmp_path)
    async with serving(server, implicit=implicit, auth=True) as sink:
        tls = "implicit" if implicit else "starttls"
        mail_out = out(sink.port, client, tls=tls, user="bridge", password="s3cret-canary")
        assert isinstance(await once(mail_out), Sent)
    assert len(sink.mails) == 1


async def test_a_password_never_goes_over_a_line_without_tls() -> None:
    async with serving(None) as sink:
        result = await once(out(sink.port, user="bridge", password="s3cret-canary"))
    assert isinstance(result, Later)
    assert "STARTTLS" in result.error
    assert sink.mails == []


async def test_a_wrong_password_waits_and_shows_nowhere(tmp_path: Path) -> None:
    server, client = certificate(tmp_path)
    async with serving(server, auth=True) as sink:
        result = await once(out(sink.port, client, user="bridge", password="wr0ng-canary"))
    assert result == Later("the smarthost refused our user or password: 535")
    assert "canary" not in repr(Smarthost("h", 1, "starttls", "u", "wr0ng-canary"))


async def test_a_server_without_auth_waits(tmp_path: Path) -> None:
    server, client = certificate(tmp_path)
    async with serving(server, auth_exclude_mechanism=["LOGIN", "PLAIN"]) as sink:
        result = await once(out(sink.port, client, user="bridge", password="s3cret-canary"))
    assert isinstance(result, Later)
    assert "AUTH" in result.error
    for secret in (b"s3cret-canary", b"\0bridge\0s3cret-canary"):
        assert base64.b64encode(secret).decode() not in result.error


@pytest.mark.parametrize("enabled", [True, False])
async def test_smtputf8_is_asked_for_only_when_an_address_needs_it(enabled: bool) -> None:
    async with serving(enable_SMTPUTF8=enabled) as sink:
        mail_out = out(sink.port)
        plain = await mail_out.hand_over("", "alex@clinic.example", MAIL)
        beyond = await mail_out.hand_over("", "jörg@clinic.example", MAIL)
        await mail_out.close()
    assert isinstance(plain, Sent)
    assert not any("SMTPUTF8" in option for option in sink.options[0])
    assert isinstance(beyond, Sent if enabled else Dead)


async def test_octets_beyond_ascii_are_announced() -> None:
    async with serving() as sink:
        mail_out = out(sink.port)
        await mail_out.hand_over("", "a@a.example", "Subject: ü\r\n\r\n".encode())
        await mail_out.close()
    assert "BODY=8BITMIME" in sink.options[0]


async def test_an_address_with_a_line_end_is_dead_and_injects_nothing() -> None:
    async with serving() as sink:
        result = await once(out(sink.port), to="a@b.example>\r\nRCPT TO:<c@d.example")
    assert not isinstance(result, Sent)
    assert sink.mails == []
