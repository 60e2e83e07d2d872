"""What a client asked to be told is kept with its mail, and decides what is written when an SMS ends."""

from dataclasses import replace

from bridge.decide.values import Accept
from bridge.dsn import Notify, Wish, Wishes
from bridge.event import News
from bridge.report.values import MailKind
from bridge.store import Store
from tests.store.conftest import Clock, mail
from tests.store.test_purge import ME, nothing, number
from tests.store.test_reports import SIX, all_sent, due, news, told


def wishing(taken: Accept, envelope_id: str = "", **wishes: list[Notify]) -> Accept:
    """``taken`` with wishes, by the last digit of the number."""
    found = [
        (f"+6142100000{digit[-1]}", Wish(frozenset(asked), "rfc822;a@x")) for digit, asked in wishes.items()
    ]
    return replace(taken, mail=replace(taken.mail, dsn=Wishes(envelope_id, tuple(found))))


async def test_wishes_come_back_as_they_were(store: Store) -> None:
    taken = wishing(mail(), "id 7", n1=["SUCCESS", "DELAY"])
    await store.accept(taken)
    (line,) = await store.claim("n1", 1)
    story = await store.show(line.message_id)
    assert story is not None
    assert story.mail.dsn == taken.mail.dsn
    other = await store.accept(mail(header="<other@x>"))
    assert (await store.show(other.queued[0].message_id)).mail.dsn is None  # type: ignore[union-attr]


async def test_each_number_of_a_mail_has_its_own(store: Store) -> None:
    await store.accept(wishing(mail(*SIX[:4]), n1=["SUCCESS"], n2=["FAILURE"], n3=[]))
    rows = await all_sent(store)
    for sms in rows:
        await news(store, sms, News.DELIVERED)
    assert told(await due(store)) == [(MailKind.DELIVERED, False)] * 2, (
        "who asked, and the one with its sender's rule"
    )


async def test_refused_numbers_that_nobody_wants_to_hear_of_are_told_to_nobody(store: Store) -> None:
    await store.accept(wishing(mail(*SIX[:3], refused=SIX[:2]), n1=[], n2=["FAILURE"]))
    (work,) = await due(store)
    assert [sms.number for sms in work.sms] == [SIX[1]]
    await store.accept(wishing(mail(*SIX[:2], refused=SIX[:1], header="<2@x>"), n1=[]))
    assert await due(store) == []


async def test_a_summary_knows_the_wishes_of_all_its_mails(store: Store, clock: Clock) -> None:
    await store.accept(wishing(mail(*SIX[:3]), n1=["SUCCESS"], n2=[]))
    clock.forward(1)
    await store.accept(wishing(mail(*SIX[3:]), "second", n4=["FAILURE"]))
    for sms in await all_sent(store):
        await news(store, sms, News.DELIVERED)
    (work,) = await due(store)
    assert work.mail.kind is MailKind.SUMMARY
    assert work.source is not None
    assert work.source.dsn is not None
    assert work.source.dsn.envelope_id == "second"
    assert [wished for wished, _ in work.source.dsn.recipients] == [SIX[0], SIX[1], SIX[3]]
    by_number = {sms.number: sms.told for sms in work.sms}
    assert by_number == dict.fromkeys(SIX, "delivered") | {SIX[1]: "", SIX[3]: ""}


async def test_of_a_person_who_is_forgotten_no_wish_is_left(store: Store) -> None:
    await store.accept(wishing(mail(*SIX[:2]), "id 7", n1=["SUCCESS"], n2=["FAILURE"]))
    first, second = await all_sent(store)
    await news(store, first, News.DELIVERED)
    (work,) = await due(store)
    await store.mail_sent(work.mail.id)
    await store.privacy.forget(number(first.number), ME, nothing)
    story = await store.show(second.message_id)
    assert story is not None
    assert story.mail.dsn is not None
    assert [wished for wished, _ in story.mail.dsn.recipients] == [second.number]
