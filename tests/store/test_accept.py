"""Taking mails: nothing twice, nothing lost, and every number told of."""

import asyncio
import threading
from dataclasses import replace

import pytest

from bridge.decide import Accept, SignedMail
from bridge.report.values import MailKind
from bridge.rules import ReportRule
from bridge.sms import HOUR, MINUTE, State
from bridge.store import Actor, SmsFilter, Store
from tests.store.conftest import Clock, Opener, mail


async def stored(store: Store) -> int:
    return len(await store.list_sms(SmsFilter(), None, 100))


async def test_ids_and_keys_have_their_forms(store: Store) -> None:
    accepted = await store.accept(mail("+61421000001", "+61421000002"))
    one, two = accepted.queued
    assert one.message_id.startswith("BRDG")
    assert one.message_id.isalnum()
    assert one.message_id == one.message_id.upper()
    assert len(one.message_id) <= 40
    assert one.reply_key == one.reply_key.lower()
    assert one.reply_key.isalnum()
    assert len(one.reply_key) >= 16
    assert one.message_id[15:] != two.message_id[15:]
    assert one.reply_key[11:] != two.reply_key[11:]
    assert len(accepted.mail_id) < 20


async def test_the_same_mail_again_makes_nothing_and_names_the_first(store: Store) -> None:
    first = await store.accept(mail())
    again = await store.accept(mail())
    assert (again.mail_id, again.queued, again.duplicates) == (first.mail_id, (), 1)
    assert await stored(store) == 1


@pytest.mark.parametrize(
    "other",
    [
        mail(sender="bob@clinic.example"),
        mail(header="<two@clinic.example>"),
        mail("+61421000002"),
        mail(text="other"),
    ],
    ids=["sender", "Message-ID", "number", "text"],
)
async def test_what_differs_in_one_thing_is_no_duplicate(store: Store, other: object) -> None:
    await store.accept(mail())
    accepted = await store.accept(other)  # type: ignore[arg-type]
    assert len(accepted.queued) == 1


async def test_only_the_new_numbers_of_a_mail_are_queued(store: Store) -> None:
    first = await store.accept(mail("+61421000001"))
    both = await store.accept(mail("+61421000001", "+61421000002"))
    assert [sms.number for sms in both.queued] == ["+61421000002"]
    assert both.duplicates == 1
    assert both.mail_id != first.mail_id


async def test_a_number_twice_in_one_mail_is_one_sms(store: Store) -> None:
    accepted = await store.accept(mail("+61421000001", "+61421000001"))
    assert (len(accepted.queued), accepted.duplicates) == (1, 1)


async def test_the_same_mail_from_many_sessions_at_once_is_one_sms(store: Store) -> None:
    accepted = await asyncio.gather(*(store.accept(mail()) for _ in range(50)))
    assert sum(len(one.queued) for one in accepted) == 1
    assert len({one.mail_id for one in accepted}) == 1


async def test_many_mails_at_once_are_each_told_their_own(store: Store) -> None:
    mails = [mail(f"+614210{n:05}", header=f"<{n}@x>", text=f"text {n}") for n in range(100)]
    accepted = await asyncio.gather(*(store.accept(one) for one in mails + mails))
    assert [len(one.queued) for one in accepted] == [1] * 100 + [0] * 100
    assert [one.mail_id for one in accepted[100:]] == [one.mail_id for one in accepted[:100]]
    for number, one in enumerate(accepted[:100]):
        story = await store.show(str(one.queued[0].id))
        assert story is not None
        assert (story.sms.text, story.mail.id) == (f"text {number}", one.mail_id)
        assert story.sms == one.queued[0]


async def test_a_mail_that_cannot_be_stored_keeps_no_other_out(store: Store) -> None:
    mails = [mail(header=f"<{n}@x>", text="\ud800" if n == 20 else "fine") for n in range(40)]
    outcomes = await asyncio.gather(*(store.accept(one) for one in mails), return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Exception)] == [20]
    assert await stored(store) == 39


async def test_the_parts_of_a_mail_that_a_server_splits_and_sends_at_once_are_one_group(store: Store) -> None:
    parts = [mail(*(f"+6142100{part}00{n}" for n in range(2))) for part in range(4)]
    accepted = await asyncio.gather(*(store.accept(one) for one in parts))
    for one in accepted:
        for sms in one.queued:
            await store.cancel(sms.message_id, Actor("kim", "desk"))
    await store.sweep_notices()
    kinds = [one.kind for one in await store.list_outbox(None, 100)]
    assert kinds.count(MailKind.SUMMARY) == 1


async def test_two_processes_cannot_both_take_the_same_mail(opened: Opener) -> None:
    one, two = await opened(), await opened()
    accepted = await asyncio.gather(*(store.accept(mail()) for store in (one, two) * 10))
    assert sum(len(each.queued) for each in accepted) == 1


async def test_after_the_window_the_same_mail_is_meant(store: Store, clock: Clock) -> None:
    await store.accept(mail())
    clock.forward(24 * HOUR - 1)
    assert not (await store.accept(mail())).queued
    clock.forward(1)
    assert (await store.accept(mail())).queued
    await store.expire()
    assert not (await store.accept(mail())).queued, "cleaning up must not forget what is still known"


async def test_a_signed_mail_is_known_for_as_long_as_anybody_can_hand_it_in(
    store: Store, clock: Clock
) -> None:
    signed = replace(mail(), signed=SignedMail(until=clock.now + 30 * HOUR))
    assert (await store.accept(signed)).queued
    clock.forward(30 * HOUR - 1)
    await store.expire()
    assert not (await store.accept(signed)).queued


async def test_a_signed_mail_that_can_be_read_otherwise_is_known_by_its_body(
    store: Store, clock: Clock
) -> None:
    def read_as(text: str, body: str) -> Accept:
        return replace(mail(text=text), signed=SignedMail(clock.now + HOUR, body))

    first = await store.accept(read_as("Hello", "c0ffee"))
    again = await store.accept(read_as("Hello Hello", "c0ffee"))
    assert first.queued
    assert not again.queued
    assert again.mail_id == first.mail_id
    assert (await store.accept(read_as("Hello", "decade"))).queued, "another mail with the same Message-ID"


async def test_without_a_message_id_only_an_unheard_250_makes_a_duplicate(store: Store, clock: Clock) -> None:
    alarm = mail(header=None)
    first = await store.accept(alarm)
    assert (await store.accept(alarm)).mail_id == first.mail_id
    await store.acknowledge(first.mail_id)
    second = await store.accept(alarm)
    assert second.queued
    clock.forward(15 * MINUTE)
    assert (await store.accept(alarm)).queued


async def test_a_250_that_was_heard_counts_for_the_next_mail_in_the_same_commit(store: Store) -> None:
    first = await store.accept(mail(header=None))
    go = threading.Event()
    busy = asyncio.create_task(store._database.write(lambda tx: go.wait(30)))  # what comes now is one commit
    other = asyncio.create_task(store.accept(mail(sender="bob@clinic.example", header=None)))
    await asyncio.sleep(0)
    heard = asyncio.create_task(store.acknowledge(first.mail_id))
    again = asyncio.create_task(store.accept(mail(header=None)))
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(busy, other, heard)
    assert (await again).queued


async def test_acknowledging_a_mail_with_a_message_id_forgets_nothing(store: Store) -> None:
    first = await store.accept(mail())
    await store.acknowledge(first.mail_id)
    assert not (await store.accept(mail())).queued


async def test_an_operator_may_send_the_same_twice_but_a_form_only_once(store: Store) -> None:
    by_hand = mail(header=None, proof="operator")
    assert (await store.accept(by_hand)).queued
    assert (await store.accept(by_hand)).queued
    form = mail(header="<token@desk>", proof="operator")
    assert (await store.accept(form)).queued
    assert not (await store.accept(form)).queued


async def test_refused_numbers_are_stored_and_told_in_one_mail(store: Store) -> None:
    numbers = ("+61421000001", "+61190000001", "+61190000002")
    accepted = await store.accept(mail(*numbers, refused=numbers[1:]))
    assert (len(accepted.queued), accepted.refused) == (1, 2)
    (work,) = await store.claim_mail(10)
    assert (work.mail.kind, work.mail.sms_id) == (MailKind.FAILED, None)
    assert [sms.state for sms in work.sms] == [State.QUEUED, State.REFUSED, State.REFUSED]
    assert work.sms[1].result == "premium numbers are not allowed"
    assert [sms.number for sms in await store.claim("n", 10)] == ["+61421000001"]
    again = await store.accept(mail(*numbers, refused=numbers[1:]))
    assert again.mail_id == accepted.mail_id
    assert await store.claim_mail(10) == ()


async def test_one_refused_number_is_told_by_itself(store: Store) -> None:
    await store.accept(mail("+61421000001", "+61190000001", refused=("+61190000001",)))
    (work,) = await store.claim_mail(10)
    assert [sms.number for sms in work.sms] == ["+61190000001"]
    assert dict(work.mail.facts)["result"] == "premium numbers are not allowed"


async def test_who_wants_no_reports_hears_of_no_refusal(store: Store) -> None:
    quiet = mail("+61421000001", "+1900", refused=("+1900",), reports=ReportRule(frozenset()))
    assert (await store.accept(quiet)).refused == 1
    assert await store.claim_mail(10) == ()


async def test_a_number_that_was_refused_and_is_allowed_now_is_no_duplicate(store: Store) -> None:
    await store.accept(mail("+61421000001", "+61421000002", refused=("+61421000002",)))
    later = await store.accept(mail("+61421000001", "+61421000002"))
    assert [sms.number for sms in later.queued] == ["+61421000002"]


async def test_a_text_with_odd_characters_comes_back_as_it_was(store: Store, engine: str) -> None:
    odd = "\u202e\U0001f600 NUL\x00 '\";-- ü"
    await store.accept(mail(text=odd))
    (line,) = await store.list_sms(SmsFilter(), None, 1)
    assert line.sms.text == (odd if engine == "sqlite" else odd.replace("\0", "\ufffd"))  # it can hold no NUL


async def test_a_waiting_sender_wakes_when_a_mail_comes(store: Store) -> None:
    waiting = asyncio.create_task(store.wait("sms", 30))
    await asyncio.sleep(0)
    await store.accept(mail())
    await asyncio.wait_for(waiting, 10)
    await store.wait("poll", 0.01)
