"""Colours: whatever accent a brand picks, the words on it can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.render import colour

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(COLOURS)
def test_the_text_on_any_accent_reaches_aa(accent: str) -> None:
    assert colour.contrast(colour.on(accent), accent) >= 4.5


@given(COLOURS, st.sampled_from(["#ffffff", "#1b2430"]))
def test_an_accent_made_readable_reaches_aa(accent: str, background: str) -> None:
    assert colour.contrast(colour.readable(accent, background), background) >= 4.5


def test_the_contrast_is_that_of_wcag() -> None:
    assert colour.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colour.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert colour.on("#0a7d6c") == "#ffffff"
    assert colour.on("#facc15") == "#111827"
    assert colour.readable("#0a7d6c", "#ffffff") == "#0a7d6c"


@pytest.mark.parametrize("wrong", ["", "red", "#fff", "#12345g", "#123456;x:y", "#123456\n"])
def test_what_is_no_colour_comes_into_no_style_sheet(wrong: str) -> None:
    assert colour.valid(wrong) == colour.DEFAULT_ACCENT
    assert colour.valid("#ABCDEF") == "#abcdef"
