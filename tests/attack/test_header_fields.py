"""Header fields made to be read for ever: parameters of Content-Type and Content-Disposition without end."""

import time

import pytest

from bridge.mail_in.skim import Skimmer
from bridge.message import read
from bridge.message.fields import content_type
from tests.threats import found

FROM = b"From: jo@clinic.example\r\n"
MIXED = FROM + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
FAR_BELOW_QUADRATIC_S = 2.0  # a reader that starts again at each character takes ten times as long
ENDLESS = [
    pytest.param(b"; " * 3_900, id="separators"),
    pytest.param(b";" + b" " * 7_900 + b"x", id="blanks before a name"),
    pytest.param(b";" + b"a" * 60 + b" " * 7_800 + b"x", id="blanks behind a name"),
    pytest.param(b";" + b"a" * 7_900, id="a name"),
    pytest.param(b';a="' + b"\\" * 7_900, id="a quoted value"),
    pytest.param(b';a="' * 1_900, id="quotes"),
    pytest.param(b";a*1*=x" * 1_100, id="pieces of one value"),
]


@pytest.mark.threat(6, "CPU for a mail of endless fields", of="mails", unit="s", at_most=2)
@pytest.mark.parametrize("value", ENDLESS)
@pytest.mark.parametrize("field", [b"Content-Type: text/plain", b"Content-Disposition: inline"])
def test_a_mail_of_parts_whose_parameters_have_no_end_is_read_at_once(field: bytes, value: bytes) -> None:
    raw = MIXED + (b"--x\r\n" + field + value + b"\r\n\r\nhello\r\n") * 30 + b"--x--\r\n"
    began = time.process_time()
    assert "hello" in (read(raw).plain or "")
    found(took := time.process_time() - began)
    assert took < FAR_BELOW_QUADRATIC_S


@pytest.mark.threat(6, "CPU for a mail of endless fields", of="mails", unit="s", at_most=2)
@pytest.mark.parametrize("value", ENDLESS)
def test_skimming_such_parts_does_not_hold_up_other_clients(value: bytes) -> None:
    kept: list[bytes] = []
    skimmer = Skimmer(kept.append)
    raw = MIXED + (b"--x\r\nContent-Type: text/plain" + value + b"\r\n\r\nhello\r\n") * 80 + b"--x--\r\n"
    began = time.process_time()
    skimmer.feed(raw)
    skimmer.close()
    found(took := time.process_time() - began)
    assert took < FAR_BELOW_QUADRATIC_S
    assert b"".join(kept) == raw


def test_honest_parameters_are_read_as_before() -> None:
    found = content_type(
        b'text/plain ; charset = "utf-8";format=flowed delsp=yes;\tname*0="a \\"b"; name*1=\'c\'; x*=utf-8\'\'%C3%A9',
        "text/plain",
    ).parameters
    assert dict(found) == {
        "charset": "utf-8", "format": "flowed", "delsp": "yes", "name": 'a "bc', "x": "é",
    }  # fmt: skip
