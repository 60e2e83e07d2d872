"""The From field: what every reader reads alike passes, anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import MailError
from bridge.message import read
from bridge.message.address import every, single


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ('"Doe, John" <j@X.Example>', "j@x.example"),
        ("Doe, John <j@x.example>", "j@x.example"),
        ("=?utf-8?Q?J=C3=B6rg?= <j@x.example>", "j@x.example"),
        ("=?utf-8?B?SsO2cmc=?= =?utf-8?Q?M?= <j@x.example>", "j@x.example"),
        ("=?utf-8?Q?me@home?= <j@x.example>", "j@x.example"),
        ("j@x.example (Jo (the elder))", "j@x.example"),
        ("(Jo) j@x.example", "j@x.example"),
        ("(a \\) b) <j@x.example> (c)", "j@x.example"),
        ("j@x.example", "j@x.example"),
        ("  <j@x.example>  ", "j@x.example"),
        ("< j@x.example >", "j@x.example"),
        ('"jo@other.example" <j@x.example>', "j@x.example"),
        ("'j@x.example' <j@x.example>", "j@x.example"),
        ('"say \\"hi\\"" <j@x.example>', "j@x.example"),
        ("Alarm: zone 3 <j@x.example>", "j@x.example"),
        ("Jo O'Neill Jr. <jo.o'neill+x@x.example>", "jo.o'neill+x@x.example"),
        ("root@localhost", "root@localhost"),
        ("ups@[10.0.0.5]", "ups@[10.0.0.5]"),
        ("a..b.@docomo.example", "a..b.@docomo.example"),
        ("IMCEAEX-_O=CLINIC_OU=FIRST@x.example", "IMCEAEX-_O=CLINIC_OU=FIRST@x.example"),
        ("j@x.example,", "j@x.example"),
        ("M\xfcller <j@x.example>", "j@x.example"),
    ],
)
def test_an_honest_from_is_read(field: str, address: str) -> None:
    assert single(field.encode("latin-1")) == address
    assert read(b"From: " + field.encode("latin-1") + b"\r\n\r\nx").from_address == address


@pytest.mark.parametrize(
    "field",
    [
        "admin@legit.example <eve@evil.example>",
        "admin@legit.example, eve@evil.example",
        "<admin@legit.example> <eve@evil.example>",
        "<admin@legit.example>, <eve@evil.example>",
        "<admin@legit.example> eve@evil.example",
        "eve@evil.example admin@legit.example",
        "Group: admin@legit.example;",
        "Group: admin@legit.example, eve@evil.example;",
        "admin@legit.example: eve@evil.example",
        "undisclosed-recipients:;",
        "<@evil.example:admin@legit.example>",
        "<admin@legit.example@evil.example>",
        "admin(@evil.example)@legit.example",
        '"admin@legit.example',
        "admin@legit.example (unclosed",
        "<admin@legit.example",
        "admin@legit.example>",
        "<>",
        "",
        "panel",
        "admin @ legit.example",
        '"ad min"@legit.example',
        "admin@legit.example\\",
        "admin@l\xe9git.example",
        "admin@legit..example",
        "admin@-",
        "@legit.example",
        "admin@",
        "any@legit(a.attack>",
        "=?utf-8?Q?<admin@legit.example>?= eve@evil.example",
    ],
)
def test_an_unclear_from_is_refused(field: str) -> None:
    with pytest.raises(MailError):
        single(field.encode("latin-1"))


@pytest.mark.parametrize("control", [b"\x00", b"\r", b"\x0b", b"\x1b", b"\x7f"])
def test_control_characters_in_from_are_refused(control: bytes) -> None:
    with pytest.raises(MailError, match="control characters"):
        read(b"From: ann" + control + b"@clinic.example\r\n\r\nx")


@given(st.binary(max_size=200))
def test_any_bytes_give_one_plain_address_or_a_mail_error(field: bytes) -> None:
    try:
        address = single(field)
    except MailError:
        return
    assert address.isascii()
    assert address.isprintable()
    assert address.count("@") == 1
    assert address.encode().lower() in field.lower()


def test_lists_of_recipients_are_read_as_far_as_they_go() -> None:
    field = b'Wards: "A, B" <a@x.example>, b@X.example (B);, nobody, <c@x.example>, a@x.example, "open <d@x.example>'
    assert every(field) == ("a@x.example", "b@x.example", "c@x.example")


def test_to_and_cc_are_joined_without_doubles() -> None:
    mail = read(b"From: a@b\r\nTo: x@s, y@s\r\nCc: y@s, z@s\r\n\r\n.")
    assert mail.to_addresses == ("x@s", "y@s", "z@s")
