"""Mails of ours: written with the change, once, claimed, rendered once; doubts and summaries in time."""

import pytest

from bridge.event import Event, News
from bridge.report.values import MailKind, OutboxState
from bridge.retry import Answer
from bridge.rules import ReportRule
from bridge.sms import HOUR, MINUTE, Input, Kind, Sms
from bridge.store import OutboxWork, Store, accepting
from tests.store.conftest import Clock, mail

SIX = tuple(f"+6142100000{n}" for n in range(1, 7))


async def all_sent(store: Store) -> list[Sms]:
    rows = list(await store.claim("n1", 100))
    for sms in rows:
        await store.finish(sms, Input(Kind.SENT, sms.attempts), Answer.CLEAR)
    return rows


async def news(store: Store, sms: Sms, what: News, result: str = "") -> None:
    event = Event("webhook", "status", sms.message_id, sms.number, "", what, result or what.value)
    assert await store.record_event(event) == "applied"


async def due(store: Store) -> list[OutboxWork]:
    await store.sweep_notices()
    return list(await store.claim_mail(100))


def told(work: list[OutboxWork]) -> list[tuple[MailKind, bool]]:
    return [(one.mail.kind, one.mail.correction) for one in work]


async def test_what_turns_round_is_corrected_once(store: Store) -> None:
    await store.accept(mail())
    (sms,) = await all_sent(store)
    await news(store, sms, News.NETWORK)
    assert told(await due(store)) == [(MailKind.DELIVERED, False)]
    await news(store, sms, News.FAILED)
    assert told(await due(store)) == [(MailKind.FAILED, True)]
    await news(store, sms, News.DELIVERED)
    assert told(await due(store)) == [(MailKind.DELIVERED, True)]


async def test_network_then_delivered_is_one_report(store: Store) -> None:
    await store.accept(mail())
    (sms,) = await all_sent(store)
    await news(store, sms, News.NETWORK)
    await news(store, sms, News.DELIVERED)
    assert told(await due(store)) == [(MailKind.DELIVERED, False)]


async def test_a_doubt_is_told_after_a_quarter_of_an_hour_and_settled_once(
    store: Store, clock: Clock
) -> None:
    await store.accept(mail(reports=ReportRule(frozenset({"failed"}))))
    (sms,) = await store.claim("n1", 1)
    await store.finish(sms, Input(Kind.UNCLEAR, 1), None)
    clock.forward(10 * MINUTE)
    await store.polled(sms, Input(Kind.NO_POLL))  # held from now on: the doubt is as old as before
    clock.forward(5 * MINUTE - 1)
    assert await due(store) == []
    clock.forward(1)
    (work,) = await due(store)
    assert (work.mail.kind, dict(work.mail.facts)["state"]) == (MailKind.FAILED, "held")
    await store.mail_sent(work.mail.id)
    clock.forward(HOUR)
    assert await due(store) == []
    await news(store, sms, News.DELIVERED)
    assert told(await due(store)) == [(MailKind.DELIVERED, True)]


async def test_a_doubt_that_ends_in_time_is_not_told(store: Store, clock: Clock) -> None:
    await store.accept(mail(reports=ReportRule(frozenset({"failed"}))))
    (sms,) = await store.claim("n1", 1)
    await store.finish(sms, Input(Kind.UNCLEAR, 1), None)
    clock.forward(10 * MINUTE)
    await news(store, sms, News.DELIVERED)
    clock.forward(HOUR)
    assert await due(store) == []


async def test_six_numbers_get_one_summary_when_all_is_over(store: Store, clock: Clock) -> None:
    await store.accept(mail(*SIX))
    rows = await all_sent(store)
    for sms in rows[:5]:
        await news(store, sms, News.DELIVERED)
    assert await due(store) == []
    await news(store, rows[5], News.FAILED)
    (work,) = await due(store)
    assert (work.mail.kind, len(work.sms)) == (MailKind.SUMMARY, 6)
    assert work.source is not None
    assert await due(store) == []
    await news(store, rows[5], News.DELIVERED)
    assert told(await due(store)) == [(MailKind.DELIVERED, True)], "the summary said that it failed"


async def test_five_numbers_get_a_report_each(store: Store) -> None:
    await store.accept(mail(*SIX[:5]))
    for sms in await all_sent(store):
        await news(store, sms, News.DELIVERED)
    assert told(await due(store)) == [(MailKind.DELIVERED, False)] * 5


async def test_a_summary_is_written_after_ten_minutes_and_a_later_failure_by_itself(
    store: Store, clock: Clock
) -> None:
    await store.accept(mail(*SIX))
    rows = await all_sent(store)
    await news(store, rows[0], News.DELIVERED)
    clock.forward(10 * MINUTE - 1)
    assert await due(store) == []
    clock.forward(1)
    (work,) = await due(store)
    assert work.mail.kind is MailKind.SUMMARY
    await news(store, rows[1], News.DELIVERED)
    assert await due(store) == []
    await news(store, rows[2], News.FAILED, "Bad Number")
    (work,) = await due(store)
    assert (work.mail.kind, work.mail.correction, work.mail.sms_id) == (MailKind.FAILED, False, rows[2].id)


async def test_a_mail_that_servers_split_is_one_group(store: Store) -> None:
    first = await store.accept(mail(*SIX[:3]))
    await store.accept(mail(*SIX[3:]))
    await store.accept(mail(*SIX, sender="bob@x"))
    rows = await all_sent(store)
    for sms in rows:
        await news(store, sms, News.DELIVERED)
    work = await due(store)
    assert [len(one.sms) for one in work] == [6, 6]
    assert first.mail_id in {one.mail.group for one in work}


async def test_a_device_with_one_message_id_for_ever_does_not_gather_a_group(
    store: Store, clock: Clock
) -> None:
    for n in range(7):
        clock.forward(HOUR + 1)
        await store.accept(mail(text=f"alarm {n}"))
    for sms in await all_sent(store):
        await news(store, sms, News.DELIVERED)
    assert told(await due(store)) == [(MailKind.DELIVERED, False)] * 7


async def test_who_wants_failures_alone_gets_no_summary_of_success(store: Store) -> None:
    await store.accept(mail(*SIX, reports=ReportRule(frozenset({"failed"}))))
    rows = await all_sent(store)
    for sms in rows:
        await news(store, sms, News.NETWORK)
    assert await due(store) == []
    await news(store, rows[0], News.FAILED)
    assert told(await due(store)) == [(MailKind.FAILED, False)]


async def test_a_mail_is_claimed_rendered_once_and_tried_again(store: Store, clock: Clock) -> None:
    await store.accept(mail())
    (sms,) = await all_sent(store)
    await news(store, sms, News.FAILED)
    (work,) = await due(store)
    assert await due(store) == []
    await store.give_mail_back("", under_way=())
    (again,) = await due(store)
    assert again.mail.message_id == work.mail.message_id
    assert work.mail.message_id.endswith("@sms.local>")
    await store.rendered((work.mail.id, b"first", "Failed"))
    await store.rendered((work.mail.id, b"second", "Other"))
    await store.mail_later(work.mail.id, 30_000, "450 try later")
    clock.forward(30_000)
    (third,) = await due(store)
    assert (third.mail.raw, third.mail.subject, third.mail.attempts) == (b"first", "Failed", 1)
    assert third.mail.error == "450 try later"
    await store.mail_dead(work.mail.id, "550 no such user")
    clock.forward(HOUR)
    assert await due(store) == []
    found = await store.outbox_mail(work.mail.id)
    assert found is not None
    assert (found.state, found.error, found.attempts) == (OutboxState.DEAD, "550 no such user", 2)
    assert [one.raw for one in await store.list_outbox(None, 10)] == [None]
    await store.mail_sent(work.mail.id)
    found = await store.outbox_mail(work.mail.id)
    assert found is not None
    assert found.state is OutboxState.DEAD, "what is settled stays so"


async def test_without_a_smarthost_mails_are_kept(store: Store) -> None:
    await store.accept(mail())
    (sms,) = await all_sent(store)
    await news(store, sms, News.FAILED)
    (work,) = await due(store)
    await store.mail_kept(work.mail.id)
    assert (await store.counts()).outbox_by_state == {"kept": 1}
    assert await store.outbox_mail(99) is None


async def test_a_group_is_bounded_in_time_and_size(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "MAX_GROUP", 8)
    groups = []
    for n in range(6):
        accepted = await store.accept(mail(*(f"+614210{n}0{m:03}" for m in range(4))))
        groups.append(accepted.mail_id)
        clock.forward(4 * MINUTE)
    for sms in await all_sent(store):
        await news(store, sms, News.DELIVERED)
    work = await due(store)
    assert [(one.mail.group, len(one.sms)) for one in work] == [(groups[n], 8) for n in (0, 2, 4)]
