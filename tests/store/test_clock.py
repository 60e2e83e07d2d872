"""The clock of the database is set back: what was made by the clock that was ahead does not wait for it."""

from bridge.sms import HOUR, SECOND, Input, Kind, State
from bridge.store import Store
from tests.store.conftest import Clock, mail


async def test_what_was_queued_by_a_clock_that_was_ahead_is_sent_soon_after_it_is_set_back(
    store: Store, clock: Clock
) -> None:
    await store.expire()
    clock.forward(HOUR)
    await store.accept(mail("+61421000001"))
    clock.forward(-HOUR)
    assert await store.claim("n1", 10) == ()
    await store.expire()
    (sms,) = await store.claim("n1", 10)
    assert sms.number == "+61421000001"


async def test_what_was_written_between_two_looks_by_a_clock_that_was_ahead_does_not_wait_for_it(
    store: Store, clock: Clock
) -> None:
    await store.accept(mail("+61421000001", "+61421000002"))
    await store.expire()
    doubted, taken = await store.claim("n1", 10)
    clock.forward(HOUR)
    await store.note_alarm("test", (("alarm", "test"),))
    clock.forward(-HOUR)
    await store.expire()
    assert len(await store.claim_mail(10)) == 1
    for sms, kind in ((doubted, Kind.UNCLEAR), (taken, Kind.SENT)):
        clock.forward(HOUR)
        await store.finish(sms, Input(kind, 1), None)
        clock.forward(-HOUR)
        assert await store.due_polls(10) == ()
        await store.expire()
        assert [one.id for one in await store.due_polls(10)] == [sms.id]
        await store.polled(sms, Input(Kind.NOT_TOLD))


async def test_a_mail_that_was_put_off_is_not_tried_at_every_look_when_the_clock_was_set_back(
    store: Store, clock: Clock
) -> None:
    clock.forward(HOUR)
    await store.note_alarm("test", (("alarm", "test"),))
    clock.forward(-HOUR)
    await store.expire()
    (work,) = await store.claim_mail(10)
    await store.mail_later(work.mail.id, 30 * SECOND, "451 not now")
    await store.expire()
    assert await store.claim_mail(10) == ()
    clock.forward(30 * SECOND)
    assert len(await store.claim_mail(10)) == 1


async def test_what_waits_for_good_reason_waits_on(store: Store, clock: Clock) -> None:
    await store.accept(mail("+61421000001", "+61421000002"))
    for sms, kind, wait_ms in zip(
        await store.claim("n1", 10), (Kind.NOT_SENT, Kind.REFUSED_UNREAD), (30 * SECOND, 0), strict=True
    ):
        await store.finish(sms, Input(kind, 1, wait_ms=wait_ms), None)
    clock.forward(20 * SECOND)
    await store.expire()
    clock.forward(-10 * SECOND)  # as a clock is kept right
    await store.expire()
    assert await store.claim("n1", 10) == ()
    clock.forward(-HOUR)
    await store.expire()
    (again,) = await store.claim("n1", 10)
    assert again.number == "+61421000001"
    assert await store.due_polls(10) == (), (
        "one that was surely not sent is held for a person, and never asked for"
    )
    held = await store.show("2")
    assert held is not None
    assert held.sms.state is State.HELD


async def test_a_mail_of_ours_written_by_a_clock_that_was_ahead_goes_out(store: Store, clock: Clock) -> None:
    await store.expire()
    clock.forward(HOUR)
    await store.note_alarm("test", (("alarm", "test"),))
    await store.expire()
    clock.forward(-HOUR)
    assert await store.claim_mail(10) == ()
    await store.expire()
    assert len(await store.claim_mail(10)) == 1
