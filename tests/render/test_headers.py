"""Header fields: folded, encoded, and refused when they do not read back."""

import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import RenderError
from bridge.render import headers
from tests.render import reading


def one(name: str, value: str) -> str:
    raw = headers.write([(name, value)])
    assert all(len(line) <= 78 for line in raw.decode().split("\r\n"))
    return str(reading.parsed(raw + b"\r\n")[name])


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=200))
def test_any_text_reads_back_as_it_was(value: str) -> None:
    raw = headers.write([("Subject", headers.text(value))])
    written = raw.decode().removeprefix("Subject: ").replace("\r\n ", " ").strip()
    assert str(make_header(decode_header(written))) == value


@pytest.mark.parametrize(
    "name", ['a "b" \\ c', "Jörg & Söhne", "=?utf-8?q?x?=", "x" * 60, "会" * 40, "a, b; c <d@e>"]
)
def test_a_display_name_reads_back_and_hides_no_address(name: str) -> None:
    raw = headers.write([("From", headers.mailbox(name, "+614@sms.local"))])
    (found,) = reading.parsed(raw + b"\r\n")["From"].addresses
    assert found.addr_spec == "+614@sms.local"
    phrase = raw.decode().removeprefix("From: ").replace("\r\n ", " ").rpartition(" <")[0]
    read = str(make_header(decode_header(phrase)))
    assert re.sub(r"\\(.)", r"\1", read.strip('"') if read.startswith('"') else read) == name


def test_a_mailbox_without_name_is_the_address() -> None:
    assert headers.mailbox("", "a@b.example") == "a@b.example"


def test_words_are_folded_and_a_long_one_stays_whole() -> None:
    assert one("Subject", headers.text("word " * 40)) == ("word " * 40).strip()
    ids = [f"<{n:040d}@host.example>" for n in range(30)]
    kept = one("References", headers.message_ids(ids)).split()
    assert kept == [ids[0], *ids[-19:]]


@pytest.mark.parametrize(
    "bad", ["no brackets", "<a b@c>", "<a@b>\r\nBcc: x", "<>", "<a@b", "<ü@b>", "<" + "a" * 300 + "@b>"]
)
def test_a_malformed_message_id_is_left_out(bad: str) -> None:
    assert headers.message_ids([bad, "<a@b>", "<a@b>"]) == "<a@b>"


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a\r\nBcc: x\r\n\r\n",
        b"From: a\nBcc: x\r\n\r\n",
        b"From: a\rBcc: x\r\n\r\n",
        b"From a\r\n\r\n",
        b"From : a\r\n\r\n",
        b"From: " + b"a" * 1000 + b"\r\n\r\n",
        b" From: a\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_a_header_that_does_not_read_back_is_an_error(raw: bytes) -> None:
    with pytest.raises(RenderError):
        headers.check(raw, ["From"])


def test_a_line_end_in_a_value_starts_no_field() -> None:
    raw = headers.write([("A", "x\r\nB: y\rC: z\nD: w\x0bE: v\x85F: u")])
    assert reading.names(raw + b"\r\n") == ["A"]
    assert reading.parsed(raw + b"\r\n").keys() == ["A"]
