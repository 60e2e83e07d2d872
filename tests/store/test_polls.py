"""Which SMS is asked for, and when."""

from bridge.event import Event, News
from bridge.retry import Answer
from bridge.sms import MINUTE, SECOND, Input, Kind, Sms, State
from bridge.store import Store
from tests.store.conftest import Clock, mail


async def unclear(store: Store, number: str) -> Sms:
    await store.accept(mail(number))
    (sms,) = await store.claim("n1", 1)
    new = await store.finish(sms, Input(Kind.UNCLEAR, 1), None)
    assert new is not None
    return new


async def test_a_poll_is_leased_and_comes_again_when_its_process_is_gone(store: Store, clock: Clock) -> None:
    sms = await unclear(store, "+61421000001")
    assert await store.due_polls(10) == ()
    clock.forward(5 * SECOND)
    assert [one.id for one in await store.due_polls(10)] == [sms.id]
    assert await store.due_polls(10) == ()
    clock.forward(60 * SECOND)
    assert [one.id for one in await store.due_polls(10)] == [sms.id]


async def test_those_whose_settle_time_ends_come_before_all_others(store: Store, clock: Clock) -> None:
    first = await unclear(store, "+61421000001")
    clock.forward(9 * MINUTE)
    others = [await unclear(store, f"+6142100010{n}") for n in range(3)]
    await store.polled(first, Input(Kind.NO_SUCH))
    clock.forward(MINUTE)
    rows = await store.due_polls(2)
    assert [one.id for one in rows] == [first.id, others[0].id]
    assert [one.id for one in await store.due_polls(10)] == [one.id for one in others[1:]]


async def test_a_poll_that_finds_it_settles_it_and_shows_the_account_alive(
    store: Store, clock: Clock
) -> None:
    sms = await unclear(store, "+61421000001")
    found = await store.polled(sms, Input(Kind.PENDING))
    assert found is not None
    assert found.state is State.SUBMITTED


async def test_no_such_message_over_settle_queues_it_again_once(store: Store, clock: Clock) -> None:
    sms = await unclear(store, "+61421000001")
    for _ in range(10):
        clock.forward(2 * MINUTE)
        for one in await store.due_polls(10):
            await store.polled(one, Input(Kind.NO_SUCH))
    (again,) = await store.claim("n1", 10)
    assert (again.id, again.message_id, again.attempts, again.resends) == (sms.id, sms.message_id, 2, 1)


async def test_what_was_delivered_is_not_asked_for(store: Store, clock: Clock) -> None:
    sms = await unclear(store, "+61421000001")
    await store.record_event(Event("webhook", "status", sms.message_id, "", "", News.DELIVERED, "delivered"))
    clock.forward(60 * MINUTE)
    assert await store.due_polls(10) == ()


async def test_cursors_are_kept(store: Store) -> None:
    assert await store.cursor("received default") is None
    await store.set_cursor("received default", 5)
    await store.set_cursor("received default", 7)
    assert await store.cursor("received default") == 7


async def test_vendor_ids_are_bounded(store: Store) -> None:
    sms = await unclear(store, "+61421000001")
    ids = [f"V{n}" for n in range(50)] + ["x" * 500, "", sms.message_id.lower()]
    await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR, ids)
    assert len(await store.vendor_ids(sms.id)) == 20
