"""What docs/scale.md reckons is what its models say."""

from pathlib import Path

from tests.docs import scale

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def test_the_page_holds_the_tables_of_the_models() -> None:
    page = PAGE.read_text()
    for table in (scale.waits_table(), scale.clusters_table()):
        assert table in page, f"copy it again: python -m tests.docs.scale\n{table}"


def test_a_single_sms_waits_for_what_is_claimed_already() -> None:
    for rate in (200, 500):
        assert abs(scale.single_sms_wait_s(rate, 1) - scale.CLAIMED / rate) < 0.02
    assert scale.ENOUGH_S < scale.single_sms_wait_s(20, 1) < scale.AHEAD_S + 0.1


def test_even_domains_share_evenly() -> None:
    assert 1 / scale.hottest_share(4, 0.0) > 3.8
    assert scale.hottest_share(1, 1.0) == 1
