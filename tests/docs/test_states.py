"""The page on the life of an SMS says what the table does."""

from tests.docs import states


def test_the_page_is_drawn_from_the_table() -> None:
    assert states.PAGE.read_text() == states.page(), "draw it again: python -m tests.docs.states"
