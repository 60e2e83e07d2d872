"""One SMS through the store, from the mail to the report that is handed over."""

from bridge.event import Event, News
from bridge.report.values import MailKind, OutboxState
from bridge.retry import Answer
from bridge.sms import Input, Kind, State
from bridge.store import SmsFilter, Store
from tests.store.conftest import Clock, mail


async def test_an_sms_goes_from_the_mail_to_its_report(store: Store, clock: Clock) -> None:
    accepted = await store.accept(mail())
    (queued,) = accepted.queued
    assert (accepted.duplicates, accepted.refused) == (0, 0)
    assert queued.state is State.QUEUED

    (claimed,) = await store.claim("n1", 10)
    assert (claimed.id, claimed.state, claimed.attempts) == (queued.id, State.SENDING, 1)
    assert await store.claim("n1", 10) == ()

    sent = await store.finish(claimed, Input(Kind.SENT, 1), Answer.CLEAR, ("Vendor-1",))
    assert sent is not None
    assert sent.state is State.SUBMITTED
    assert await store.vendor_ids(claimed.id) == ("vendor-1",)

    clock.forward(1000)
    event = Event(
        "webhook", "status", "VENDOR-1", "+61421000001", "{}", News.DELIVERED, "delivered", price=1000
    )
    assert await store.record_event(event) == "applied"
    assert await store.record_event(event) == "known"

    (work,) = await store.claim_mail(10)
    assert work.mail.kind is MailKind.DELIVERED
    assert work.mail.to == "ann@clinic.example"
    assert work.source is not None
    assert work.source.id == accepted.mail_id
    assert work.source.references == ("<before@clinic.example>",)
    assert [sms.price for sms in work.sms] == [1000]
    await store.rendered((work.mail.id, b"Subject: x\r\n\r\n", "x"))
    await store.mail_sent(work.mail.id)

    story = await store.show(queued.message_id)
    assert story is not None
    assert [line.state for line in story.history] == ["queued", "sending", "submitted", "delivered"]
    assert [event.result for event in story.events] == ["delivered"]
    assert [(one.state, one.subject) for one in story.outbox] == [(OutboxState.SENT, "x")]
    (line,) = await store.list_sms(SmsFilter(), None, 10)
    assert (line.sms.state, line.sender, line.subject) == (State.DELIVERED, "ann@clinic.example", "Lunch")
    counts = await store.counts()
    assert counts.by_state == {State.DELIVERED: 1}
    assert counts.outbox_by_state == {"sent": 1}
