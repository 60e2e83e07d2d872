"""The skimmer: what it keeps reads like the whole mail, and bodies that are no text cost nothing."""

import base64
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import message
from bridge.errors import MailError
from bridge.mail_in import skim
from bridge.mail_in.skim import Skimmer
from bridge.message import InboundMail

_NAMES = st.sampled_from(["b", "b1", "b-", "b--", "x y", "=_Part", "b:c"])
_KINDS = st.sampled_from(
    [
        "text/plain", "text/html; charset=utf-8", "text/calendar", "image/png", "application/pdf",
        "application/xhtml+xml", "message/rfc822", "application/octet-stream; name=\"a.txt\"", "weird", "",
        "application/pkcs7-mime; smime-type=signed-data", "message/delivery-status", "text/plain; name=notes.txt",
    ]
)  # fmt: skip
_PLACES = st.sampled_from(["", "attachment; filename=a.txt", "inline", "attachment"])
_LINES = st.lists(
    st.sampled_from(
        ["hello", "", "--", "-- ", "--b", "--b--", "--b1", "-", "From: x@y", "Content-Type: text/plain",
         " folded", "a: b", "--b   ", "QUJDREVG", "bye", "--x y", "----", "From me"]
    ),
    max_size=6,
)  # fmt: skip
_ENDS = st.sampled_from(["\r\n", "\n"])


@st.composite
def _part(draw: st.DrawFn, depth: int) -> list[str]:
    if depth and draw(st.booleans()):
        return draw(_multipart(depth))
    head = []
    kind, place = draw(_KINDS), draw(_PLACES)
    if kind:
        head.append(f"Content-Type: {kind}")
    if place:
        head.append(f"Content-Disposition: {place}")
    blank = [""] if draw(st.integers(0, 9)) else []
    return [*head, *blank, *draw(_LINES)]


@st.composite
def _multipart(draw: st.DrawFn, depth: int) -> list[str]:
    name = draw(_NAMES)
    kind = draw(st.sampled_from(["mixed", "alternative", "related", "signed", "report", "digest"]))
    lines = [f'Content-Type: multipart/{kind}; boundary="{name}"', "", *draw(_LINES)]
    for part in draw(st.lists(_part(depth - 1), max_size=3)):
        lines += [f"--{name}", *part]
    if draw(st.booleans()):
        lines.append(f"--{name}--")
    return lines + draw(_LINES)


@st.composite
def _mail(draw: st.DrawFn) -> bytes:
    top = draw(
        st.sampled_from([["From: a@b.example", "Subject: s"], ["From x Mon", "From: a@b.example"], []])
    )
    lines = [*top, *draw(st.one_of(_multipart(2), _part(0)))]
    end = draw(_ENDS)
    return (end.join(lines) + draw(st.sampled_from([end, ""]))).encode()


def skimmed(raw: bytes, cuts: list[int] | None = None) -> tuple[bytes, bool]:
    kept: list[bytes] = []
    skimmer = Skimmer(kept.append)
    places = sorted({min(cut, len(raw)) for cut in cuts or []})
    for start, end in zip([0, *places], [*places, len(raw)], strict=True):
        skimmer.feed(raw[start:end])
    skimmer.close()
    return b"".join(kept), skimmer.cut


def read(raw: bytes) -> InboundMail | str:
    try:
        return message.read(raw)
    except MailError as error:
        return str(error)


@settings(max_examples=250, deadline=None)
@given(_mail(), st.lists(st.integers(0, 400), max_size=5))
def test_a_skimmed_mail_reads_like_the_whole_one(raw: bytes, cuts: list[int]) -> None:
    kept, cut = skimmed(raw, cuts)
    assert not cut
    assert read(kept) == read(raw)


@settings(max_examples=100, deadline=None)
@given(_mail())
def test_how_the_octets_arrive_changes_nothing(raw: bytes) -> None:
    assert skimmed(raw, list(range(len(raw)))) == skimmed(raw)


def _with_picture(picture: bytes) -> bytes:
    encoded = base64.encodebytes(picture).replace(b"\n", b"\r\n")
    return (
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n"
        b"--q\r\nContent-Type: text/plain\r\n\r\nbefore\r\n"
        b"--q\r\nContent-Type: image/png; name=logo.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + encoded
        + b"\r\n--q\r\nContent-Type: text/plain\r\n\r\nafter\r\n--q--\r\n"
    )


def test_a_picture_is_read_past_and_the_text_behind_it_kept() -> None:
    raw = _with_picture(random.Random(1).randbytes(3_000_000))
    kept, cut = skimmed(raw, list(range(0, len(raw), 65_536)))
    assert len(kept) < 600
    assert not cut
    whole = message.read(raw)
    assert message.read(kept) == whole
    assert whole.plain is not None
    assert "before" in whole.plain
    assert "after" in whole.plain


def test_a_text_over_its_cap_is_told() -> None:
    line = b"x" * 98 + b"\r\n"
    raw = b"From: a@b.example\r\n\r\n" + line * 60_000
    kept, cut = skimmed(raw, list(range(0, len(raw), 65_536)))
    assert len(kept) <= skim.MAX_PART + 100
    assert not cut, "one part of over 4 MiB is cut where the reader itself stops and says so"
    assert message.read(kept).truncated
    assert read(kept) == read(raw)


def test_many_texts_over_the_cap_of_all_are_told() -> None:
    part = b"--q\r\n\r\n" + (b"y" * 98 + b"\r\n") * 30_000
    raw = b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n" + part * 4
    kept, cut = skimmed(raw, list(range(0, len(raw), 65_536)))
    assert cut
    assert len(kept) <= skim.MAX_KEPT


@pytest.mark.parametrize("count", [105, 5_000])
def test_more_parts_than_are_taken_end_the_skimming(count: int) -> None:
    raw = (
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n"
        + b"--q\r\n\r\nx\r\n" * count
    )
    assert read(skimmed(raw)[0]) == "the mail has more than 100 parts"


def test_a_header_without_end_is_not_held() -> None:
    waiting = []
    skimmer = Skimmer(lambda _: None)
    for _ in range(40):
        skimmer.feed(b"X-A: " + b"x" * 65_000)
        waiting.append(skimmer.waiting)
    assert max(waiting) < 400_000
    assert read(skimmed(b"A: b\r\n" * 100_000)[0]) == read(b"A: b\r\n" * 100_000)


def test_nested_deeper_than_is_taken_is_refused_alike() -> None:
    lines: list[bytes] = [b"From: a@b.example"]
    for level in range(40):
        lines += [b"Content-Type: multipart/mixed; boundary=n%d" % level, b"", b"--n%d" % level]
    raw = b"\r\n".join(lines) + b"\r\n\r\ntext\r\n"
    assert read(skimmed(raw)[0]) == read(raw) == "the mail nests more than 20 parts deep"
