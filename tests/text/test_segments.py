"""Segments against a second, naive reading of 3GPP TS 23.038 and 23.040."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.sms_text import segments

# Written down again, by rows of 16 codes as in the standard's table, so that a slip in one place shows.
TABLE = [
    "@£$¥èéùìòÇ\nØø\rÅå",
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ",
    " !\"#¤%&'()*+,-./",
    "0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNO",
    "PQRSTUVWXYZÄÖÑÜ§",
    "¿abcdefghijklmno",
    "pqrstuvwxyzäöñüà",
]
ESCAPED = "\f^{}\\[~]|€"

letters = st.sampled_from("".join(TABLE).replace("\x1b", "") + ESCAPED)
anything = st.one_of(letters, st.sampled_from("…’żλ你😀👋"), st.characters(exclude_categories=["Cs"]))
lengths = st.integers(0, 500)


def texts_of(character: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Long texts at little cost: a few characters, repeated, with a few at the end."""
    return st.builds(
        lambda unit, times, tail: (unit * times)[:700] + tail,
        st.text(character, max_size=12),
        lengths,
        st.text(character, max_size=5),
    )


def naive(text: str) -> tuple[str, list[int]]:
    """The encoding and the size of each part, one character at a time."""
    in_gsm = all(any(c in row for row in TABLE) or c in ESCAPED for c in text) and "\x1b" not in text
    sizes = [(1 + (c in ESCAPED)) if in_gsm else len(c.encode("utf-16-be")) // 2 for c in text]
    single, several = (160, 153) if in_gsm else (70, 67)
    if sum(sizes) <= single:
        return ("gsm7" if in_gsm else "ucs2"), ([sum(sizes)] if text else [])
    parts = [0]
    for size in sizes:
        if parts[-1] + size > several:
            parts.append(0)
        parts[-1] += size
    return ("gsm7" if in_gsm else "ucs2"), parts


@given(st.one_of(texts_of(letters), texts_of(anything)))
@settings(max_examples=300, deadline=None)
def test_count_agrees_with_the_naive_reading(text: str) -> None:
    encoding, parts = naive(text)
    counted = segments.count(text)
    assert (counted.encoding, counted.units, counted.segments) == (encoding, sum(parts), len(parts))


@given(st.one_of(texts_of(letters), texts_of(anything)))
@settings(max_examples=300, deadline=None)
def test_split_loses_nothing_and_cuts_no_pair(text: str) -> None:
    pieces = segments.split(text)
    assert "".join(pieces) == text
    encoding, parts = naive(text)
    sizes = [
        sum(1 + (c in ESCAPED) for c in p) if encoding == "gsm7" else len(p.encode("utf-16-be")) // 2
        for p in pieces
    ]
    assert sizes == parts


@given(texts_of(anything), st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_a_text_cut_to_a_limit_fits_and_begins_like_the_whole(text: str, limit: int) -> None:
    shorter = segments.cut_to(text, limit)
    assert segments.count(shorter).segments <= limit
    if segments.count(text).segments <= limit:
        assert shorter == text
    else:
        assert text.startswith(shorter.removesuffix("...").removesuffix("…"))
        assert shorter.endswith(("...", "…"))


def test_the_alphabet_has_all_of_its_128_codes_but_the_escape() -> None:
    assert len(segments.GSM_BASIC) == 127
    assert frozenset("".join(TABLE)) - {"\x1b"} == segments.GSM_BASIC


def test_the_edges_of_one_part_are_160_and_70() -> None:
    counted = {size: segments.count("a" * size).segments for size in (0, 1, 160, 161, 306, 307)}
    assert counted == {0: 0, 1: 1, 160: 1, 161: 2, 306: 2, 307: 3}
    counted = {size: segments.count("ж" * size).segments for size in (70, 71, 134, 135)}
    assert counted == {70: 1, 71: 2, 134: 2, 135: 3}


def test_an_escaped_character_is_not_split_between_parts() -> None:
    assert [len(part) for part in segments.split("a" * 152 + "€" + "b" * 20)] == [152, 21]
    assert [len(part) for part in segments.split("ж" * 66 + "😀" + "ж" * 20)] == [66, 21]


def test_gsm_text_is_cut_with_three_dots_and_ucs2_text_with_an_ellipsis() -> None:
    assert segments.cut_to("x" * 200, 1) == "x" * 157 + "..."
    assert segments.cut_to("ж" * 80, 1) == "ж" * 69 + "…"
    assert segments.cut_to("word " * 50, 1).endswith("word...")


def test_cutting_away_the_one_costly_character_keeps_the_text_in_gsm() -> None:
    assert segments.cut_to("x" * 150 + "😀" + "x" * 50, 1) == "x" * 150 + "..."


def test_an_emoji_of_several_characters_is_kept_whole_or_left_out() -> None:
    assert segments.cut_to("ж" * 66 + "👋🏽" + "ж" * 9, 1) == "ж" * 66 + "…"
