"""The page on faults says what the tests of faults expect."""

from tests.docs import faults


def test_the_page_is_written_from_the_tables_of_the_tests() -> None:
    assert faults.PAGE.read_text() == faults.page(), "write it again: python -m tests.docs.faults"
