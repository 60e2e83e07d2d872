"""The judge sees what is lost, doubled or stuck, and what is excused. A judge that cannot say so is worth nothing."""

from dataclasses import replace

from tests.crash.judge import verdict
from tests.crash.records import Evidence, Handed, Hook, Poll, Post, Report, Row

ONE = "+61421000001"
GOOD = Evidence(
    handed=(Handed("a mail", (ONE,), answered_at=1.0),),
    posts=(Post(2.0, "BRDG1", ONE, created=True, answered=True),),
    polls=(),
    hooks=(Hook(ONE, "delivered", "", taken_at=3.0),),
    reports=(Report(4.0, "<r1@sms.local>", ONE, "✓", "✓ Delivered", answered=True, opened_at=3.9),),
    rows=(Row(ONE, "delivered"),),
    settle_s=120.0,
)
AGAIN = Post(200.0, "BRDG1", ONE, created=True, answered=True)


def twice(polls: tuple[Poll, ...] = (), **changes: object) -> Evidence:
    return replace(GOOD, posts=(*GOOD.posts, AGAIN), polls=polls, **changes)  # type: ignore[arg-type]


def polls(*said: str, first: float = 7.0, last: float = 130.0) -> tuple[Poll, ...]:
    step = (last - first) / max(1, len(said) - 1)
    return tuple(Poll(first + step * place, "brdg1", one) for place, one in enumerate(said))  # type: ignore[arg-type]


def test_a_good_life_is_good() -> None:
    found = verdict(GOOD)
    assert found.good
    assert [found.accept.handled, found.send.handled, found.event.handled, found.report.handled] == [1] * 4
    assert found.faults() == ""


def test_a_mail_answered_250_that_left_no_trace_is_lost() -> None:
    found = verdict(replace(GOOD, posts=(), hooks=(), reports=(), rows=()))
    assert found.accept.lost == (ONE,)
    assert not found.good
    assert "accept lost: +61421000001" in found.faults()


def test_a_mail_never_answered_250_was_not_promised() -> None:
    nothing = replace(GOOD, posts=(), hooks=(), reports=(), rows=())
    assert verdict(replace(nothing, handed=(Handed("a mail", (ONE,), None),))).good


def test_an_sms_that_ended_unmade_and_untold_is_lost() -> None:
    unmade = replace(GOOD, posts=(), hooks=(), reports=(), rows=(Row(ONE, "expired"),))
    assert verdict(unmade).send.lost == (ONE,)
    told = replace(
        unmade, reports=(Report(9.0, "<r@x>", ONE, "✕", "✕ Not sent", answered=True, opened_at=8.9),)
    )
    assert verdict(told).good, "told to the sender as not sent"
    assert verdict(replace(unmade, rows=(Row(ONE, "held"),))).good, "held for a decision"


def test_what_is_open_at_the_end_is_stuck() -> None:
    for state in ("queued", "sending", "unknown"):
        found = verdict(replace(GOOD, posts=(), hooks=(), reports=(), rows=(Row(ONE, state),)))
        assert found.send.stuck == (ONE,), state
        assert found.send.lost == ()
    assert verdict(replace(GOOD, mails_open=2)).report.stuck
    assert verdict(replace(GOOD, hooks=(Hook(ONE, "delivered", "", None),))).event.stuck == (ONE,)


def test_one_mail_that_became_two_sms_was_accepted_twice() -> None:
    other = replace(AGAIN, message_id="BRDG2")
    assert verdict(replace(GOOD, posts=(*GOOD.posts, other))).accept.avoidable == (ONE,)
    assert verdict(replace(GOOD, rows=GOOD.rows * 2)).accept.avoidable == (ONE,)


def test_made_twice_though_a_poll_could_tell_is_avoidable() -> None:
    assert verdict(twice()).send.avoidable == (ONE,), "nobody asked"
    for said in (
        polls("no such", "found", "no such", "no such"),
        polls("no such", "no such"),
        polls("no such", "no such", "no such", last=119.0),
        polls("nothing", "nothing", "nothing"),
        polls("no such", "no such", "no such", first=201.0, last=330.0),
    ):
        assert verdict(twice(said)).send.avoidable == (ONE,), said


def test_made_twice_is_excused_as_the_design_says() -> None:
    for seen in (
        twice(polls("no such", "no such", "nothing", "no such")),
        twice(polls("nothing", "nothing"), resend=True),
        twice(resend=True),
        twice(frozen=((0.5, 1.5),)),
        twice(frozen=((150.0, 199.5),)),
    ):
        found = verdict(seen)
        assert found.send.unavoidable == (ONE,)
        assert found.send.avoidable == ()
        assert found.good
    assert verdict(twice(polls("nothing"), resend=True, settle_s=600.0)).send.avoidable == (ONE,)
    assert verdict(twice(frozen=((100.0, 110.0),))).send.avoidable == (ONE,), "frozen at another time"


def test_a_post_that_made_nothing_doubles_nothing() -> None:
    unmade = Post(1.5, "BRDG1", ONE, created=False, answered=False)
    assert verdict(replace(GOOD, posts=(unmade, *GOOD.posts))).good


def test_news_answered_200_that_does_not_show_is_lost() -> None:
    assert verdict(replace(GOOD, rows=(Row(ONE, "submitted"),))).event.lost == (ONE,)
    reply = Hook(ONE, "reply", "yes please", taken_at=5.0)
    assert verdict(replace(GOOD, hooks=(*GOOD.hooks, reply))).event.lost == (ONE,)
    told = Report(6.0, "<r2@x>", ONE, "↩", "yes please", answered=True, opened_at=5.9)
    assert verdict(replace(GOOD, hooks=(*GOOD.hooks, reply), reports=(*GOOD.reports, told))).good


def test_one_thing_told_in_two_mails_is_a_doubled_event() -> None:
    other = replace(GOOD.reports[0], message_id="<r2@sms.local>", at=5.0)
    assert verdict(replace(GOOD, reports=(*GOOD.reports, other))).event.avoidable == (ONE,)


def test_an_end_that_nobody_was_told_is_a_lost_report() -> None:
    assert verdict(replace(GOOD, reports=())).report.lost == (ONE,)
    unheard = replace(GOOD.reports[0], answered=False)
    assert verdict(replace(GOOD, reports=(unheard,))).report.lost == (ONE,)


def test_a_mail_handed_over_twice_is_excused_by_a_cut_or_an_unheard_answer() -> None:
    first = GOOD.reports[0]
    again = replace(first, at=8.0)
    assert verdict(replace(GOOD, reports=(first, again))).report.avoidable == (first.message_id,)
    assert verdict(replace(GOOD, reports=(first, again), cuts=(2.0, 9.0))).report.avoidable
    for seen in (
        replace(GOOD, reports=(first, again), cuts=(5.0,)),
        replace(GOOD, reports=(first, again), cuts=(3.95,)),  # read after the death of who wrote it
        replace(GOOD, reports=(replace(first, answered=False), again)),
    ):
        assert verdict(seen).report.unavoidable == (first.message_id,)
        assert verdict(seen).good


def test_the_table_counts_per_thousand() -> None:
    lines = verdict(replace(GOOD, rows=(Row(ONE, "queued"),), posts=())).table().splitlines()
    assert lines[0].split()[:3] == ["stage", "handled", "lost"]
    assert "(1000.00 ‰)" in lines[2]
