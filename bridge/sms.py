"""The life of one SMS: its states and one total table of what each input does in each state.

Pure: ``now`` is an argument, nothing is stored or sent here. `store` calls `after` inside its transactions,
so that no decision is taken on a row that has changed meanwhile.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from bridge.event import News
from bridge.rules import Mode, OnUnknown

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE

# Polls of an SMS whose fate is unknown: soon at first, since most answers come within seconds.
POLL_AFTER: Final = (5 * SECOND, 15 * SECOND, 45 * SECOND, 120 * SECOND, 300 * SECOND)
POLL_EVERY: Final = 5 * MINUTE
MIN_NO_SUCH: Final = 3  # fewer answers than this prove nothing: one may come from a lagging replica
HELD_POLL_EVERY: Final = 15 * MINUTE
SLOWEST_POLL: Final = HOUR
NEVER: Final = 1 << 62


class State(StrEnum):
    """Where an SMS stands. The last six are final: only late news may still change them."""

    QUEUED = "queued"
    SENDING = "sending"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    HELD = "held"
    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNCONFIRMED = "unconfirmed"


FINAL: Final = frozenset(
    {State.DELIVERED, State.FAILED, State.REFUSED, State.EXPIRED, State.CANCELLED, State.UNCONFIRMED}
)


class Kind(StrEnum):
    """Everything that can happen to an SMS."""

    CLAIM = "claim"  # a worker takes it, right before the POST
    GIVE_BACK = "give back"  # claimed, but the POST was not begun (frozen too long, shutting down)
    SENT = "sent"  # 200 Success
    NOT_SENT = "not sent"  # surely not sent: name, refused, connect or pool time-out, TLS failure
    UNCLEAR = "unclear"  # read time-out, reset, 408, 5xx, unreadable 200
    REFUSED_SMS = "refused: SMS"  # the vendor refuses this number or text
    REFUSED_ACCOUNT = "refused: account"  # the vendor refuses sender, token, credit …
    REFUSED_UNREAD = "refused: reason not known"
    RATE_LIMITED = "rate limited"  # 429
    NODE_GONE = "node gone"  # its process ended between claim and answer
    PENDING = "pending"
    NETWORK = "network"
    NEWS_FAILED = "news: failed"
    NEWS_DELIVERED = "news: delivered"
    NEWS_CANCELLED = "news: cancelled"
    NEWS_DUPLICATE = "news: duplicate"
    NO_SUCH = "no such message"  # an answered poll says the vendor has none
    NOT_TOLD = "status unknown"  # an answered poll that says neither
    NO_ANSWER = "no answer"  # the poll failed
    NO_POLL = "no poll possible"  # the account has no auth_token
    EXPIRE = "expire"  # its time to be sent is over
    RELEASE = "release"  # operator: send a held one
    CANCEL = "cancel"  # operator: never send it


NEWS_KIND: Final[Mapping[News, Kind]] = {
    News.PENDING: Kind.PENDING,
    News.NETWORK: Kind.NETWORK,
    News.FAILED: Kind.NEWS_FAILED,
    News.DELIVERED: Kind.NEWS_DELIVERED,
    News.CANCELLED: Kind.NEWS_CANCELLED,
    News.DUPLICATE: Kind.NEWS_DUPLICATE,
}

# Higher news changes the record, lower is only recorded (vendor: results may come late and out of order).
RANK: Final[Mapping[Kind, int]] = {
    Kind.PENDING: 1,
    Kind.NETWORK: 2,
    Kind.NEWS_FAILED: 3,
    Kind.NEWS_CANCELLED: 3,
    Kind.NEWS_DUPLICATE: 3,
    Kind.NEWS_DELIVERED: 4,
}

FROM_SENDER: Final = frozenset(
    {
        Kind.GIVE_BACK,
        Kind.SENT,
        Kind.NOT_SENT,
        Kind.UNCLEAR,
        Kind.REFUSED_SMS,
        Kind.REFUSED_ACCOUNT,
        Kind.REFUSED_UNREAD,
        Kind.RATE_LIMITED,
    }
)


@dataclass(frozen=True, slots=True)
class Sms:
    """One text to one number, as stored.

    ``attempts`` counts claims and fences stale writes; ``reached`` counts those that may have reached the
    vendor. ``due_at`` is when the next thing is due: a claim (queued) or a poll (submitted, unknown, held).
    ``settle_from`` is where the settle time began, ``no_such`` how many polls in a row said "no such message"
    since, ``answered`` how many were answered at all. ``rank`` is the highest news applied. ``result`` is the
    vendor's word or our own reason. ``price`` in ten-thousandths, None until an event tells. ``sender`` is the
    proven one of its mail.
    """

    id: int
    message_id: str
    mail_id: str
    number: str
    text: str
    encoding: str
    segments: int
    account: str
    mode: Mode
    on_unknown: OnUnknown
    reply_key: str
    state: State
    created_at: int
    updated_at: int
    due_at: int
    expires_at: int
    attempts: int = 0
    reached: int = 0
    resends: int = 0
    node: str | None = None
    claimed_at: int | None = None
    submitted_at: int | None = None
    state_since: int = 0
    settle_from: int | None = None
    no_such: int = 0
    answered: int = 0
    rank: int = 0
    result: str = ""
    price: int | None = None
    told: str = ""
    resubmit_of: str | None = None
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """The operator's times, in ms (interface: ``vendor`` and ``expire_after``)."""

    settle_ms: int = 10 * MINUTE
    status_after_ms: int = 10 * MINUTE
    give_up_after_ms: int = 48 * HOUR
    expire_after_ms: int = 12 * HOUR


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that happened. ``attempt`` fences what a sender says; ``wait_ms`` is how long a retry waits;
    ``why`` is a short reason without secrets; ``node`` is who claims."""

    kind: Kind
    attempt: int | None = None
    why: str = ""
    wait_ms: int = 0
    node: str | None = None
    price: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What an input did: the new value, whether the state moved, and one sentence for the history."""

    sms: Sms
    moved: bool
    note: str


Cell = Callable[[Sms, Input, int, Timing], Sms]


def after(sms: Sms, given: Input, now: int, timing: Timing) -> Change:
    """Return what ``given`` makes of ``sms``. Total: every state takes every input, most change nothing."""
    stale = given.kind in FROM_SENDER and given.attempt != sms.attempts
    new = sms if stale else TABLE[sms.state, given.kind](sms, given, now, timing)
    if new is not sms and new != sms:
        since = new.state_since if new.state is sms.state else now
        new = replace(new, updated_at=now, state_since=since)
    why = f": {given.why}" if given.why else ""
    return Change(new, new.state is not sms.state, f"{given.kind}{' (stale)' if stale else ''}{why}")


# --- the cells -----------------------------------------------------------------------------------------


def _nothing(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return sms


def _claim(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return replace(
        sms,
        state=State.SENDING,
        attempts=sms.attempts + 1,
        reached=sms.reached + 1,
        node=given.node,
        claimed_at=now,
        due_at=NEVER,
    )


def _back(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """Surely not made at the vendor: queue it again, and do not count the attempt as one that reached."""
    return replace(
        sms,
        state=State.QUEUED,
        reached=sms.reached - 1,
        node=None,
        due_at=now + given.wait_ms,
        result=given.why or sms.result,
    )


def _submitted(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return replace(
        sms,
        state=State.SUBMITTED,
        node=None,
        submitted_at=now if given.kind is Kind.SENT else sms.submitted_at or now,
        due_at=now + timing.status_after_ms,
        settle_from=None,
        no_such=0,
        answered=0,
        result="",
    )


def _unknown(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return replace(
        sms,
        state=State.UNKNOWN,
        node=None,
        settle_from=now,
        no_such=0,
        answered=0,
        due_at=now + POLL_AFTER[0],
        result=given.why,
    )


def _failed(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return _end(sms, State.FAILED, given.why)


def _held(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    due = now + HELD_POLL_EVERY if sms.reached else NEVER
    return replace(sms, state=State.HELD, node=None, due_at=due, result=given.why or sms.result)


def _held_unsent(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """Refused for a reason we do not know: an operator decides; the vendor made nothing, so no poll."""
    return _held(replace(sms, reached=sms.reached - 1), given, now, timing)


def _expired(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return _end(sms, State.EXPIRED, given.why or sms.result)


def _cancelled(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return _end(sms, State.CANCELLED, given.why)


def _released(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return replace(
        sms,
        state=State.QUEUED,
        due_at=now,
        expires_at=now + timing.expire_after_ms,
        settle_from=None,
        no_such=0,
    )


def _end(sms: Sms, state: State, result: str) -> Sms:
    return replace(sms, state=state, node=None, due_at=NEVER, settle_from=None, result=result)


# News. Each is applied once; what is lower than what we know is only recorded.


def _news_pending(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """The vendor has it: whatever we believed, it is submitted and must never be sent again."""
    if sms.state is State.QUEUED and not sms.attempts:
        return sms  # news of an SMS we never tried cannot be about it
    alive = _submitted(sms, given, now, timing)
    return replace(
        alive,
        rank=max(sms.rank, RANK[Kind.PENDING]),
        result=given.why,
        due_at=_next_status_poll(alive, now, timing),
    )


def _still_pending(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if _given_up(sms, now, timing):
        return _end(sms, State.UNCONFIRMED, given.why or sms.result)
    return _news_pending(sms, given, now, timing)


def _news_end(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if sms.state is State.QUEUED and not sms.attempts:
        return sms
    if RANK[given.kind] <= sms.rank:
        return sms
    price = sms.price if given.price is None else given.price
    state = {Kind.NEWS_FAILED: State.FAILED, Kind.NEWS_CANCELLED: State.CANCELLED}.get(
        given.kind, State.DELIVERED
    )
    ended = _end(sms, state, given.why)
    return replace(ended, rank=RANK[given.kind], price=price, submitted_at=sms.submitted_at or now)


def _news_duplicate(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """On a second attempt it proves that the first one exists; on the first, somebody else's came before."""
    if sms.reached >= 2:
        return sms if sms.state in FINAL else _news_pending(sms, given, now, timing)
    return _news_end(sms, replace(given, kind=Kind.NEWS_FAILED), now, timing)


# Polls of an SMS whose fate is unknown.


def _unknown_no_such(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """Resend once, when every answered poll of the settle time said "no such message"."""
    sms = replace(sms, no_such=sms.no_such + 1, answered=sms.answered + 1)
    if not _settled(sms, now, timing) or sms.no_such < MIN_NO_SUCH:
        return _poll_again(sms, now, timing)
    if sms.resends:
        return _held(
            sms, replace(given, why="twice unknown, and the vendor has no such message"), now, timing
        )
    if now >= sms.expires_at:
        return _expired(sms, given, now, timing)
    return _resend(sms, now)


def _unknown_not_told(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    return _held_when_expired(replace(sms, no_such=0, answered=sms.answered + 1), given, now, timing)


def _unknown_no_answer(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if _settled(sms, now, timing) and not sms.answered and sms.on_unknown == "resend":
        return _resend_or_hold(sms, given, now, timing)
    return _held_when_expired(sms, given, now, timing)


def _unknown_no_poll(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if not _settled(sms, now, timing):
        return replace(sms, due_at=(sms.settle_from or now) + timing.settle_ms)
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
    return replace(sms, state=State.QUEUED, resends=sms.resends + 1, due_at=now, settle_from=None, no_such=0)


# Polls of a submitted SMS that has shown no end yet.


def _submitted_no_such(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    """The silent 200: accepted, and yet the vendor has no such message over the settle time."""
    if sms.rank:
        return _submitted_waits(
            sms, given, now, timing
        )  # it has shown it before: whatever this is, it exists
    since = now if sms.settle_from is None else sms.settle_from
    sms = replace(sms, settle_from=since, no_such=sms.no_such + 1, answered=sms.answered + 1)
    if _settled(sms, now, timing) and sms.no_such >= MIN_NO_SUCH:
        return _unknown(sms, replace(given, why="accepted, but the vendor has no such message"), now, timing)
    return _poll_again(sms, now, timing)


def _submitted_waits(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if _given_up(sms, now, timing):
        return _end(sms, State.UNCONFIRMED, "no result came")
    if given.kind is Kind.NOT_TOLD:
        sms = replace(sms, no_such=0, settle_from=None)
    return replace(sms, due_at=_next_status_poll(sms, now, timing))


def _submitted_no_poll(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    if _given_up(sms, now, timing):
        return _end(sms, State.UNCONFIRMED, "no result came")
    return replace(sms, due_at=(sms.submitted_at or now) + timing.give_up_after_ms)


def _held_waits(sms: Sms, given: Input, now: int, timing: Timing) -> Sms:
    asked_enough = now >= (sms.claimed_at or 0) + timing.give_up_after_ms
    never = given.kind is Kind.NO_POLL or asked_enough
    return replace(sms, due_at=NEVER if never else now + HELD_POLL_EVERY)


def _settled(sms: Sms, now: int, timing: Timing) -> bool:
    return sms.settle_from is not None and now >= sms.settle_from + timing.settle_ms


def _given_up(sms: Sms, now: int, timing: Timing) -> bool:
    return sms.submitted_at is not None and now >= sms.submitted_at + timing.give_up_after_ms


def _poll_again(sms: Sms, now: int, timing: Timing) -> Sms:
    since = sms.settle_from if sms.settle_from is not None else now
    end = since + timing.settle_ms
    planned = next((since + step for step in POLL_AFTER if since + step > now), now + POLL_EVERY)
    return replace(sms, due_at=min(planned, end) if now < end else planned)


def _next_status_poll(sms: Sms, now: int, timing: Timing) -> int:
    """The longer it waits, the rarer the poll: half its age again, within status_after and an hour."""
    submitted = sms.submitted_at if sms.submitted_at is not None else now
    pause = max(timing.status_after_ms, min((now - submitted) // 2, SLOWEST_POLL))
    return max(now + 1, min(now + pause, submitted + timing.give_up_after_ms))


# --- the table -----------------------------------------------------------------------------------------

_ANY_NEWS: Final[dict[Kind, Cell]] = {
    Kind.PENDING: _news_pending,
    Kind.NETWORK: _news_end,
    Kind.NEWS_FAILED: _news_end,
    Kind.NEWS_DELIVERED: _news_end,
    Kind.NEWS_CANCELLED: _news_end,
    Kind.NEWS_DUPLICATE: _news_duplicate,
}
_LATE_NEWS: Final = {**_ANY_NEWS, Kind.PENDING: _nothing}

_ROWS: Final[dict[State, dict[Kind, Cell]]] = {
    State.QUEUED: {
        **_ANY_NEWS,
        Kind.CLAIM: _claim,
        Kind.SENT: _submitted,  # the answer of an attempt that was given up: the truth, and it saves a resend
        Kind.EXPIRE: _expired,
        Kind.CANCEL: _cancelled,
    },
    State.SENDING: {
        **_ANY_NEWS,
        Kind.GIVE_BACK: _back,
        Kind.SENT: _submitted,
        Kind.NOT_SENT: _back,
        Kind.UNCLEAR: _unknown,
        Kind.REFUSED_SMS: _failed,
        Kind.REFUSED_ACCOUNT: _back,
        Kind.REFUSED_UNREAD: _held_unsent,
        Kind.RATE_LIMITED: _back,
        Kind.NODE_GONE: _unknown,
    },
    State.SUBMITTED: {
        **_ANY_NEWS,
        Kind.PENDING: _still_pending,
        Kind.NO_SUCH: _submitted_no_such,
        Kind.NOT_TOLD: _submitted_waits,
        Kind.NO_ANSWER: _submitted_waits,
        Kind.NO_POLL: _submitted_no_poll,
    },
    State.UNKNOWN: {
        **_ANY_NEWS,
        Kind.SENT: _submitted,
        Kind.NO_SUCH: _unknown_no_such,
        Kind.NOT_TOLD: _unknown_not_told,
        Kind.NO_ANSWER: _unknown_no_answer,
        Kind.NO_POLL: _unknown_no_poll,
        Kind.CANCEL: _cancelled,
    },
    State.HELD: {
        **_ANY_NEWS,
        Kind.SENT: _submitted,
        Kind.NO_SUCH: _held_waits,
        Kind.NOT_TOLD: _held_waits,
        Kind.NO_ANSWER: _held_waits,
        Kind.NO_POLL: _held_waits,
        Kind.RELEASE: _released,
        Kind.CANCEL: _cancelled,
    },
    State.DELIVERED: _LATE_NEWS,  # rank decides: network → failed turns round, delivered stays
    State.FAILED: _LATE_NEWS,
    State.REFUSED: {},  # never sent: no news can be about it
    State.EXPIRED: _LATE_NEWS,
    State.CANCELLED: _LATE_NEWS,
    State.UNCONFIRMED: _LATE_NEWS,
}

TABLE: Final[Mapping[tuple[State, Kind], Cell]] = {
    (state, kind): _ROWS[state].get(kind, _nothing) for state in State for kind in Kind
}
