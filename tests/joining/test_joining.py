"""When the same text is sent, held back or joined: storms as tables and as any order of mails."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.joining import Joined, Next, Step, Window, next_step

MINUTE = 60_000
WITHIN = 10 * MINUTE
WAITS = Joined(waits=True)
NEVER_SENT = Joined(waits=False)


def sent(at: int) -> Joined:
    return Joined(waits=False, sent_at=at)


@pytest.mark.parametrize(
    ("window", "now", "wanted"),
    [
        (None, 0, Next(Step.SEND, WITHIN)),
        (Window(WITHIN), 1, Next(Step.BEGIN, WITHIN)),
        (Window(WITHIN), WITHIN - 1, Next(Step.BEGIN, WITHIN)),
        (Window(WITHIN), WITHIN, Next(Step.SEND, 2 * WITHIN)),
        (Window(WITHIN, WAITS), 5, Next(Step.ADD, WITHIN)),
        (Window(WITHIN, WAITS), 9 * WITHIN, Next(Step.ADD, WITHIN)),
        (Window(WITHIN, sent(WITHIN + 5)), WITHIN + 9, Next(Step.BEGIN, 2 * WITHIN + 5)),
        (Window(WITHIN, sent(WITHIN)), 2 * WITHIN, Next(Step.SEND, 3 * WITHIN)),
        (Window(WITHIN, sent(9 * WITHIN)), 9 * WITHIN + 1, Next(Step.BEGIN, 10 * WITHIN)),
        (Window(WITHIN, NEVER_SENT), WITHIN - 1, Next(Step.BEGIN, WITHIN)),
        (Window(WITHIN, NEVER_SENT), WITHIN, Next(Step.SEND, 2 * WITHIN)),
        (Window(99 * WITHIN), 0, Next(Step.BEGIN, WITHIN)),
        (Window(0, sent(99 * WITHIN)), 5, Next(Step.BEGIN, 5 + WITHIN)),
    ],
    ids=[
        "the first",
        "the second",
        "the second, late in the window",
        "the second, after the window",
        "a third",
        "one that still waits, the vendor being away",
        "the joined one went out: the next window begins with it",
        "the next window is over",
        "the joined one went out late",
        "the joined one was cancelled, within the window",
        "the joined one was cancelled or expired, later",
        "the clock was set back: it waits no longer than a window",
        "sent in the future: the clock was set back",
    ],
)
def test_what_becomes_of_one_more(window: Window | None, now: int, wanted: Next) -> None:
    assert next_step(window, now, WITHIN) == wanted


def storm(moments: list[int]) -> tuple[list[int], list[int]]:
    """When SMS go out if the vendor is there, and how many mails each stands for."""
    window: Window | None = None
    out: list[int] = []
    mails: list[int] = []
    for now in moments:
        if window and window.joined and window.joined.waits and window.until <= now:
            window = replace(window, joined=sent(window.until))
        found = next_step(window, now, WITHIN)
        if found.step is Step.ADD:
            mails[-1] += 1
            continue
        out.append(now if found.step is Step.SEND else found.until)
        mails.append(1)
        window = Window(found.until, WAITS if found.step is Step.BEGIN else None)
    return out, mails


def test_a_storm_of_an_hour_is_seven_sms() -> None:
    out, mails = storm([n * MINUTE for n in range(60)])
    assert out == [n * WITHIN for n in range(7)]
    assert mails == [1, 9, 10, 10, 10, 10, 10]


def test_fifty_eight_at_once_are_two() -> None:
    assert storm([n * 100 for n in range(58)]) == ([0, WITHIN], [1, 57])


@given(st.lists(st.integers(0, 20 * WITHIN), min_size=1, max_size=60).map(sorted))
def test_every_mail_is_told_within_a_window_and_no_two_sms_are_nearer_than_one(moments: list[int]) -> None:
    out, mails = storm(moments)
    assert sum(mails) == len(moments)
    assert out[0] == moments[0]
    assert all(after - before >= WITHIN for before, after in pairwise(out))
    told = [at for at, count in zip(out, mails, strict=True) for _ in range(count)]
    assert all(0 <= at - moment <= WITHIN for at, moment in zip(told, moments, strict=True))
