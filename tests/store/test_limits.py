"""Limits by time and of money: exact among many at once, counted once, and given back as what is settled says."""

import asyncio
import datetime
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from bridge.decide.values import Accept
from bridge.errors import OverLimit
from bridge.event import Event, News
from bridge.retry import Answer
from bridge.rules import Limits
from bridge.sms import HOUR, MINUTE, Input, Kind, Sms, State
from bridge.store import Accepted, Actor, SmsFilter, Store
from tests.store.conftest import Clock, Opener, mail

DAY: Final = 24 * HOUR
SYDNEY: Final = ZoneInfo("Australia/Sydney")
PRICE: Final = 1_000
A, B, C = "+61421000001", "+61421000002", "+61421000003"
NOON: Final = round(datetime.datetime(2026, 11, 27, 12, tzinfo=SYDNEY).timestamp() * 1000)
SERIALS: Iterator[int] = iter(range(1_000_000))


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
async def store(opened: Opener) -> Store:
    return await opened(timezone=SYDNEY)


def limited(*numbers: str, cost: int | None = None, **limits: Any) -> Accept:
    """A mail of its own under those limits."""
    about = {
        name: limits.pop(name) for name in ("sender", "header", "text", "expire_after_ms") if name in limits
    }
    about.setdefault("header", f"<{next(SERIALS)}@x>")
    taken = mail(*numbers, **about)
    sms = tuple(replace(one, cost=cost) for one in taken.sms)
    return replace(taken, sms=sms, limits=Limits(**limits))


def spending(*numbers: str, cost: int = PRICE, **limits: Any) -> Accept:
    return limited(*numbers, cost=cost, **({"spend_per_day": 10 * PRICE} | limits))


async def taken(store: Store, asked: Accept) -> tuple[Sms, ...]:
    accepted = await store.accept(asked)
    assert accepted.over is None, accepted.over
    return accepted.queued


async def refused(store: Store, asked: Accept) -> str:
    accepted = await store.accept(asked)
    assert (accepted.queued, accepted.mail_id) == ((), "")
    return str(accepted.over)


async def used(store: Store, sender: str = "ann@clinic.example") -> dict[str, int]:
    return {line.name: line.used for line in await store.limits(1_000) if line.sender == sender}


async def alarms(store: Store) -> list[dict[str, str]]:
    return [dict(one.facts) for one in await store.list_outbox(None, 100) if one.kind == "alarm"]


async def sent(store: Store, *, attempt: int = 1) -> Sms:
    (sms,) = await store.claim("node", 1)
    after = await store.finish(sms, Input(Kind.SENT, attempt), Answer.CLEAR)
    assert after is not None
    return after


def event(sms: Sms, news: News, price: int | None, job: str = "j1") -> Event:
    return Event("webhook", "status", sms.message_id, sms.number, "{}", news=news, price=price, job=job)


# --- numbers ------------------------------------------------------------------------------------------------


async def test_of_ten_thousand_at_once_exactly_as_many_pass_as_may(store: Store) -> None:
    mails = [limited(A, per_day=137, text=f"{n}") for n in range(10_000)]
    accepted = await asyncio.gather(*(store.accept(one) for one in mails))
    assert sum(len(one.queued) for one in accepted) == 137
    assert len(await store.list_sms(SmsFilter(), None, 1_000)) == 137
    assert {str(one.over) for one in accepted if one.over} == {
        "550 5.7.1 at most 137 SMS a day: 137 used so far, this mail needs 1 SMS; it resets at 2026-11-28 00:00 AEDT"
    }
    assert len(await alarms(store)) == 1
    assert (await store.limit_counts()).refusals == {"per_day": 9_863}


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_nodes_together_let_exactly_as_many_pass_as_may(opened: Opener) -> None:
    stores = [await opened(spend_cap=150 * PRICE) for _ in range(3)]
    senders = [f"s{n}@x" for n in range(7)]
    mails = [
        limited(A, sender=senders[n % 7], text=f"{n}", cost=PRICE, per_hour=60, spend_per_day=25 * PRICE)
        for n in range(1_500)
    ]
    accepted = await asyncio.gather(*(stores[n % 3].accept(one) for n, one in enumerate(mails)))
    by_sender = {
        sender: sum(
            len(done.queued) for one, done in zip(mails, accepted, strict=True) if one.mail.sender == sender
        )
        for sender in senders
    }
    assert sum(by_sender.values()) == 150
    assert max(by_sender.values()) <= 25
    lines = await stores[0].limits(100)
    assert {line.used for line in lines if line.name == "spend_cap"} == {150 * PRICE}
    assert {line.sender: line.used for line in lines if line.name == "per_hour"} == by_sender


async def test_each_sender_has_a_count_of_their_own(store: Store) -> None:
    await taken(store, limited(A, B, per_hour=2))
    await taken(store, limited(A, B, per_hour=2, sender="bob@clinic.example"))
    assert "at most 2 SMS an hour" in await refused(store, limited(A, per_hour=2))


async def test_a_mail_fits_whole_or_not_at_all(store: Store) -> None:
    await taken(store, limited(A, B, per_hour=4))
    answer = await refused(store, limited(A, B, C, per_hour=4))
    assert (
        answer
        == "550 5.7.1 at most 4 SMS an hour: 2 used so far, this mail needs 3 SMS; it resets at 13:00 AEDT"
    )
    await taken(store, limited(A, B, per_hour=4))


async def test_what_can_never_fit_is_refused_for_good(store: Store) -> None:
    answer = await refused(store, limited(A, B, C, per_minute=2))
    assert answer == "550 5.7.1 this mail needs 3 SMS, and at most 2 SMS a minute: send less at once"
    assert not await alarms(store)


async def test_the_limit_of_a_minute_is_a_matter_of_waiting(store: Store, clock: Clock) -> None:
    one, two = limited(A, per_minute=1), limited(A, per_minute=1)
    await taken(store, one)
    assert (await refused(store, two)) == (
        "450 4.7.1 at most 1 SMS a minute: 1 used so far, this mail needs 1 SMS; it resets at 12:01 AEDT"
    )
    clock.forward(MINUTE)
    assert len(await taken(store, two)) == 1, "what was refused is no duplicate when it comes again"


async def test_a_duplicate_costs_nothing_and_is_told_first(store: Store) -> None:
    one = limited(A, per_hour=1, header="<same@x>")
    (await taken(store, one),)
    again = await store.accept(one)
    assert (again.over, again.duplicates) == (None, 1)
    assert await used(store) == {"per_hour": 1}


async def test_numbers_that_are_refused_are_not_counted(store: Store) -> None:
    asked = limited(A, B, per_hour=1)
    sms = (asked.sms[0], replace(asked.sms[1], refused="not allowed"))
    await taken(store, replace(asked, sms=sms))
    assert await used(store) == {"per_hour": 1}


async def test_the_same_mail_many_times_at_once_is_refused_each_time(store: Store) -> None:
    await taken(store, limited(A, per_hour=1))
    one = limited(B, per_hour=1, header="<many@x>")
    accepted = await asyncio.gather(*(store.accept(one) for _ in range(40)))
    assert all(done.over and not done.queued and not done.duplicates for done in accepted)


async def test_what_a_refused_mail_shares_with_a_smaller_one_is_not_lost(store: Store) -> None:
    """In one commit: the big mail is refused, and the small one that repeats a part of it is no duplicate."""
    big = limited(A, B, C, per_hour=2, header="<one@x>")
    small = replace(big, sms=big.sms[:2])
    accepted: list[Accepted] = await asyncio.gather(*(store.accept(one) for one in (big, small, small, big)))
    stored = await store.list_sms(SmsFilter(), None, 100)
    assert {line.sms.number for line in stored} == {A, B}
    assert [bool(done.over) for done in accepted] == [True, False, False, True]


async def test_a_mail_that_a_server_has_split_keeps_the_limit_of_one_mail(store: Store) -> None:
    numbers = [f"+6142100{n:04}" for n in range(150)]
    parts = [limited(*numbers[n : n + 50], recipients=100, header="<split@x>") for n in (0, 50, 100)]
    await taken(store, parts[0])
    await taken(store, parts[1])
    assert await refused(store, parts[2]) == "550 5.5.3 at most 100 numbers per mail"
    at_once = [replace(part, mail=replace(part.mail, header_message_id="<at once@x>")) for part in parts]
    accepted = await asyncio.gather(*(store.accept(part) for part in at_once))
    assert sorted(len(done.queued) for done in accepted) == [0, 50, 50]


async def test_a_device_that_gives_all_its_mails_one_message_id_is_no_split_mail(store: Store) -> None:
    for n in range(8):
        await taken(store, limited(A, recipients=3, header="<device@x>", text=f"alarm {n}"))


async def test_a_day_is_that_of_the_operator(store: Store, clock: Clock) -> None:
    clock.now = round(datetime.datetime(2026, 11, 27, 23, 59, 59, tzinfo=SYDNEY).timestamp() * 1000)
    await taken(store, limited(A, per_day=1))
    await refused(store, limited(A, per_day=1))
    clock.forward(1_000)
    await taken(store, limited(A, per_day=1))


async def test_a_clock_that_is_set_back_gives_nothing_twice_and_locks_nobody_out(
    store: Store, clock: Clock
) -> None:
    await store.expire()
    clock.forward(DAY)
    await store.expire()
    await taken(store, limited(A, per_hour=1))
    clock.forward(-2_000)
    await refused(store, limited(A, per_hour=1))
    clock.forward(-DAY)
    await store.expire()
    await taken(store, limited(A, per_hour=1))


# --- money --------------------------------------------------------------------------------------------------


async def test_money_is_held_until_an_sms_ends_and_then_is_what_it_cost(store: Store) -> None:
    await taken(store, spending(A))
    assert await used(store) == {"spend_per_day": PRICE, "spend_per_month": PRICE}
    sms = await sent(store)
    assert (await used(store))["spend_per_day"] == PRICE
    await store.record_event(event(sms, News.DELIVERED, 700))
    assert await used(store) == {"spend_per_day": 700, "spend_per_month": 700}
    await store.record_event(event(sms, News.DELIVERED, 900))
    assert (await used(store))["spend_per_day"] == 900, "the last price of a job counts"


async def test_a_money_limit_that_the_whole_mail_does_not_fit_refuses_it_whole(store: Store) -> None:
    await taken(store, spending(*(f"+6142100000{n}" for n in range(9))))
    answer = await refused(store, spending(A, B))
    assert answer == (
        "550 5.7.1 at most 1.00 may be spent a day: 0.90 used so far, this mail needs 0.20;"
        " it resets at 2026-11-28 00:00 AEDT"
    )
    await taken(store, spending(A))
    answer = await refused(store, spending(A, cost=20 * PRICE))
    assert answer.startswith("550 5.7.1 this mail needs 2.00, and at most 1.00 may be spent a day")


async def test_what_was_never_tried_costs_nothing(store: Store, clock: Clock) -> None:
    (one, _, _) = await taken(store, spending(A, B, C))
    await store.cancel(one.message_id, Actor("test"))
    assert (await used(store))["spend_per_day"] == 2 * PRICE
    (claimed,) = await store.claim("node", 1)
    await store.finish(claimed, Input(Kind.NOT_SENT, 1), None)
    clock.forward(12 * HOUR)
    assert await store.expire() == 2
    spent = {line.name: line.used for line in await store.limits(10)}
    assert spent["spend_per_month"] == 0, "neither was made: one never claimed, the other surely not sent"


async def test_what_the_vendor_refused_costs_nothing_and_what_nobody_priced_costs_what_was_reserved(
    store: Store,
) -> None:
    await taken(store, spending(A, B))
    (first,) = await store.claim("node", 1)
    await store.finish(first, Input(Kind.REFUSED_SMS, 1, why="no such number"), Answer.CLEAR)
    assert (await used(store))["spend_per_day"] == PRICE
    second = await sent(store)
    await store.record_event(event(second, News.DELIVERED, None))
    assert (await used(store))["spend_per_day"] == PRICE


async def test_an_automatic_resend_may_cost_twice_and_a_double_does(store: Store, clock: Clock) -> None:
    await taken(store, spending(A))
    (sms,) = await store.claim("node", 1)
    await store.finish(sms, Input(Kind.UNCLEAR, 1), Answer.UNCLEAR)
    for _ in range(3):
        clock.forward(5 * MINUTE)
        await store.polled(sms, Input(Kind.NO_SUCH))
    assert (await used(store))["spend_per_day"] == 2 * PRICE, "it is queued again, and the first may be there"
    (again,) = await store.claim("node", 1)
    await store.finish(again, Input(Kind.SENT, 2), Answer.CLEAR)
    await store.record_event(event(again, News.DELIVERED, 700, "j1"))
    assert (await used(store))["spend_per_day"] == 700
    await store.record_event(event(again, News.DELIVERED, 800, "j2"))
    assert (await used(store))["spend_per_day"] == 1_500


async def test_what_an_operator_releases_may_cost_twice_and_must_fit(store: Store, clock: Clock) -> None:
    await taken(store, spending(A, spend_per_day=2 * PRICE))
    (sms,) = await store.claim("node", 1)
    await store.finish(sms, Input(Kind.UNCLEAR, 1), Answer.UNCLEAR)
    clock.forward(10 * MINUTE)
    held = await store.polled(sms, Input(Kind.NO_POLL))
    assert held is not None
    assert held.state is State.HELD
    await taken(store, spending(B, spend_per_day=2 * PRICE))
    with pytest.raises(
        OverLimit, match=r"at most 0.20 may be spent a day: 0.20 used so far, this .* needs 0.10"
    ):
        await store.release(sms.message_id, Actor("test"))
    (other,) = [line.sms for line in await store.list_sms(SmsFilter(state=State.QUEUED), None, 10)]
    await store.cancel(other.message_id, Actor("test"))
    assert await store.release(sms.message_id, Actor("test"))
    assert (await used(store))["spend_per_day"] == 2 * PRICE


async def test_what_is_settled_later_belongs_to_the_day_of_its_reservation(
    store: Store, clock: Clock
) -> None:
    await taken(store, spending(A))
    sms = await sent(store)
    clock.forward(13 * HOUR)
    await taken(store, spending(B))
    await store.record_event(event(sms, News.DELIVERED, 9 * PRICE))
    assert await used(store) == {"spend_per_day": PRICE, "spend_per_month": 10 * PRICE}


async def test_a_month_is_that_of_the_operator(store: Store, clock: Clock) -> None:
    month: dict[str, Any] = {"spend_per_day": None, "spend_per_month": PRICE}
    await taken(store, spending(A, **month))
    clock.forward(3 * DAY)
    assert "it resets at 2026-12-01 00:00 AEDT" in await refused(store, spending(A, **month))
    clock.forward(12 * HOUR)
    await taken(store, spending(A, **month))


async def test_one_cap_holds_for_all_senders_and_tells_none_of_the_others(opened: Opener) -> None:
    store = await opened(spend_cap=2 * PRICE, timezone=SYDNEY)
    await taken(store, limited(A, cost=PRICE, sender="a@x"))
    await taken(store, limited(A, cost=PRICE, sender="b@x"))
    answer = await refused(store, limited(A, cost=PRICE, sender="c@x"))
    assert answer == (
        "550 5.7.1 the spending limit of this server for a day does not hold this mail;"
        " it resets at 2026-11-28 00:00 AEDT"
    )
    await taken(store, limited(A, cost=None, sender="test mode costs nothing@x"))
    counts = await store.limit_counts()
    assert (counts.spent, counts.cap, counts.refusals) == (2 * PRICE, 2 * PRICE, {"spend_cap": 1})


@pytest.mark.parametrize("again", [False, True])
async def test_a_cap_that_is_set_later_counts_what_was_spent_before(
    opened: Opener, clock: Clock, again: bool
) -> None:
    """Else what was taken before and is given back now would make room that never was used."""
    if again:
        capped = await opened(timezone=SYDNEY, spend_cap=100 * PRICE)
        await taken(capped, spending(A))
        await capped.close()
    store = await opened(timezone=SYDNEY)
    await store.expire()
    before = [sms for n in range(6) for sms in await taken(store, spending(A, sender=f"{n}@x"))]
    clock.forward(HOUR)
    store = await opened(timezone=SYDNEY, spend_cap=(8 + again) * PRICE)
    await taken(store, spending(A, sender="late@x"))
    assert (await used(store, ""))["spend_cap"] == (7 + again) * PRICE
    for sms in before:
        await store.cancel(sms.message_id, Actor("kim"))
    assert (await used(store, ""))["spend_cap"] == (1 + again) * PRICE
    for n in range(7):
        await taken(store, spending(A, sender=f"after{n}@x"))
    assert "server" in await refused(store, spending(A))
    clock.forward(DAY)
    await taken(store, spending(A))
    assert (await used(store, ""))["spend_cap"] == PRICE


async def test_many_prices_that_were_not_foreseen_are_added_up(store: Store, clock: Clock) -> None:
    numbers = [f"+6142100{n:04}" for n in range(70)]
    await taken(store, spending(*numbers, spend_per_day=100 * PRICE))
    for _ in numbers:
        await store.record_event(event(await sent(store), News.DELIVERED, 1_200))
    assert (await used(store))["spend_per_day"] == 70 * 1_200
    for _ in range(2):
        assert "8.40 used so far" in await refused(
            store, spending(A, cost=17 * PRICE, spend_per_day=100 * PRICE)
        )
    assert (await used(store))["spend_per_day"] == 70 * 1_200


async def test_the_admin_hears_once_of_each_limit_and_window(store: Store, clock: Clock) -> None:
    for _ in range(10):
        await taken(store, spending(A, per_hour=12))
    for _ in range(5):
        await refused(store, spending(A, per_hour=12))
    told = [
        (one["alarm"], one["allowed"], one["used"], one["sender"]) for one in reversed(await alarms(store))
    ]
    sender = "ann@clinic.example"
    assert told == [
        ("limit-near", "at most 1.00 may be spent a day", "0.80", sender),
        ("limit", "at most 1.00 may be spent a day", "1.00", sender),
    ]
    clock.forward(DAY)
    for _ in range(10):
        await taken(store, spending(A))
    assert len(await alarms(store)) == 4


async def test_of_the_limit_of_a_minute_the_admin_hears_once_an_hour(store: Store, clock: Clock) -> None:
    for _ in range(60):
        await taken(store, limited(A, per_minute=1))
        await refused(store, limited(A, per_minute=1))
        clock.forward(MINUTE)
    assert len(await alarms(store)) == 1


# --- pace ---------------------------------------------------------------------------------------------------


async def test_what_is_too_fast_is_taken_and_due_later(store: Store, clock: Clock) -> None:
    first = await store.accept(limited(A, B, per_minute=2, over="pace"))
    assert (first.later, {sms.due_at for sms in first.queued}) == ("", {NOON})
    second = await store.accept(limited(A, B, C, per_minute=2, over="pace"))
    assert second.later == "sent from 12:01 AEDT"
    assert [sms.due_at - NOON for sms in second.queued] == [MINUTE, MINUTE, 2 * MINUTE]
    assert len(await store.claim("node", 10)) == 2
    clock.forward(MINUTE)
    third = await store.accept(limited(A, per_minute=2, over="pace"))
    assert third.queued[0].due_at == NOON + 2 * MINUTE, "nobody is sent before those who wait already"
    assert len(await store.claim("node", 10)) == 2
    assert [one["alarm"] for one in await alarms(store)] == ["limit-paced"]


async def test_what_would_expire_before_its_turn_is_refused(store: Store, clock: Clock) -> None:
    def asked() -> Accept:
        return limited(A, per_hour=1, over="pace", expire_after_ms=3 * HOUR)

    for _ in range(3):
        await taken(store, asked())
    assert await refused(store, asked()) == (
        "550 5.7.1 at most 1 SMS an hour: this mail could be sent at 15:00 AEDT only, when it would have expired"
    )
    assert await used(store) == {"paced per_hour": 1}
    clock.forward(2 * HOUR)
    assert len(await store.claim("node", 10)) == 3
    assert (await taken(store, asked()))[0].due_at == NOON + 3 * HOUR


async def test_of_a_mail_a_part_may_wait(store: Store) -> None:
    asked = limited(A, B, C, per_hour=2, over="pace")
    refused_one = replace(asked, sms=(replace(asked.sms[0], refused="no"), *asked.sms[1:]))
    await taken(store, limited(A, per_hour=2, over="pace"))
    accepted = await store.accept(refused_one)
    assert accepted.later == "1 sent from 13:00 AEDT"
    assert [sms.due_at - NOON for sms in accepted.queued] == [0, HOUR]


async def test_money_refuses_also_where_numbers_are_paced(store: Store) -> None:
    await taken(store, spending(A, cost=10 * PRICE, per_minute=1, over="pace"))
    assert "may be spent a day" in await refused(store, spending(A, per_minute=1, over="pace"))


# --- rows ---------------------------------------------------------------------------------------------------


async def test_what_is_over_is_dropped(store: Store, clock: Clock) -> None:
    await taken(store, spending(A, per_hour=5))
    await store.record_event(event(await sent(store), News.DELIVERED, 5))
    clock.forward(70 * DAY)
    await store.expire()
    assert await store.limits(10) == ()
    rows = await store._write(
        lambda tx: [
            tx.all("used_now", now=0, limit=10),
            tx.all("take_settled", sender="ann@clinic.example", limit=10),
        ]
    )
    assert rows == [[], []]


async def test_without_limits_nothing_is_counted(store: Store) -> None:
    await taken(store, limited(A))
    assert await store.limits(10) == ()
