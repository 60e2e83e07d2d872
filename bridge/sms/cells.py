"""The cells of the table of states: what one input makes of an SMS. Each returns a new value, or the same.

Named for what becomes of the SMS. Which cell stands where is the table's; the times are the operator's.
"""

from collections.abc import Callable
from dataclasses import replace

from bridge.sms.values import (
    FINAL,
    HELD_POLL_EVERY,
    MIN_NO_SUCH,
    NEVER,
    POLL_AFTER,
    POLL_EVERY,
    RANK,
    SLOWEST_POLL,
    Input,
    Kind,
    Sms,
    State,
    Timing,
)

Cell = Callable[[Sms, Input, int, Timing], Sms]


def nothing(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return sms


def claim(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return sms.but(
        state=State.SENDING,
        attempts=sms.attempts + 1,
        reached=sms.reached + 1,
        node=given.node,
        claimed_at=now,
        due_at=NEVER,
    )


def back(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """Surely not made at the vendor: queue it again, and do not count the attempt as one that reached."""
    return sms.but(
        state=State.QUEUED,
        reached=sms.reached - 1,
        node=None,
        due_at=now + given.wait_ms,
        result=given.why or sms.result,
    )


def submitted(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return sms.but(
        state=State.SUBMITTED,
        node=None,
        submitted_at=now if given.kind is Kind.SENT else sms.submitted_at or now,
        due_at=now + timing.status_after_ms,
        settle_from=None,
        no_such=0,
        answered=0,
        result="",
    )


def unknown(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return sms.but(
        state=State.UNKNOWN,
        node=None,
        settle_from=now,
        no_such=0,
        answered=0,
        due_at=now + POLL_AFTER[0],
        result=given.why,
    )


def failed(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return _end(sms, State.FAILED, given.why)


def _held(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    due = now + HELD_POLL_EVERY if sms.reached else NEVER
    return sms.but(state=State.HELD, node=None, due_at=due, result=given.why or sms.result)


def held_unsent(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """Refused for a reason we do not know: an operator decides; the vendor made nothing, so no poll."""
    return _held(sms.but(reached=sms.reached - 1), given, now, timing)


def refused(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return _end(sms, State.REFUSED, given.why)


def expired(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return _end(sms, State.EXPIRED, given.why or sms.result)


def cancelled(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return _end(sms, State.CANCELLED, given.why)


def released(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return sms.but(
        state=State.QUEUED,
        due_at=now,
        expires_at=now + timing.expire_after_ms,
        settle_from=None,
        no_such=0,
    )


def _end(sms: Sms, state: State, result: str) -> Sms:
    return sms.but(state=state, node=None, due_at=NEVER, settle_from=None, result=result)


# News. Each is applied once; what is lower than what we know is only recorded.


def news_pending(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """The vendor has it: whatever we believed, it is submitted and must never be sent again."""
    if _never_tried(sms):
        return sms
    alive = submitted(sms, given, now, timing)
    return replace(
        alive,
        rank=max(sms.rank, RANK[Kind.PENDING]),
        result=given.why,
        due_at=_next_status_poll(alive, now, timing),
    )


def still_pending(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if _given_up(sms, now, timing):
        return _end(sms, State.UNCONFIRMED, given.why or sms.result)
    return news_pending(sms, given, now, timing)


def news_end(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if _never_tried(sms):
        return sms
    if RANK[given.kind] <= sms.rank:
        return sms
    price = sms.price if given.price is None else given.price
    state = {Kind.NEWS_FAILED: State.FAILED, Kind.NEWS_CANCELLED: State.CANCELLED}.get(
        given.kind, State.DELIVERED
    )
    ended = _end(sms, state, given.why)
    return ended.but(rank=RANK[given.kind], price=price, submitted_at=sms.submitted_at or now)


def news_duplicate(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """On a second attempt it proves that the first one exists; on the first, somebody else's came before."""
    if sms.reached >= 2:
        return sms if sms.state in FINAL else news_pending(sms, given, now, timing)
    return news_end(sms, replace(given, kind=Kind.NEWS_FAILED), now, timing)


def _never_tried(sms: Sms) -> bool:
    """News of such an SMS cannot be about it."""
    return sms.state in (State.QUEUED, State.REFUSED) and not sms.attempts


# Polls of an SMS whose fate is unknown.


def unknown_no_such(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """Resend once, when every answered poll of the settle time said "no such message"."""
    sms = sms.but(no_such=sms.no_such + 1, answered=sms.answered + 1)
    if not _settled(sms, now, timing) or sms.no_such < MIN_NO_SUCH:
        return _poll_again(sms, now, timing)
    if sms.resends:
        return _held(
            sms, replace(given, why="twice unknown, and the vendor has no such message"), now, timing
        )
    if now >= sms.expires_at:
        return expired(sms.but(reached=0), given, now, timing)  # it is known by now that none did
    return _resend(sms, now)


def unknown_not_told(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return _held_when_expired(sms.but(no_such=0, answered=sms.answered + 1), given, now, timing)


def unknown_no_answer(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if _settled(sms, now, timing) and not sms.answered and sms.on_unknown == "resend":
        return _resend_or_hold(sms, given, now, timing)
    return _held_when_expired(sms, given, now, timing)


def unknown_no_poll(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if not _settled(sms, now, timing):
        return sms.but(due_at=(sms.settle_from or now) + timing.settle_ms)
    return _resend_or_hold(sms, given, now, timing)


def _resend_or_hold(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if sms.on_unknown == "resend" and not sms.resends and now < sms.expires_at:
        return _resend(sms, now)
    return _held(sms, replace(given, why="it cannot be known whether it was sent"), now, timing)


def _held_when_expired(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if now >= sms.expires_at and _settled(sms, now, timing):
        return _held(sms, replace(given, why="it cannot be known whether it was sent"), now, timing)
    return _poll_again(sms, now, timing)


def _resend(sms: Sms, now: int) -> Sms:
    return sms.but(state=State.QUEUED, resends=sms.resends + 1, due_at=now, settle_from=None, no_such=0)


# Polls of a submitted SMS that has shown no end yet.


def submitted_no_such(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """The silent 200: accepted, and yet the vendor has no such message over the settle time."""
    if sms.rank:
        return submitted_waits(sms, given, now, timing)  # it has shown it before: whatever this is, it exists
    since = now if sms.settle_from is None else sms.settle_from
    sms = sms.but(settle_from=since, no_such=sms.no_such + 1, answered=sms.answered + 1)
    if _settled(sms, now, timing) and sms.no_such >= MIN_NO_SUCH:
        return unknown(sms, replace(given, why="accepted, but the vendor has no such message"), now, timing)
    return _poll_again(sms, now, timing)


def submitted_waits(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if _given_up(sms, now, timing):
        return _end(sms, State.UNCONFIRMED, "no result came")
    if given.kind is Kind.NOT_TOLD:
        sms = sms.but(no_such=0, settle_from=None)
    return sms.but(due_at=_next_status_poll(sms, now, timing))


def submitted_no_poll(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if _given_up(sms, now, timing):
        return _end(sms, State.UNCONFIRMED, "no result came")
    return sms.but(due_at=(sms.submitted_at or now) + timing.give_up_after_ms)


def held_waits(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    asked_enough = now >= (sms.claimed_at or 0) + timing.give_up_after_ms
    never = given.kind is Kind.NO_POLL or asked_enough
    return sms.but(due_at=NEVER if never else now + HELD_POLL_EVERY)


def _settled(sms: Sms, now: int, timing: Timing) -> bool:
    return sms.settle_from is not None and now >= sms.settle_from + timing.settle_ms


def _given_up(sms: Sms, now: int, timing: Timing) -> bool:
    return sms.submitted_at is not None and now >= sms.submitted_at + timing.give_up_after_ms


def _poll_again(sms: Sms, now: int, timing: Timing) -> Sms:
    since = sms.settle_from if sms.settle_from is not None else now
    end = since + timing.settle_ms
    planned = next((since + step for step in POLL_AFTER if since + step > now), now + POLL_EVERY)
    return sms.but(due_at=min(planned, end) if now < end else planned)


def _next_status_poll(sms: Sms, now: int, timing: Timing) -> int:
    """The longer it waits, the rarer the poll: half its age again, within status_after and an hour."""
    submitted = sms.submitted_at if sms.submitted_at is not None else now
    pause = max(timing.status_after_ms, min((now - submitted) // 2, SLOWEST_POLL))
    return max(now + 1, min(now + pause, submitted + timing.give_up_after_ms))
