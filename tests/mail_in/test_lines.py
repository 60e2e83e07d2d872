"""The end of a mail, dots, and line ends, whatever pieces the octets come in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail_in.lines import LineEnds, Unstuffer

_SOUP = st.lists(
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b".", b"..", b"a", b"\0", b"\r\n.", b"\n.\r\n", b"\r.\r", b"xyz"]
    ),
    max_size=30,
).map(b"".join)
_CUTS = st.lists(st.integers(0, 60), max_size=8)


def pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(octets)) for cut in cuts})
    return [octets[a:b] for a, b in zip([0, *places], [*places, len(octets)], strict=True)]


def unstuffed(octets: bytes, cuts: list[int]) -> tuple[bytes, bytes | None]:
    unstuffer, content = Unstuffer(), b""
    parts = pieces(octets, cuts)
    for index, part in enumerate(parts):
        more, rest = unstuffer.feed(part)
        content += more
        if rest is not None:
            return content, rest + b"".join(parts[index + 1 :])
    return content, None


@pytest.mark.threat(5, "smuggled", of="sequences")
@given(_SOUP, _SOUP, _CUTS)
def test_only_a_dot_between_two_crlf_ends_a_mail(mail: bytes, behind: bytes, cuts: list[int]) -> None:
    stream = mail + b"\r\n.\r\n" + behind
    end = re.search(rb"\A\.\r\n|\r\n\.\r\n", stream)
    assert end is not None
    wanted = stream[: end.start()] + (b"\r\n" if end[0].startswith(b"\r\n") else b"")
    wanted = re.sub(rb"(\A|\r\n)\.", rb"\1", wanted)
    assert unstuffed(stream, cuts) == (wanted, stream[end.end() :])


@given(_SOUP, _CUTS)
def test_a_mail_without_end_goes_on(mail: bytes, cuts: list[int]) -> None:
    stream = mail.replace(b"\r\n.\r\n", b"").removeprefix(b".\r\n")
    if b"\r\n.\r\n" not in b"\r\n" + stream:
        assert unstuffed(stream, cuts)[1] is None


@given(_SOUP, _CUTS)
def test_every_line_end_becomes_one_crlf_and_nul_goes(mail: bytes, cuts: list[int]) -> None:
    ends = LineEnds()
    mended = b"".join(ends.feed(piece) for piece in [*pieces(mail, cuts), b"\r\n"])
    wanted = re.sub(rb"\r*\n|\r", b"\n", mail.replace(b"\0", b"") + b"\r\n").replace(b"\n", b"\r\n")
    assert mended == wanted


@given(st.lists(st.sampled_from([b"a", b"\r\n", b".", b"\xff"]), max_size=20).map(b"".join))
def test_regular_lines_stay_as_they_are(mail: bytes) -> None:
    ends = LineEnds()
    assert ends.feed(mail) == mail
    assert not ends.odd


def test_a_long_run_of_carriage_returns_is_not_kept() -> None:
    ends = LineEnds()
    out = ends.feed(b"\r" * 5_000)
    assert out == b"\r\n" * 4_999
    assert ends.feed(b"x") == b"\r\nx"
