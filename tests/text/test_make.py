"""The pipeline: which text is taken, what is undone, what is told."""

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules import TextRule
from bridge.sms_text import Empty, SmsText, TooLong, make, segments
from bridge.sms_text.make import MAX_COSTLY
from bridge.sms_text.own_pattern import OwnPattern
from tests.threats import found


def made(
    plain: str | None = None, html: str | None = None, subject: str = "", limit: int = 3, **rule: Any
) -> SmsText | TooLong | Empty:
    return make(
        plain=plain, html=html, subject=subject, rule=TextRule(**rule), segments_limit=limit, sender="a@b"
    )


def text_of(*arguments: Any, **keywords: Any) -> str:
    sms = made(*arguments, **keywords)
    assert isinstance(sms, SmsText)
    return sms.text


def test_plain_text_comes_before_html() -> None:
    assert text_of("plain", "<p>html</p>") == "plain"


@pytest.mark.parametrize(
    "stub",
    [
        "",
        " \n\u00a0\n",
        "This is a multi-part message in MIME format.",
        "Your mail client does not support HTML.",
        "To view this message, please use an HTML compatible email viewer!",
        "View this email in your browser: https://x.example/v/1",
        "Diese Nachricht ist eine HTML-Nachricht.",
        "https://x.example/only/a/link",
    ],
)
def test_a_stub_gives_way_to_html(stub: str) -> None:
    assert text_of(stub, "<p>html</p>") == "html"


def test_a_stub_is_better_than_nothing() -> None:
    assert text_of("View this email in your browser", "<img src=x>") == "View this email in your browser"


def test_html_sent_as_plain_text_is_read_as_html() -> None:
    assert text_of("<!DOCTYPE html>\n<html><body>Zone <b>3</b></body></html>") == "Zone 3"
    assert text_of("<3 you") == "<3 you"


def test_cutting_history_that_leaves_nothing_is_undone() -> None:
    assert text_of("> a\n> b", subject="Fwd") == "> a\n> b"
    forwarded = "<div class=gmail_quote><div class=gmail_attr>Forwarded</div>Roster: 6</div>"
    assert text_of(html=forwarded, subject="Fwd") == "Forwarded\nRoster: 6"


def test_a_body_that_is_all_signature_gives_way_to_the_subject_or_stays() -> None:
    assert text_of("Sent from my iPhone", subject="Call me") == "Call me"
    assert text_of("Sent from my iPhone") == "Sent from my iPhone"
    signature = "<div class=gmail_signature>Ann</div>"
    assert text_of(html=signature, subject="Call me") == "Call me"
    assert text_of(html=signature) == "Ann"


def test_all_cuts_are_told() -> None:
    sms = made("Yes.\n-- \nAnn\n\nOn 12/3/24 09:58, Bob wrote:\n> x", limit=1)
    assert isinstance(sms, SmsText)
    assert (sms.text, sms.cut) == ("Yes.", ("quoted history", "signature"))


def test_a_mail_that_was_read_only_so_far_is_told() -> None:
    sms = make(plain="x", html=None, subject="", rule=TextRule(), segments_limit=1, truncated=True)
    assert isinstance(sms, SmsText)
    assert sms.cut == ("the end of a very long mail",)


@pytest.mark.parametrize(
    ("how", "body", "text"),
    [
        ("auto", "body", "body"),
        ("auto", "", "subject"),
        ("first", "body", "subject\nbody"),
        ("first", "", "subject"),
        ("only", "body", "subject"),
        ("ignore", "body", "body"),
    ],
)
def test_the_subject_stands_where_the_rule_puts_it(how: Any, body: str, text: str) -> None:
    sms = make(plain=body, html=None, subject="subject", rule=TextRule(subject=how), segments_limit=1)
    assert isinstance(sms, SmsText)
    assert sms.text == text


@pytest.mark.parametrize(
    ("how", "body", "subject"), [("auto", " ", ""), ("only", "body", ""), ("ignore", "", "s")]
)
def test_nothing_to_send_is_empty(how: Any, body: str, subject: str) -> None:
    sms = make(plain=body, html=None, subject=subject, rule=TextRule(subject=how), segments_limit=1)
    assert sms == Empty()


def test_a_template_may_leave_nothing() -> None:
    assert made("body", template="{{ subject }}") == Empty()


def test_the_first_of_several_stop_marks_ends_the_text() -> None:
    assert text_of("a ## b !! c", stop_marks=("!!", "##", "")) == "a"
    assert text_of("a ##", stop_marks=("##",)) == "a"
    assert text_of("## b", subject="s", stop_marks=("##",)) == "s"


def test_costly_characters_are_named() -> None:
    sms = made("Zone 3 – öffnen 😀 ☎", fold="none")
    assert isinstance(sms, SmsText)
    assert [(c.position, c.character, c.name) for c in sms.costly] == [
        (7, "–", "EN DASH"),
        (16, "😀", "GRINNING FACE"),
        (18, "☎", "BLACK TELEPHONE"),
    ]
    doubled = made("5 €")
    assert isinstance(doubled, SmsText)
    assert [c.name for c in doubled.costly] == ["EURO SIGN"]
    unnamed = made("\ue000" * 50)
    assert isinstance(unnamed, SmsText)
    assert [c.name for c in unnamed.costly] == ["U+E000"] * MAX_COSTLY


def test_a_text_too_long_is_refused_with_its_counts_or_cut() -> None:
    refused = made("x" * 161, limit=1)
    assert refused == TooLong(segments=2, limit=1, characters=161, encoding="gsm7")
    sms = made("x" * 161, limit=1, too_long="cut")
    assert isinstance(sms, SmsText)
    assert (len(sms.text), sms.segments, sms.cut) == (160, 1, ("4 characters after the limit",))


def test_the_operators_disclaimers_are_cut() -> None:
    assert text_of("Yes.\n\nABN 12 345", disclaimers=(re.compile("ABN"),)) == "Yes."


def test_an_emoji_alone_is_an_answer() -> None:
    assert text_of("👍", subject="Re: lunch") == "👍"
    assert text_of("?", subject="Re: lunch") == "?"


@given(
    st.one_of(st.none(), st.text(max_size=400)),
    st.one_of(st.none(), st.text(max_size=400)),
    st.text(max_size=60),
    st.sampled_from(["none", "typographic", "ascii"]),
    st.sampled_from(["auto", "none"]),
    st.integers(1, 3),
)
def test_any_mail_makes_a_text_within_its_limit_or_a_reason(
    plain: str | None, html: str | None, subject: str, fold: str, cut: str, limit: int
) -> None:
    sms = made(plain, html, subject, limit, fold=fold, cut=cut, too_long="cut")
    assert not isinstance(sms, TooLong)
    if isinstance(sms, SmsText):
        counted = segments.count(sms.text)
        assert (counted.encoding, counted.segments) == (sms.encoding, sms.segments)
        assert 1 <= sms.segments <= limit
        assert sms.text == sms.text.strip()


@pytest.mark.threat(6, "CPU for a mail against the operator's patterns", of="patterns", unit="s", at_most=0.5)
@pytest.mark.parametrize(
    ("pattern", "text"),
    [(r"(a+)+$", "a" * 9_000 + "!"), (r"(.*)*x", "y" * 9_000), ("a.*b.*c.*d.*e", "abc" * 3_000)],
)
def test_no_pattern_of_the_operator_takes_long(pattern: str, text: str) -> None:
    rule = TextRule(disclaimers=(OwnPattern(pattern),))
    begun = time.process_time()
    make(plain=f"Hello\n\n{text}", html=None, subject="", rule=rule, segments_limit=99, sender="a@b")
    found(time.process_time() - begun)
    assert time.process_time() - begun < 0.5


def test_a_pattern_of_the_operator_is_asked_of_any_text() -> None:
    assert OwnPattern("^GRÜSSE$").search("\ud800\ngrüsse\n")
    assert not OwnPattern("^grüsse$").search("grüsse an alle")
    with pytest.raises(ValueError, match="perl operator"):
        OwnPattern("(?=a)")
