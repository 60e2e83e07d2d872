"""What the vendor says, by whichever way and in whatever order: applied once, and never lost."""

import asyncio
import itertools
from dataclasses import replace
from typing import Any

import pytest

from bridge.event import Event, News
from bridge.report.values import MailKind
from bridge.retry import Answer
from bridge.rules import ReportRule
from bridge.sms import HOUR, MINUTE, SECOND, Input, Kind, Sms, State
from bridge.store import OutboxWork, Store, matching, replies
from tests.store.conftest import Clock, Opener, mail

A, B = "+61421000001", "+61421000002"


async def sent(store: Store, number: str = A, ids: tuple[str, ...] = (), **about: Any) -> Sms:
    await store.accept(mail(number, **about))
    (sms,) = await store.claim("n1", 1)
    new = await store.finish(sms, Input(Kind.SENT, sms.attempts), Answer.CLEAR, ids)
    assert new is not None
    return new


async def state(store: Store, sms: Sms) -> Sms:
    story = await store.show(sms.message_id)
    assert story is not None
    return story.sms


def status(sms_id: str | None, news: News = News.DELIVERED, **more: Any) -> Event:
    return Event("webhook", "status", sms_id, A, "{}", news, more.pop("result", news.value), **more)


def reply(text: str = "yes", **more: Any) -> Event:
    values = {"source": "webhook", "type": "reply", "message_id": None, "phone": A, "raw": text, "text": text}
    return Event(**{**values, **more})


async def mails(store: Store) -> list[OutboxWork]:
    return list(await store.claim_mail(100))


async def test_our_message_id_matches_in_any_case(store: Store) -> None:
    sms = await sent(store)
    assert await store.record_event(status(sms.message_id.lower())) == "applied"
    assert (await state(store, sms)).state is State.DELIVERED


async def test_the_vendors_ids_and_jobs_match_too(store: Store) -> None:
    sms = await sent(store, ids=("Vend-1",))
    assert await store.record_event(status("vEND-1", News.PENDING, job="J77")) == "applied"
    assert await store.record_event(status(None, News.DELIVERED, job="j77")) == "applied"
    assert (await state(store, sms)).state is State.DELIVERED


async def test_an_event_before_its_answer_is_kept_and_applied_then(store: Store) -> None:
    await store.accept(mail())
    (sms,) = await store.claim("n1", 1)
    early = [
        status("vend-9", News.PENDING, job="J9"),
        status("vend-9", price=800),
        status(None, News.FAILED, job="j9"),
    ]
    for event in early:
        assert await store.record_event(event) == "kept"
    assert (await store.counts()).events_kept == 3
    new = await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR, ("VEND-9",))
    assert new is not None
    assert (new.state, new.price, new.rank) == (State.DELIVERED, 800, 4)
    story = await store.show(sms.message_id)
    assert story is not None
    assert len(story.events) == 3, "the job that the first one told brought in the last"


async def test_a_job_that_was_given_to_another_phone_says_nothing_of_it(store: Store, clock: Clock) -> None:
    await store.accept(mail())
    (sms,) = await store.claim("n1", 1)
    foreign = replace(status("elsewhere", News.FAILED, job="J9"), phone=B)
    assert await store.record_event(replace(foreign, job="J8")) == "kept"
    await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR, ("VEND-9",))
    for job in ("J8", "J9"):
        event = status("vend-9", News.PENDING, job=job, result=job)
        assert await store.record_event(event) in ("applied", "recorded")
    assert await store.record_event(foreign) == "kept"
    clock.forward(MINUTE)
    await store.expire()
    assert (await state(store, sms)).state is State.SUBMITTED
    for phone in (sms.number, "", "0421 000 001"):
        told = replace(status(None, News.PENDING, job="J9", result=phone or "none"), phone=phone)
        assert await store.record_event(told) in ("applied", "recorded")


async def test_what_matches_nothing_is_kept_for_72_hours(store: Store, clock: Clock) -> None:
    assert await store.record_event(status("nobody")) == "kept"
    assert await store.record_event(status("nobody")) == "known"
    clock.forward(72 * HOUR - 1)
    await store.expire()
    assert len(await store.list_events(None, 10)) == 1
    clock.forward(1)
    await store.expire()
    assert await store.list_events(None, 10) == ()


async def test_a_flood_that_matches_nothing_drops_the_oldest_and_alarms_once(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "MAX_KEPT", 5)
    for n in range(9):
        clock.forward(1)
        await store.record_event(status(f"nobody{n}"))
    assert [event.message_id for event in await store.list_events(None, 10)] == [
        f"nobody{n}" for n in (8, 7, 6, 5, 4)
    ]
    (work,) = await mails(store)
    assert dict(work.mail.facts)["alarm"] == "event-flood"
    (alarm,) = await store.list_alarms(10)
    assert (alarm.key, alarm.times) == ("event-flood", 4)


async def test_a_flood_about_one_sms_is_bounded_but_still_applied(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "MAX_OF_ONE", 5)
    sms = await sent(store)
    for n in range(9):
        await store.record_event(status(sms.message_id, News.PENDING, result=f"odd {n}"))
    await store.record_event(status(sms.message_id))
    assert await store.record_event(reply(message_id=sms.message_id)) == "recorded"
    story = await store.show(sms.message_id)
    assert story is not None
    assert len(story.events) == 5
    assert story.sms.state is State.DELIVERED


async def test_a_flood_of_prices_of_one_sms_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MAX_OF_ONE", 5)
    sms = await sent(store)
    for n in range(20):
        await store.record_event(status(sms.message_id, News.PENDING, job=f"j{n}", price=100))
    assert (await state(store, sms)).price == 500
    for price in (1, 2, 1, 2):
        await store.record_event(status(sms.message_id, News.PENDING, job="j0", price=price))
    assert (await state(store, sms)).price == 500


async def test_a_mail_waits_behind_no_more_than_some_of_what_the_vendor_says(store: Store) -> None:
    """Else some thousand answers at once, by webhook or in one poll, keep all mails waiting until they are stored."""
    sms = await sent(store)
    said = [reply(f"answer {n}", message_id=sms.message_id, received_id=f"r{n}") for n in range(2_000)]
    tasks = [asyncio.ensure_future(store.record_event(event)) for event in said]
    await asyncio.sleep(0)
    assert (await store.accept(mail(text="fire", header="<fire@x>"))).queued
    stored = sum(task.done() for task in tasks)
    await asyncio.gather(*tasks)
    assert stored < len(said) / 2


async def test_the_raw_text_is_kept_within_bounds(store: Store) -> None:
    sms = await sent(store)
    await store.record_event(replace(status(sms.message_id), raw="x" * 100_000))
    (event,) = await store.list_events(None, 10)
    assert len(event.raw) == matching.MAX_RAW


async def test_prices_add_up_over_jobs_and_the_last_of_each_counts(store: Store) -> None:
    sms = await sent(store)
    for n, (job, price) in enumerate([("j1", 500), ("j1", 700), ("j2", 900), ("J1", 600), (None, None)]):
        event = status(sms.message_id, News.PENDING, job=job, price=price, result=f"r{n}")
        await store.record_event(event)
    assert (await state(store, sms)).price == 1500


async def test_lower_news_is_recorded_only(store: Store) -> None:
    sms = await sent(store)
    await store.record_event(status(sms.message_id))
    assert await store.record_event(status(sms.message_id, News.FAILED)) == "recorded"
    assert (await state(store, sms)).state is State.DELIVERED


async def test_long_ids_match_nothing(store: Store) -> None:
    assert await store.record_event(status("x" * 5000)) == "kept"


# --- answers from phones ---------------------------------------------------------------------------------


async def test_an_answer_is_mailed_to_its_sender_once(store: Store, clock: Clock) -> None:
    sms = await sent(store)
    event = reply(message_id=sms.message_id, received_id="R1", vendor_at=clock.now)
    assert await store.record_event(event) == "applied"
    assert await store.record_event(event) == "known"
    assert await store.record_event(replace(event, source="poll", raw="other")) == "known"
    (work,) = await mails(store)
    assert (work.mail.kind, work.mail.to) == (MailKind.REPLY, "ann@clinic.example")
    assert dict(work.mail.facts) == {"phone": A, "text": "yes", "at": str(clock.now)}
    assert work.mail.bounce_key
    assert await store.known_key("bounce", work.mail.bounce_key.upper())
    assert [one.id for one in work.sms] == [sms.id]


@pytest.mark.parametrize("before", [State.UNKNOWN, State.HELD])
async def test_an_answer_proves_that_its_sms_was_made(store: Store, clock: Clock, before: State) -> None:
    await store.accept(mail())
    (sms,) = await store.claim("n1", 1)
    await store.finish(sms, Input(Kind.UNCLEAR, 1), Answer.UNCLEAR)
    if before is State.HELD:
        clock.forward(10 * MINUTE)
        await store.polled(sms, Input(Kind.NO_POLL))
    assert (await state(store, sms)).state is before
    await store.record_event(reply(message_id=sms.message_id))
    assert (await state(store, sms)).state is State.SUBMITTED


ways = {
    "webhook": lambda sms, at: reply(message_id=sms.message_id, vendor_at=at - 40_000),
    "poll": lambda sms, at: reply(source="poll", message_id=sms.message_id, received_id="R1", vendor_at=at),
    "mail": lambda sms, at: reply(
        source="mail", message_id=sms.message_id, text="Reply from 0421\n YES  \nSent by the vendor"
    ),
}


@pytest.mark.parametrize("order", list(itertools.permutations(ways)), ids="-".join)
async def test_the_three_ways_of_one_answer_meet_in_every_order(
    store: Store, clock: Clock, order: tuple[str, ...]
) -> None:
    sms = await sent(store)
    at = clock.now
    for n, way in enumerate(order):
        clock.forward(50 * SECOND)
        assert await store.record_event(ways[way](sms, at)) == ("applied" if n == 0 else "known")
    assert len(await mails(store)) == 1
    story = await store.show(sms.message_id)
    assert story is not None
    (event,) = story.events
    assert (event.received_id, event.times) == ("R1", 3)
    for way in order:
        assert await store.record_event(ways[way](sms, at)) == "known", "each again, as vendors repeat them"


async def test_two_equal_answers_are_two_when_the_poll_lists_two(store: Store, clock: Clock) -> None:
    sms = await sent(store)
    plain = [reply(message_id=sms.message_id, vendor_at=clock.now + ms) for ms in (0, 60_000)]
    listed = [replace(event, source="poll", received_id=f"R{n}") for n, event in enumerate(plain)]
    assert [await store.record_event(event) for event in plain] == ["applied", "applied"]
    assert [await store.record_event(event) for event in listed] == ["known", "known"]
    third = replace(listed[0], received_id="R9")
    assert await store.record_event(third) == "applied"
    assert len(await mails(store)) == 3


async def test_the_same_text_after_three_minutes_is_another_answer(store: Store, clock: Clock) -> None:
    sms = await sent(store)
    first = reply(message_id=sms.message_id, vendor_at=clock.now)
    assert await store.record_event(first) == "applied"
    later = replace(first, source="poll", received_id="R1", vendor_at=clock.now + replies.SAME_MS + 1)
    assert await store.record_event(later) == "applied"


async def test_an_empty_answer_is_in_no_mail(store: Store) -> None:
    sms = await sent(store)
    await store.record_event(reply("", message_id=sms.message_id, received_id="R1"))
    assert (
        await store.record_event(reply(source="mail", message_id=sms.message_id, text="anything"))
        == "applied"
    )


async def test_an_answer_says_when_another_sender_wrote_too(store: Store, clock: Clock) -> None:
    await sent(store, sender="bob@clinic.example")
    clock.forward(6 * 24 * HOUR)
    sms = await sent(store)
    await store.record_event(reply(message_id=sms.message_id))
    clock.forward(2 * 24 * HOUR)
    await store.record_event(reply("later", message_id=sms.message_id))
    first, second = await mails(store)
    assert "note" in dict(first.mail.facts)
    assert "note" not in dict(second.mail.facts)


async def test_an_answer_to_one_of_ours_that_is_gone_is_inbound(store: Store) -> None:
    assert await store.record_event(reply(message_id="BRDG0000000000000000")) == "applied"
    (work,) = await mails(store)
    assert (work.mail.kind, work.mail.to) == (MailKind.INBOUND, "desk@example.com")
    assert work.sms == ()
    assert work.source is None


async def test_an_answer_with_an_id_of_the_vendors_waits_and_is_told_in_the_end(
    store: Store, clock: Clock
) -> None:
    await store.accept(mail())
    (sms,) = await store.claim("n1", 1)
    assert await store.record_event(reply("now", message_id="vend-1")) == "kept"
    assert await store.record_event(reply("never", message_id="vend-2")) == "kept"
    assert await mails(store) == []
    await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR, ("VEND-1",))
    (work,) = await mails(store)
    assert (work.mail.kind, dict(work.mail.facts)["text"]) == (MailKind.REPLY, "now")
    clock.forward(72 * HOUR)
    await store.expire()
    (work,) = [one for one in await mails(store) if dict(one.mail.facts).get("text") == "never"]
    assert work.mail.kind is MailKind.INBOUND


async def test_inbound_is_mailed_once_or_only_kept_when_nobody_reads_it(store: Store, opened: Opener) -> None:
    event = reply(type="inbound", received_id="R5")
    assert [await store.record_event(event) for _ in range(2)] == ["applied", "known"]
    assert len(await mails(store)) == 1
    quiet = await opened(inbound_to="")
    assert await quiet.record_event(replace(event, received_id="R6", text="other")) == "applied"
    assert await mails(quiet) == []
    assert len(await quiet.list_events(None, 10)) == 2


async def test_a_flood_of_inbound_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "MAX_AN_HOUR", 3)
    told = [await store.record_event(reply(f"n{n}", type="inbound", received_id=f"R{n}")) for n in range(5)]
    assert told == ["applied"] * 3 + ["recorded"] * 2


async def test_replies_by_the_vendors_own_mails_are_only_recorded(store: Store, opened: Opener) -> None:
    vendor = await opened(replies_channel="vendor")
    sms = await sent(vendor)
    assert await vendor.record_event(reply(message_id=sms.message_id)) == "applied"
    assert await mails(vendor) == []


async def test_who_does_not_want_replies_gets_none(store: Store) -> None:
    sms = await sent(store, reports=ReportRule(frozenset({"failed"})))
    assert await store.record_event(reply(message_id=sms.message_id)) == "applied"
    assert await mails(store) == []


# --- the vendor's mails, bounces, postmaster -------------------------------------------------------------


async def test_the_vendors_mail_asks_for_a_poll_of_replies(store: Store, clock: Clock) -> None:
    sms = await sent(store)
    assert await store.known_key("reply", sms.reply_key.upper())
    assert not await store.known_key("reply", "nobody")
    assert await store.vendor_mail(sms.reply_key, "anything")
    assert [one.id for one in await store.due_reply_polls(10)] == [sms.id]
    assert await store.due_reply_polls(10) == (), "leased"
    clock.forward(MINUTE)
    assert len(await store.due_reply_polls(10)) == 1
    assert await store.vendor_mail(sms.reply_key, "more")
    await store.reply_polled(sms)
    assert len(await store.due_reply_polls(10)) == 1, "what came during the poll is asked for again"
    await store.reply_polled(sms)
    clock.forward(HOUR)
    assert await store.due_reply_polls(10) == ()


async def test_without_polls_the_vendors_mail_is_the_answer(store: Store) -> None:
    sms = await sent(store, account="clinic")
    assert await store.vendor_mail(sms.reply_key, "Your reply: yes")
    assert await store.vendor_mail(sms.reply_key, "Your reply: yes")
    (work,) = await mails(store)
    assert dict(work.mail.facts)["text"] == "Your reply: yes"


async def test_vendor_mails_are_limited_per_key(store: Store, clock: Clock) -> None:
    sms = await sent(store)
    assert [await store.vendor_mail(sms.reply_key, "x") for _ in range(21)] == [True] * 20 + [False]
    assert not await store.vendor_mail("nobody", "x")
    clock.forward(HOUR)
    assert await store.vendor_mail(sms.reply_key, "x")


async def test_a_bounce_marks_its_mail_and_alarms_once(store: Store) -> None:
    sms = await sent(store)
    await store.record_event(reply(message_id=sms.message_id))
    (work,) = await mails(store)
    assert await store.bounce(work.mail.bounce_key)
    assert await store.bounce(work.mail.bounce_key)
    assert not await store.bounce("nobody")
    (alarm,) = await mails(store)
    assert dict(alarm.mail.facts) == {"alarm": "bounce", "to": "ann@clinic.example", "kind": "reply"}
    found = await store.outbox_mail(work.mail.id)
    assert found is not None
    assert found.bounced


async def test_mail_for_postmaster_is_handed_on_as_it_came(
    store: Store, opened: Opener, clock: Clock
) -> None:
    raw = b"From: x\r\n\r\nhello\x00\xff"
    assert [await store.postmaster(raw, "192.0.2.9") for _ in range(11)] == [True] * 10 + [False]
    assert await store.postmaster(raw, "192.0.2.10")
    work = (await mails(store))[0]
    assert (work.mail.kind, work.mail.to, work.mail.raw) == (MailKind.POSTMASTER, "admin@example.com", raw)
    nobody = await opened(admin="")
    clock.forward(HOUR)
    assert await nobody.postmaster(raw, "192.0.2.9")
    assert (await nobody.counts()).outbox_by_state == {"due": 11, "kept": 1}


async def test_alarms_without_an_admin_are_only_recorded(opened: Opener, clock: Clock) -> None:
    store = await opened(admin="")
    assert not await store.note_alarm("disk", (("alarm", "disk"),))
    assert await mails(store) == []
    assert [alarm.key for alarm in await store.list_alarms(10)] == ["disk"]


async def test_an_alarm_is_told_once_in_its_time(store: Store, clock: Clock) -> None:
    facts = (("alarm", "disk"),)
    assert [await store.note_alarm("disk", facts) for _ in range(3)] == [True, False, False]
    assert await store.note_alarm("other", facts)
    clock.forward(24 * HOUR)
    assert await store.note_alarm("disk", facts)
    assert len(await mails(store)) == 3
