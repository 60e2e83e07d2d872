"""Random lives of an SMS: whatever comes in whatever order, some things never happen."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.sms import FINAL, FROM_SENDER, HOUR, SECOND, Change, Input, Kind, Sms, State, Timing, after
from tests.sms.test_table import T0, sms

TIMING = Timing()
NEWS = {Kind.PENDING, Kind.NETWORK, Kind.NEWS_FAILED, Kind.NEWS_DELIVERED, Kind.NEWS_CANCELLED}
steps = st.lists(
    st.tuples(
        st.sampled_from(Kind),
        st.integers(-1, 1),  # how far the attempt it speaks of is from the present one
        st.sampled_from([SECOND, 30 * SECOND, 600 * SECOND, 6 * HOUR]),
        st.booleans(),  # wait until the SMS is due
    ),
    max_size=60,
)


def walk(start: Sms, moves: list[tuple[Kind, int, int, bool]]) -> list[tuple[Sms, Input, int, Change]]:
    now, done = T0, []
    for kind, away, pause, when_due in moves:
        now = max(now + pause, start.due_at) if when_due and start.due_at < T0 + 90 * HOUR else now + pause
        given_ = Input(kind, attempt=start.attempts + away, node="n", why="x")
        change = after(start, given_, now, TIMING)
        done.append((start, given_, now, change))
        start = change.sms
    return done


lives = st.builds(
    walk,
    st.builds(sms, attempts=st.just(0), reached=st.just(0), on_unknown=st.sampled_from(["hold", "resend"])),
    steps,
)
Life = list[tuple[Sms, Input, int, Change]]


@given(lives)
def test_counts_never_run_wrong(life: Life) -> None:
    for before, _, _, change in life:
        new = change.sms
        assert new.attempts - before.attempts in (0, 1)
        assert 0 <= new.reached <= new.attempts
        assert new.rank >= before.rank
        assert new.resends - before.resends in (0, 1)
        assert new.message_id == before.message_id


@given(lives)
def test_at_most_one_automatic_resend_and_never_without_proof_or_a_rule(life: Life) -> None:
    for before, given_, now, change in life:
        new = change.sms
        assert new.resends <= 1
        if before.state is State.UNKNOWN and new.state is State.QUEUED:
            settled = before.settle_from is not None and now >= before.settle_from + TIMING.settle_ms
            proof = given_.kind is Kind.NO_SUCH and before.no_such + 1 >= 3
            rule = before.on_unknown == "resend" and given_.kind in (Kind.NO_POLL, Kind.NO_ANSWER)
            assert settled
            assert proof or rule
            assert now < before.expires_at


@given(lives)
def test_only_claims_proof_and_operators_lead_back_to_the_queue(life: Life) -> None:
    back = {Kind.GIVE_BACK, Kind.NOT_SENT, Kind.REFUSED_ACCOUNT, Kind.RATE_LIMITED}
    for before, given_, _, change in life:
        if change.moved and change.sms.state is State.QUEUED:
            wanted = {
                State.SENDING: back,
                State.UNKNOWN: {Kind.NO_SUCH, Kind.NO_POLL, Kind.NO_ANSWER},
                State.HELD: {Kind.RELEASE},
            }
            assert given_.kind in wanted[before.state]
        if change.moved and change.sms.state is State.SENDING:
            assert (before.state, given_.kind) == (State.QUEUED, Kind.CLAIM)


@given(lives)
def test_what_the_vendor_has_shown_is_never_sent_again(life: Life) -> None:
    shown = False
    for before, given_, _, change in life:
        if shown:
            assert change.sms.state not in (State.QUEUED, State.SENDING, State.UNKNOWN, State.HELD)
        shown = shown or (given_.kind in NEWS and before.attempts > 0)


@given(lives)
def test_a_final_sms_stays_final_and_only_news_moves_it(life: Life) -> None:
    for before, given_, _, change in life:
        if before.state in FINAL:
            assert change.sms.state in FINAL
            assert not change.moved or given_.kind in NEWS | {Kind.NEWS_DUPLICATE}


@given(lives)
def test_a_stale_attempt_changes_nothing(life: Life) -> None:
    for before, given_, _, change in life:
        if given_.kind in FROM_SENDER and given_.attempt != before.attempts:
            assert change.sms == before


@given(lives)
def test_nothing_unsettled_is_left_without_something_due(life: Life) -> None:
    waiting = (State.QUEUED, State.SUBMITTED, State.UNKNOWN)
    for _, _, now, change in life:
        if change.sms.state in waiting:
            assert change.sms.due_at <= now + 48 * HOUR
        assert change.sms.updated_at <= now
