"""Windows follow each other without a gap in every zone, whatever its clocks do."""

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.decide.windows import Span, moment, window
from tests.threats import found

ZONES = sorted(zoneinfo.available_timezones())
FIRST, LAST = 0, 2**41  # 1970 to 2039, in ms


def at(text: str, zone: str) -> int:
    there = datetime.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone))
    return round(there.timestamp() * 1000)


@given(
    st.sampled_from(ZONES).map(zoneinfo.ZoneInfo),
    st.integers(FIRST, LAST),
    st.sampled_from(["minute", "hour", "day", "month"]),
)
def test_each_moment_lies_in_one_window_and_the_next_begins_where_it_ends(
    zone: zoneinfo.ZoneInfo, now: int, span: Span
) -> None:
    one = window(span, now, zone)
    assert one.begins <= now < one.ends
    for inside in (one.begins, one.ends - 1, (one.begins + one.ends) // 2):
        assert window(span, inside, zone) == one
    assert window(span, one.ends, zone).begins == one.ends
    assert window(span, one.begins - 1, zone).ends == one.begins


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Australia/Sydney", "2026-04-05", 25),
        ("Australia/Sydney", "2026-10-04", 23),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("America/Sao_Paulo", "2018-11-04", 23),  # the clock skips midnight
        ("America/St_Johns", "2006-10-29", 25),  # it was set back at one minute past midnight
        ("Pacific/Apia", "2011-12-29", 24),  # and the 30th never was
        ("UTC", "2026-04-05", 24),
    ],
)
def test_a_day_has_the_hours_that_it_has_there(zone: str, day: str, hours: float) -> None:
    there = window("day", at(f"{day} 12:00", zone), zoneinfo.ZoneInfo(zone))
    assert (there.ends - there.begins) / 3_600_000 == hours


def test_a_month_begins_at_its_first_midnight() -> None:
    sydney = zoneinfo.ZoneInfo("Australia/Sydney")
    december = window("month", at("2026-12-31 23:59:59", "Australia/Sydney"), sydney)
    assert december.begins == at("2026-12-01 00:00", "Australia/Sydney")
    assert december.ends == at("2027-01-01 00:00", "Australia/Sydney")


def test_a_moment_is_told_on_the_operators_clock_and_with_its_day_if_that_is_another() -> None:
    sydney, now = zoneinfo.ZoneInfo("Australia/Sydney"), at("2026-11-27 23:30", "Australia/Sydney")
    assert moment(now + 60_000, now, sydney) == "23:31 AEDT"
    assert moment(now + 1_800_000, now, sydney) == "2026-11-28 00:00 AEDT"


@pytest.mark.threat(14, "windows with a gap or an overlap", of="zones")
def test_every_zone_has_whole_days_over_two_years() -> None:
    bad = 0
    for name in ZONES:
        zone, now = zoneinfo.ZoneInfo(name), at("2026-01-01 00:00", "UTC")
        for _ in range(25):
            month = window("month", now, zone)
            bad += (
                not (month.begins <= now < month.ends)
                or window("day", month.begins, zone).begins != month.begins
            )
            now = month.ends
    found(bad, of=len(ZONES))
    assert not bad
