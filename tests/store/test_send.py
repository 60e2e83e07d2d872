"""Claiming and finishing: fair, exclusive, and with an eye on the health of accounts."""

import asyncio
from dataclasses import replace

import pytest

from bridge.event import Event, News
from bridge.report.values import MailKind
from bridge.retry import Answer, Stop
from bridge.sms import HOUR, MINUTE, SECOND, Input, Kind, Sms, State
from bridge.store import Actor, SmsFilter, Store
from tests.store.conftest import Clock, Opener, mail

A, B, C = "+61421000001", "+61421000002", "+61421000003"


async def taken(store: Store, *numbers: str, header: str = "<a@x>", **about: object) -> list[Sms]:
    await store.accept(mail(*numbers, header=header, **about))  # type: ignore[arg-type]
    return list(await store.claim("n1", 100))


async def test_of_one_sender_the_oldest_comes_first(store: Store, clock: Clock) -> None:
    for number in (C, A, B):
        await store.accept(mail(number))
        clock.forward(1)
    assert [sms.number for sms in await store.claim("n1", 2)] == [C, A]
    assert [sms.number for sms in await store.claim("n1", 2)] == [B]


async def test_a_flood_of_one_sender_does_not_delay_anothers_alarm(store: Store, clock: Clock) -> None:
    await store.accept(mail(*(f"+6142100{n:04}" for n in range(90)), sender="flood@x"))
    clock.forward(1000)
    await store.accept(mail(A, sender="alarm@x"))
    await store.accept(mail(B, sender="zeta@x"))
    first = await store.claim("n1", 6)
    assert {A, B} <= {sms.number for sms in first}


async def test_turns_go_round_when_there_are_more_senders_than_places(store: Store) -> None:
    for n in range(5):
        await store.accept(mail(A, B, sender=f"s{n}@x"))
    rounds = [{sms.mail_id for sms in await store.claim("n1", 2)} for _ in range(5)]
    assert len(set().union(*rounds[:3])) == 5, "everybody had a turn before anybody had a third"
    assert await store.claim("n1", 2) == ()


async def test_an_sms_that_waits_for_a_retry_does_not_stand_in_the_way(store: Store, clock: Clock) -> None:
    for n in range(70):  # more senders than are looked at in one go
        await store.accept(mail(A, sender=f"a{n:02}@x"))
    for sms in await store.claim("n1", 100):
        await store.finish(sms, Input(Kind.NOT_SENT, 1, "no route", 10 * MINUTE), None)
    await store.accept(mail(B, sender="z@x"))
    assert [sms.number for sms in await store.claim("n1", 10)] == [B]
    assert await store.claim("n1", 10) == ()
    clock.forward(10 * MINUTE)
    assert len(await store.claim("n1", 100)) == 70


async def test_no_sms_is_claimed_twice_by_claims_at_once(opened: Opener) -> None:
    one, two = await opened(), await opened()
    await one.accept(mail(*(f"+6142100{n:04}" for n in range(60))))
    claims = await asyncio.gather(*(store.claim("n", 7) for store in (one, two) * 8))
    ids = [sms.id for rows in claims for sms in rows]
    assert len(ids) == len(set(ids)) == 60


async def test_what_is_too_old_is_ended_and_told(store: Store, clock: Clock) -> None:
    await store.accept(mail(A, expire_after_ms=HOUR))
    clock.forward(HOUR)
    assert await store.claim("n1", 10) == ()
    (work,) = await store.claim_mail(10)
    assert dict(work.mail.facts)["state"] == "expired"


async def test_expire_ends_what_waits_while_an_account_stands_still(store: Store, clock: Clock) -> None:
    (sms,) = await taken(store, A, expire_after_ms=HOUR)
    await store.finish(sms, Input(Kind.REFUSED_ACCOUNT, 1, "no credit"), Answer.ACCOUNT)
    clock.forward(HOUR)
    assert await store.expire() == 1
    assert await store.expire() == 0


async def test_finish_of_an_unknown_row_is_none(store: Store) -> None:
    (sms,) = await taken(store, A)
    gone = replace(sms, id=99)
    assert await store.finish(gone, Input(Kind.SENT, 1), Answer.CLEAR) is None
    assert await store.polled(gone, Input(Kind.NO_SUCH)) is None


async def test_a_refused_account_stops_alarms_once_and_probes(store: Store, clock: Clock) -> None:
    first, second = await taken(store, A, B)
    await store.finish(first, Input(Kind.REFUSED_ACCOUNT, 1, "wrong token"), Answer.ACCOUNT)
    await store.finish(second, Input(Kind.REFUSED_ACCOUNT, 1, "wrong token"), Answer.ACCOUNT)
    (account,) = await store.accounts()
    assert (account.stop, account.why) == (Stop.ACCOUNT, "wrong token")
    (work,) = await store.claim_mail(10)
    assert (work.mail.kind, work.mail.to) == (MailKind.ALARM, "admin@example.com")
    assert dict(work.mail.facts) == {
        "alarm": "stopped",
        "stop": "account",
        "account": "default",
        "why": "wrong token",
    }
    assert await store.claim("n1", 10) == ()
    clock.forward(15 * MINUTE)
    (probe,) = await store.claim("n1", 10)
    assert await store.claim("n1", 10) == ()
    await store.finish(probe, Input(Kind.SENT, 2), Answer.CLEAR)
    assert len(await store.claim("n1", 10)) == 1


async def test_one_account_that_stands_still_does_not_stop_another(store: Store) -> None:
    (sms,) = await taken(store, A, account="clinic")
    await store.finish(sms, Input(Kind.REFUSED_ACCOUNT, 1), Answer.ACCOUNT)
    await store.accept(mail(B))
    await store.accept(mail(C, account="clinic"))
    assert [sms.number for sms in await store.claim("n1", 10)] == [B]


async def test_accounts_share_what_one_claim_may_take(store: Store) -> None:
    await store.accept(mail(A, B, C, account="a"))
    await store.accept(mail(A, B, C, account="b", header="<b@x>"))
    assert sorted(sms.account for sms in await store.claim("n1", 2)) == ["a", "b"]


async def test_resume_starts_an_account_and_the_next_stop_is_told_again(store: Store) -> None:
    for _ in range(2):
        rows = await store.claim("n1", 1) or await taken(store, A)
        await store.finish(rows[0], Input(Kind.REFUSED_ACCOUNT, rows[0].attempts), Answer.ACCOUNT)
        assert len(await store.claim_mail(10)) == 1
        assert await store.resume("other", Actor("kim", "desk")) == 0
        assert await store.resume("default", Actor("kim", "desk")) == 1
    assert await store.resume(None, Actor("kim", "desk")) == 0


async def test_a_stopped_account_survives_a_restart(store: Store, opened: Opener) -> None:
    (sms,) = await taken(store, A)
    await store.finish(sms, Input(Kind.REFUSED_ACCOUNT, 1), Answer.ACCOUNT)
    await store.close()
    again = await opened()
    assert (await again.accounts())[0].stop is Stop.ACCOUNT
    assert await again.claim("n2", 10) == ()


async def test_three_silent_ones_stop_the_account_and_only_a_sign_of_life_starts_it(
    store: Store, clock: Clock
) -> None:
    for number in (A, B, C):
        (sms,) = await taken(store, number)
        await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR)
    while (await store.accounts() or [None])[0] is None or not (await store.accounts())[0].stop:
        clock.forward(MINUTE)
        for sms in await store.due_polls(10):
            await store.polled(sms, Input(Kind.NO_SUCH))
    (account,) = await store.accounts()
    assert account.stop is Stop.SILENT
    await store.accept(mail("+61421000009"))
    assert await store.claim("n1", 10) == ()
    clock.forward(15 * MINUTE)
    (probe,) = await store.claim("n1", 10)
    await store.finish(probe, Input(Kind.SENT, probe.attempts), Answer.CLEAR)
    assert (await store.accounts())[0].stop is Stop.SILENT
    await store.record_event(Event("webhook", "status", probe.message_id, A, "", News.PENDING))
    assert (await store.accounts())[0].stop is Stop.NONE


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # where one process sends
async def test_taking_the_part_send_adopts_what_was_being_sent(store: Store, opened: Opener) -> None:
    (sms,) = await taken(store, A)
    other = await opened()
    async with other.part("mail"):
        pass
    async with other.part("send"):
        story = await other.show(sms.message_id)
    assert story is not None
    assert story.sms.state is State.UNKNOWN
    late = await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR)
    assert late is not None
    assert late.state is State.SUBMITTED


async def test_an_operator_releases_and_cancels(store: Store, clock: Clock) -> None:
    (sms,) = await taken(store, A)
    await store.finish(sms, Input(Kind.REFUSED_UNREAD, 1, "Quux"), Answer.UNREAD)
    clock.forward(20 * HOUR)
    released = await store.release(sms.message_id.lower(), Actor("kim", "desk"))
    assert released is not None
    assert (released.state, released.expires_at) == (State.QUEUED, clock.now + 12 * HOUR)
    assert (await store.release(sms.message_id, Actor("kim", "desk"))) == released
    cancelled = await store.cancel(sms.message_id, Actor("kim", "desk"))
    assert cancelled is not None
    assert (cancelled.state, cancelled.result) == (State.CANCELLED, "by desk, kim")
    assert await store.cancel("BRDGNONE", Actor("kim", "desk")) is None
    assert await store.release("BRDGNONE", Actor("kim", "desk")) is None


async def test_history_counts_what_repeats_and_is_bounded(store: Store, clock: Clock) -> None:
    (sms,) = await taken(store, A)
    await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR)
    for _ in range(5):
        await store.polled(sms, Input(Kind.NO_ANSWER, why="no route"))
    for n in range(400):
        await store.polled(sms, Input(Kind.NO_ANSWER, why=f"odd {n}"))
    story = await store.show(str(sms.id))
    assert story is not None
    assert [line.times for line in story.history if line.note == "no answer: no route"] == [5]
    assert len(story.history) == 301
    assert story.history[-1].times > 50
    clock.forward(SECOND)


async def test_a_claim_that_nobody_remembers_is_asked_about_after_a_minute(
    store: Store, clock: Clock
) -> None:
    lost, kept = await taken(store, A, B)
    assert await store.adopt_lost("n1", {kept.id}, MINUTE) == 0
    clock.forward(MINUTE)
    assert await store.adopt_lost("another", {kept.id}, MINUTE) == 0
    assert await store.adopt_lost("n1", {kept.id}, MINUTE) == 1
    states = {row.sms.number: row.sms.state for row in await store.list_sms(SmsFilter(), None, 10)}
    assert states == {lost.number: State.UNKNOWN, kept.number: State.SENDING}
