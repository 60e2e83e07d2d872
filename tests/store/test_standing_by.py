"""A claim that stands by: what is accepted meanwhile is claimed in the same commit, and no wake-up is missed."""

import asyncio
import threading
from dataclasses import replace

import pytest

from bridge.errors import StoreError
from bridge.sms import Input, Kind, Sms, State
from bridge.store import Claimed, Store
from bridge.store.database import Tx
from bridge.store.postgresql import PostgresEngine
from bridge.store.sqlite import SqliteEngine
from bridge.store.threads import ThreadedDatabase
from tests.store.conftest import Clock, Opener, mail

LONG_S = 600.0


def commits(store: Store) -> int:
    assert isinstance(store._database, ThreadedDatabase)
    engine = store._database.engine
    assert isinstance(engine, SqliteEngine | PostgresEngine)
    return engine.commits


async def not_sent(store: Store, sms: Sms, wait_ms: int) -> None:
    await store.finish(sms, Input(Kind.NOT_SENT, sms.attempts, "no route", wait_ms), None)


async def standing_by(store: Store, limit: int = 10, within_s: float = LONG_S) -> "asyncio.Task[Claimed]":
    """A claim that has begun to stand by."""
    assert not await store.claim("n1", limit)
    store._hints.seen("sms")
    claiming = asyncio.create_task(store.claim_next("n1", limit, 0, within_s))
    await asyncio.sleep(0)
    assert not claiming.done()
    return claiming


async def test_what_is_accepted_is_claimed_in_the_same_commit(store: Store) -> None:
    claiming = await standing_by(store)
    before = commits(store)
    accepted = await store.accept(mail("+61421000001", "+61421000002"))
    claimed = await claiming
    assert commits(store) == before + 1
    assert [sms.message_id for sms in claimed] == [sms.message_id for sms in accepted.queued]
    assert {sms.state for sms in accepted.queued} == {State.QUEUED}, "what the 250 says"
    assert {sms.state for sms in claimed} == {State.SENDING}
    assert not claimed.more


async def test_it_says_that_more_is_due_and_the_next_takes_that_at_once(store: Store) -> None:
    claiming = await standing_by(store, limit=2)
    await store.accept(mail(*(f"+6142100000{n}" for n in range(5))))
    claimed = await claiming
    assert len(claimed) == 2
    assert claimed.more
    assert len(await store.claim("n1", 10)) == 3


async def test_it_is_run_when_something_else_makes_an_sms_due(store: Store) -> None:
    await store.accept(mail())
    (sms,) = await store.claim("n1", 1)
    claiming = await standing_by(store)
    await not_sent(store, sms, 0)
    assert [one.message_id for one in await asyncio.wait_for(claiming, 60)] == [sms.message_id]


async def test_what_came_before_it_stood_by_is_seen(store: Store) -> None:
    await store.accept(mail())
    assert len(await asyncio.wait_for(store.claim_next("n1", 10, 0, LONG_S), 60)) == 1


async def test_it_runs_in_time_for_what_falls_due_by_itself(store: Store, clock: Clock) -> None:
    await store.accept(mail())
    (sms,) = await store.claim("n1", 1)
    await not_sent(store, sms, 5_000)
    store._hints.seen("sms")
    claiming = await standing_by(store, within_s=0.05)
    clock.forward(5_000)
    assert len(await asyncio.wait_for(claiming, 60)) == 1


async def test_one_that_is_withdrawn_claims_nothing(store: Store) -> None:
    claiming = await standing_by(store)
    store.stop_claiming()
    assert await claiming == ()
    await store.accept(mail())
    assert len(await store.claim("n1", 10)) == 1


async def test_one_that_is_cancelled_claims_nothing(store: Store) -> None:
    claiming = await standing_by(store)
    claiming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await claiming
    await store.accept(mail())
    assert len(await store.claim("n1", 10)) == 1


async def test_a_close_ends_it(opened: Opener) -> None:
    store = await opened()
    claiming = await standing_by(store)
    await store.close()
    assert await claiming == ()
    with pytest.raises(StoreError):
        await store.claim_next("n1", 10, 0, LONG_S)


async def test_mails_that_come_together_wake_one_claim_for_all(store: Store) -> None:
    claiming = await standing_by(store, limit=100)
    await asyncio.gather(*(store.accept(mail(f"+614210000{n:02}")) for n in range(20)))
    taken = len(await claiming)
    while taken < 20:
        taken += len(await asyncio.wait_for(store.claim_next("n1", 100, 0, LONG_S), 60))
    assert taken == 20


async def test_what_is_stored_only_at_the_second_try_is_claimed_at_once_too(store: Store) -> None:
    """One of the mails cannot be stored, so that the others are stored again, after the claim has found nothing."""
    claiming = await standing_by(store)
    held, go_on = threading.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        held.set()
        go_on.wait(60)

    holding = asyncio.create_task(store._write(hold))
    await asyncio.to_thread(held.wait, 60)
    good, bad = mail("+61421000001"), mail("+61421000002", header="<other@example.com>")
    bad = replace(bad, sms=(replace(bad.sms[0], number=None),))  # type: ignore[arg-type]
    ended = asyncio.gather(store.accept(good), store.accept(bad), return_exceptions=True)
    await asyncio.sleep(0)
    go_on.set()
    await holding
    accepted, fault = await ended
    assert isinstance(fault, Exception)
    assert not isinstance(accepted, BaseException)
    claimed = await asyncio.wait_for(claiming, 60)
    if not claimed:
        claimed = await asyncio.wait_for(store.claim_next("n1", 10, 0, LONG_S), 60)
    assert [sms.number for sms in claimed] == ["+61421000001"]
