"""Sending: every answer reaches the store, whatever stops in between; never faster, never twice."""

import asyncio
import contextlib
import logging
import sqlite3
import time
from pathlib import Path

import pytest

from bridge.event import Event, News
from bridge.phone import parse
from bridge.retry import Stop
from bridge.sms import Sms, State
from bridge.store import Actor, Store
from tests.given_store import in_state, now, queued, until
from tests.sms_api.given import TOKEN
from tests.submit.given import REFUSED, Vendor, submitting, vendor_that, whole

GONE, STAYS = "+61421000001", "+61421000002"


def numbers(count: int) -> list[str]:
    return [f"+614210{n:05d}" for n in range(count)]


async def posted(vendor: Vendor, count: int) -> None:
    async def look() -> bool:
        return len(vendor.posts) >= count

    await until(look, f"only {len(vendor.posts)} of {count} were posted")


async def test_what_is_queued_is_sent_and_becomes_submitted(store: Store) -> None:
    before = await queued(store)
    async with vendor_that() as vendor, submitting(store, vendor.url):
        await in_state(store, before[0], State.SUBMITTED)
        after = await queued(store, ["+61421000002"])
        await in_state(store, after[0], State.SUBMITTED)
    assert [(form["MessageID"], form["Message"]) for _, form in vendor.posts] == [
        (sms.message_id, "See you at 5") for sms in (*before, *after)
    ]


async def test_the_reply_address_is_made_for_each_sms(store: Store) -> None:
    (sms,) = await queued(store)
    async with (
        vendor_that() as vendor,
        submitting(store, vendor.url, reply_address=lambda sms: f"reply+{sms.reply_key}@sms.local"),
    ):
        await in_state(store, sms, State.SUBMITTED)
    assert vendor.posts[0][1]["SMSEmailReply"] == f"reply+{sms.reply_key}@sms.local"


async def test_a_fault_of_ours_on_the_way_is_unclear_and_not_sent_again(store: Store) -> None:
    def broken(sms: Sms) -> str:
        raise RuntimeError("a fault")

    (sms,) = await queued(store)
    async with vendor_that() as vendor, submitting(store, vendor.url, reply_address=broken):
        after = await in_state(store, sms, State.UNKNOWN)
    assert after.attempts == 1
    assert vendor.posts == []


async def test_an_answer_about_who_was_forgotten_ends_no_other_sms(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The vendor's news came before its answer, and the person was forgotten in between: their id is another's."""
    caplog.set_level(logging.INFO)
    answered = {GONE: asyncio.Event(), STAYS: asyncio.Event()}

    async def slow(form: dict[str, str]) -> bytes:
        await answered[form["Number"]].wait()
        return whole() if form["Number"] == GONE else whole(REFUSED % b"Invalid number", "400 Bad Request")

    async def nothing() -> None: ...

    async def told() -> bool:
        return any(getattr(record, "sms", None) == first.message_id for record in caplog.records)

    async with vendor_that(slow) as vendor, submitting(store, vendor.url):
        (first,) = await queued(store, [GONE])
        await posted(vendor, 1)
        await store.record_event(Event("webhook", "status", first.message_id, GONE, "{}", News.DELIVERED))
        for work in await store.claim_mail(9):
            await store.mail_sent(work.mail.id)
        number = parse(GONE, "AU")
        assert number is not None
        await store.privacy.forget(number, Actor("kim"), nothing)
        (second,) = await queued(store, [STAYS])
        assert second.id == first.id
        await posted(vendor, 2)
        answered[GONE].set()
        await until(told, "its answer was never told")
        assert (await now(store, second)).state is State.SENDING
        answered[STAYS].set()
        await in_state(store, second, State.FAILED)


# --- the rate, and how many at once ---


async def test_the_rate_is_even_and_never_above_what_was_asked(store: Store) -> None:
    await queued(store, numbers(40))
    async with vendor_that() as vendor, submitting(store, vendor.url, rate_per_second=40):
        await posted(vendor, 40)
    times = sorted(at for at, _ in vendor.posts)
    assert times[-1] - times[0] >= 39 / 40 * 0.9
    for start in times:  # in no half second more than its share, but for what the wire shifted
        assert len([at for at in times if start <= at < start + 0.5]) <= 20 + 6


async def test_after_a_pause_there_is_no_burst(store: Store) -> None:
    async with vendor_that() as vendor, submitting(store, vendor.url, rate_per_second=20):
        await queued(store, ["+61421000099"])
        await posted(vendor, 1)
        await asyncio.sleep(0.1)
        await queued(store, numbers(10))
        await posted(vendor, 11)
    times = sorted(at for at, _ in vendor.posts)[1:]
    assert times[-1] - times[0] >= 9 / 20 * 0.9


async def test_after_we_stood_still_what_was_due_does_not_go_out_in_a_bunch(store: Store) -> None:
    """Frozen for a third of a second at a hundred a second: no ten of a bunch in the blink after it."""
    await queued(store, numbers(90))
    async with vendor_that() as vendor, submitting(store, vendor.url, rate_per_second=100):
        await posted(vendor, 20)
        time.sleep(0.35)  # all of this process, as on a machine that has no time for it
        thawed = time.monotonic()
        await posted(vendor, 90)
    after = [at for at, _ in vendor.posts if at >= thawed]
    assert len([at for at in after if at < thawed + 0.1]) <= 10 + 4
    assert sorted(vendor.numbers) == numbers(90)


async def test_no_more_than_the_connections_are_used_at_once(store: Store) -> None:
    open_up = asyncio.Event()

    async def slow(form: dict[str, str]) -> bytes:
        await open_up.wait()
        return whole()

    many = await queued(store, numbers(90))
    async with (
        vendor_that(slow) as vendor,
        submitting(store, vendor.url, rate_per_second=5_000, send_timeout_ms=60_000),
    ):
        await posted(vendor, 40)
        await asyncio.sleep(0.1)
        assert vendor.now == 40
        open_up.set()
        for sms in many:
            await in_state(store, sms, State.SUBMITTED)
    assert vendor.most == 40
    assert sorted(vendor.numbers) == numbers(90)


async def test_an_idle_submitter_costs_next_to_nothing(store: Store) -> None:
    async with vendor_that() as vendor, submitting(store, vendor.url):
        begun, cpu = time.monotonic(), time.process_time()
        while time.monotonic() < begun + 1.0:
            await asyncio.sleep(0.1)
        assert time.process_time() - cpu < 0.5
    assert vendor.posts == []


# --- what is surely not sent ---


async def test_while_the_vendor_is_down_nothing_is_lost_and_it_is_sent_when_it_is_up(store: Store) -> None:
    async with vendor_that() as vendor:
        url = vendor.url
    many = await queued(store, numbers(3))
    async with submitting(store, url):

        async def tried() -> bool:
            return all([(await now(store, sms)).attempts >= 1 for sms in many])

        await until(tried, "they were not tried")
        assert {(await now(store, sms)).reached for sms in many} <= {0, 1}
        async with vendor_that(port=int(url.rpartition(":")[2])) as back:
            for sms in many:
                await in_state(store, sms, State.SUBMITTED)
    assert sorted(back.numbers) == numbers(3)


async def test_a_429_pauses_all_sending_and_gives_back_what_was_claimed(store: Store) -> None:
    begun = time.monotonic()

    async def slow_down_once(form: dict[str, str]) -> bytes:
        first = len(vendor.posts) == 1
        return whole(b"", "429 Too Many Requests", "Retry-After: 2\r\n") if first else whole()

    async with vendor_that(slow_down_once) as vendor, submitting(store, vendor.url, rate_per_second=10):
        many = await queued(store, numbers(5))
        for sms in many:
            await in_state(store, sms, State.SUBMITTED)
    first, second = (at for at, _ in vendor.posts[:2])
    assert second - first >= 1.8
    assert time.monotonic() - begun < 60
    assert sorted(vendor.numbers[1:]) == numbers(5)


async def test_a_claim_that_grew_old_while_we_were_frozen_is_given_back(store: Store) -> None:
    asleep = [0.0]
    jumps = iter([0.0, 60.0])

    def clock() -> float:
        # Frozen for a minute between the first claim and its POST.
        asleep[0] += next(jumps, 0.0)
        return asleep[0]

    (sms,) = await queued(store)
    async with vendor_that() as vendor, submitting(store, vendor.url, clock=clock):
        after = await in_state(store, sms, State.SUBMITTED)
    assert after.attempts == 2
    assert len(vendor.posts) == 1
    story = await store.show(sms.message_id)
    assert story is not None
    assert any("claimed 60.0 s ago" in line.note for line in story.history)


async def test_a_claim_that_grew_old_while_its_connection_was_made_is_given_back(store: Store) -> None:
    asleep = [0.0]
    looks = iter([0.0, 0.0, 60.0])  # at the claim, before the connection, when it stands

    def clock() -> float:
        asleep[0] += next(looks, 0.0)
        return asleep[0]

    (sms,) = await queued(store)
    async with vendor_that() as vendor, submitting(store, vendor.url, clock=clock):
        after = await in_state(store, sms, State.SUBMITTED)
    assert after.attempts == 2
    assert len(vendor.posts) == 1


# --- what the vendor refuses ---


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        ("400 Bad Request", REFUSED % b"Missing or empty message", State.FAILED),
        ("400 Bad Request", REFUSED % b"The moon is wrong", State.HELD),
        ("200 OK", REFUSED % b"The moon is wrong", State.HELD),
        ("400 Bad Request", REFUSED % b"Rejected-Duplicate", State.FAILED),
        ("500 Internal Server Error", b"", State.UNKNOWN),
        ("200 OK", b"<html>", State.UNKNOWN),
    ],
)
async def test_each_answer_leads_to_its_state_in_one_attempt(
    store: Store, status: str, body: bytes, state: State
) -> None:
    async def answer(form: dict[str, str]) -> bytes:
        return whole(body, status)

    (sms,) = await queued(store)
    async with vendor_that(answer) as vendor, submitting(store, vendor.url):
        await in_state(store, sms, state)
    assert len(vendor.posts) == 1


async def test_a_refused_account_stops_all_its_sending_and_resume_starts_it(store: Store) -> None:
    mended = False

    async def answer(form: dict[str, str]) -> bytes:
        return whole() if mended else whole(REFUSED % b"Unauthorized", "400 Bad Request")

    async with vendor_that(answer) as vendor, submitting(store, vendor.url):
        (first,) = await queued(store)

        async def stopped() -> bool:
            return any(account.stop is Stop.ACCOUNT for account in await store.accounts())

        await until(stopped, "the account was not stopped")
        many = await queued(store, numbers(5))
        await asyncio.sleep(0.1)
        assert {(await now(store, sms)).attempts for sms in many} == {0}
        mended = True
        await store.resume("default", Actor("kim", "desk"))
        for sms in (first, *many):
            await in_state(store, sms, State.SUBMITTED)


# --- the database ---


async def test_no_outcome_is_lost_while_the_database_is_locked(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    locked = asyncio.Event()

    async def answer(form: dict[str, str]) -> bytes:
        await locked.wait()
        return whole()

    caplog.set_level(logging.DEBUG)
    (sms,) = await queued(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as other:
        async with vendor_that(answer) as vendor, submitting(store, vendor.url, send_timeout_ms=60_000):
            await posted(vendor, 1)
            other.execute("BEGIN EXCLUSIVE")
            locked.set()

            async def complained() -> bool:
                return any("could not be stored" in record.message for record in caplog.records)

            await until(complained, "nobody noticed that the database is locked")
            other.execute("ROLLBACK")
            await in_state(store, sms, State.SUBMITTED)
            later = await queued(store, ["+61421000002"])
            await in_state(store, later[0], State.SUBMITTED)
    assert len(vendor.posts) == 2
    assert TOKEN not in caplog.text


async def test_a_database_that_is_locked_when_claiming_is_asked_again(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (sms,) = await queued(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with vendor_that() as vendor, submitting(store, vendor.url):

            async def complained() -> bool:
                return any("could be claimed" in record.message for record in caplog.records)

            await until(complained, "nobody noticed that the database is locked")
            other.execute("ROLLBACK")
            await in_state(store, sms, State.SUBMITTED)
    assert len(vendor.posts) == 1


async def test_what_is_too_old_is_expired_and_not_sent(store: Store) -> None:
    (sms,) = await queued(store, expire_after_ms=1)
    await asyncio.sleep(0.01)
    async with vendor_that() as vendor, submitting(store, vendor.url):
        await in_state(store, sms, State.EXPIRED)
    assert vendor.posts == []


# --- the end ---


async def test_stopping_ends_what_has_begun_and_gives_back_the_rest(store: Store) -> None:
    go_on = asyncio.Event()

    async def answer(form: dict[str, str]) -> bytes:
        await go_on.wait()
        return whole()

    many = await queued(store, numbers(6))
    async with vendor_that(answer) as vendor, submitting(store, vendor.url, rate_per_second=5) as running:
        await posted(vendor, 1)
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
        go_on.set()
        await stopping
    states = [(await now(store, sms)).state for sms in many]
    assert states.count(State.SUBMITTED) == len(vendor.posts)
    assert states.count(State.QUEUED) == 6 - len(vendor.posts)
    assert len(vendor.posts) < 6


async def test_stopping_while_the_database_is_away_leaves_the_row_in_sending(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.submit.STORE_PATIENCE_S", 0.2)
    locked = asyncio.Event()

    async def answer(form: dict[str, str]) -> bytes:
        await locked.wait()
        return whole()

    (sms,) = await queued(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as other:
        async with vendor_that(answer) as vendor, submitting(store, vendor.url, send_timeout_ms=2_000):
            await posted(vendor, 1)
            other.execute("BEGIN EXCLUSIVE")
            locked.set()
        other.execute("ROLLBACK")
    assert (await now(store, sms)).state in (State.SENDING, State.SUBMITTED)


async def test_a_row_that_was_claimed_without_our_knowing_becomes_unknown(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.submit.LOST_CLAIM_MS", 0)
    (lost,) = await queued(store)
    await store.claim("test", 1)  # by a commit that was reported as failed
    async with vendor_that() as vendor, submitting(store, vendor.url):
        await in_state(store, lost, State.UNKNOWN)
    assert vendor.posts == []
