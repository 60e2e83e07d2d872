"""Two nodes on one PostgreSQL database: what both do at the same moment is done once, and nothing is overlooked."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import psycopg
import pytest

from bridge.decide.values import Accept
from bridge.event import Event, News
from bridge.phone import parse
from bridge.report.values import MailKind
from bridge.retry import Answer, Stop
from bridge.sms import MINUTE, Input, Kind, Sms, State
from bridge.store import SmsFilter, Store
from bridge.store.database import Tx
from bridge.store.forgetting import Person, forget_sms
from bridge.store.threads import ThreadedDatabase
from tests.store.conftest import Clock, Opener, mail
from tests.store.test_standing_by import commits

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)

T = TypeVar("T")
NUMBER = "+61421000001"


class Gate:
    """Holds a unit of one node between its last statement and the commit, until it is let through."""

    def __init__(self, store: Store) -> None:
        assert isinstance(store._database, ThreadedDatabase)
        engine: Any = store._database.engine
        self._loop = asyncio.get_running_loop()
        self.reached = asyncio.Event()
        self._open: asyncio.Future[None] = self._loop.create_future()
        session = engine._session
        look = session.look

        def held() -> None:
            session.look = look
            self._loop.call_soon_threadsafe(self.reached.set)
            asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result(30)
            look()

        session.look = held

    async def _wait(self) -> None:
        await self._open

    def let_through(self) -> None:
        self._open.set_result(None)


async def at_once(
    one: Store, first: Callable[[Store], Awaitable[T]], two: Store, second: Callable[[Store], Awaitable[T]]
) -> tuple[T, T]:
    """Run ``first`` up to its commit, then begin ``second``, then let both end."""
    for store in (one, two):
        await store.set_cursor("warm", 1)
    gate = Gate(one)
    begun = asyncio.ensure_future(first(one))
    await asyncio.wait_for(gate.reached.wait(), 30)
    late = asyncio.ensure_future(second(two))
    await asyncio.wait([late], timeout=0.2)  # it waits for the first, or has not seen it
    gate.let_through()
    return await begun, await late


async def test_a_mail_that_comes_to_both_is_taken_once(opened: Opener) -> None:
    one, two = await opened(), await opened()
    first, second = await at_once(one, lambda s: s.accept(mail()), two, lambda s: s.accept(mail()))
    assert (len(first.queued), len(second.queued), second.duplicates) == (1, 0, 1)
    assert first.mail_id == second.mail_id


async def test_each_sms_is_claimed_by_one(opened: Opener) -> None:
    one, two = await opened(), await opened()
    await one.accept(mail(*(f"+6142100{n:04}" for n in range(10))))
    first, second = await at_once(one, lambda s: s.claim("one", 6), two, lambda s: s.claim("two", 6))
    assert (len(first), len(second)) == (6, 4)
    assert not {sms.id for sms in first} & {sms.id for sms in second}


async def test_parts_of_a_split_mail_at_both_are_one_group(opened: Opener, clock: Clock) -> None:
    one, two = await opened(), await opened()
    parts = [mail(*(f"+6142100{n}00{m}" for m in range(4))) for n in range(2)]
    await at_once(one, lambda s: s.accept(parts[0]), two, lambda s: s.accept(parts[1]))
    clock.forward(10 * MINUTE)
    for store in (one, two):
        await store.sweep_notices()
    (summary,) = await one.claim_mail(10)
    assert summary.mail.kind is MailKind.SUMMARY
    assert len(summary.sms) == 8


async def test_a_group_whose_first_mail_is_forgotten_as_it_grows_is_summed_up(opened: Opener) -> None:
    """Without a first mail the sweep failed, again and again, and with it all reports of the node."""
    one, two = await opened(), await opened()
    await one.accept(mail())
    (first,) = await one.claim("n", 1)
    await one.record_event(news(first))
    for work in await one.claim_mail(9):
        await one.mail_sent(work.mail.id)
    number = parse(NUMBER, "AU")
    assert number is not None
    person = Person.of(number)
    more = mail(*(f"+6142100001{n}" for n in range(6)))
    await at_once(
        one, lambda s: s._write(lambda tx: forget_sms(tx, person, 0)[0]), two, lambda s: _taken(s, more)
    )
    assert await one.show(first.message_id) is None
    for sms in await two.claim("n", 10):
        await two.record_event(news(sms))
    await two.sweep_notices()
    (summary,) = await two.claim_mail(10)
    assert (summary.mail.kind, len(summary.sms)) == (MailKind.SUMMARY, 6)


async def _taken(store: Store, asked: Accept) -> int:
    return len((await store.accept(asked)).queued)


async def all_but_two(store: Store) -> list[Sms]:
    """Bring a mail's SMS to their end but for two, which are returned."""
    await store.accept(mail(*(f"+6142100000{n}" for n in range(6))))
    for n, sms in enumerate(await store.claim("n", 10)):
        await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR)
        if n < 4:
            await store.record_event(news(sms))
    return [line.sms for line in await store.list_sms(SmsFilter(state=State.SUBMITTED), None, 10)]


async def test_the_last_two_of_a_group_that_end_at_both_are_summed_up_at_once(opened: Opener) -> None:
    one, two = await opened(), await opened()
    left = await all_but_two(one)
    await at_once(one, lambda s: s.record_event(news(left[0])), two, lambda s: s.record_event(news(left[1])))
    await two.sweep_notices()
    assert [work.mail.kind for work in await two.claim_mail(10)] == [MailKind.SUMMARY]


async def test_no_node_waits_for_a_group_that_another_is_at(opened: Opener) -> None:
    """Each has many groups in one transaction: in another order, both would wait for ever."""
    one, two = await opened(), await opened()
    left = await all_but_two(one)
    await two.set_cursor("warm", 1)
    gate = Gate(one)
    begun = asyncio.ensure_future(one.record_event(news(left[0])))
    await asyncio.wait_for(gate.reached.wait(), 30)
    assert await two.record_event(news(left[1])) == "applied"
    await two.sweep_notices()
    assert not await two.claim_mail(10)  # the first is not committed yet, and is looked for again
    gate.let_through()
    await begun
    await two.sweep_notices()
    assert [work.mail.kind for work in await two.claim_mail(10)] == [MailKind.SUMMARY]


def news(sms: Sms, message_id: str | None = None) -> Event:
    return Event(
        "webhook", "status", message_id or sms.message_id, sms.number, "{}", News.DELIVERED, "delivered"
    )


async def test_one_event_that_comes_to_both_is_applied_once(opened: Opener) -> None:
    one, two = await opened(), await opened()
    (sms,) = (await one.accept(mail())).queued
    await one.claim("n", 1)
    told = await at_once(one, lambda s: s.record_event(news(sms)), two, lambda s: s.record_event(news(sms)))
    assert told == ("applied", "known")
    assert len(await one.claim_mail(10)) == 1


async def test_an_event_that_passes_the_answer_with_its_id_is_found_by_the_sweep(opened: Opener) -> None:
    one, two = await opened(), await opened()
    await one.accept(mail())
    (sms,) = await one.claim("n", 1)
    _, told = await at_once(
        one,
        lambda s: s.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR, ("vendor-1",)),
        two,
        lambda s: recorded(s, news(sms, "vendor-1")),
    )
    assert told == "kept", "the race that this test is about"
    await two.expire()
    story = await two.show(sms.message_id)
    assert story is not None
    assert story.sms.state is State.DELIVERED


async def recorded(store: Store, event: Event) -> Any:
    return await store.record_event(event)


async def test_an_answer_told_by_webhook_and_poll_at_both_is_mailed_once(opened: Opener) -> None:
    one, two = await opened(), await opened()
    (sms,) = (await one.accept(mail())).queued
    await one.claim("n", 1)
    plain = Event("webhook", "reply", sms.message_id, NUMBER, "{}", text="yes")
    polled = Event("poll", "reply", sms.message_id, NUMBER, "{}", text="yes", received_id="r1")
    await at_once(one, lambda s: s.record_event(plain), two, lambda s: s.record_event(polled))
    assert [work.mail.kind for work in await one.claim_mail(10)] == [MailKind.REPLY]


async def test_the_probe_of_an_account_is_taken_by_one(opened: Opener, clock: Clock) -> None:
    one, two = await opened(), await opened()
    await one.accept(mail(*(f"+6142100{n:04}" for n in range(6))))
    (sms,) = await one.claim("n", 1)
    await one.finish(sms, Input(Kind.REFUSED_ACCOUNT, 1, "Unauthorized"), Answer.ACCOUNT)
    assert (await two.accounts())[0].stop is Stop.ACCOUNT
    clock.forward(15 * MINUTE)
    probes = await at_once(one, lambda s: s.claim("one", 6), two, lambda s: s.claim("two", 6))
    assert sorted(map(len, probes)) == [0, 1]


async def test_a_claim_does_not_wait_for_what_another_node_hears_of_an_account(
    opened: Opener, clock: Clock
) -> None:
    """It may run in the commit that stores a mail, of which that node waits for something else."""
    one, two = await opened(), await opened()
    await one.accept(mail(*(f"+6142100{n:04}" for n in range(6))))
    first, second = await one.claim("n", 2)
    await one.finish(first, Input(Kind.REFUSED_ACCOUNT, 1, "Unauthorized"), Answer.ACCOUNT)
    clock.forward(15 * MINUTE)
    await two.set_cursor("warm", 1)
    gate = Gate(one)
    heard = asyncio.ensure_future(one.finish(second, Input(Kind.UNCLEAR, 1, "500"), Answer.UNCLEAR))
    await asyncio.wait_for(gate.reached.wait(), 30)
    assert not await asyncio.wait_for(two.claim("two", 6), 20)
    gate.let_through()
    await heard
    assert len(await two.claim("two", 6)) == 1


async def test_nodes_that_are_checked_do_not_wait_for_each_other(opened: Opener) -> None:
    one, two = await opened(), await opened()
    await one.check()
    await two.set_cursor("warm", 1)
    one._checked_at = 0.0
    backend = one._database.engine.backend  # type: ignore[attr-defined]
    gate = Gate(one)
    checked = asyncio.ensure_future(one.check())
    await asyncio.wait_for(gate.reached.wait(), 30)
    await two.check()
    gate.let_through()
    await checked
    assert one._database.engine.backend == backend, "the server has ended a transaction that was waited for"  # type: ignore[attr-defined]


async def test_what_both_hear_of_an_account_counts_for_both(opened: Opener) -> None:
    one, two = await opened(), await opened()
    await one.accept(mail(*(f"+6142100{n:04}" for n in range(2))))
    first, second = await one.claim("n", 2)
    await at_once(
        one,
        lambda s: s.finish(first, Input(Kind.UNCLEAR, 1, "500"), Answer.UNCLEAR),
        two,
        lambda s: s.finish(second, Input(Kind.UNCLEAR, 1, "500"), Answer.UNCLEAR),
    )
    assert (await one.accounts())[0].unclear == 2


async def test_an_alarm_at_both_is_one_mail(opened: Opener) -> None:
    one, two = await opened(), await opened()
    facts = (("alarm", "bounce"),)
    told = await at_once(one, lambda s: s.note_alarm("x", facts), two, lambda s: s.note_alarm("x", facts))
    assert told == (True, False)
    (line,) = await one.list_alarms(10)
    assert line.times == 2


async def test_units_that_lock_each_other_out_are_run_again(opened: Opener) -> None:
    one, two = await opened(), await opened()
    for name in ("a", "b"):
        await one.set_cursor(name, 0)
    met = asyncio.Barrier(2)
    loop = asyncio.get_running_loop()

    def crossing(first: str, then: str) -> Callable[[Tx], None]:
        runs = 0

        def unit(tx: Tx) -> None:
            nonlocal runs
            runs += 1
            tx.run("set_cursor", name=first, value=1)
            if runs == 1:
                asyncio.run_coroutine_threadsafe(met.wait(), loop).result(30)
            tx.run("set_cursor", name=then, value=1)

        return unit

    await asyncio.gather(one._database.write(crossing("a", "b")), two._database.write(crossing("b", "a")))
    assert [await one.cursor(name) for name in ("a", "b")] == [1, 1]


async def ring(
    opened: Opener,
    one: Store,
    first: Callable[[], Awaitable[Any]],
    then: Callable[[], Awaitable[Any]],
    two: Store,
    other: Callable[[], Awaitable[Any]],
) -> None:
    """Have ``one`` do ``first``, wait, and do ``then`` in one commit; ``two`` begins ``other`` while it waits. None of
    their commits may fail."""
    third = await opened()
    for store in (one, two, third):
        await store.set_cursor("warm", 1)
    before = commits(one) + commits(two)
    gate, busy = Gate(third), Gate(one)
    work: list[asyncio.Future[Any]] = [asyncio.ensure_future(third.set_cursor("held", 1))]
    await asyncio.wait_for(gate.reached.wait(), 30)
    work += [asyncio.ensure_future(one.set_cursor("busy", 1))]
    await asyncio.wait_for(busy.reached.wait(), 30)
    work += [asyncio.ensure_future(done) for done in (first(), one.set_cursor("held", 2), then())]
    await asyncio.sleep(0)
    busy.let_through()
    await blocked(third, 1)
    work += [asyncio.ensure_future(done) for done in (other(), two.set_cursor("late", 1))]
    await blocked(third, 2)
    gate.let_through()
    await asyncio.gather(*work)
    assert commits(one) + commits(two) - before == 3, "a commit failed, and its units ran again one by one"


async def test_a_mail_that_waits_for_another_node_holds_nothing_that_one_needs(opened: Opener) -> None:
    """One ends an SMS of a group and takes a mail in the same commit; the other takes more of that group. The limit of
    money of all senders lets them take mails one after the other."""
    one, two = await opened(spend_cap=100_000), await opened(spend_cap=100_000)
    left = await all_but_two(one)
    await ring(
        opened,
        one,
        lambda: one.record_event(news(left[0])),
        lambda: one.accept(priced("+61421000100", header="<two@clinic.example>")),
        two,
        lambda: two.accept(priced("+61421000200")),
    )


async def test_an_answer_that_waits_for_another_node_holds_nothing_that_one_needs(opened: Opener) -> None:
    """One hears of an SMS and takes an answer to it in the same commit; the other takes that answer, too."""
    one, two = await opened(), await opened()
    (sms,) = (await one.accept(mail())).queued
    await one.claim("n", 1)
    plain = Event("webhook", "reply", sms.message_id, NUMBER, "{}", text="yes")
    polled = replace(plain, source="poll", received_id="r1")
    await ring(
        opened,
        one,
        lambda: one.record_event(news(sms)),
        lambda: one.record_event(plain),
        two,
        lambda: two.record_event(polled),
    )


def priced(*numbers: str, header: str = "<one@clinic.example>") -> Accept:
    taken = mail(*numbers, header=header)
    return replace(taken, sms=tuple(replace(new, cost=1) for new in taken.sms))


async def blocked(store: Store, number: int) -> None:
    """Wait until so many sessions of the server wait for a lock."""
    url = store._database.engine._url  # type: ignore[attr-defined]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for _ in range(3_000):
            rows = await connection.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
            found = await rows.fetchone()
            if found and found[0] >= number:
                return
            await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_a_commit_wakes_the_loops_of_the_other_node(opened: Opener) -> None:
    one, two = await opened(), await opened()
    await two.wait("sms", 5)  # what it may have missed before it listened
    waiting = asyncio.create_task(two.wait("sms", 60))
    await one.accept(mail())
    await asyncio.wait_for(waiting, 30)
