"""The rate over all nodes: moments are given away once, evenly, and never made up for."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sms import HOUR, MINUTE
from bridge.store.pacing import AHEAD_US, next_moments
from tests.store.conftest import Clock, Opener, mail

STEP = 50_000  # 20 a second


async def fill(opened: Opener, count: int) -> None:
    store = await opened()
    for begin in range(0, count, 50):
        numbers = [f"+6142100{n:04}" for n in range(begin, min(begin + 50, count))]
        await store.accept(mail(*numbers, header=f"<{begin}@x>"))


async def test_nodes_share_the_moments_whoever_claims(opened: Opener, clock: Clock) -> None:
    await fill(opened, 100)
    nodes = [await opened() for _ in range(3)]
    begun = clock.now
    at: list[float] = []
    for _ in range(20):
        for claimed in await asyncio.gather(*(store.claim("n", 4, STEP) for store in nodes)):
            at += [clock.now - begun + wait_s * 1_000 for wait_s in claimed.waits_s]
        clock.forward(100)
    assert {later - sooner for sooner, later in pairwise(sorted(at))} == {50}
    assert len(at) == (1_900 + AHEAD_US // 1_000) // 50 + 1


async def test_no_moment_is_given_so_far_ahead_that_it_would_grow_old(opened: Opener, clock: Clock) -> None:
    await fill(opened, 60)
    store = await opened()
    first = await store.claim("n", 60, STEP)
    assert first.waits_s == pytest.approx([n * 0.05 for n in range(9)])
    assert first.waits_s[-1] == AHEAD_US / 1_000_000
    second = await store.claim("n", 60, STEP)
    assert not second
    assert second.again_s == pytest.approx(0.25)
    clock.forward(250)
    third = await store.claim("n", 60, STEP)
    assert third.waits_s == pytest.approx([0.2, 0.25, 0.3, 0.35, 0.4])


async def test_what_was_not_used_is_lost(opened: Opener, clock: Clock) -> None:
    await fill(opened, 60)
    store = await opened()
    await store.claim("n", 5, STEP)
    clock.forward(MINUTE)
    later = await store.claim("n", 60, STEP)
    assert (later.waits_s[0], len(later)) == (0.0, 9)


async def test_a_restart_does_not_begin_anew(opened: Opener) -> None:
    await fill(opened, 60)
    await (await opened()).claim("n", 6, STEP)
    assert (await (await opened()).claim("m", 6, STEP)).waits_s[0] == pytest.approx(0.3)


async def test_after_the_clock_was_set_back_sending_goes_on_at_once(opened: Opener, clock: Clock) -> None:
    clock.forward(-HOUR)
    await fill(opened, 60)
    clock.forward(HOUR)
    store = await opened()
    await store.claim("n", 9, STEP)
    clock.forward(-HOUR)
    (one,) = (await store.claim("n", 60, STEP)).waits_s
    assert one == AHEAD_US / 1_000_000
    clock.forward(AHEAD_US // 1_000)
    assert (await store.claim("n", 60, STEP)).waits_s[0] == pytest.approx(0.05)


async def test_with_nothing_queued_there_is_nothing_to_wait_for(opened: Opener) -> None:
    claimed = await (await opened()).claim("n", 10, STEP)
    assert (claimed, claimed.waits_s, claimed.again_s) == ((), (), 0.0)


@given(
    st.integers(-(10**15), 10**15), st.integers(0, 10**15), st.integers(1, 60_000_000), st.integers(1, 500)
)
def test_moments_are_never_before_what_is_free_unless_nobody_can_have_been_given_that(
    free_at: int, now: int, step: int, most: int
) -> None:
    moments = next_moments(free_at, now, step, most)
    assert 0 <= moments.count <= most
    assert (moments.count == 0) == (moments.again_us > 0)
    if moments.count:
        first, last = now + moments.first_us, now + moments.first_us + (moments.count - 1) * step
        assert first >= min(free_at, now + AHEAD_US)
        assert now <= first <= last <= now + AHEAD_US
