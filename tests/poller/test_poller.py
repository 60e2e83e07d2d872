"""Polls: they find what webhooks missed, bring in what phones wrote, and stop where they are refused."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.simulator import Simulator
from bridge.sms import Sms, State
from bridge.store import Store
from tests.given_store import NUMBER, in_state, now, queued, submitted, until
from tests.poller.given import asked, polling, rule, vendor

# On a busy machine the fast clock may also have reached the end of all waiting.
STILL_WAITING = {State.SUBMITTED, State.UNCONFIRMED}


async def sent_at(
    store: Store, one: Simulator, numbers: Sequence[str] = (NUMBER,), **changes: str
) -> tuple[Sms, ...]:
    """Send SMS by the bridge, with a submitter that stops again."""
    many = await queued(store, numbers, **{"account": "a0", **changes})
    async with polling(store, one, sends=True):
        for sms in many:
            await in_state(store, sms, State.SUBMITTED, State.DELIVERED, State.FAILED)
    return many


async def events_of(store: Store, sms: Sms) -> list[tuple[str, str, str]]:
    story = await store.show(sms.message_id)
    assert story is not None
    return [(event.source, event.type, event.text or event.result) for event in story.events]


async def test_a_missed_webhook_is_repaired_by_a_poll_with_its_price(store: Store) -> None:
    async with vendor() as one:
        (sms,) = await queued(store, account="a0")
        async with polling(store, one, sends=True):
            after = await in_state(store, sms, State.DELIVERED)
    assert after.price == 1_000
    assert await events_of(store, sms) == [("poll", "status", "delivered")]


async def test_an_sms_that_the_vendor_knows_by_its_own_id_alone_is_found_and_not_sent_again(
    store: Store,
) -> None:
    async with vendor(message_id="own-only") as one:
        (sms,) = await queued(store, account="a0")
        async with polling(store, one, sends=True):
            after = await in_state(store, sms, State.DELIVERED)
    assert after.attempts == 1


async def test_pending_polls_are_one_event_and_credit_hold_alarms_once(store: Store) -> None:
    async with vendor() as one:
        rule(one, on="send", action="outcome", outcome="credit-hold")
        (sms,) = await queued(store, account="a0")

        def polls() -> int:
            return len(asked(one, "status"))

        async with polling(store, one, sends=True):

            async def polled_often() -> bool:
                return polls() >= 4

            await until(polled_often, "it was not polled again")
        assert (await now(store, sms)).state in STILL_WAITING
    assert await events_of(store, sms) == [("poll", "status", "CreditHold")]
    alarms = [alarm for alarm in await store.list_alarms(10) if alarm.key == "credit-hold:a0"]
    assert len(alarms) == 1


async def test_an_account_without_polls_is_given_up_without_asking(store: Store) -> None:
    async with vendor() as one:
        (sms,) = await queued(store, account="x0")
        async with polling(store, one, sends=True):
            await in_state(store, sms, State.SUBMITTED)
            await in_state(store, sms, State.UNCONFIRMED)
        assert asked(one, "status") + asked(one, "reply") == []


async def test_refused_polls_stop_for_the_account_with_one_alarm_and_change_nothing(store: Store) -> None:
    async with vendor() as one:
        rule(one, on="poll", action="refuse", status=401, reason="Unauthorized")
        many = await queued(store, [f"+614210000{n:02d}" for n in range(6)], account="a0")
        async with polling(store, one, sends=True, received_every_ms=3_600_000):
            for sms in many:
                await in_state(store, sms, State.SUBMITTED)

            async def alarmed() -> bool:
                return any(alarm.key == "polls-refused:a0" for alarm in await store.list_alarms(10))

            await until(alarmed, "no alarm")

            async def all_replanned() -> bool:
                stories = [await store.show(sms.message_id) for sms in many]
                return all(
                    any("no answer" in line.note for line in story.history) for story in stories if story
                )

            await until(all_replanned, "they were not polled")
        polls = asked(one, "status")
        assert len(polls) < 6 * 3
        assert {(await now(store, sms)).state for sms in many} <= STILL_WAITING


# --- what phones wrote ---


async def test_replies_and_inbound_sms_come_in_by_the_received_poll_once(store: Store) -> None:
    async with vendor() as one:
        (sms,) = await sent_at(store, one)
        one.vendor.receive(NUMBER, "Yes 👍")
        one.vendor.receive("+61421000099", "Who is this?")
        async with polling(store, one):

            async def both() -> bool:
                return len(await store.list_events(None, 10)) >= 3

            await until(both, "they did not come")
            rounds = len(asked(one, "received"))

            async def polled_again() -> bool:
                return len(asked(one, "received")) >= rounds + 120  # two more rounds of all accounts

            await until(polled_again, "it was not polled again")
    replies = [event for event in await store.list_events(None, 10) if event.type != "status"]
    assert {(event.type, event.text) for event in replies} == {
        ("reply", "Yes 👍"),
        ("inbound", "Who is this?"),
    }
    assert len(replies) == 2
    assert ("poll", "reply", "Yes 👍") in await events_of(store, sms)
    assert await store.cursor("received a0") is not None


async def test_a_mail_of_the_vendor_asks_for_the_replies_of_its_sms(store: Store) -> None:
    async with vendor() as one:
        (sms,) = await sent_at(store, one)
        one.vendor.receive(NUMBER, "Coming")
        rule(one, on="received", action="refuse", status=500)
        async with polling(store, one):
            assert await store.vendor_mail(sms.reply_key, "You have a reply")

            async def there() -> bool:
                return ("poll", "reply", "Coming") in await events_of(store, sms)

            await until(there, "the reply did not come")

            async def no_longer_due() -> bool:
                return not await store.due_reply_polls(10)

            await until(no_longer_due, "it stays due")


async def test_a_reply_poll_that_is_not_answered_is_asked_again(store: Store) -> None:
    async with vendor() as one:
        (sms,) = await sent_at(store, one)
        one.vendor.receive(NUMBER, "Coming")
        rule(one, on="received", action="refuse", status=500)
        rule(one, on="reply", action="refuse", status=500, times=1)
        async with polling(store, one):
            assert await store.vendor_mail(sms.reply_key, "You have a reply")

            async def there() -> bool:
                return ("poll", "reply", "Coming") in await events_of(store, sms)

            await until(there, "the reply did not come")


async def test_received_polls_that_fail_leave_the_cursor_and_catch_up_later(store: Store) -> None:
    async with vendor() as one:
        rule(one, on="received", action="refuse", status=500, times=100)
        one.vendor.receive("+61421000099", "Hello?")
        async with polling(store, one):

            async def there() -> bool:
                return bool(await store.list_events(None, 10))

            await until(there, "it did not come")


async def test_many_pages_of_received_sms_all_come(store: Store) -> None:
    async with vendor() as one:
        for count in range(230):
            one.vendor.receive("+61421000099", f"text {count}")
        async with polling(store, one):

            async def all_there() -> bool:
                return len(await store.list_events(None, 1_000)) == 230

            await until(all_there, "not all came")


# --- rate and faults of ours ---


async def test_polls_keep_to_their_rate(store: Store) -> None:
    async with vendor() as one:
        many = await sent_at(store, one, [f"+614210000{n:02d}" for n in range(12)])
        before = len(asked(one, "status"))
        async with polling(store, one, polls_per_second=10.0, received_every_ms=3_600_000):
            for sms in many:
                await in_state(store, sms, State.DELIVERED)
        times = sorted(entry.at for entry in asked(one, "status")[before:])
        assert len(times) >= 2
        assert times[-1] - times[0] >= (len(times) - 1) * 100 * 0.9


async def test_a_locked_database_does_not_end_the_poller(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with vendor() as one:
        (sms,) = await submitted(store, account="a0")
        with contextlib.closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            async with polling(store, one):

                async def complained() -> bool:
                    return any("could not be kept" in record.message for record in caplog.records)

                await until(complained, "nobody noticed")
                other.execute("ROLLBACK")
                await in_state(store, sms, State.UNKNOWN)  # the vendor never had it


async def test_a_poll_that_hangs_is_cut_off_at_the_end(store: Store) -> None:
    async with vendor() as one:
        rule(one, on="status", action="timeout")
        (sms,) = await submitted(store, account="a0")
        async with polling(store, one, received_every_ms=3_600_000):

            async def hangs() -> bool:
                return bool(asked(one, "status"))

            await until(hangs, "it was not polled")
            begun = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - begun < 40
    assert (await now(store, sms)).state in STILL_WAITING
