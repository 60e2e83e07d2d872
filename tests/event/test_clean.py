"""Dates, prices, phones and texts of the vendor."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.event import clean

SYDNEY = ZoneInfo("Australia/Sydney")


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16/10/2023 13:43 p.m.", ms(2023, 10, 16, 2, 43)),
        ("16/10/2023 01:43 p.m.", ms(2023, 10, 16, 2, 43)),
        ("16/10/2023 1:43 PM", ms(2023, 10, 16, 2, 43)),
        ("16/10/2023 12:05 a.m.", ms(2023, 10, 15, 13, 5)),
        ("16/10/2023 00:05 a.m.", ms(2023, 10, 15, 13, 5)),
        ("16/10/2023 12:05 p.m.", ms(2023, 10, 16, 1, 5)),
        ("16/10/2023 13:43:21", ms(2023, 10, 16, 2, 43, 21)),
        ("16/07/2023 13:43", ms(2023, 7, 16, 3, 43)),  # winter: ten hours
        ("2023-10-16 13:43:00", ms(2023, 10, 16, 2, 43)),
        ("2023-10-16T13:43", ms(2023, 10, 16, 2, 43)),
        ("2023-10-16T02:43:00Z", ms(2023, 10, 16, 2, 43)),
        ("2023-10-16T02:43:00.123Z", ms(2023, 10, 16, 2, 43) + 123),
        ("2023-10-16T02:43:00.1234567z", ms(2023, 10, 16, 2, 43) + 123),
        ("2023-10-16T13:43:00+11:00", ms(2023, 10, 16, 2, 43)),
        ("2023-10-16 13:43:00 +1100", ms(2023, 10, 16, 2, 43)),
    ],
)
def test_every_date_form_of_the_vendor_is_one_moment(text: str, expected: int) -> None:
    assert clean.moment(text, SYDNEY) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "31/02/2023 10:00",
        "2023-13-01 00:00:00",
        "0001-01-01 00:00",
        "16/10/2023 25:00",
        "9999-12-31T23:59:59-23:59",
        "１６/10/2023 13:43",
    ],
)
def test_what_is_no_date_is_none_and_no_error(text: str) -> None:
    assert clean.moment(text, SYDNEY) is None


@given(st.text(max_size=80))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    assert isinstance(clean.moment(text, SYDNEY), int | None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.20", 2_000),
        ("0.2", 2_000),
        ("1", 10_000),
        (" 0.0725 ", 725),
        (".5", 5_000),
        ("$0.10", 1_000),
        ("0", 0),
        ("", None),
        ("-0.10", None),
        ("free", None),
        ("1e5", None),
        ("٣", None),
        ("9999999999", None),
    ],
)
def test_a_price_is_ten_thousandths_or_none(text: str, expected: int | None) -> None:
    assert clean.price(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+61421000001", "+61421000001"),
        ("+61 421 000 001", "+61421000001"),
        ("0061421000001", "+61421000001"),
        ("0064 21-123 4567", "+64211234567"),
        ("0421000001", "0421000001"),
        ("61421000001", "61421000001"),
        ("BANK\r\nBcc: x", "BANK Bcc: x"),
        ("", ""),
    ],
)
def test_a_phone_is_e164_when_it_is_one_and_else_as_it_came(text: str, expected: str) -> None:
    assert clean.phone(text) == expected


@given(st.text(alphabet=st.characters(), max_size=200))
def test_cleaned_texts_can_be_stored_and_hold_no_controls(text: str) -> None:
    line, block = clean.word(text), clean.paragraph(text)
    (line + block).encode("utf-8")
    assert not [char for char in line if ord(char) < 32 or 127 <= ord(char) < 160]
    assert not [char for char in block if (ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160]


def test_halves_of_a_character_become_whole_again_and_a_lonely_half_a_mark() -> None:
    assert clean.paragraph("a\ud83d\ude00b") == "a😀b"
    assert clean.paragraph("a\ud83db") == "a\ufffdb"


def test_texts_are_bounded_and_keep_their_lines() -> None:
    assert clean.paragraph("a\r\nb\rc\td") == "a\nb\nc d"
    assert len(clean.paragraph("x" * 100_000)) == clean.MAX_TEXT
    assert len(clean.word("x" * 100_000)) == clean.MAX_WORD
