"""What is kept no longer: texts first, then records; never what is under way, on both engines."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.decide.values import JoinSame
from bridge.dsn import Wish, Wishes
from bridge.event import Event, News
from bridge.phone import parse
from bridge.report.values import MailKind, OutboxState
from bridge.retry import Answer
from bridge.rules import MORE
from bridge.sms import FINAL, HOUR, MINUTE, Input, Kind, Sms, State
from bridge.store import Accepted, Actor, Purged, PurgePlace, Retention, SmsFilter, Store, open_store
from bridge.store.database import Tx
from bridge.store.rows import mail_of
from tests.store.conftest import SETTINGS, Clock, Opener, mail

DAY = 24 * HOUR
TEXT = "meet me at the canary wharf"
KEPT = Retention(text_ms=30 * DAY, records_ms=400 * DAY)
ME = Actor("tester")


async def purge(store: Store, retention: Retention = KEPT) -> Purged:
    """A whole purge."""
    done = Purged(next=PurgePlace())
    while done.next is not None:
        done += await store.privacy.purge(retention, done.next)
    return done


async def sent(store: Store, *numbers: str, **more: Any) -> list[Sms]:
    """SMS that the vendor has, nothing more known."""
    await store.accept(mail(*numbers, text=TEXT, **more))
    rows = list(await store.claim("n1", 100))
    for sms in rows:
        await store.finish(sms, Input(Kind.SENT, sms.attempts), Answer.CLEAR, (f"V{sms.id}",))
    return rows


async def news(store: Store, sms: Sms, what: News = News.DELIVERED) -> None:
    raw = f"{{'MessageText': '{TEXT}', 'Phone': '{sms.number}'}}"
    event = Event("webhook", "status", sms.message_id, sms.number, raw, what, what.value, job="j1", price=900)
    assert await store.record_event(event) == "applied"


async def answers(store: Store, sms: Sms, text: str = "canary says yes") -> None:
    event = Event("webhook", "reply", sms.message_id, sms.number, text, text=text, received_id=f"r{text}")
    assert await store.record_event(event) == "applied"


async def all_mailed(store: Store) -> None:
    await store.sweep_notices()
    while work := await store.claim_mail(100):
        for one in work:
            await store.rendered((one.mail.id, f"Subject: x\r\n\r\n{TEXT}".encode(), "Re: canary"))
            await store.mail_sent(one.mail.id)


async def test_a_text_goes_when_its_time_is_over_and_the_record_stays(store: Store, clock: Clock) -> None:
    (sms,) = await sent(store)
    await news(store, sms)
    await answers(store, sms)
    await all_mailed(store)
    clock.forward(30 * DAY - 1)
    assert (await purge(store)).emptied == 0
    clock.forward(1)
    assert await purge(store) == Purged(texts=1, events=2, mails=2)
    story = await store.show(sms.message_id)
    assert story is not None
    assert (story.sms.text, story.sms.state, story.sms.number) == ("", State.DELIVERED, sms.number)
    assert (story.mail.subject, story.sms.price, len(story.events), len(story.outbox)) == ("", 900, 2, 2)
    assert {(event.raw, event.text) for event in story.events} == {("", "")}
    assert {(one.subject, one.facts) for one in story.outbox} == {("", ())}
    assert [line.note for line in story.history] == ["taken", "claim", "sent", "news: delivered"]
    assert await purge(store) == Purged(), "nothing is left to do"
    figures = await store.privacy.purge_figures()
    assert (figures.at, figures.texts, figures.records) == (clock.now, 5, 0)


async def test_a_record_goes_with_all_that_hangs_on_it(store: Store, clock: Clock) -> None:
    (sms,) = await sent(store)
    await news(store, sms)
    await answers(store, sms)
    await all_mailed(store)
    clock.forward(400 * DAY)
    assert (await purge(store)).records == 1
    assert await store.show(sms.message_id) is None
    assert (await store.list_outbox(None, 9), await store.list_events(None, 9)) == ((), ())
    assert (await store.counts()).by_state == {}
    assert not await store.known_key("reply", sms.reply_key)
    again = Event("webhook", "reply", sms.message_id, sms.number, "late", text="late")
    assert await store.record_event(again) == "applied", "told to whoever reads what answers nothing"
    (work,) = await store.claim_mail(9)
    assert work.mail.kind is MailKind.INBOUND


async def test_an_answer_after_its_text_is_gone_still_reaches_the_sender(store: Store, clock: Clock) -> None:
    (sms,) = await sent(store)
    await news(store, sms)
    await all_mailed(store)
    clock.forward(31 * DAY)
    await purge(store)
    await answers(store, sms)
    (work,) = await store.claim_mail(9)
    assert (work.mail.kind, work.mail.to) == (MailKind.REPLY, "ann@clinic.example")
    assert await purge(store) == Purged(), "it is young, and its mail is not sent"
    await store.mail_sent(work.mail.id)
    clock.forward(30 * DAY)
    assert (await purge(store)).emptied == 2


@pytest.mark.parametrize("end", [None, Kind.UNCLEAR, Kind.REFUSED_UNREAD, Kind.NOT_SENT, Kind.SENT])
async def test_what_is_under_way_keeps_its_text(store: Store, clock: Clock, end: Kind | None) -> None:
    await store.accept(mail(text=TEXT, expire_after_ms=1 << 50))
    (sms,) = await store.claim("n1", 9)
    if end is not None:
        await store.finish(sms, Input(end, sms.attempts), Answer.CLEAR)
    clock.forward(1_000 * DAY)
    assert (await purge(store)).records == 0
    story = await store.show(sms.message_id)
    assert story is not None
    assert story.sms.text == TEXT
    assert story.sms.state not in FINAL
    assert story.mail.subject == "Lunch"


async def test_what_a_mail_of_ours_has_still_to_tell_stays(store: Store, clock: Clock) -> None:
    (sms,) = await sent(store)
    await news(store, sms)
    clock.forward(1_000 * DAY)
    assert (await purge(store)).texts == 0
    (work,) = await store.claim_mail(9)
    assert (work.sms[0].text, work.mail.kind) == (TEXT, MailKind.DELIVERED)
    await store.mail_kept(work.mail.id)
    assert (await purge(store)).records == 1


async def test_a_group_whose_summary_is_not_written_stays(store: Store, clock: Clock) -> None:
    rows = await sent(store, *(f"+6142100000{n}" for n in range(6)))
    for sms in rows:
        await news(store, sms)
    clock.forward(1_000 * DAY)
    assert (await purge(store)).texts == 0
    await store.sweep_notices()
    assert (await purge(store)).texts == 0, "written, and not sent"
    await all_mailed(store)
    assert (await purge(store)).records == 6


async def test_a_mail_stays_until_the_last_of_its_group_is_final(store: Store, clock: Clock) -> None:
    rows = await sent(store, "+61421000001", "+61421000002")
    await news(store, rows[0])
    await all_mailed(store)
    clock.forward(1_000 * DAY)
    assert (await purge(store)).records == 1
    story = await store.show(rows[1].message_id)
    assert story is not None
    assert (story.sms.text, story.mail.subject) == (TEXT, "Lunch")
    await news(store, rows[1])
    await all_mailed(store)
    clock.forward(1_000 * DAY)
    assert (await purge(store)).records == 1


async def test_mails_that_another_sms_tells_of_go_with_it(store: Store, clock: Clock) -> None:
    join = JoinSame(HOUR, 1, MORE)
    mails = [replace(mail(header=f"<{n}@x>", text=TEXT), join=join) for n in range(4)]
    stored = [await store.accept(one) for one in mails]
    (first,) = await store.claim("n1", 9)
    await store.finish(first, Input(Kind.REFUSED_SMS, 1, "bad"), Answer.CLEAR)
    await all_mailed(store)
    clock.forward(DAY)
    await purge(store, Retention(0, 0))
    assert await subjects(store, *stored) == [None, "Lunch", "Lunch", "Lunch"], (
        "one SMS waits for three mails"
    )
    await store.expire()
    await all_mailed(store)
    await purge(store, Retention(text_ms=0))
    assert await subjects(store, *stored) == [None, "", "", ""]
    await purge(store, Retention(records_ms=0))
    assert await subjects(store, *stored) == [None] * 4


async def subjects(store: Store, *mails: Accepted) -> list[str | None]:
    """The subject of each mail; None when it is not stored any more."""

    def unit(tx: Tx) -> list[str | None]:
        found = [tx.one("mail_by_id", id=one.mail_id) for one in mails]
        return [mail_of(row).subject if row else None for row in found]

    return await store._read(unit)


async def test_what_belongs_to_no_sms_goes_by_its_own_age(store: Store, clock: Clock) -> None:
    event = Event("webhook", "inbound", None, "+61421000009", TEXT, text=TEXT)
    assert await store.record_event(event) == "applied"
    await store.postmaster(TEXT.encode(), "192.0.2.1")
    await all_mailed(store)
    clock.forward(30 * DAY)
    assert await purge(store) == Purged(events=1, mails=2)
    clock.forward(370 * DAY)
    assert await purge(store) == Purged(records=3)


async def test_news_that_may_become_known_stays(store: Store, clock: Clock) -> None:
    event = Event("webhook", "reply", "VENDOR9", "+61421000009", TEXT, text=TEXT)
    assert await store.record_event(event) == "kept"
    clock.forward(1_000 * DAY)
    assert await purge(store) == Purged()


@pytest.mark.parametrize("retention", [Retention(text_ms=DAY), Retention(records_ms=DAY)])
async def test_one_of_the_two_may_be_for_ever(store: Store, clock: Clock, retention: Retention) -> None:
    (sms,) = await sent(store)
    await news(store, sms)
    await all_mailed(store)
    clock.forward(DAY)
    would = await store.privacy.would_purge(retention)
    done = await purge(store, retention)
    assert replace(done, next=None) == would
    assert (done.texts, done.records) == (1, 0 if retention.records_ms is None else 1)
    assert (await store.show(sms.message_id) is None) == (retention.records_ms is not None)


async def test_many_rows_go_in_small_batches(store: Store, clock: Clock) -> None:
    for at in range(3):
        numbers = [f"+614211{at}{n:04}" for n in range(60)]
        await store.accept(mail(*numbers, header=f"<{at}@x>", refused=tuple(numbers)))
    clock.forward(HOUR)
    await all_mailed(store)
    clock.forward(400 * DAY)
    steps, place = 0, PurgePlace()
    while True:
        step = await store.privacy.purge(KEPT, place)
        assert step.texts + step.records <= 50
        steps += 1
        if step.next is None:
            break
        place = step.next
    assert steps >= 8
    assert (await store.counts()).by_state == {}


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_two_may_purge_at_once(opened: Opener, clock: Clock) -> None:
    one, two = await opened(), await opened()
    for at in range(4):
        numbers = [f"+614211{at}{n:04}" for n in range(50)]
        await one.accept(mail(*numbers, header=f"<{at}@x>", refused=tuple(numbers)))
    clock.forward(HOUR)
    await all_mailed(one)
    clock.forward(400 * DAY)
    done = await asyncio.gather(purge(one), purge(two))
    assert sum(each.texts for each in done) == sum(each.records for each in done) == 200
    assert (await one.counts()).by_state == {}


# --- a person who asks to be forgotten ---

PERSON = "+61421000001"
OTHER = "+61421000002"


async def nothing() -> None:
    pass


def number(text: str = PERSON) -> Any:
    return parse(text, "AU")


async def test_all_about_a_person_is_forgotten_and_nothing_of_others(store: Store, clock: Clock) -> None:
    rows = await sent(store, PERSON, OTHER)
    for sms in rows:
        await news(store, sms)
        await answers(store, sms, f"from {sms.id}")
    for phone in (PERSON, "0421 000 001", OTHER):
        await store.record_event(Event("webhook", "inbound", None, phone, f"raw {phone}", text=f"hi {phone}"))
    await store.record_event(Event("webhook", "reply", "NOBODYS", PERSON, "kept", text="kept"))
    await all_mailed(store)
    await store.note_alarm("x", (("alarm", "x"), ("number", PERSON)))
    await all_mailed(store)
    before = await store.privacy.trace(number())
    assert (before.sms, before.events, before.mails, before.alarms) == (1, 5, 3, 1)
    await store.privacy.forget(number(), ME, nothing)
    after = await store.privacy.trace(number())
    assert (after.sms, after.events, after.mails, after.alarms) == (0, 0, 0, 0)
    story = await store.show(rows[1].message_id)
    assert story is not None
    assert (story.sms.text, len(story.events), len(story.outbox)) == (TEXT, 2, 2)
    left = await store.list_events(None, 99)
    assert {event.phone for event in left} == {OTHER}
    (act,) = await store.privacy.acts()
    assert (act.who, act.what, act.about, dict(act.details)["sms"]) == (
        "tester",
        "forget",
        "+61421•••001",
        "1",
    )


async def test_a_person_with_something_under_way_is_told_so_and_kept(store: Store, clock: Clock) -> None:
    await store.accept(mail(PERSON))
    found = await store.privacy.forget(number(), ME, nothing)
    assert (found.under_way, found.ends_by) == ({State.QUEUED: 1}, clock.now + 12 * HOUR)
    assert (await store.privacy.trace(number())).sms == 1
    assert await store.privacy.acts() == ()


async def test_what_a_person_answers_while_it_is_forgotten_still_reaches_the_sender(store: Store) -> None:
    """The mail is under way: dropped, it would be lost, and on SQLite the next one would have its id."""
    rows = []
    for n in range(30):  # more than one batch
        rows += await sent(store, PERSON, header=f"<{n}@x>")
    for sms in rows:
        await news(store, sms)
    await all_mailed(store)

    told: list[str] = []

    async def answered() -> None:
        if not told:
            told.append("I come")
            await answers(store, rows[-1], told[0])

    left = await store.privacy.forget(number(), ME, answered)
    (work,) = await store.claim_mail(9)
    assert (work.mail.kind, dict(work.mail.facts)["text"]) == (MailKind.REPLY, "I come")
    assert (left.mails_due, (await store.privacy.trace(number())).sms) == (1, 1)
    await store.mail_sent(work.mail.id)
    assert (await store.privacy.forget(number(), ME, nothing)).mails_due == 0
    assert (await store.privacy.trace(number())).sms == 0


async def test_an_answer_about_who_was_forgotten_is_none_about_who_has_its_id_now(
    store: Store, clock: Clock
) -> None:
    """The vendor's answer may come after its own news of it, and after the person was forgotten."""
    await store.accept(mail(PERSON, header="<first@x>"))
    (gone,) = await store.claim("n1", 1)
    await news(store, gone)
    await all_mailed(store)
    await store.privacy.forget(number(), ME, nothing)
    await store.accept(mail(OTHER, header="<second@x>"))
    (sms,) = await store.claim("n1", 1)
    assert await store.vendor_mail(sms.reply_key, "an answer")
    assert [one.id for one in await store.due_reply_polls(9)] == [sms.id]
    await store.reply_polled(gone)
    clock.forward(MINUTE)
    assert [one.id for one in await store.due_reply_polls(9)] == [sms.id], "its own poll was not answered"
    ids = ("V-of-the-first",)
    given = Input(Kind.SENT, gone.attempts)
    assert await store.finish(gone, given, Answer.CLEAR, ids) is None
    assert await store.polled(gone, Input(Kind.NEWS_DELIVERED)) is None
    assert (await store.vendor_ids(gone.id), await store.vendor_ids(sms.id)) == ((), ())
    unclear = await store.finish(sms, Input(Kind.UNCLEAR, 1), Answer.UNCLEAR)
    assert unclear is not None
    assert unclear.state is State.UNKNOWN


async def test_a_person_is_forgotten_in_a_group_whose_others_stay(store: Store, clock: Clock) -> None:
    numbers = [f"+6142100000{n}" for n in range(1, 8)]
    for sms in await sent(store, *numbers):
        await news(store, sms)
    await all_mailed(store)
    (summary,) = await store.list_outbox(None, 9)
    await store.privacy.forget(number(), ME, nothing)
    mail_of_ours = await store.outbox_mail(summary.id)
    assert mail_of_ours is not None
    assert (mail_of_ours.kind, mail_of_ours.raw, mail_of_ours.subject) == (MailKind.SUMMARY, None, "")
    assert sum((await store.counts()).by_state.values()) == 6


async def test_the_reports_that_a_client_asked_for_do_not_name_who_was_forgotten(store: Store) -> None:
    wished = Wishes(
        "env", tuple((one, Wish(frozenset(), f"rfc822;{one}@sms.local")) for one in (PERSON, OTHER))
    )
    taken = mail(OTHER, header="<1@x>")
    accepted = await store.accept(replace(taken, mail=replace(taken.mail, dsn=wished)))
    await store.privacy.forget(number(), ME, nothing)

    def unit(tx: Tx) -> Wishes | None:
        row = tx.one("mail_by_id", id=accepted.mail_id)
        return mail_of(row).dsn if row else None

    left = await store._read(unit)
    assert left is not None
    assert [one for one, _ in left.recipients] == [OTHER]


async def test_what_came_before_it_was_forgotten_is_taken_as_new(store: Store) -> None:
    (sms,) = await sent(store)
    await news(store, sms)
    await all_mailed(store)
    await store.privacy.forget(number(), ME, nothing)
    assert (await store.accept(mail(text=TEXT))).duplicates == 0


async def test_that_a_person_wants_no_sms_is_not_forgotten(store: Store, clock: Clock) -> None:
    await store.opt_out(PERSON, ME, note="called us")
    await store.opt_out(PERSON, ME, "clinic")
    await store.opt_in(PERSON, ME, "clinic")
    await store.opt_out(OTHER, ME, note="wrote a letter")
    clock.forward(2 * HOUR)
    assert (await store.privacy.forget(number(), ME, nothing)).opted_out
    assert [(one.account, one.note) for one in await store.optouts_of(PERSON)] == [("*", "")]
    assert [one.note for one in await store.optouts_of(OTHER)] == ["wrote a letter"]
    assert not (await store.privacy.forget(number("+61421000003"), ME, nothing)).opted_out


async def test_ids_that_are_free_again_are_counted_again(store: Store) -> None:
    (sms,) = await sent(store)
    await news(store, sms)
    await all_mailed(store)
    await store.set_cursor("habit", sms.id)
    await store.privacy.forget(number(), ME, nothing)
    assert await store.cursor("habit") == 0


async def test_an_account_forgets_whose_sms_failed(store: Store) -> None:
    await store.accept(mail(PERSON))
    (sms,) = await store.claim("n1", 1)
    await store.finish(sms, Input(Kind.REFUSED_UNREAD, 1, "odd"), Answer.UNREAD)
    await store.cancel(sms.message_id, Actor("kim", "desk"))
    await all_mailed(store)
    await store.privacy.forget(number(), ME, nothing)
    (account,) = await store.accounts()
    assert account.unread == ("forgotten",)


# --- a model: whatever happens in whatever order ---

ENDS = (Kind.SENT, Kind.UNCLEAR, Kind.NOT_SENT, Kind.REFUSED_UNREAD, Kind.REFUSED_SMS)
WALK = st.lists(
    st.one_of(
        st.tuples(st.just("mail"), st.integers(1, 7)),
        st.tuples(st.just("claim"), st.integers(1, 9)),
        st.tuples(st.just("end"), st.sampled_from(ENDS)),
        st.tuples(st.just("news"), st.sampled_from((News.DELIVERED, News.FAILED, News.PENDING, News.NETWORK))),
        st.tuples(st.just("answer"), st.integers(0, 9)),
        st.tuples(st.just("forward"), st.sampled_from((HOUR, DAY, 3 * DAY, 9 * DAY))),
        st.tuples(st.just("sweep"), st.just(0)),
        st.tuples(st.just("mailed"), st.integers(1, 9)),
        st.tuples(st.just("purge"), st.just(0)),
    ),
    min_size=30,
    max_size=60,
)  # fmt: skip
SHORT = Retention(text_ms=2 * DAY, records_ms=9 * DAY)


@dataclass
class Walk:
    """What happens to a store; after each purge everything that should still be there is."""

    store: Store
    clock: Clock
    mails: int = 0
    emptied: dict[int, int] = field(default_factory=dict)  # when each SMS lost its text

    async def go(self, what: str, how: Any) -> None:
        await getattr(self, what)(how)

    async def mail(self, count: int) -> None:
        self.mails += 1
        numbers = [f"+6142100{self.mails:03}{at}" for at in range(count)]
        await self.store.accept(mail(*numbers, text=TEXT, header=f"<{self.mails}@x>"))

    async def claim(self, count: int) -> None:
        await self.store.claim("n1", count)

    async def end(self, kind: Kind) -> None:
        for sms in [sms for sms in await self.all() if sms.state is State.SENDING][:3]:
            await self.store.finish(sms, Input(kind, sms.attempts, "why"), Answer.CLEAR)

    async def news(self, what: News) -> None:
        for sms in [sms for sms in await self.all() if sms.attempts][:3]:
            event = Event("webhook", "status", sms.message_id, sms.number, TEXT, what, what.value)
            await self.store.record_event(event)

    async def answer(self, which: int) -> None:
        for sms in (await self.all())[which : which + 1]:
            event = Event("webhook", "reply", sms.message_id, sms.number, TEXT, text=TEXT)
            await self.store.record_event(event)

    async def forward(self, ms: int) -> None:
        self.clock.forward(ms)

    async def sweep(self, _: int) -> None:
        await self.store.expire()
        await self.store.sweep_notices()

    async def mailed(self, count: int) -> None:
        for work in await self.store.claim_mail(count):
            for sms in work.sms:  # news of one whose text is gone already may still come
                assert sms.text or work.mail.created_at >= self.emptied[sms.id], "nothing is left to tell"
            await self.store.mail_sent(work.mail.id)

    async def purge(self, _: int) -> None:
        before = {sms.id: sms for sms in await self.all()}
        await purge(self.store, SHORT)
        after = {sms.id: sms for sms in await self.all()}
        self.emptied = {one: self.clock.now for one, sms in after.items() if not sms.text} | self.emptied
        due = {one.sms_id for one in await self.store.list_outbox(None, 999) if one.state is OutboxState.DUE}
        for sms in before.values():
            age = self.clock.now - sms.state_since if sms.state in FINAL else 0
            if age < 2 * DAY or sms.id in due:
                assert after[sms.id] == sms
            elif age < 9 * DAY:
                assert replace(after[sms.id], text="") == replace(sms, text="")
            if sms.id in after:
                story = await self.store.show(str(sms.id))
                assert story is not None
                assert story.mail.subject or not after[sms.id].text
        for event in await self.store.list_events(None, 999):
            assert not event.raw or not self._is_old(event.at) or self._is_open(after, event.sms_id)

    def _is_old(self, at: int) -> bool:
        return self.clock.now - at >= 2 * DAY

    def _is_open(self, after: dict[int, Sms], sms_id: int | None) -> bool:
        return sms_id is not None and after[sms_id].state not in FINAL

    async def all(self) -> list[Sms]:
        return [line.sms for line in await self.store.list_sms(SmsFilter(), None, 500)]


@pytest.mark.parametrize("engine", ["sqlite"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=WALK)
def test_whatever_happens_nothing_under_way_is_purged(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]], engine: str
) -> None:
    async def walk(file: Path) -> None:
        clock = Clock()
        store = await open_store(file, settings=SETTINGS, clock=clock)
        try:
            happens = Walk(store, clock)
            for what, how in [*steps, ("purge", 0)]:
                await happens.go(what, how)
        finally:
            await store.close()

    asyncio.run(walk(tmp_path_factory.mktemp("walk") / "bridge.db"))
