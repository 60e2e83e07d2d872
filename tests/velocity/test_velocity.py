"""When a sender is far above its habit: a table of people and machines, and what holds for all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.velocity import DAY_MS, Bounds, Habit, Hour, Measure, excesses, suspects

BOUNDS = Bounds(above=4, sms=60, new_numbers=30, one_number=20, learn_ms=7 * DAY_MS)
KNOWN = 14 * DAY_MS


def sms(*peaks: int, known_ms: int = KNOWN) -> Habit:
    return Habit(tuple(Hour(peak, 0, 0) for peak in peaks), known_ms)


def told(hour: Hour, habit: Habit) -> list[tuple[Measure, int, int]]:
    found = excesses(hour, habit, BOUNDS)
    assert suspects(hour, BOUNDS) or not found
    return [(one.measure, one.usual, one.limit) for one in found]


@pytest.mark.parametrize(
    ("hour", "habit", "wanted"),
    [
        (Hour(4, 0, 0), sms(1, 1, 1), []),
        (Hour(60, 0, 0), sms(1, 1, 1), []),
        (Hour(61, 0, 0), sms(1, 1, 1), [(Measure.SMS, 1, 60)]),
        (Hour(400, 0, 0), sms(100, 100, 90), []),
        (Hour(401, 0, 0), sms(100, 100, 90), [(Measure.SMS, 100, 400)]),
        (Hour(1_000, 0, 0), sms(300, 5, 4, 300, 6), []),
        (Hour(500, 0, 0), sms(5, 500, 6, 5), [(Measure.SMS, 6, 60)]),
        (Hour(500, 0, 0), sms(5, 500, 500, 5), []),
        (Hour(240, 0, 0), sms(known_ms=DAY_MS), []),
        (Hour(241, 0, 0), sms(known_ms=DAY_MS), [(Measure.SMS, 0, 240)]),
        (Hour(500, 0, 0), sms(200, known_ms=DAY_MS), []),
        (Hour(900, 0, 0), sms(200, known_ms=DAY_MS), [(Measure.SMS, 200, 800)]),
        (Hour(70, 0, 0), sms(), [(Measure.SMS, 0, 60)]),
        (Hour(40, 31, 1), Habit((Hour(40, 5, 1),) * 9, KNOWN), [(Measure.NEW_NUMBERS, 5, 30)]),
        (Hour(40, 39, 1), Habit((Hour(40, 10, 1),) * 9, KNOWN), []),
        (Hour(21, 0, 21), Habit((Hour(40, 5, 1),) * 9, KNOWN), [(Measure.ONE_NUMBER, 1, 20)]),
        (Hour(21, 0, 21), Habit((Hour(40, 5, 9),) * 9, KNOWN), []),
    ],
    ids=[
        "a small sender goes from 1 to 4",
        "a small sender, up to what is never too many",
        "one more",
        "a busy sender, four times its usual",
        "one more than that",
        "Monday's batch, as on the Mondays before",
        "the burst of one day is not usual the next time",
        "on two days it is",
        "a new sender's first day",
        "a new sender that begins with a flood",
        "a new sender that began busy",
        "and then goes far above that",
        "a sender known for long that has not sent for weeks",
        "many new numbers",
        "one whose numbers are always new",
        "one number again and again",
        "a machine that always does so",
    ],
)
def test_what_the_admin_hears(hour: Hour, habit: Habit, wanted: list[tuple[Measure, int, int]]) -> None:
    assert told(hour, habit) == wanted


hours = st.builds(Hour, *[st.integers(0, 2_000)] * 3)
habits = st.builds(Habit, st.lists(hours, max_size=15).map(tuple), st.integers(0, 30 * DAY_MS))


@given(hours, habits)
def test_nobody_is_told_of_within_what_is_never_too_much_or_usual(hour: Hour, habit: Habit) -> None:
    found = {one.measure for one in excesses(hour, habit, BOUNDS)}
    for measure in Measure:
        calm = hour.count(measure) <= max(BOUNDS.least(measure), BOUNDS.above * habit.usual(measure))
        assert not (calm and measure in found)
        flood = hour.count(measure) > BOUNDS.above * max(BOUNDS.least(measure), habit.usual(measure))
        assert not flood or measure in found


@settings(max_examples=40)
@given(hours, st.lists(hours, min_size=2, max_size=15), st.integers(0, 30 * DAY_MS))
def test_one_wild_day_more_changes_nothing_but_a_second_busiest(
    hour: Hour, days: list[Hour], known: int
) -> None:
    wild = Hour(10**6, 10**6, 10**6)
    calm = [Hour(1, 1, 1)] * 2
    assert excesses(hour, Habit((*calm, wild), known), BOUNDS) == excesses(
        hour, Habit(tuple(calm), known), BOUNDS
    )
    orders = {
        excesses(hour, Habit(tuple(some), known), BOUNDS)
        for some in (days, days[::-1], sorted(days, key=str))
    }
    assert len(orders) == 1
