"""Nodes on one database: who lives, who does what one does alone, what is left by one that is gone."""

from dataclasses import replace

import pytest

from bridge.retry import Answer
from bridge.sms import HOUR, MINUTE, SECOND, Input, Kind, Sms, State
from bridge.store import Node, Store
from bridge.store.outbox import LEASE_MS
from tests.store.conftest import Clock, Opener, mail

ONE = Node("one", "host-a", 11, ("mail", "send", "events"), 60 * SECOND)
TWO = Node("two", "host-b", 12, ("send", "events", "reports"), 60 * SECOND)
LEASE = 15 * SECOND
A, B = "+61421000001", "+61421000002"


async def claimed(store: Store, node: Node, number: str = A) -> Sms:
    await store.accept(mail(number, header=f"<{node.id}-{number}@x>"))
    (sms,) = await store.claim(node.id, 1)
    return sms


async def state(store: Store, sms: Sms) -> State:
    story = await store.show(sms.message_id)
    assert story is not None
    return story.sms.state


async def test_a_node_is_seen_from_its_first_heartbeat_to_its_end(store: Store, clock: Clock) -> None:
    await store.beat(ONE, LEASE)
    clock.forward(7 * SECOND)
    await store.beat(TWO, LEASE)
    clock.forward(SECOND)
    await store.beat(TWO, LEASE, draining=True)
    one, two = await store.nodes()
    assert (one.node, one.silent_ms, one.draining, one.gone) == (ONE, 8 * SECOND, False, False)
    assert (two.node, two.silent_ms, two.draining) == (TWO, 0, True)
    await store.leave("two")
    assert [line.node.id for line in await store.nodes()] == ["one"]


async def test_a_node_that_is_gone_is_seen_for_an_hour(store: Store, clock: Clock) -> None:
    await store.beat(ONE, LEASE)
    clock.forward(60 * SECOND)
    assert [line.gone for line in await store.nodes()] == [True]
    clock.forward(HOUR)
    await store.expire()
    assert await store.nodes() == ()


async def test_one_that_comes_back_after_it_was_dropped_is_a_node_again(store: Store, clock: Clock) -> None:
    await store.beat(ONE, LEASE)
    clock.forward(2 * HOUR)
    await store.expire()
    await store.beat(ONE, LEASE)
    (one,) = await store.nodes()
    assert (one.started_at, one.gone) == (clock.now, False)


# --- what one node at a time does ---


async def test_a_lease_stays_with_who_has_it_and_passes_on_when_it_ends(store: Store, clock: Clock) -> None:
    assert await store.beat(ONE, LEASE) == {"send", "events"}
    assert await store.beat(TWO, LEASE) == {"reports"}
    clock.forward(LEASE - 1)
    assert await store.beat(TWO, LEASE) == {"reports"}
    clock.forward(1)
    assert await store.beat(TWO, LEASE) == {"send", "events", "reports"}
    assert await store.beat(ONE, LEASE) == frozenset()
    assert [(line.part, line.node) for line in await store.leases()] == [
        ("events", "two"),
        ("reports", "two"),
        ("send", "two"),
    ]


async def test_a_node_that_drains_or_leaves_gives_its_leases_back(store: Store) -> None:
    await store.beat(ONE, LEASE)
    assert await store.beat(ONE, LEASE, draining=True) == frozenset()
    assert await store.leases() == ()
    assert await store.beat(TWO, LEASE) == {"send", "events", "reports"}
    await store.leave("two")
    assert await store.leases() == ()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_whoever_takes_a_part_of_a_file_ends_the_lease_that_was_left_on_it(
    store: Store, opened: Opener
) -> None:
    await store.beat(ONE, LEASE)
    other = await opened()
    async with other.part("send"):
        assert await other.beat(TWO, LEASE) == {"send", "reports"}


async def test_a_lease_from_before_the_clock_was_set_back_is_over(store: Store, clock: Clock) -> None:
    await store.beat(ONE, LEASE)
    clock.forward(-HOUR)
    assert await store.beat(TWO, LEASE) == {"send", "events", "reports"}


# --- what a node leaves in `sending` ---


async def test_what_a_gone_node_was_sending_becomes_unknown(store: Store, clock: Clock) -> None:
    await store.beat(ONE, LEASE)
    sms = await claimed(store, ONE)
    clock.forward(60 * SECOND - 1)
    assert await store.adopt_gone("us", HOUR) == 0
    clock.forward(1)
    assert await store.adopt_gone("us", HOUR) == 1
    assert await store.adopt_gone("us", HOUR) == 0
    assert await state(store, sms) is State.UNKNOWN


async def test_what_a_living_node_is_sending_stays_its_own_however_long(store: Store, clock: Clock) -> None:
    await store.beat(ONE, LEASE)
    sms = await claimed(store, ONE)
    clock.forward(HOUR)
    await store.beat(ONE, LEASE)
    assert await store.adopt_gone("us", SECOND) == 0
    assert await state(store, sms) is State.SENDING


async def test_a_claim_is_a_sign_of_life(store: Store, clock: Clock) -> None:
    await store.beat(ONE, LEASE)
    clock.forward(60 * SECOND)
    sms = await claimed(store, ONE)
    assert await store.adopt_gone("us", SECOND) == 0
    clock.forward(60 * SECOND)
    assert await store.adopt_gone("us", SECOND) == 1
    assert await state(store, sms) is State.UNKNOWN


async def test_a_node_does_not_find_itself_gone(store: Store, clock: Clock) -> None:
    await store.beat(ONE, LEASE)
    await claimed(store, ONE)
    clock.forward(HOUR)
    assert await store.adopt_gone("one", SECOND) == 0


async def test_each_node_says_itself_when_it_is_gone(store: Store, clock: Clock) -> None:
    await store.beat(replace(ONE, gone_after_ms=HOUR), LEASE)
    await store.beat(TWO, LEASE)
    slow, quick = await claimed(store, ONE, A), await claimed(store, TWO, B)
    clock.forward(60 * SECOND)
    assert await store.adopt_gone("us", SECOND) == 1
    assert [await state(store, sms) for sms in (slow, quick)] == [State.SENDING, State.UNKNOWN]


async def test_of_a_node_that_left_no_word_the_time_is_ours(store: Store, clock: Clock) -> None:
    await claimed(store, ONE)
    clock.forward(30 * SECOND - 1)
    assert await store.adopt_gone("us", 30 * SECOND) == 0
    clock.forward(1)
    assert await store.adopt_gone("us", 30 * SECOND) == 1


async def test_after_the_clock_was_set_back_the_dead_are_told_from_the_living(
    store: Store, clock: Clock
) -> None:
    for node in (ONE, TWO):
        await store.beat(node, LEASE)
    dead, living = await claimed(store, ONE, A), await claimed(store, TWO, B)
    clock.forward(-HOUR)
    await store.beat(TWO, LEASE)
    assert await store.adopt_gone("us", HOUR) == 1
    assert [await state(store, sms) for sms in (dead, living)] == [State.UNKNOWN, State.SENDING]


async def test_a_gone_node_that_comes_back_changes_nothing_but_by_the_truth(
    store: Store, clock: Clock
) -> None:
    await store.beat(ONE, LEASE)
    first, second, third = [await claimed(store, ONE, f"+6142100000{n}") for n in range(3)]
    clock.forward(60 * SECOND)
    await store.adopt_gone("us", HOUR)
    await store.beat(ONE, LEASE)
    await store.finish(first, Input(Kind.SENT, 1), Answer.CLEAR)
    await store.finish(second, Input(Kind.GIVE_BACK, 1, "claimed 70 s ago"), None)
    await store.finish(third, Input(Kind.NOT_SENT, 1, "no route"), None)
    states = [await state(store, sms) for sms in (first, second, third)]
    assert states == [State.SUBMITTED, State.UNKNOWN, State.UNKNOWN]
    assert await store.claim("two", 10) == ()


async def test_who_leaves_gives_up_what_it_claimed_and_nothing_else(store: Store) -> None:
    await store.beat(ONE, LEASE)
    await store.beat(TWO, LEASE)
    left, others = await claimed(store, ONE, A), await claimed(store, TWO, B)
    assert await store.leave("one") == 1
    assert [await state(store, sms) for sms in (left, others)] == [State.UNKNOWN, State.SENDING]


# --- mails that a node is handing over ---


async def handing_over(store: Store, node: Node) -> int:
    """Let ``node`` live and claim a mail; return the mail's id."""
    await store.beat(node, LEASE)
    await store.note_alarm(f"of {node.id}", (("alarm", "test"),))
    (work,) = await store.claim_mail(10, node.id)
    return work.mail.id


async def lost_to(store: Store, node: Node) -> frozenset[int]:
    return await store.give_mail_back(node.id, under_way=())


async def test_a_mail_stays_with_the_node_that_hands_it_over_however_long(store: Store, clock: Clock) -> None:
    mine = await handing_over(store, ONE)
    for step in (LEASE_MS, HOUR, -HOUR, -HOUR):
        clock.forward(step)
        await store.beat(ONE, LEASE)
        assert await lost_to(store, TWO) == frozenset()
        assert await store.give_mail_back("one", {mine}) == frozenset()
        assert await store.claim_mail(10, "two") == ()
    await store.mail_sent(mine)
    await store.give_mail_back("one", ())
    assert await store.claim_mail(10, "two") == ()


async def test_what_a_node_claimed_and_does_not_hand_over_is_due_at_once(store: Store) -> None:
    mine = await handing_over(store, ONE)
    await lost_to(store, ONE)
    (work,) = await store.claim_mail(10, "two")
    assert work.mail.id == mine


async def test_what_a_gone_node_was_handing_over_is_due_when_its_lease_is_over(
    store: Store, clock: Clock
) -> None:
    mine = await handing_over(store, ONE)
    clock.forward(LEASE_MS - 1)
    lost = await lost_to(store, TWO)
    assert lost == {mine}
    assert await store.give_mail_back("two", (), lost) == lost
    assert await store.claim_mail(10, "two") == (), "it may still be at it"
    clock.forward(1)
    assert await lost_to(store, TWO) == {mine}
    assert await store.claim_mail(10, "two") == (), "not before it was found gone twice"
    assert await store.give_mail_back("two", (), {mine, 99}) == {mine}
    (work,) = await store.claim_mail(10, "two")
    assert work.mail.id == mine


async def test_a_clock_that_jumps_takes_no_mail_from_a_node_that_lives(store: Store, clock: Clock) -> None:
    mine = await handing_over(store, ONE)
    clock.forward(HOUR)  # of which the node has not been heard yet
    lost = await lost_to(store, TWO)
    assert lost == {mine}
    await store.beat(ONE, LEASE)
    assert await store.give_mail_back("two", (), lost) == frozenset()
    assert await store.claim_mail(10, "two") == ()


async def test_a_claim_from_before_the_clock_was_set_back_is_over_with_its_node(
    store: Store, clock: Clock
) -> None:
    mine = await handing_over(store, ONE)
    clock.forward(-HOUR)
    assert await lost_to(store, TWO) == {mine}


async def test_a_node_that_leaves_or_is_forgotten_gives_its_mails_back(store: Store, clock: Clock) -> None:
    mine, other = await handing_over(store, ONE), await handing_over(store, TWO)
    await store.leave("one")
    assert [work.mail.id for work in await store.claim_mail(10, "three")] == [mine]
    clock.forward(2 * HOUR)
    await store.expire()
    assert await lost_to(store, ONE) == {mine, other}


async def test_a_node_whose_mail_is_anothers_by_now_does_not_put_it_off(store: Store, clock: Clock) -> None:
    mine = await handing_over(store, ONE)
    await lost_to(store, ONE)
    assert await store.claim_mail(10, "two")
    await store.mail_later(mine, SECOND, "451 not now", "one")
    clock.forward(MINUTE)
    assert await store.claim_mail(10, "one") == ()
    await store.mail_later(mine, SECOND, "451 not now", "two")
    clock.forward(MINUTE)
    assert len(await store.claim_mail(10, "one")) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_whoever_takes_the_part_of_reports_on_a_file_has_all_its_mails(store: Store) -> None:
    mine = await handing_over(store, ONE)
    async with store.part("reports"):
        (work,) = await store.claim_mail(10, "two")
        assert work.mail.id == mine
