"""Whether a mail fits: against a plain count of what was let through, for any limits and any times."""

import datetime
from collections import Counter
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bridge.decide.over import later_words, refusal
from bridge.decide.use import UNLIMITED, Cap, Fits, Over, Use, caps_of, judge
from bridge.decide.windows import Span, window
from bridge.rules import Limits

SYDNEY = ZoneInfo("Australia/Sydney")
NOON = round(datetime.datetime(2026, 11, 27, 12, tzinfo=SYDNEY).timestamp() * 1000)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NEVER = 1 << 60

MOST = st.none() | st.integers(1, 6)
TIMED = st.builds(
    Limits, per_minute=MOST, per_hour=MOST, per_day=MOST, over=st.sampled_from(["refuse", "pace"])
)
MAILS = st.lists(st.tuples(st.integers(0, 90 * MINUTE), st.integers(1, 4)), max_size=40)
SPANS: tuple[Span, ...] = ("minute", "hour", "day")


def most_of(limits: Limits, span: Span) -> int | None:
    return {"minute": limits.per_minute, "hour": limits.per_hour, "day": limits.per_day}.get(span)


@given(TIMED, MAILS)
def test_no_window_gets_more_than_its_number_and_nothing_is_refused_that_fits(
    limits: Limits, mails: list[tuple[int, int]]
) -> None:
    caps, so_far = caps_of(limits, None), [None] * 3
    uses: list[Use | None] = list(so_far[: len(caps)])
    sent: dict[Span, Counter[int]] = {span: Counter() for span in SPANS}
    now = NOON
    for pause, count in mails:
        now += pause
        judged = judge(caps, uses, [0] * count, now, now + DAY, SYDNEY)
        if isinstance(judged, Over):
            span = judged.cap.span
            if limits.over == "refuse":
                begins = window(span, now, SYDNEY).begins
                assert sent[span][begins] + count > judged.cap.most
            else:
                assert judged.due is not None
                assert judged.due >= now + DAY
            continue
        uses = list(judged.after)
        assert list(judged.due) == sorted(judged.due)
        assert all(now <= due < now + DAY for due in judged.due)
        for due in judged.due:
            for span in SPANS:
                sent[span][window(span, due, SYDNEY).begins] += 1
        for span in SPANS:
            most = most_of(limits, span)
            assert most is None or max(sent[span].values()) <= most


@given(TIMED, st.integers(1, 30))
def test_a_paced_sms_waits_no_longer_than_it_must(limits: Limits, count: int) -> None:
    caps = caps_of(Limits(per_minute=limits.per_minute, per_hour=limits.per_hour, over="pace"), None)
    judged = judge(caps, [None] * len(caps), [0] * count, NOON, NEVER, SYDNEY)
    assert isinstance(judged, Fits)
    in_minute: Counter[int] = Counter()
    in_hour: Counter[int] = Counter()
    expected, at = [], NOON
    for _ in range(count):
        while in_minute[at // MINUTE] >= (limits.per_minute or NEVER) or in_hour[at // HOUR] >= (
            limits.per_hour or NEVER
        ):
            at = (at // MINUTE + 1) * MINUTE
        in_minute[at // MINUTE] += 1
        in_hour[at // HOUR] += 1
        expected.append(at)
    assert list(judged.due) == expected


def test_the_longest_window_is_named() -> None:
    caps = caps_of(Limits(per_minute=1, per_hour=1, per_day=1), None)
    first = judge(caps, [None] * 3, [0], NOON, NEVER, SYDNEY)
    assert isinstance(first, Fits)
    over = judge(caps, first.after, [0], NOON, NEVER, SYDNEY)
    assert isinstance(over, Over)
    assert over.cap.name == "per_day"


def test_money_of_each_sender_is_counted_as_soon_as_any_money_is() -> None:
    caps = {cap.name: cap.most for cap in caps_of(Limits(), 5)}
    assert caps == {"spend_per_month": UNLIMITED, "spend_per_day": UNLIMITED, "spend_cap": 5}
    assert caps_of(Limits(), None) == ()


def test_what_costs_nothing_passes_a_limit_of_money_that_is_used_up() -> None:
    cap = Cap("spend_per_day", "day", 10, money=True)
    full = Use(NOON - HOUR, NOON + HOUR, 25)
    assert isinstance(judge([cap], [full], [0], NOON, NEVER, SYDNEY), Fits)
    assert isinstance(judge([cap], [full], [1], NOON, NEVER, SYDNEY), Over)


def test_answers_are_one_line_of_ascii_whatever_the_zone_is_called() -> None:
    odd = datetime.timezone(datetime.timedelta(hours=3), "Ζώνη")
    over = Over(Cap("per_hour", "hour", 1_000), Use(NOON, NOON + HOUR, 1_000), 1)
    answer = str(refusal(over, NOON, odd))
    assert answer.isascii()
    assert answer.startswith("550 5.7.1 at most 1,000 SMS an hour: 1,000 used so far")


def test_the_250_says_how_many_wait_when_not_all_do() -> None:
    assert later_words([NOON, NOON], NOON, SYDNEY) == ""
    assert later_words([NOON, NOON + HOUR, NOON + DAY], NOON, SYDNEY) == "2 sent from 13:00 AEDT"
    assert later_words([NOON + DAY], NOON, SYDNEY) == "sent from 2026-11-28 12:00 AEDT"
