"""Addresses and parameters of MAIL and RCPT, logins of AUTH, and the promise about answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.decide import Refuse
from bridge.mail_in import commands, replies
from bridge.mail_in.commands import MailFrom, NotWellFormed


@pytest.mark.threat(23, "not served", of="ways of honest clients")
@pytest.mark.parametrize(
    ("argument", "sender", "size"),
    [
        ("FROM:<a@b.example>", "a@b.example", 0),
        ("from:<>", "", 0),
        ("FROM: <a@b.example> SIZE=7", "a@b.example", 7),
        ("FROM:a@b.example", "a@b.example", 0),
        ("FROM:<root>", "root", 0),
        ('FROM:<"a b"@c.example>', '"a b"@c.example', 0),
        ("FROM:<ups@[10.0.0.1]>", "ups@[10.0.0.1]", 0),
        ("FROM:<jürgen@bücher.example> SMTPUTF8", "jürgen@bücher.example", 0),
        ("FROM:<a@b.example>  RET=FULL   size=0012", "a@b.example", 12),
    ],
)
def test_senders_in_their_usual_forms_are_read(argument: str, sender: str, size: int) -> None:
    assert commands.mail_from(argument) == MailFrom(sender, size)


@pytest.mark.parametrize(
    "argument",
    [
        "", "FROM:", "FROM:<a@b", "FROM:a@b>", "FROM:<a@b>x", "FROM:<a b@c>", "FROM:<a@b@c>", "FROM:<<a@b>>",
        "FROM:<@r:a@b>", "FROM:<a@>", "FROM:<@b>", 'FROM:<"a@b>', "FROM:<a\u202e@b>\u2028", "FROM:<a\x00@b>",
        "FROM:<a\x7f@b>", "FROM:<a\r@b>", "TO:<a@b>", "FROM <a@b>", "FROM:<a@b c>", "FROM:<" + "a" * 300 + "@b>",
    ],
)  # fmt: skip
def test_what_is_not_clearly_an_address_is_none(argument: str) -> None:
    with pytest.raises(NotWellFormed):
        commands.mail_from(argument)


@given(st.text(max_size=40))
def test_no_recipient_holds_a_control_a_blank_outside_quotes_or_a_bracket(text: str) -> None:
    try:
        address = commands.rcpt_to(f"TO:<{text}>").address
    except NotWellFormed:
        return
    assert all(character.isprintable() or ord(character) > 0xA0 for character in address)
    assert "<" not in address or address.startswith('"')


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"\0Bob@X.example\0pw", ("bob@x.example", b"pw")),
        (b"bob\0bob\0p\xff", ("bob", b"p\xff")),
        (b"other\0bob\0pw", None),
        (b"\0bob", None),
        (b"a\0b\0c\0d", None),
    ],
)
def test_a_plain_login_is_user_and_password_and_for_oneself(
    message: bytes, found: tuple[str, bytes] | None
) -> None:
    assert commands.plain_login(message) == found


@given(st.text())
def test_an_answer_is_one_line_of_ascii_whatever_it_is_made_of(text: str) -> None:
    for answer in (replies.checked(text), replies.refusal(Refuse(550, "5.7.1", text))):
        assert answer.endswith(b"\r\n")
        assert len(answer) <= 512
        assert all(32 <= octet < 127 for octet in answer[:-2])


def test_every_constant_answer_is_one_line_of_ascii_with_its_codes() -> None:
    for name, value in vars(replies).items():
        if name.isupper() and isinstance(value, bytes) and not name.startswith("_"):
            line = value.decode("ascii").removesuffix("\r\n")
            assert "\r" not in line
            assert "\n" not in line
            assert len(line) <= 510
            assert line[:3].isdigit()
            if line[0] in "245":
                assert line[4] == line[0] or name == "NONE", name
                assert line[5] == "."
