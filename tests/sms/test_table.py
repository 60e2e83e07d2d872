"""The table of an SMS's life, cell by cell: what is not named here must change nothing."""

from dataclasses import replace
from typing import Any

import pytest

from bridge.sms import FINAL, HOUR, MINUTE, NEVER, SECOND, TABLE, Input, Kind, Sms, State, Timing, after

T0 = 1_700_000_000_000
TIMING = Timing()
S, K = State, Kind

ENDS = {
    K.NETWORK: S.DELIVERED,
    K.NEWS_DELIVERED: S.DELIVERED,
    K.NEWS_FAILED: S.FAILED,
    K.NEWS_CANCELLED: S.CANCELLED,
    K.NEWS_DUPLICATE: S.FAILED,
}
# Where each input leads an SMS that was sent once, whose settle time has just begun.
MOVES: dict[State, dict[Kind, State]] = {
    S.QUEUED: {
        **ENDS,
        K.PENDING: S.SUBMITTED,
        K.CLAIM: S.SENDING,
        K.SENT: S.SUBMITTED,
        K.EXPIRE: S.EXPIRED,
        K.OPT_OUT: S.REFUSED,
        K.CANCEL: S.CANCELLED,
    },
    S.SENDING: {
        **ENDS,
        K.PENDING: S.SUBMITTED,
        K.GIVE_BACK: S.QUEUED,
        K.SENT: S.SUBMITTED,
        K.NOT_SENT: S.QUEUED,
        K.UNCLEAR: S.UNKNOWN,
        K.REFUSED_SMS: S.FAILED,
        K.REFUSED_ACCOUNT: S.QUEUED,
        K.REFUSED_UNREAD: S.HELD,
        K.RATE_LIMITED: S.QUEUED,
        K.NODE_GONE: S.UNKNOWN,
    },
    S.SUBMITTED: ENDS,
    S.UNKNOWN: {**ENDS, K.PENDING: S.SUBMITTED, K.SENT: S.SUBMITTED, K.CANCEL: S.CANCELLED},
    S.HELD: {
        **ENDS,
        K.PENDING: S.SUBMITTED,
        K.SENT: S.SUBMITTED,
        K.RELEASE: S.QUEUED,
        K.CANCEL: S.CANCELLED,
    },
    S.DELIVERED: ENDS,
    S.FAILED: ENDS,
    S.REFUSED: ENDS,
    S.EXPIRED: ENDS,
    S.CANCELLED: ENDS,
    S.UNCONFIRMED: ENDS,
}
# These keep the state and change only when to ask again.
ASKS_AGAIN = {
    S.SUBMITTED: {K.PENDING, K.NO_SUCH, K.NOT_TOLD, K.NO_ANSWER, K.NO_POLL},
    S.UNKNOWN: {K.NO_SUCH, K.NOT_TOLD, K.NO_ANSWER, K.NO_POLL},
    S.HELD: {K.NO_SUCH, K.NOT_TOLD, K.NO_ANSWER, K.NO_POLL},
}


def sms(state: State = S.QUEUED, **changes: Any) -> Sms:
    values: dict[str, Any] = {
        "id": 1,
        "message_id": "BRDGABC",
        "mail_id": "m1",
        "number": "+61421000001",
        "text": "hello",
        "encoding": "gsm7",
        "segments": 1,
        "account": "default",
        "mode": "live",
        "on_unknown": "hold",
        "reply_key": "k",
        "state": state,
        "created_at": T0,
        "updated_at": T0,
        "due_at": T0,
        "expires_at": T0 + 12 * HOUR,
        "state_since": T0,
        "attempts": 1,
        "reached": 1,
        "claimed_at": T0,
        "submitted_at": T0 if state is S.SUBMITTED else None,
        "settle_from": T0 if state is S.UNKNOWN else None,
    }
    return Sms(**{**values, **changes})


def told(start: Sms, kind: Kind, now: int = T0 + SECOND, **given: Any) -> Sms:
    given.setdefault("attempt", start.attempts)
    return after(start, Input(kind, **given), now, TIMING).sms


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", Kind)
def test_every_cell_leads_where_the_table_says(state: State, kind: Kind) -> None:
    start = sms(state)
    change = after(start, Input(kind, attempt=1), T0 + SECOND, TIMING)
    wanted = MOVES[state].get(kind, state)
    assert change.sms.state is wanted
    assert change.moved == (wanted is not state)
    named = kind in MOVES[state] or kind in ASKS_AGAIN.get(state, ())
    assert named or change.sms == start, "recorded, nothing changes"
    assert kind.value in change.note


def test_the_table_is_total() -> None:
    assert set(TABLE) == {(state, kind) for state in State for kind in Kind}


@pytest.mark.parametrize("state", [S.QUEUED, S.REFUSED])
@pytest.mark.parametrize("kind", [k for k in Kind if k in ENDS or k is K.PENDING])
def test_news_of_an_sms_that_was_never_tried_changes_nothing(state: State, kind: Kind) -> None:
    start = sms(state, attempts=0, reached=0, claimed_at=None)
    assert told(start, kind) == start


@pytest.mark.parametrize(
    "kind", [K.GIVE_BACK, K.SENT, K.NOT_SENT, K.UNCLEAR, K.REFUSED_SMS, K.REFUSED_ACCOUNT, K.RATE_LIMITED]
)
def test_what_an_older_attempt_says_is_only_history(kind: Kind) -> None:
    start = sms(S.SENDING, attempts=2, reached=2)
    change = after(start, Input(kind, attempt=1, why="late"), T0, TIMING)
    assert change.sms == start
    assert change.note == f"{kind} (stale): late"


def test_a_claim_counts_and_names_its_node() -> None:
    claimed = told(sms(attempts=0, reached=0), K.CLAIM, node="n1")
    assert (claimed.attempts, claimed.reached, claimed.node) == (1, 1, "n1")
    assert (claimed.claimed_at, claimed.due_at) == (T0 + SECOND, NEVER)


def test_what_was_surely_not_sent_waits_and_does_not_count_as_reached() -> None:
    back = told(sms(S.SENDING), K.NOT_SENT, wait_ms=7_000, why="no route")
    assert (back.attempts, back.reached, back.due_at, back.result) == (1, 0, T0 + 8 * SECOND, "no route")


def test_a_refusal_nobody_can_read_is_held_and_not_polled() -> None:
    held = told(sms(S.SENDING), K.REFUSED_UNREAD, why="Quux")
    assert (held.state, held.reached, held.due_at, held.result) == (S.HELD, 0, NEVER, "Quux")


# --- unknown ------------------------------------------------------------------------------------------


def polls(start: Sms, kind: Kind, until: int) -> tuple[Sms, list[int]]:
    """Poll whenever due, always with the same answer, until the state moves or time is over."""
    now, times = start.due_at, []
    while start.due_at <= until:
        now = start.due_at
        times.append((now - T0) // SECOND)
        new = told(start, kind, now)
        if new.state is not start.state:
            return new, times
        assert new.due_at > now, "a poll must not be due again at once"
        start = new
    return start, times


def test_an_unknown_one_is_polled_soon_then_every_five_minutes_and_at_the_end_of_settle() -> None:
    start = told(sms(S.SENDING), K.UNCLEAR, T0)
    _, times = polls(start, K.NOT_TOLD, T0 + 20 * MINUTE)
    assert times == [5, 15, 45, 120, 300, 600, 900, 1200]


def test_no_such_message_over_the_settle_time_resends_once_then_holds() -> None:
    start = told(sms(S.SENDING), K.UNCLEAR, T0)
    again, times = polls(start, K.NO_SUCH, T0 + HOUR)
    assert times == [5, 15, 45, 120, 300, 600]
    assert (again.state, again.resends, again.message_id) == (S.QUEUED, 1, "BRDGABC")
    second = told(told(again, K.CLAIM, again.due_at), K.UNCLEAR, again.due_at)
    held, _ = polls(second, K.NO_SUCH, again.due_at + HOUR)
    assert (held.state, held.resends) == (S.HELD, 1)


def test_fewer_than_three_answers_prove_nothing() -> None:
    start = replace(told(sms(S.SENDING), K.UNCLEAR, T0), due_at=T0 + 9 * MINUTE)
    late, times = polls(start, K.NO_SUCH, T0 + 10 * MINUTE)
    assert (late.state, len(times)) == (S.UNKNOWN, 2)
    assert polls(late, K.NO_SUCH, T0 + HOUR)[0].state is S.QUEUED


def test_an_answer_that_tells_nothing_begins_the_count_again() -> None:
    start = told(sms(S.SENDING), K.UNCLEAR, T0)
    for seconds in (5, 15, 45, 120, 300):
        start = told(start, K.NO_SUCH, T0 + seconds * SECOND)
    start = told(start, K.NOT_TOLD, T0 + 599 * SECOND)
    assert told(start, K.NO_SUCH, T0 + 600 * SECOND).state is S.UNKNOWN


def test_no_such_message_after_its_time_ends_it_instead_of_resending() -> None:
    start = told(sms(S.SENDING, expires_at=T0 + MINUTE), K.UNCLEAR, T0)
    ended = polls(start, K.NO_SUCH, T0 + HOUR)[0]
    assert (ended.state, ended.reached) == (S.EXPIRED, 0), "it is known that the vendor never had it"


@pytest.mark.parametrize(("rule", "state"), [("resend", S.QUEUED), ("hold", S.HELD)])
def test_without_polls_the_rule_decides_when_settle_ends(rule: str, state: State) -> None:
    start = told(sms(S.SENDING, on_unknown=rule), K.UNCLEAR, T0)
    end, times = polls(start, K.NO_POLL, T0 + HOUR)
    assert (end.state, times) == (state, [5, 600])


def test_without_answers_a_rule_with_resend_resends_and_one_with_hold_asks_on() -> None:
    resend, times = polls(
        told(sms(S.SENDING, on_unknown="resend"), K.UNCLEAR, T0), K.NO_ANSWER, T0 + 13 * HOUR
    )
    assert (resend.state, times[-1]) == (S.QUEUED, 600)
    hold, times = polls(told(sms(S.SENDING), K.UNCLEAR, T0), K.NO_ANSWER, T0 + 13 * HOUR)
    assert (hold.state, times[-1]) == (S.HELD, 12 * 3600)


def test_one_answer_within_settle_keeps_a_resend_rule_from_guessing() -> None:
    start = told(sms(S.SENDING, on_unknown="resend"), K.UNCLEAR, T0)
    start = told(start, K.NO_SUCH, T0 + 5 * SECOND)
    end, _ = polls(start, K.NO_ANSWER, T0 + 13 * HOUR)
    assert end.state is S.HELD


def test_a_second_unknown_is_held_even_by_a_rule_with_resend() -> None:
    start = told(sms(S.SENDING, on_unknown="resend", resends=1), K.UNCLEAR, T0)
    assert polls(start, K.NO_POLL, T0 + HOUR)[0].state is S.HELD


# --- submitted ----------------------------------------------------------------------------------------


def test_a_silent_200_becomes_unknown_when_all_polls_of_settle_know_nothing() -> None:
    start = told(sms(S.SENDING), K.SENT, T0)
    end, times = polls(start, K.NO_SUCH, T0 + HOUR)
    assert (end.state, times[0], times[-1]) == (S.UNKNOWN, 600, 1200)


def test_what_the_vendor_has_shown_once_never_becomes_unknown() -> None:
    start = told(told(sms(S.SENDING), K.SENT, T0), K.PENDING, T0 + MINUTE)
    end, _ = polls(start, K.NO_SUCH, T0 + 60 * HOUR)
    assert (end.state, end.resends) == (S.UNCONFIRMED, 0)


@pytest.mark.parametrize("kind", [K.PENDING, K.NOT_TOLD, K.NO_ANSWER, K.NO_POLL])
def test_a_submitted_one_without_an_end_is_given_up_after_48_hours(kind: Kind) -> None:
    start = told(sms(S.SENDING), K.SENT, T0)
    end, times = polls(start, kind, T0 + 60 * HOUR)
    assert (end.state, times[-1]) == (S.UNCONFIRMED, 48 * 3600)
    assert len(times) < 80


def test_a_held_one_is_asked_for_until_the_vendor_forgets() -> None:
    held = told(sms(S.UNKNOWN, resends=1, due_at=T0), K.NO_POLL, T0 + 10 * MINUTE)
    assert held.state is S.HELD
    end, times = polls(held, K.NO_SUCH, T0 + 60 * HOUR)
    assert (end.state, end.due_at) == (S.HELD, NEVER)
    assert times[-1] <= 48 * 3600 + 900


def test_a_released_one_has_its_whole_time_again() -> None:
    held = sms(S.HELD, expires_at=T0, submitted_at=T0 - 50 * HOUR)
    again = told(held, K.RELEASE)
    assert (again.due_at, again.expires_at) == (T0 + SECOND, T0 + SECOND + 12 * HOUR)
    sent = told(told(again, K.CLAIM), K.SENT, T0 + MINUTE, attempt=2)
    assert told(sent, K.NOT_TOLD, T0 + 11 * MINUTE).state is S.SUBMITTED


# --- news ---------------------------------------------------------------------------------------------


def test_a_duplicate_on_a_second_attempt_proves_the_first() -> None:
    assert told(sms(S.SENDING, attempts=2, reached=2), K.NEWS_DUPLICATE).state is S.SUBMITTED
    assert told(sms(S.SENDING), K.NEWS_DUPLICATE).state is S.FAILED
    given_back = told(told(sms(S.SENDING), K.GIVE_BACK), K.CLAIM)
    assert told(given_back, K.NEWS_DUPLICATE).state is S.FAILED, "the first attempt never reached the vendor"
    assert told(sms(S.EXPIRED, attempts=2, reached=2), K.NEWS_DUPLICATE).state is S.EXPIRED


RISING = [K.PENDING, K.NETWORK, K.NEWS_FAILED, K.NEWS_DELIVERED]


@pytest.mark.parametrize("first", RISING)
@pytest.mark.parametrize("then", RISING)
def test_higher_news_changes_the_record_and_lower_is_only_recorded(first: Kind, then: Kind) -> None:
    one = told(sms(S.SUBMITTED), first, why="first")
    two = told(one, then, T0 + MINUTE, why="then")
    if RISING.index(then) > RISING.index(first):
        assert (two.result, two.rank) == ("then", RISING.index(then) + 1)
    elif first is not K.PENDING:
        assert two == one


def test_the_price_of_news_is_kept_unless_news_has_none() -> None:
    ended = told(sms(S.SUBMITTED), K.NETWORK, price=900)
    assert ended.price == 900
    assert told(ended, K.NEWS_DELIVERED).price == 900


def test_every_final_state_is_left_only_by_news() -> None:
    for state in FINAL:
        assert set(MOVES[state]) <= set(ENDS)
