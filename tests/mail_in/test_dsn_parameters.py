"""NOTIFY, RET, ENVID and ORCPT (RFC 3461): read strictly, nonsense refused, and never a way into a header."""

import asyncio
import smtplib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import decide, dsn
from bridge.dsn import Wish
from bridge.mail_in import commands
from bridge.mail_in.commands import BadParameter, NotWellFormed, UnknownParameter
from bridge.mail_in.intake import Standing, Transaction, _with_wishes
from tests.mail_in.client import Client
from tests.mail_in.conftest import Starter
from tests.store.conftest import mail

RCPT = "TO:<0421000001@sms.local>"
MAIL = "FROM:<ups@plant.example>"


def wished(parameters: str) -> Wish | None:
    return commands.rcpt_to(f"{RCPT} {parameters}").wish


@pytest.mark.parametrize(
    ("parameters", "wish"),
    [
        ("NOTIFY=NEVER", Wish(frozenset())),
        ("notify=success", Wish(frozenset({"SUCCESS"}))),
        ("NOTIFY=SUCCESS,FAILURE,DELAY", Wish(frozenset({"SUCCESS", "FAILURE", "DELAY"}))),
        ("NOTIFY=DELAY,DELAY", Wish(frozenset({"DELAY"}))),
        (
            "NOTIFY=FAILURE ORCPT=rfc822;jo+2Bsms@clinic.example",
            Wish(frozenset({"FAILURE"}), "rfc822;jo+sms@clinic.example"),
        ),
        (
            "ORCPT=RFC822;a+3Db+20c@x NOTIFY=FAILURE",
            Wish(frozenset({"FAILURE"}), "RFC822;a=b c@x"),
        ),
        ("ORCPT=utf-8;jürgen@x NOTIFY=DELAY", Wish(frozenset({"DELAY"}), r"utf-8;j\x{FC}rgen@x")),
        (r"ORCPT=utf-8;j\x{FC}rgen@x NOTIFY=DELAY", Wish(frozenset({"DELAY"}), r"utf-8;j\x{FC}rgen@x")),
        ("ORCPT=x400;/C=au/+21", None),
        ("ORCPT=rfc822;" + "a" * 493, None),
    ],
)
def test_what_a_client_wishes_is_read(parameters: str, wish: Wish | None) -> None:
    if "x400" in parameters:
        with pytest.raises(BadParameter):  # "=" must be +3D
            wished(parameters)
    else:
        assert wished(parameters) == wish


@pytest.mark.parametrize(
    "parameters",
    [
        "NOTIFY", "NOTIFY=", "NOTIFY=NEVER,FAILURE", "NOTIFY=FAILURE,NEVER", "NOTIFY=SUCCESS,", "NOTIFY=,",
        "NOTIFY=YES", "NOTIFY=SUCCESS NOTIFY=FAILURE", "NOTIFY=SUCCESS;FAILURE", "ORCPT", "ORCPT=",
        "ORCPT=jo@x", "ORCPT=;jo@x", "ORCPT=rfc822;", "ORCPT=rfc 822;jo@x", "ORCPT=rfc822;jo+0D+0Ax@x",
        "ORCPT=rfc822;jo+0dx", "ORCPT=rfc822;jo+@x", "ORCPT=rfc822;jo+2@x", "ORCPT=rfc822;jo+00@x", "ORCPT=rfc822;+FF",
        "ORCPT=rfc822;jürgen@x", "ORCPT=utf-8;", "ORCPT=" + "a" * 41 + ";jo@x", "ORCPT=rfc822;" + "a" * 494,
        "ORCPT=rfc822;a ORCPT=rfc822;b",
    ],
)  # fmt: skip
def test_nonsense_for_a_recipient_is_refused(parameters: str) -> None:
    with pytest.raises(BadParameter):
        wished(parameters)


@pytest.mark.parametrize(
    ("parameters", "envelope_id"),
    [
        ("RET=HDRS ENVID=QQ314159", "QQ314159"),
        ("ret=full", ""),
        ("ENVID=a+20b+3D", "a b="),
        ("ENVID=" + "a" * 100, "a" * 100),
    ],
)
def test_what_a_client_says_of_a_mail_is_read(parameters: str, envelope_id: str) -> None:
    assert commands.mail_from(f"{MAIL} {parameters}").envelope_id == envelope_id


@pytest.mark.parametrize(
    "parameters",
    [
        "RET", "RET=", "RET=BOTH", "RET=FULL,HDRS", "RET=FULL RET=FULL", "ENVID", "ENVID=", "ENVID=a+", "ENVID=a+0A",
        "ENVID=a+7F", "ENVID=a+FF", "ENVID=" + "a" * 101, "ENVID=é", "ENVID=a ENVID=b",
    ],
)  # fmt: skip
def test_nonsense_for_a_mail_is_refused(parameters: str) -> None:
    with pytest.raises(BadParameter):
        commands.mail_from(f"{MAIL} {parameters}")


def test_a_parameter_of_the_other_command_is_unknown() -> None:
    for argument in ("NOTIFY=NEVER", "ORCPT=rfc822;a"):
        with pytest.raises(UnknownParameter):
            commands.mail_from(f"{MAIL} {argument}")
    for argument in ("RET=FULL", "ENVID=a"):
        with pytest.raises(UnknownParameter):
            commands.rcpt_to(f"{RCPT} {argument}")


PIECES = ["NOTIFY=", "NEVER", "SUCCESS", ",", "ORCPT=", "rfc822;", "utf-8;", "+0A", "+0D", "+2B", "\\x{0A}", "=",
          " ", "RET=", "ENVID=", "FULL", "é", "\u2028", "\r", "\n", "\0", "a@x", "SIZE=", "1" * 30]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=10).map("".join))
def test_whatever_parameters_say_none_of_it_can_end_a_line_of_a_report(text: str) -> None:
    for said in (*_said_of_mail(text), *_said_of_recipient(text)):
        assert said.isascii()
        assert said == "" or said.isprintable()
        assert len(said) <= 5_000


def _said_of_mail(text: str) -> list[str]:
    try:
        return [commands.mail_from(f"{MAIL} {text}").envelope_id]
    except NotWellFormed:
        return []


def _said_of_recipient(text: str) -> list[str]:
    try:
        wish = wished(text)
    except NotWellFormed:
        return []
    return [wish.original] if wish else []


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30))
def test_xtext_comes_back_as_it_was_written(text: str) -> None:
    written = "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
    assert dsn.envelope_id(written) == text
    assert dsn.original(f"rfc822;{written}") == f"rfc822;{text}"


async def test_nonsense_is_answered_at_once_and_wishes_of_strangers_are_taken(start: Starter) -> None:
    server = await start()

    def talk() -> list[str]:
        with Client(server.port) as client:
            client.answer()
            names = client.say("EHLO c")
            said = [
                client.say(f"MAIL {MAIL} {one}") for one in ("ENVID=+", "NOTIFY=NEVER", "RET=HDRS ENVID=a")
            ]
            said += [
                client.say(f"RCPT {RCPT} {one}") for one in ("NOTIFY=NEVER,DELAY", "RET=HDRS", "NOTIFY=DELAY")
            ]
            return [str("250-DSN" in names), *said]

    assert await asyncio.to_thread(talk) == [
        "True",
        "501 5.5.4 a parameter is not well-formed",
        "555 5.5.4 a parameter is not known here",
        "250 2.1.0 OK",
        "501 5.5.4 a parameter is not well-formed",
        "555 5.5.4 a parameter is not known here",
        "250 2.1.5 OK",
    ]


@pytest.mark.parametrize(
    ("sender", "notify", "kept"),
    [
        ("ups@plant.example", "SUCCESS,FAILURE", {"SUCCESS", "FAILURE"}),
        ("ups@plant.example", "NEVER", set()),
        ("", "SUCCESS,FAILURE", None),
        ("", "NEVER", set()),
    ],
)
async def test_wishes_are_kept_with_the_mail_but_nobody_is_told_of_one_from_nobody(
    start: Starter, sender: str, notify: str, kept: set[str] | None
) -> None:
    server = await start()

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            raw = b"From: ups@plant.example\r\n\r\nBattery low\r\n"
            client.sendmail(sender, ["oncall@sms.local"], raw, ["ENVID=id7"], [f"NOTIFY={notify}"])

    await asyncio.to_thread(send)
    for line in await server.lines():
        story = await server.store.show(line.sms.message_id)
        assert story is not None
        wishes = story.mail.dsn
        assert (wishes.envelope_id if wishes else None) == (None if kept is None else "id7")
        assert (wishes and wishes.of(line.sms.number)) == (None if kept is None else Wish(frozenset(kept)))  # type: ignore[arg-type]


@pytest.mark.parametrize("proof", ["dmarc", "spf", "upstream", "operator"])
def test_wishes_of_a_client_that_is_not_proven_itself_make_no_report(proof: Any) -> None:
    transaction = Transaction(
        decide.Client("192.0.2.1"),
        Standing((), False, False),
        "a@x",
        "id",
        wishes={"+614": Wish(frozenset({"SUCCESS"}))},
    )
    taken = mail()
    assert _with_wishes(taken, transaction).mail.dsn is not None
    unproven = replace(taken, mail=replace(taken.mail, proof=proof))
    assert _with_wishes(unproven, transaction) == unproven
