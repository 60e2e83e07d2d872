"""Alarm storms: the same text to the same number is joined, counted right, and each mail of it is kept."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bridge.decide.values import Accept, JoinSame
from bridge.report.values import MailKind
from bridge.retry import Answer
from bridge.rules import MORE
from bridge.sms import HOUR, MINUTE, Input, Kind, Sms, State
from bridge.store import Accepted, Actor, SmsFilter, SmsStory, Store, joining
from tests.store.conftest import Clock, Opener, mail
from tests.store.test_optouts import WHO
from tests.store.test_two_nodes import at_once

WITHIN = 10 * MINUTE
JOIN = JoinSame(WITHIN, 1, MORE)


def alarm(n: int, *numbers: str, join: JoinSame | None = JOIN, **changes: Any) -> Accept:
    """One of many alarms with the same text; each mail is another."""
    made = mail(*numbers, header=f"<{n}@ups>", **({"text": "UPS on battery"} | changes))
    return replace(made, join=join)


async def rows(store: Store) -> list[Sms]:
    return [line.sms for line in await store.list_sms(SmsFilter(), None, 1000)][::-1]


async def claim(store: Store) -> Any:
    return await store.claim("n", 10)


async def texts(store: Store) -> list[str]:
    return [sms.text for sms in await rows(store)]


async def story_of(store: Store, sms: Sms) -> SmsStory:
    story = await store.show(sms.message_id)
    assert story is not None
    return story


async def delivered(store: Store) -> list[Sms]:
    """Claim what is due and let the vendor take it."""
    claimed = await store.claim("n", 100)
    for sms in claimed:
        await store.finish(sms, Input(Kind.SENT, sms.attempts), Answer.CLEAR)
    return list(claimed)


async def test_the_first_goes_at_once_and_the_rest_as_one_that_counts_them(
    store: Store, clock: Clock
) -> None:
    accepted = [await store.accept(alarm(n)) for n in range(58)]
    assert [(len(one.queued), one.joined, one.duplicates) for one in accepted] == [
        (1, 0, 0),
        *[(0, 1, 0)] * 57,
    ]
    assert len({one.mail_id for one in accepted}) == 58
    assert [sms.text for sms in await delivered(store)] == ["UPS on battery"]
    clock.forward(WITHIN - 1)
    assert await store.claim("n", 10) == ()
    clock.forward(1)
    (second,) = await delivered(store)
    assert (second.text, second.segments, second.joined) == ("UPS on battery (+57 more)", 1, 57)
    assert second.mail_id == accepted[1].mail_id
    assert second.expires_at == clock.now + 12 * HOUR
    (line,) = [one for one in (await story_of(store, second)).history if one.note.startswith("joined")]
    assert line.times == 56


async def test_the_admin_hears_once_of_a_text_that_comes_without_end(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No limit counts what is joined, and each mail is a row: nobody would see it before the disk is full."""
    monkeypatch.setattr(joining, "MANY", 20)

    async def told() -> list[dict[str, str]]:
        return [dict(one.facts) for one in await store.list_outbox(None, 100) if one.kind is MailKind.ALARM]

    for n in range(20):
        await store.accept(alarm(n))
    assert await told() == []
    await asyncio.gather(*(store.accept(alarm(n)) for n in range(20, 60)))
    (facts,) = await told()
    assert (facts["alarm"], facts["sender"]) == ("joined-many", "ann@clinic.example")
    clock.forward(WITHIN)
    await delivered(store)
    for n in range(60, 100):
        await store.accept(alarm(n))
    assert len(await told()) == 1


async def test_every_joined_mail_is_found_with_the_sms_that_tells_it(store: Store) -> None:
    accepted = [await store.accept(alarm(n)) for n in range(4)]
    (_, joined) = await rows(store)
    for one in accepted[1:]:
        (line,) = await store.list_sms(SmsFilter(mail_id=one.mail_id), None, 10)
        assert line.sms == joined
    (line,) = await store.list_sms(SmsFilter(mail_id=accepted[0].mail_id), None, 10)
    assert line.sms.text == "UPS on battery"


async def test_a_storm_of_an_hour_is_seven(store: Store, clock: Clock) -> None:
    for n in range(60):
        await delivered(store)
        await store.accept(alarm(n))
        clock.forward(MINUTE)
    await delivered(store)
    assert await texts(store) == [
        "UPS on battery",
        "UPS on battery (+9 more)",
        *["UPS on battery (+10 more)"] * 5,
    ]
    clock.forward(WITHIN)
    assert len((await store.accept(alarm(99))).queued) == 1, "the storm is over: the next goes at once"


async def test_mails_that_come_at_the_same_moment_are_joined_too(store: Store, clock: Clock) -> None:
    accepted = await asyncio.gather(*(store.accept(alarm(n)) for n in range(50)))
    assert sum(len(one.queued) for one in accepted) == 1
    assert sum(one.joined for one in accepted) == 49
    assert await texts(store) == ["UPS on battery", "UPS on battery (+49 more)"]
    await asyncio.gather(*(store.accept(alarm(100 + n)) for n in range(50)))
    assert await texts(store) == ["UPS on battery", "UPS on battery (+99 more)"]


@pytest.mark.parametrize(
    "other",
    [
        alarm(9, text="UPS on mains"),
        alarm(9, "+61421000002"),
        alarm(9, sender="b@plant.example"),
        alarm(9, account="clinic"),
        alarm(9, join=None),
    ],
    ids=["text", "number", "sender", "account", "a rule that does not join"],
)
async def test_what_differs_is_not_joined(store: Store, other: Accept) -> None:
    await store.accept(alarm(1))
    accepted = await store.accept(other)
    assert (len(accepted.queued), accepted.joined) == (1, 0)


async def test_the_same_mail_again_is_no_second_alarm(store: Store) -> None:
    for n in (1, 2, 2, 3, 3):
        await store.accept(alarm(n))
    again = await store.accept(alarm(2))
    assert (again.duplicates, again.joined, again.queued) == (1, 0, ())
    assert (await texts(store))[1] == "UPS on battery (+2 more)"


async def test_alarms_without_a_message_id_are_joined_when_the_client_heard_the_250(store: Store) -> None:
    one = alarm(1)
    one = replace(one, mail=replace(one.mail, header_message_id=None))
    first = await store.accept(one)
    assert (await store.accept(one)).duplicates == 1
    await store.acknowledge(first.mail_id)
    second = await store.accept(one)
    assert second.joined == 1
    assert (await store.accept(one)).duplicates == 1, "the 250 of a joined one may be lost as well"
    await store.acknowledge(second.mail_id)
    assert (await store.accept(one)).joined == 1
    assert (await texts(store))[1] == "UPS on battery (+2 more)"


async def test_each_number_of_a_mail_is_joined_by_itself(store: Store) -> None:
    await store.accept(alarm(1, "+61421000001"))
    both = await store.accept(alarm(2, "+61421000001", "+61421000002"))
    assert ([sms.number for sms in both.queued], both.joined) == (["+61421000002"], 1)
    third = await store.accept(alarm(3, "+61421000001", "+61421000002", "+1900", refused=("+1900",)))
    assert (third.queued, third.joined, third.refused) == ((), 2, 1)
    found = {(sms.number, sms.text, sms.joined) for sms in await rows(store) if sms.joined}
    assert found == {
        ("+61421000001", "UPS on battery (+2 more)", 2),
        ("+61421000002", "UPS on battery (+1 more)", 1),
    }


async def test_a_refused_number_is_not_joined(store: Store) -> None:
    numbers = ("+61421000001", "+1900")
    for n in range(3):
        await store.accept(alarm(n, *numbers, refused=("+1900",)))
    states = [sms.state for sms in await rows(store) if sms.number == "+1900"]
    assert states == [State.REFUSED] * 3


async def test_the_cost_of_a_joined_sms_stays_what_it_was(store: Store) -> None:
    """It begins with one digit in two segments; the text gives way when the count grows, within the rule's limit."""
    long = "x" * 296  # and " (+9 more)" fill two segments
    join = JoinSame(WITHIN, 3, MORE)
    for n in range(11):
        await store.accept(alarm(n, text=long, join=join))
    (_, joined) = await rows(store)
    assert (joined.segments, joined.text[-16:]) == (2, "xx... (+10 more)")
    assert len(joined.text) <= 306


async def test_while_the_vendor_is_away_one_sms_takes_in_all(store: Store, clock: Clock) -> None:
    for n in range(10):
        await store.accept(alarm(n))
        clock.forward(WITHIN - MINUTE)
    assert await texts(store) == ["UPS on battery", "UPS on battery (+9 more)"]
    (_, joined) = await rows(store)
    assert joined.expires_at == clock.now - WITHIN + MINUTE + 12 * HOUR, "the last alarm has its full time"
    await delivered(store)
    assert (await store.accept(alarm(99))).joined == 1, "the next window begins with the one that went out"
    (*_, joined) = await rows(store)
    assert joined.due_at == clock.now + WITHIN


async def test_one_that_is_being_sent_is_not_changed_any_more(store: Store, clock: Clock) -> None:
    for n in range(2):
        await store.accept(alarm(n))
    clock.forward(WITHIN)
    claimed = await store.claim("n", 10)
    assert [sms.text for sms in claimed] == ["UPS on battery", "UPS on battery (+1 more)"]
    assert (await store.accept(alarm(3))).joined == 1
    again = await store.finish(claimed[1], Input(Kind.NOT_SENT, 1, wait_ms=60_000), Answer.CLEAR)
    assert again is not None
    await store.accept(alarm(4))
    assert await texts(store) == ["UPS on battery", "UPS on battery (+1 more)", "UPS on battery (+2 more)"]


async def test_one_that_was_tried_in_vain_is_not_changed_any_more(store: Store, clock: Clock) -> None:
    for n in range(2):
        await store.accept(alarm(n))
    clock.forward(WITHIN)
    for sms in await store.claim("n", 10):
        await store.finish(sms, Input(Kind.NOT_SENT, 1, wait_ms=60_000), Answer.CLEAR)
    assert (await store.accept(alarm(3))).joined == 1
    assert await texts(store) == ["UPS on battery", "UPS on battery (+1 more)", "UPS on battery (+1 more)"]


async def test_a_cancelled_one_takes_in_no_more(store: Store, clock: Clock) -> None:
    for n in range(3):
        await store.accept(alarm(n))
    (_, joined) = await rows(store)
    cancelled = await store.cancel(joined.message_id, Actor("ann"))
    assert cancelled is not None
    assert cancelled.state is State.CANCELLED
    assert (await store.accept(alarm(4))).joined == 1
    assert [(sms.text, sms.state) for sms in await rows(store)][1:] == [
        ("UPS on battery (+2 more)", State.CANCELLED),
        ("UPS on battery (+1 more)", State.QUEUED),
    ]
    clock.forward(WITHIN)
    await delivered(store)
    clock.forward(WITHIN)
    assert (await store.accept(alarm(5))).queued


async def test_a_phone_that_opts_out_meanwhile_gets_none_of_it(store: Store, clock: Clock) -> None:
    for n in range(3):
        await store.accept(alarm(n))
        await delivered(store)
    await store.opt_out("+61421000001", WHO)
    clock.forward(WITHIN)
    assert await delivered(store) == []
    (_, joined) = await rows(store)
    assert (joined.joined, joined.state) == (2, State.REFUSED)


async def test_its_time_to_expire_counts_from_when_it_is_due(store: Store, clock: Clock) -> None:
    for n in range(2):
        await store.accept(alarm(n, expire_after_ms=5 * MINUTE))
    clock.forward(WITHIN)
    assert await store.expire() == 1
    clock.forward(5 * MINUTE - 1)
    assert await store.expire() == 0
    clock.forward(1)
    assert await store.expire() == 1
    states = [sms.state for sms in await rows(store)]
    assert states == [State.EXPIRED, State.EXPIRED]
    assert (await store.accept(alarm(3))).queued, "nothing was sent, so nothing is held back"


async def test_the_first_of_the_joined_mails_has_the_report(store: Store, clock: Clock) -> None:
    accepted = [await store.accept(alarm(n)) for n in range(5)]
    (first, joined) = await rows(store)
    for sms in (first, joined):
        await store.cancel(sms.message_id, Actor("ann"))
    works = await store.claim_mail(10)
    assert [(one.mail.kind, one.source.id if one.source else "") for one in works] == [
        (MailKind.FAILED, accepted[0].mail_id),
        (MailKind.FAILED, accepted[1].mail_id),
    ]
    assert [one.sms[0].joined for one in works] == [0, 4]


async def test_a_clock_that_is_set_back_holds_nothing_back_for_long(store: Store, clock: Clock) -> None:
    for n in range(2):
        await store.accept(alarm(n))
    clock.forward(-5 * HOUR)
    await store.expire()
    assert [sms.joined for sms in await delivered(store)] == [0, 1]
    assert (await store.accept(alarm(3))).joined == 1
    (*_, joined) = await rows(store)
    assert joined.due_at <= clock.now + WITHIN


async def test_texts_that_are_over_are_forgotten_and_those_that_wait_are_not(
    store: Store, clock: Clock
) -> None:
    for n in range(2):
        await store.accept(alarm(n, expire_after_ms=72 * HOUR))
        await store.accept(alarm(n, "+61421000002"))
    clock.forward(24 * HOUR + WITHIN)
    await store.expire()
    assert (await store.accept(alarm(5))).joined == 1
    assert len((await store.accept(alarm(5, "+61421000002"))).queued) == 1
    held = [sms for sms in await rows(store) if sms.joined == 2]
    assert [sms.text for sms in held] == ["UPS on battery (+2 more)"]


async def test_what_joins_waits_on_purpose_and_is_not_the_oldest_that_waits(
    store: Store, clock: Clock
) -> None:
    for n in range(2):
        await store.accept(alarm(n))
    await delivered(store)
    assert (await store.counts()).oldest_queued_at is None


async def test_many_texts_at_once_are_each_counted_right(store: Store) -> None:
    mails = [alarm(100 * n + m, text=f"alarm {n}") for m in range(7) for n in range(40)]
    await asyncio.gather(*(store.accept(one) for one in mails))
    found = {sms.text for sms in await rows(store)}
    assert found == {f"alarm {n}{more}" for n in range(40) for more in ("", " (+6 more)")}


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_nodes_that_take_the_same_alarms_at_once_begin_one_sms_for_each(opened: Opener) -> None:
    nodes = [await opened() for _ in range(3)]

    async def storm(place: int, store: Store) -> list[Accepted]:
        order = range(12) if place % 2 else range(11, -1, -1)
        calls = [
            store.accept(alarm(1000 * place + 100 * m + n, text=f"alarm {n}"))
            for m in range(4)
            for n in order
        ]
        return await asyncio.gather(*calls)

    accepted = await asyncio.gather(*(storm(place, store) for place, store in enumerate(nodes)))
    told = [one for some in accepted for one in some]
    assert (sum(len(one.queued) for one in told), sum(one.joined for one in told)) == (12, 132)
    found = sorted((sms.text, sms.joined) for sms in await rows(nodes[0]))
    assert found == sorted(
        [(f"alarm {n}", 0) for n in range(12)] + [(f"alarm {n} (+11 more)", 11) for n in range(12)]
    )


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_one_that_another_node_claims_at_this_moment_is_not_changed(
    opened: Opener, clock: Clock
) -> None:
    one, two = await opened(), await opened()
    for n in range(2):
        await one.accept(alarm(n))
    clock.forward(WITHIN)
    claimed, accepted = await at_once(one, claim, two, lambda s: s.accept(alarm(3)))
    assert [sms.text for sms in claimed] == ["UPS on battery", "UPS on battery (+1 more)"]
    assert accepted.joined == 1
    assert [(sms.text, sms.due_at - clock.now) for sms in await rows(one)][2:] == [
        ("UPS on battery (+1 more)", WITHIN)
    ]
