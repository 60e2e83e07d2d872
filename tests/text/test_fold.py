"""Folding: what costs money is replaced, what is fine is not touched."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sms_text import fold, segments
from bridge.sms_text.fold import clean, tidy

GSM = "".join(sorted(segments.GSM - {"\r", "\f"}))


@given(st.text(st.sampled_from(GSM)), st.sampled_from(["none", "typographic", "ascii"]))
def test_gsm_text_is_never_changed(text: str, how: str) -> None:
    assert clean(text) == text
    assert fold.fold(text, how) == fold.Folded(text, 0, 0)


@given(st.text(), st.sampled_from(["none", "typographic", "ascii"]))
def test_folding_ends_with_what_it_would_not_fold_again(text: str, how: str) -> None:
    once = fold.fold(clean(text), how)
    again = fold.fold(clean(once.text), how)
    assert again.text == clean(once.text)


@given(st.text())
def test_clean_text_has_no_controls_and_no_marks_of_direction(text: str) -> None:
    for character in clean(text):
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cs")
        assert unicodedata.bidirectional(character) not in (
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
        )


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("It’s “fine” – really…", 'It\'s "fine" - really...'),
        ("«oui» ‹non›", "\"oui\" 'non'"),
        ("a\u00a0b\u202fc\u2009d\u3000e", "a b c d e"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("• one", "- one"),
        ("ﬁne ﬂow", "fine flow"),
        ("tick `code`", "tick 'code'"),
        ("join\u200der", "joiner"),
        ("père żółw", "père żółw"),
    ],
)
def test_typographic_folding_replaces_the_signs_of_word_processors(text: str, folded: str) -> None:
    assert fold.fold(clean(text), "typographic").text == folded


@pytest.mark.parametrize(
    ("text", "folded", "dropped"),
    [
        ("żółw łódź œuvre Þór", "zolw lodz oeuvre Thór".replace("ó", "o"), 0),
        ("ça va, naïve, Ñandú", "ca va, naive, Ñandu", 0),
        ("25 °C ± 1 → ok ½", "25 degC +/- 1 -> ok 1/2", 0),
        ("party 🎉 now", "party now", 1),
        ("a 🎉b", "a b", 1),
        ("family 👨‍👩‍👧!", "family !", 3),
        ("ＦＵＬＬ width", "FULL width", 0),
        ("Привет", "Привет", 0),
        ("日本", "日本", 0),
    ],
)
def test_ascii_folding_keeps_letters_and_drops_emoji(text: str, folded: str, dropped: int) -> None:
    made = fold.fold(clean(text), "ascii")
    assert (made.text, made.dropped) == (folded, dropped)


def test_joiners_stay_where_a_script_or_an_emoji_needs_them() -> None:
    for text in ("می\u200cخواهم", "👨\u200d👩"):
        assert fold.fold(text, "typographic").text == text


def test_decomposed_letters_are_one_character() -> None:
    assert clean("e\u0301") == "é"


def test_long_runs_of_accents_are_normalised_in_pieces() -> None:
    text = "\u0301\u0323" * 20_000
    assert len(clean(text)) == len(text)


def test_lines_and_blanks_are_tidied() -> None:
    assert tidy("\n\n a  \n\n\n\nb \u00a0\n\n") == "a\n\nb"
    assert clean("a\r\nb\rc\x0bd\u2028e\tf") == "a\nb\nc\nd\ne f"
