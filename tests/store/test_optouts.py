"""Phones that want no SMS, on both engines: who says so, what it stops, and what ends it, in whatever order."""

import pytest

from bridge.event import News
from bridge.optout import Words
from bridge.report.values import MailKind
from bridge.retry import Answer
from bridge.sms import HOUR, MINUTE, SECOND, Input, Kind, State
from bridge.store import Actor, Store
from tests.store.conftest import START, Clock, Opener, mail
from tests.store.test_events import A, B, mails, reply, sent, state, status

DAY = 24 * HOUR
WHO = Actor("kim")


async def out(store: Store, *numbers: str) -> list[tuple[str, str, str]]:
    return [(one.number, one.account, one.source) for one in await store.optouts_of(*(numbers or (A,)))]


async def test_a_stop_is_of_the_account_that_it_answers_and_is_mailed_as_a_reply(store: Store) -> None:
    sms = await sent(store, account="clinic")
    assert await store.record_event(reply("Stop!", message_id=sms.message_id)) == "applied"
    assert await out(store) == [(A, "clinic", "reply")]
    facts = dict((await mails(store))[0].mail.facts)
    assert (facts["text"], facts["said"]) == ("Stop!", "stop")
    assert "START" in facts["note"]


async def test_a_queued_sms_is_refused_at_its_claim_and_told(store: Store) -> None:
    sms = await sent(store)
    await store.accept(mail(A, header="<two@x>"))
    await store.accept(mail(A, header="<three@x>", account="plant"))
    await store.accept(mail(B, header="<four@x>"))
    await store.record_event(reply("STOP", message_id=sms.message_id))
    claimed = await store.claim("n1", 10)
    assert sorted((one.number, one.account) for one in claimed) == [(A, "plant"), (B, "default")]
    told = [work for work in await mails(store) if work.mail.kind is MailKind.FAILED]
    assert [(work.sms[0].state, work.sms[0].result) for work in told] == [
        (State.REFUSED, "opted out of SMS on 14 Nov 2023")
    ]
    assert (await store.counts()).optouts == 1


async def test_one_that_was_tried_before_may_still_turn_out_to_have_arrived(store: Store) -> None:
    await store.accept(mail(A))
    (tried,) = await store.claim("n1", 1)
    await store.finish(tried, Input(Kind.NOT_SENT, tried.attempts, "no route"), None)
    await store.opt_out(A, WHO)
    assert await store.claim("n1", 1) == ()
    assert (await state(store, tried)).state is State.REFUSED
    await store.record_event(status(tried.message_id, News.DELIVERED))
    assert (await state(store, tried)).state is State.DELIVERED
    assert [work.mail.kind for work in await mails(store)] == [MailKind.FAILED, MailKind.DELIVERED]


async def test_a_start_ends_it(store: Store, clock: Clock) -> None:
    sms = await sent(store)
    await store.record_event(reply("STOP", message_id=sms.message_id))
    clock.forward(MINUTE)
    await store.record_event(reply("start please", message_id=sms.message_id))
    assert await out(store) == []
    await store.accept(mail(A, header="<two@x>"))
    assert len(await store.claim("n1", 10)) == 1
    notes = [dict(work.mail.facts)["said"] for work in await mails(store)]
    assert notes == ["stop", "start"]


@pytest.mark.parametrize("first", ["STOP", "START"])
async def test_what_was_said_later_within_a_minute_counts_though_a_webhook_tells_no_seconds(
    store: Store, clock: Clock, first: str
) -> None:
    sms = await sent(store)
    clock.forward(MINUTE - clock.now % MINUTE)
    minute, last = clock.now, "START" if first == "STOP" else "STOP"
    if first == "START":
        await store.record_event(reply("STOP", message_id=sms.message_id, vendor_at=minute - MINUTE))
    clock.forward(20 * SECOND)
    polled = reply(first, message_id=sms.message_id, source="poll", received_id="R1", vendor_at=clock.now)
    assert await store.record_event(polled) == "applied"
    clock.forward(10 * SECOND)
    await store.record_event(reply(last, message_id=sms.message_id, vendor_at=minute))
    assert bool(await out(store)) is (last == "STOP")


@pytest.mark.parametrize("again", ["the same", "the poll", "an older one"])
async def test_an_old_stop_does_not_end_what_came_after_it(store: Store, clock: Clock, again: str) -> None:
    sms = await sent(store)
    old = reply("STOP", message_id=sms.message_id, vendor_at=START, received_id="R1")
    clock.forward(SECOND)
    if again != "an older one":  # else it comes for the first time when all is over
        await store.record_event(old)
    clock.forward(MINUTE)
    await store.record_event(reply("START", message_id=sms.message_id, vendor_at=clock.now, received_id="R2"))
    clock.forward(HOUR)
    late = {"source": "poll", "received_id": "R3"} if again == "the poll" else {"received_id": "R1"}
    await store.record_event(reply("STOP", message_id=sms.message_id, vendor_at=START, **late))
    assert await out(store) == []


async def test_a_person_lets_sms_through_again_and_nothing_older_undoes_it(
    store: Store, clock: Clock
) -> None:
    sms = await sent(store)
    await store.record_event(reply("STOP", message_id=sms.message_id, vendor_at=START, received_id="R1"))
    clock.forward(10 * SECOND)
    assert await store.opt_in(A, WHO) == 1
    assert await store.opt_in(A, WHO) == 0
    await store.record_event(reply("Stop", message_id=sms.message_id, vendor_at=START, received_id="R9"))
    assert await out(store) == []
    clock.forward(10 * MINUTE)
    await store.record_event(
        reply("Stop now", message_id=sms.message_id, received_id="R5", vendor_at=clock.now)
    )
    assert await out(store) == [], "a sentence is no stop word"
    slow = clock.now - MINUTE  # the vendor's clock is behind ours
    await store.record_event(reply("Stop", message_id=sms.message_id, received_id="R6", vendor_at=slow))
    assert await out(store) == [(A, "default", "reply")]


async def test_the_first_stop_keeps_its_date(store: Store, clock: Clock) -> None:
    sms = await sent(store)
    for name in ("R1", "R2"):
        await store.record_event(reply("STOP", message_id=sms.message_id, received_id=name))
        clock.forward(10 * MINUTE)
    assert [one.at for one in await store.optouts_of(A)] == [START]


async def test_a_stop_that_answers_none_of_ours_is_for_whoever_wrote_last(store: Store, clock: Clock) -> None:
    await sent(store, account="plant")
    clock.forward(MINUTE)
    await sent(store, account="clinic", header="<two@x>")
    await store.record_event(reply("STOP", type="inbound", phone=A.removeprefix("+")))
    assert await out(store) == [(A, "clinic", "reply")]
    await store.record_event(reply("STOP", type="inbound", phone=B))
    assert await out(store, B) == [(B, "*", "reply")]
    await store.accept(mail(B, account="plant", header="<three@x>"))
    assert await store.claim("n1", 10) == ()
    await store.record_event(reply("STOP", type="inbound", phone="SHOP"))
    assert len(await store.list_optouts(None, 10)) == 2


async def test_an_answer_that_is_kept_until_its_sms_is_known_opts_out_at_once(
    store: Store, clock: Clock
) -> None:
    await store.record_event(reply("STOP", message_id="theirs", received_id="R1"))
    assert await out(store) == [(A, "*", "reply")]
    clock.forward(SECOND)
    await store.record_event(reply("START", type="inbound", received_id="R2"))
    clock.forward(73 * HOUR)
    await store.expire()
    assert await out(store) == [], "what was kept is told as inbound in the end, and is as old as it was"


async def test_the_vendors_blacklist_opts_out_with_the_event_that_tells_of_it(
    store: Store, clock: Clock
) -> None:
    sms = await sent(store, account="clinic")
    await store.record_event(status(sms.message_id, News.FAILED, result="Destination is blacklisted"))
    assert await out(store) == [(A, "clinic", "vendor")]
    clock.forward(MINUTE)
    assert await store.opt_in(A, WHO) == 1
    await store.record_event(status(sms.message_id, News.FAILED, result="Destination is Blacklisted."))
    assert await out(store) == []


async def test_late_news_of_the_blacklist_leaves_a_phone_alone_that_came_back(
    store: Store, clock: Clock
) -> None:
    sms = await sent(store)
    clock.forward(MINUTE)
    await store.record_event(reply("START", message_id=sms.message_id, vendor_at=clock.now))
    clock.forward(MINUTE)
    await store.record_event(status(sms.message_id, News.FAILED, result="Destination is blacklisted"))
    assert await out(store) == []
    again = await sent(store, header="<two@x>")
    await store.finish(again, Input(Kind.REFUSED_SMS, 1, "x"), Answer.CLEAR)
    await store.record_event(status(again.message_id, News.FAILED, result="Destination is blacklisted"))
    assert await out(store) == [(A, "default", "vendor")]


async def test_the_vendors_refusal_of_a_blacklisted_number_counts_too(store: Store) -> None:
    await store.accept(mail(A))
    (sms,) = await store.claim("n1", 1)
    given = Input(Kind.REFUSED_SMS, 1, "Error - Destination is blacklisted")
    await store.finish(sms, given, Answer.CLEAR)
    assert await out(store) == [(A, "default", "vendor")]


async def test_an_operator_adds_and_removes_by_account(store: Store) -> None:
    assert await store.opt_out(A, WHO, "clinic", "asked by phone")
    assert not await store.opt_out(A, WHO, "clinic")
    assert await store.opt_out(A, WHO)
    assert not await store.opt_out(A, WHO, "plant"), "every account is more"
    assert [one.note for one in await store.optouts_of(A)] == ["", "asked by phone"]
    acts = await store.privacy.acts()
    assert [(act.who, act.what, act.about) for act in acts] == [("kim", "opt out", "+61421•••001")] * 2
    assert await store.opt_in(A, WHO, "clinic") == 1
    assert await out(store) == [(A, "*", "operator")]
    assert await store.opt_in(A, WHO) == 1


async def test_they_are_listed_latest_first_page_by_page(store: Store, clock: Clock) -> None:
    for n in range(7):
        await store.opt_out(f"+6142100000{n}", WHO)
        clock.forward(n % 2)  # some at the same moment
    await store.opt_in("+61421000003", WHO)
    first = await store.list_optouts(None, 4)
    rest = await store.list_optouts(first[-1], 4)
    assert [one.number[-1] for one in first + rest] == ["6", "5", "4", "2", "1", "0"]
    assert await store.list_optouts(rest[-1], 4) == ()


async def test_what_changed_is_told_also_what_ended(store: Store, clock: Clock) -> None:
    await store.opt_out(A, WHO)
    clock.forward(MINUTE)
    await store.opt_out(B, WHO)
    assert [one.number for one in await store.optouts_changed(0, 10)] == [B, A]
    clock.forward(MINUTE)
    await store.opt_in(A, WHO)
    [changed] = await store.optouts_changed(clock.now, 10)
    assert (changed.number, changed.ended_at is None) == (A, False)


async def test_what_is_over_is_dropped_in_the_end_and_what_is_in_force_stays(
    store: Store, clock: Clock
) -> None:
    await store.opt_out(A, WHO)
    await store.opt_out(B, WHO)
    await store.opt_in(A, WHO)
    for days, left in ((29, {A, B}), (2, {B})):
        clock.forward(days * DAY)
        await store.expire()
        assert {one.number for one in await store.optouts_changed(0, 10)} == left


async def test_no_stop_words_no_opt_outs(opened: Opener) -> None:
    store = await opened(optout_words=Words.of([], []))
    sms = await sent(store)
    await store.record_event(reply("STOP", message_id=sms.message_id))
    assert await out(store) == []


async def test_a_stop_in_the_vendors_mail_counts_once_its_text_is_exact(opened: Opener, clock: Clock) -> None:
    store = await opened(accounts_with_polls=frozenset())
    sms = await sent(store)
    await store.vendor_mail(sms.reply_key, "From +61421000001: STOP. To answer, log in.")
    assert await out(store) == []
    clock.forward(SECOND)
    await store.record_event(reply("STOP", message_id=sms.message_id, received_id="R1"))
    assert await out(store) == [(A, "default", "reply")]


async def test_an_old_stop_is_over_for_an_account_that_wrote_only_after_the_start(
    store: Store, clock: Clock
) -> None:
    """The START was for all accounts; the STOP before it, heard late, is given to the one that wrote since."""
    clock.forward(MINUTE)
    await store.record_event(reply("START", type="inbound", vendor_at=clock.now, received_id="R2"))
    await sent(store, account="plant")
    clock.forward(MINUTE)
    await store.record_event(reply("STOP", type="inbound", vendor_at=START, received_id="R1"))
    assert await out(store) == []
    notes = [dict(work.mail.facts).get("said") for work in await mails(store)]
    assert notes == ["start", None], "nobody is told of an opt-out that is over"
