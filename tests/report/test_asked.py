"""What a client asked for with NOTIFY decides which reports its recipients get, in place of the sender's rule."""

from dataclasses import replace
from typing import Any

import pytest

from bridge.dsn import Wish, Wishes
from bridge.report import delivery_report
from bridge.report.notices import Told, doubts, heard_of, notices_after, refusals, summary, told_by_summary
from bridge.report.values import MailKind, StoredMail
from bridge.sms import RANK, Kind, Sms, State
from tests.render import samples
from tests.report.test_notices import mail
from tests.sms.test_table import sms

S = State
NUMBER = "+61421000001"


def asking(*notify: Any, when: Any = ("failed", "delivered", "reply"), number: str = NUMBER) -> StoredMail:
    return replace(mail(when), dsn=Wishes("id 7", ((number, Wish(frozenset(notify), "rfc822;kim@x")),)))


def told(before: State, after: State, of: StoredMail, told: str = "", **more: Any) -> list[tuple[str, bool]]:
    due = notices_after(sms(before), sms(after, told=told), of, 1, **more)
    return [(notice.kind.value, notice.correction) for notice in due]


@pytest.mark.parametrize(
    "when", [(), ("failed", "delivered", "reply")], ids=["rule says none", "rule says all"]
)
@pytest.mark.parametrize(
    ("end", "asked"),
    [(S.DELIVERED, "SUCCESS"), (S.FAILED, "FAILURE"), (S.EXPIRED, "FAILURE"), (S.CANCELLED, "FAILURE")],
)
def test_an_end_is_told_to_who_asked_for_it_whatever_the_rule_says(end: State, asked: str, when: Any) -> None:
    kind = "delivered" if end is S.DELIVERED else "failed"
    assert told(S.SUBMITTED, end, asking(asked, when=when)) == [(kind, False)]
    others = {"SUCCESS", "FAILURE", "DELAY"} - {asked}
    assert told(S.SUBMITTED, end, asking(*others, when=when)) == []
    assert told(S.SUBMITTED, end, asking(when=when)) == [], "NEVER"
    other = asking(asked, when=when, number="+61421000009")
    assert bool(told(S.SUBMITTED, end, other)) == bool(when), "a number without a wish has its sender's rule"


def test_what_nobody_confirms_is_told_to_who_asked_for_either_end() -> None:
    assert told(S.SUBMITTED, S.UNCONFIRMED, asking("SUCCESS")) == [("failed", False)]
    assert told(S.SUBMITTED, S.UNCONFIRMED, asking("FAILURE")) == [("failed", False)]
    assert told(S.SUBMITTED, S.UNCONFIRMED, asking("DELAY")) == []


def test_a_doubt_is_a_delay() -> None:
    assert [notice.kind for notice in doubts(sms(S.UNKNOWN), asking("DELAY", when=()), 1)] == [
        MailKind.FAILED
    ]
    assert doubts(sms(S.HELD), asking("SUCCESS", "FAILURE"), 1) == ()
    assert told(S.UNKNOWN, S.DELIVERED, asking("DELAY"), Told.DOUBT) == [], (
        "it was told late, and was not asked for"
    )
    assert told(S.UNKNOWN, S.DELIVERED, asking("DELAY", "SUCCESS"), Told.DOUBT) == [("delivered", True)]


def test_what_turned_out_wrong_is_corrected_but_never_to_who_wants_nothing() -> None:
    assert told(S.DELIVERED, S.FAILED, asking("SUCCESS"), Told.DELIVERED) == [("failed", True)]
    assert told(S.FAILED, S.DELIVERED, asking("FAILURE"), Told.FAILED) == [("delivered", True)]
    assert told(S.FAILED, S.DELIVERED, asking(), Told.FAILED) == []


def test_refused_numbers_are_told_to_who_asked_for_failures() -> None:
    refused = [sms(S.REFUSED), sms(S.REFUSED, number="+61421000002")]
    never = asking()
    assert [one.number for one in heard_of(refused, never)] == ["+61421000002"]
    assert len(refusals(refused, never)) == 1
    assert refusals(refused[:1], never) == ()
    assert len(refusals(refused[:1], asking("FAILURE", when=()))) == 1
    assert refusals(refused, asking("SUCCESS", when=())) == ()


def test_a_summary_is_written_when_one_of_its_numbers_asked_for_it() -> None:
    group = [sms(S.DELIVERED), *(sms(S.DELIVERED, number=f"+6142100000{n}") for n in range(2, 8))]
    assert summary(group, asking("SUCCESS", when=())) != ()
    assert summary(group, asking("FAILURE", when=())) == ()
    assert summary(group[:1], asking()) == ()
    assert told_by_summary(group[0], asking()) == ""
    assert told_by_summary(group[0], asking("SUCCESS")) == Told.DELIVERED
    late = notices_after(sms(S.SUBMITTED), sms(S.DELIVERED), asking("SUCCESS"), 7, summarized=True)
    assert [notice.kind for notice in late] == [MailKind.DELIVERED], "success was asked for, however late"


def one(state: State, **changes: Any) -> Sms:
    return samples.sms(state=state, **changes)


def described(kind: MailKind, source: StoredMail, *several: Sms, **changes: Any) -> list[tuple[str, ...]]:
    found = delivery_report(samples.outbox(kind, **changes), source, several)
    return [(r.number, r.action, r.status, r.diagnostic) for r in found.recipients] if found else []


@pytest.mark.parametrize(
    ("state", "changes", "action", "status"),
    [
        (S.DELIVERED, {}, "delivered", "2.0.0"),
        (S.DELIVERED, {"rank": RANK[Kind.NETWORK]}, "relayed", "2.0.0"),
        (S.FAILED, {}, "failed", "5.0.0"),
        (S.REFUSED, {}, "failed", "5.7.1"),
        (S.EXPIRED, {}, "failed", "4.4.7"),
        (S.CANCELLED, {}, "failed", "5.3.0"),
        (S.UNCONFIRMED, {}, "relayed", "2.0.0"),
        (S.UNKNOWN, {}, "delayed", "4.4.0"),
        (S.HELD, {}, "delayed", "4.3.0"),
    ],
)
def test_each_end_has_its_action_and_status(
    state: State, changes: dict[str, Any], action: str, status: str
) -> None:
    kind = MailKind.DELIVERED if state is S.DELIVERED else MailKind.FAILED
    source = asking("SUCCESS", "FAILURE", "DELAY")
    assert described(kind, source, one(state, result="Bad Nümber\r\nX: y", **changes)) == [
        (NUMBER, action, status, "Bad N?mber??X: y")
    ]


def test_a_report_tells_what_was_so_when_it_was_decided_on() -> None:
    source = asking("FAILURE")
    facts = (("state", "failed"), ("result", "Bad Number"))
    now = one(S.DELIVERED)
    assert described(MailKind.FAILED, source, now, facts=facts) == [(NUMBER, "failed", "5.0.0", "Bad Number")]


def test_without_wishes_or_about_other_things_nothing_is_told_to_programs() -> None:
    assert described(MailKind.FAILED, mail(), one(S.FAILED)) == []
    assert described(MailKind.REPLY, asking("SUCCESS"), one(S.DELIVERED)) == []
    assert described(MailKind.ALARM, asking("SUCCESS")) == []
    assert described(MailKind.FAILED, asking("FAILURE", number="+61421000009"), one(S.FAILED)) == []


def test_a_summary_tells_programs_of_those_alone_who_asked() -> None:
    wishes = tuple(
        (f"+6142100000{n}", Wish(frozenset(asked)))  # type: ignore[arg-type]
        for n, asked in enumerate((["SUCCESS"], ["FAILURE"], [], ["DELAY"], ["FAILURE"]), 1)
    )
    source = replace(mail(), dsn=Wishes("", wishes))
    states = (S.DELIVERED, S.DELIVERED, S.FAILED, S.HELD, S.FAILED, S.FAILED, S.SUBMITTED)
    group = [one(state, number=f"+6142100000{n}", result="") for n, state in enumerate(states, 1)]
    assert [found[:2] for found in described(MailKind.SUMMARY, source, *group)] == [
        ("+61421000001", "delivered"),
        ("+61421000004", "delayed"),
        ("+61421000005", "failed"),
    ]
