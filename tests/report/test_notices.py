"""Who hears what: every change of an SMS against what its sender asked to hear."""

from typing import Any

import pytest

from bridge.report.notices import (
    Told,
    address,
    doubts,
    inbound,
    notices_after,
    refusals,
    reply,
    summary,
    told_after,
    told_by_summary,
)
from bridge.report.values import MailKind, StoredMail
from bridge.rules import ReportRule
from bridge.sms import State
from tests.sms.test_table import sms

S = State
EVERYTHING = frozenset({"failed", "delivered", "reply"})


def mail(when: Any = EVERYTHING, to: str = "sender", sender: str = "ann@x") -> StoredMail:
    return StoredMail(
        "m1",
        0,
        sender,
        "auth",
        0,
        "192.0.2.1",
        "Lunch",
        None,
        (),
        "default",
        ReportRule(frozenset(when), to),
        1,
        (),
    )


def kinds(
    before: State, after: State, told: str = "", when: Any = EVERYTHING, **more: Any
) -> list[tuple[str, bool]]:
    size = more.pop("size", 1)
    due = notices_after(sms(before), sms(after, told=told, **more.pop("sms", {})), mail(when), size, **more)
    return [(notice.kind.value, notice.correction) for notice in due]


@pytest.mark.parametrize("end", [S.FAILED, S.REFUSED, S.EXPIRED, S.CANCELLED, S.UNCONFIRMED])
def test_every_bad_end_is_told_as_failed(end: State) -> None:
    assert kinds(S.SUBMITTED, end) == [("failed", False)]
    assert kinds(S.SUBMITTED, end, when={"delivered", "reply"}) == []


def test_delivered_is_told_to_who_asked() -> None:
    assert kinds(S.SUBMITTED, S.DELIVERED) == [("delivered", False)]
    assert kinds(S.SUBMITTED, S.DELIVERED, when={"failed"}) == []


@pytest.mark.parametrize("state", [S.QUEUED, S.SENDING, S.SUBMITTED, S.UNKNOWN, S.HELD])
def test_what_is_not_over_is_not_told(state: State) -> None:
    assert kinds(S.QUEUED, state) == []


def test_better_news_of_the_same_end_is_no_second_report() -> None:
    assert kinds(S.DELIVERED, S.DELIVERED, told="delivered") == []
    assert kinds(S.EXPIRED, S.FAILED, told="failed") == []


@pytest.mark.parametrize("when", [EVERYTHING, {"failed"}, {"delivered"}, {"reply"}])
@pytest.mark.parametrize(
    ("before", "after", "told", "kind"),
    [
        (S.DELIVERED, S.FAILED, "delivered", "failed"),
        (S.FAILED, S.DELIVERED, "failed", "delivered"),
        (S.SUBMITTED, S.DELIVERED, Told.DOUBT, "delivered"),
        (S.SUBMITTED, S.FAILED, Told.DOUBT, "failed"),
        (S.SUBMITTED, S.UNCONFIRMED, Told.DOUBT, "failed"),
        (S.UNCONFIRMED, S.DELIVERED, Told.UNCONFIRMED, "delivered"),
        (S.UNCONFIRMED, S.FAILED, Told.UNCONFIRMED, "failed"),
    ],
)
def test_what_turned_out_otherwise_than_told_is_corrected_whatever_was_asked(
    when: Any, before: State, after: State, told: str, kind: str
) -> None:
    assert kinds(before, after, told, when) == [(kind, True)]


def test_nothing_told_needs_no_correction() -> None:
    assert kinds(S.DELIVERED, S.FAILED, when={"reply"}) == []
    assert kinds(S.DELIVERED, S.FAILED, when={"failed"}) == [("failed", False)]


def test_no_reports_are_none() -> None:
    assert kinds(S.SUBMITTED, S.FAILED, when=()) == []
    assert doubts(sms(S.HELD), mail(()), 1) == ()
    assert reply(sms(S.DELIVERED), mail(()), "x", 0, others=False) == ()
    assert summary([sms(S.FAILED)], mail(())) == ()
    assert refusals([sms(S.REFUSED)], mail(())) == ()


def test_a_group_waits_for_its_summary_and_only_bad_news_comes_after_it() -> None:
    assert kinds(S.SUBMITTED, S.FAILED, size=5) == [("failed", False)]
    assert kinds(S.SUBMITTED, S.FAILED, size=6) == []
    assert kinds(S.SUBMITTED, S.FAILED, size=6, summarized=True) == [("failed", False)]
    assert kinds(S.SUBMITTED, S.DELIVERED, size=6, summarized=True) == []
    assert kinds(S.FAILED, S.DELIVERED, "failed", size=6, summarized=True) == [("delivered", True)]
    assert doubts(sms(S.UNKNOWN), mail(), 6) == ()
    assert doubts(sms(S.UNKNOWN), mail(), 6, summarized=True) != ()


@pytest.mark.parametrize("state", State)
def test_only_what_is_unknown_or_held_is_in_doubt_and_told_so_once(state: State) -> None:
    due = doubts(sms(state), mail(), 1)
    assert bool(due) == (state in (S.UNKNOWN, S.HELD))
    assert told_after(sms(state), due) == (Told.DOUBT if due else "")
    assert doubts(sms(state, told=Told.DOUBT), mail(), 1) == ()


def test_a_doubt_is_not_told_to_who_does_not_want_failures() -> None:
    assert doubts(sms(S.HELD), mail({"delivered", "reply"}), 1) == ()


def test_told_follows_the_mails_that_were_written() -> None:
    for end, told in [(S.DELIVERED, "delivered"), (S.EXPIRED, "failed"), (S.UNCONFIRMED, "unconfirmed")]:
        after = sms(end)
        assert told_after(after, notices_after(sms(S.SUBMITTED), after, mail(), 1)) == told
        assert told_after(after, ()) == ""


@pytest.mark.parametrize(
    ("when", "ends", "wanted"),
    [
        (EVERYTHING, [S.DELIVERED], True),
        ({"failed"}, [S.DELIVERED, S.DELIVERED], False),
        ({"failed"}, [S.DELIVERED, S.FAILED], True),
        ({"failed"}, [S.DELIVERED, S.SUBMITTED], True),
        ({"reply"}, [S.FAILED], False),
        (EVERYTHING, [], False),
    ],
)
def test_who_gets_a_summary(when: Any, ends: list[State], wanted: bool) -> None:
    due = summary([sms(end) for end in ends], mail(when))
    assert [notice.kind for notice in due] == [MailKind.SUMMARY] * wanted


def test_a_summary_tells_of_each_what_it_knows() -> None:
    told = {state: told_by_summary(sms(state, told="x"), mail()) for state in State}
    assert told[S.UNKNOWN] == told[S.HELD] == Told.DOUBT
    assert told[S.SUBMITTED] == told[S.QUEUED] == "x"
    assert (told[S.DELIVERED], told[S.CANCELLED], told[S.UNCONFIRMED]) == (
        "delivered",
        "failed",
        "unconfirmed",
    )


def test_reports_go_to_the_sender_or_the_address_of_the_rule() -> None:
    assert address(mail()) == "ann@x"
    assert address(mail(to="ops@x")) == "ops@x"
    assert address(mail(sender="operator")) == ""
    (notice,) = notices_after(sms(S.SUBMITTED), sms(S.FAILED, result="Bad Number"), mail(to="ops@x"), 1)
    assert (notice.to, notice.facts) == ("ops@x", (("state", "failed"), ("result", "Bad Number")))


def test_a_reply_carries_the_answer_and_whether_others_wrote() -> None:
    (notice,) = reply(sms(S.DELIVERED), mail(), "yes", 7, others=False)
    assert notice.facts == (("phone", "+61421000001"), ("text", "yes"), ("at", "7"))
    (notice,) = reply(sms(S.DELIVERED), mail(), "yes", 7, others=True)
    assert notice.facts[-1][0] == "note"


def test_inbound_needs_a_reader() -> None:
    assert inbound("+614", "hi", 7, "") == ()
    assert inbound("+614", "hi", 7, "desk@x")[0].to == "desk@x"
