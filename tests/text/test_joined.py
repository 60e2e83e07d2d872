"""The text of an SMS that stands for many: the words of how many are whole, and it never takes more parts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.rules import MORE
from bridge.sms_text import check_more, joined, segments

texts = (
    st.builds(
        lambda unit, times: (unit * times)[:600],
        st.text(st.sampled_from("ab cé€^[]😀你é👨‍👩‍👧\n"), min_size=1, max_size=12),
        st.integers(1, 300),
    )
    .map(str.strip)
    .filter(bool)
)


def test_a_short_text_gets_the_words_behind_it() -> None:
    made = joined("UPS on battery", 57, MORE, 1)
    assert (made.text, made.encoding, made.segments) == ("UPS on battery (+57 more)", "gsm7", 1)


def test_a_full_segment_is_shortened_for_them() -> None:
    made = joined("x" * 160, 57, MORE, 1)
    assert made.text == "x" * 146 + "... (+57 more)"
    assert (len(made.text), made.segments) == (160, 1)


def test_where_the_limit_allows_it_nothing_is_cut() -> None:
    made = joined("x" * 160, 57, MORE, 2)
    assert (made.text, made.segments) == ("x" * 160 + " (+57 more)", 2)


def test_words_that_gsm_lacks_make_it_all_ucs2() -> None:
    made = joined("x" * 100, 3, "(ещё {{ count }})", 1)
    assert made.text.endswith("… (ещё 3)")
    assert (made.encoding, made.segments) == ("ucs2", 1)


@given(
    texts,
    st.integers(1, 99_999),
    st.integers(1, 4),
    st.sampled_from([MORE, "(ещё {{ count }})", "×{{ count }}"]),
)
@settings(max_examples=100, deadline=None)
def test_it_keeps_to_the_limit_and_cuts_no_pair(text: str, count: int, limit: int, more: str) -> None:
    made = joined(text, count, more, limit)
    ending = " " + more.replace("{{ count }}", str(count))
    assert made.text.endswith(ending)
    counted = segments.count(made.text)
    assert (made.encoding, made.segments) == (counted.encoding, counted.segments)
    assert made.segments <= limit
    kept = made.text.removesuffix(ending)
    if kept != text:
        beginning = kept.removesuffix("...").removesuffix("…")
        assert text.startswith(beginning)
        assert "\ud800" not in beginning.encode("utf-16", "surrogatepass").decode("utf-16")
        rest = text[len(beginning) :]
        assert rest.strip(), "nothing was left out, and yet it says so"
        assert not beginning.endswith("\u200d") or rest[0].isspace(), "a joined emoji was cut in two"


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("(+{{ count }} more)", None),
        ("{{ count }}", None),
        ("and more", "must have {{ count }} once"),
        ("{{ count }} {{ count }}", "must have {{ count }} once"),
        ("{{ count }}" + "x" * 150, "is too long"),
        ("{{ count }}" + "ж" * 60, "is too long"),
    ],
)
def test_words_that_cannot_be_used_are_told(words: str, wrong: str | None) -> None:
    said = check_more(words)
    assert (said is None) if wrong is None else (said is not None and said.startswith(wrong))
