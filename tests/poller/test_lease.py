"""One node polls at a time: another waits, takes over, and an answer that grew old counts for nothing."""

import asyncio
import itertools
from collections.abc import Callable

from bridge.poller import OLD_S
from bridge.sms import State
from bridge.store import Store
from tests.given_store import in_state, now, queued, submitted, until
from tests.poller.given import asked, polling, rule, vendor


class Turn:
    """Whose turn it is to poll; notes that it was asked for."""

    def __init__(self, *, ours: bool) -> None:
        self.ours = ours
        self.looks = 0

    def __call__(self) -> bool:
        self.looks += 1
        return self.ours


async def looked(turn: Turn, times: int) -> None:
    async def look() -> bool:
        return turn.looks >= times

    await until(look, "nobody asked whose turn it is")


async def test_who_may_not_poll_asks_nothing_until_it_may(store: Store) -> None:
    turn = Turn(ours=False)
    async with vendor() as one:
        (sms,) = await submitted(store, account="a0")
        async with polling(store, one, is_ours=turn):
            await looked(turn, 20)
            assert [entry for kind in ("status", "received", "reply") for entry in asked(one, kind)] == []
            turn.ours = True

            async def polled() -> bool:
                return bool(asked(one, "status") and asked(one, "received"))

            await until(polled, "it did not take over")
        assert (await now(store, sms)).answered


async def test_a_poll_whose_turn_is_over_when_its_moment_comes_is_not_made(store: Store) -> None:
    """Three are due at one a second; the lease passes on after the first."""
    turn = Turn(ours=True)
    async with vendor() as one:
        await submitted(store, [f"+6142100000{n}" for n in range(3)], account="a0")
        async with polling(store, one, polls_per_second=1, received_every_ms=3_600_000, is_ours=turn):

            async def polled() -> bool:
                return bool(asked(one, "status") or asked(one, "received"))

            await until(polled, "nothing was polled")
            turn.ours = False
            count = len(one.vendor.journal.entries(limit=1_000))
            await asyncio.sleep(2.5)
        assert len(one.vendor.journal.entries(limit=1_000)) == count


async def test_taking_over_begins_one_step_later(store: Store) -> None:
    """Whoever polled before may have done so just now: at one a second, nothing in the first second."""
    async with vendor() as one:
        await submitted(store, account="a0")
        begun = asyncio.get_running_loop().time()
        async with polling(store, one, polls_per_second=1):

            async def polled() -> bool:
                return bool(one.vendor.journal.entries(limit=1_000))

            await until(polled, "nothing was polled")
        assert asyncio.get_running_loop().time() - begun >= 1.0


def frozen_at_every_poll() -> Callable[[], float]:
    """Return a clock that sleeps for long between any two looks at it."""
    ticks = itertools.count()
    return lambda: next(ticks) * (OLD_S + 1)


async def test_an_answer_that_grew_old_counts_for_nothing(store: Store) -> None:
    async with vendor() as one:
        rule(one, on="poll", action="refuse", status=404, reason="Unable to find entry.")
        (sms,) = await submitted(store, account="a0")
        async with polling(store, one, since_boot=frozen_at_every_poll(), received_every_ms=3_600_000):

            async def polled() -> bool:
                return len(asked(one, "status")) >= 2

            await until(polled, "it was not polled again")
        after = await now(store, sms)
        assert (after.state, after.answered, after.no_such) == (State.SUBMITTED, 0, 0)


async def test_news_count_however_old(store: Store) -> None:
    async with vendor() as one:
        (sms,) = await queued(store, account="a0")
        async with polling(store, one, sends=True, since_boot=frozen_at_every_poll()):
            await in_state(store, sms, State.DELIVERED)
