"""What senders do is counted once, beside the way of the mails, and the admin hears of those far above their habit."""

import asyncio
from typing import Any

import pytest

from bridge.report.values import MailKind
from bridge.sms import HOUR, MINUTE
from bridge.store import Store
from bridge.store.habits import AT_ONCE, LAG_MS, MAX_TOLD
from bridge.velocity import DAY_MS, Bounds
from tests.store.conftest import Clock, Opener, mail

BOUNDS = Bounds(above=4, sms=10, new_numbers=6, one_number=5, learn_ms=3 * DAY_MS, again_ms=6 * HOUR)
ANN, BOB = "ann@clinic.example", "bob@clinic.example"


async def send(store: Store, *counts: int, sender: str = ANN, first: int = 0, header: str = "") -> None:
    """Take one mail to each number, ``counts`` to each of them."""
    for place, count in enumerate(counts):
        for turn in range(count):
            name = f"<{sender}{first + place}-{turn}-{header}@x>"
            await store.accept(mail(f"+61421{first + place:06}", sender=sender, header=name))


async def watched(store: Store, clock: Clock, bounds: Bounds = BOUNDS) -> list[dict[str, str]]:
    """Let the look happen a little later; return what the admin is told."""
    clock.forward(LAG_MS)
    while await store.watch(bounds):
        pass
    works = await store.claim_mail(100)
    for work in works:
        await store.mail_sent(work.mail.id)
    return [dict(work.mail.facts) for work in works if work.mail.kind is MailKind.ALARM]


async def hours(store: Store) -> list[tuple[Any, ...]]:
    """What is counted: sender, SMS, new numbers, most to one number, in the order of hours."""

    def unit(tx: Any) -> list[tuple[Any, ...]]:
        return [
            (sender, *tx.one("hour_of", sender=sender, hour=hour))
            for sender in (ANN, BOB)
            for hour in range(tx.now // HOUR - 24 * 20, tx.now // HOUR + 2)
            if tx.one("hour_of", sender=sender, hour=hour)
        ]

    return await store._database.read(unit)


@pytest.fixture
async def usual(store: Store, clock: Clock) -> Store:
    """A store that has watched Ann for five days, on each of which she sent up to 3 SMS in an hour."""
    await store.watch(BOUNDS)
    for day in range(5):
        await send(store, 2, 1, header=f"day {day}")
        assert await watched(store, clock) == []
        clock.forward(DAY_MS)
    return store


async def test_each_sms_is_counted_once_by_sender_and_hour(store: Store, clock: Clock) -> None:
    await watched(store, clock)
    await send(store, 3, 1)
    await send(store, 2, sender=BOB, first=1)
    await watched(store, clock)
    await send(store, 2, header="more")
    await watched(store, clock)
    await watched(store, clock)
    assert await hours(store) == [(ANN, 6, 2, 5), (BOB, 2, 0, 2)]
    clock.forward(HOUR)
    await send(store, 2, 1, 1, header="later")
    await watched(store, clock)
    assert await hours(store) == [(ANN, 6, 2, 5), (ANN, 4, 1, 2), (BOB, 2, 0, 2)]


async def test_what_is_refused_or_sent_by_hand_is_nobodys_habit(store: Store, clock: Clock) -> None:
    await watched(store, clock)
    await store.accept(mail("+61421000001", "+1900", refused=("+1900",)))
    await store.accept(mail("+61421000002", sender="operator", header=None, proof="operator"))
    await watched(store, clock)
    assert await hours(store) == [(ANN, 1, 1, 1)]


async def test_one_that_was_begun_just_now_is_left_to_the_next_look(store: Store, clock: Clock) -> None:
    await store.watch(BOUNDS)
    await send(store, 1)
    clock.forward(LAG_MS - 1)
    await store.watch(BOUNDS)
    assert await hours(store) == []
    clock.forward(1)
    await store.watch(BOUNDS)
    assert await hours(store) == [(ANN, 1, 1, 1)]


async def test_a_flood_is_told_once_with_its_count(usual: Store, clock: Clock) -> None:
    await send(usual, 3, 4, 3, 3, header="flood")
    (alarm,) = await watched(usual, clock)
    assert alarm == {"alarm": "sender-many", "sender": ANN, "count": "13", "usual": "3", "limit": "12"}
    await send(usual, 3, header="flood goes on")
    assert await watched(usual, clock) == []
    clock.forward(6 * HOUR)
    await send(usual, 4, 4, 4, 4, header="flood goes on later")
    assert [one["alarm"] for one in await watched(usual, clock)] == ["sender-many"]


async def test_up_to_the_limit_nobody_is_told(usual: Store, clock: Clock) -> None:
    await send(usual, 3, 3, 3, 3, header="busy")
    assert await watched(usual, clock) == []


async def test_many_new_numbers_are_told(usual: Store, clock: Clock) -> None:
    await send(usual, *[1] * 9, first=100)
    (alarm,) = await watched(usual, clock)
    assert (alarm["alarm"], alarm["count"], alarm["usual"]) == ("sender-new-numbers", "9", "0")


async def test_known_numbers_are_not_new(usual: Store, clock: Clock) -> None:
    await send(usual, *[1] * 3, first=100, sender=BOB)
    await send(usual, *[1] * 3, first=200, sender=BOB, header="b")
    await watched(usual, clock)
    await send(usual, *[1] * 3, first=100)
    await send(usual, *[1] * 3, first=200)
    assert await watched(usual, clock) == []


async def test_one_number_again_and_again_is_told(usual: Store, clock: Clock) -> None:
    await send(usual, 5, header="first five")
    assert await watched(usual, clock) == []
    await send(usual, 4, header="and four more")
    (alarm,) = await watched(usual, clock)
    assert (alarm["alarm"], alarm["count"], alarm["usual"], alarm["limit"]) == (
        "sender-one-number",
        "9",
        "2",
        "8",
    )


async def test_a_bridge_that_is_new_learns_and_says_nothing(store: Store, clock: Clock) -> None:
    await store.watch(BOUNDS)
    for day in range(2):
        await send(store, *[4] * 12, header=f"day {day}")  # too many even of a new sender
        assert await watched(store, clock) == []
        clock.forward(DAY_MS)


async def test_what_was_there_before_the_first_look_is_not_counted(store: Store, clock: Clock) -> None:
    await send(store, *[3] * 12)
    clock.forward(MINUTE)
    await watched(store, clock)
    await watched(store, clock)
    assert await hours(store) == []


async def test_a_new_sender_has_more_room_but_not_for_a_flood(usual: Store, clock: Clock) -> None:
    await send(usual, *[2] * 20, sender=BOB)
    assert await watched(usual, clock) == []
    await send(usual, *[1] * 1, sender=BOB, header="one more")
    (alarm,) = await watched(usual, clock)
    assert (alarm["alarm"], alarm["sender"], alarm["limit"]) == ("sender-many", BOB, "40")


async def test_a_flood_of_senders_is_no_flood_of_mails(usual: Store, clock: Clock) -> None:
    for n in range(MAX_TOLD + 5):
        await asyncio.gather(
            *(send(usual, 9, sender=f"s{n}@x.example", first=100 + m, header=str(m)) for m in range(5))
        )
    told = await watched(usual, clock)
    assert len(told) == MAX_TOLD


async def test_old_hours_are_dropped(usual: Store, clock: Clock) -> None:
    clock.forward(16 * DAY_MS)
    await send(usual, 1, header="long after")
    await watched(usual, clock)
    assert await hours(usual) == [(ANN, 1, 0, 1)]


async def test_more_than_one_look_can_hold_is_counted_all(store: Store, clock: Clock) -> None:
    await store.watch(BOUNDS)
    numbers = [f"+61421{n:06}" for n in range(100)]
    rounds = AT_ONCE // 100 + 1
    await asyncio.gather(*(store.accept(mail(*numbers, header=f"<{n}@x>")) for n in range(rounds)))
    clock.forward(LAG_MS)
    assert [await store.watch(BOUNDS) for _ in range(3)] == [True, False, False]
    assert await hours(store) == [(ANN, rounds * 100, 100, rounds)]


async def test_a_clock_that_was_set_back_stops_no_count(store: Store, clock: Clock) -> None:
    await store.watch(BOUNDS)
    await send(store, 2)
    clock.forward(-5 * HOUR)
    await send(store, 3, header="after")
    await watched(store, clock)
    clock.forward(5 * HOUR)
    assert sum(row[1] for row in await hours(store)) == 5


async def test_metrics_tell_how_many_are_above(usual: Store, clock: Clock) -> None:
    assert sum((await usual.counts()).far_above.values()) == 0
    await send(usual, 2, 3, 3, 3, 3, header="flood")
    assert len(await watched(usual, clock)) == 1
    usual._counted = None
    assert (await usual.counts()).far_above == {
        "sender-many": 1,
        "sender-new-numbers": 0,
        "sender-one-number": 0,
    }


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_two_nodes_that_look_at_once_count_once(opened: Opener, clock: Clock) -> None:
    one, two = await opened(), await opened()
    await one.watch(BOUNDS)
    for turn in range(5):
        await send(one, 3, header=str(turn))
        clock.forward(LAG_MS)
        await asyncio.gather(*(store.watch(BOUNDS) for store in (one, two) * 3))
    assert await hours(one) == [(ANN, 15, 1, 15)]
