"""The life of an SMS: one total table of what each input does in each state.

Pure: ``now`` is an argument, nothing is stored or sent here. `store` calls `after` inside its transactions,
so that no decision is taken on a row that has changed meanwhile.
"""

from collections.abc import Mapping
from typing import Final

from bridge.sms import cells
from bridge.sms.cells import Cell
from bridge.sms.values import FROM_SENDER, Change, Input, Kind, Sms, State, Timing


def after(sms: Sms, given: Input, now: int, timing: Timing) -> Change:
    """Return what ``given`` makes of ``sms``. Total: every state takes every input, most change nothing."""
    stale = given.kind in FROM_SENDER and given.attempt != sms.attempts
    new = sms if stale else TABLE[sms.state, given.kind](sms, given, now, timing)
    if new is not sms and new != sms:
        since = new.state_since if new.state is sms.state else now
        new = new.but(updated_at=now, state_since=since)
    why = f": {given.why}" if given.why else ""
    return Change(new, new.state is not sms.state, f"{given.kind}{' (stale)' if stale else ''}{why}")


_ANY_NEWS: Final[dict[Kind, Cell]] = {
    Kind.PENDING: cells.news_pending,
    Kind.NETWORK: cells.news_end,
    Kind.NEWS_FAILED: cells.news_end,
    Kind.NEWS_DELIVERED: cells.news_end,
    Kind.NEWS_CANCELLED: cells.news_end,
    Kind.NEWS_DUPLICATE: cells.news_duplicate,
}
_LATE_NEWS: Final = {**_ANY_NEWS, Kind.PENDING: cells.nothing}

_ROWS: Final[dict[State, dict[Kind, Cell]]] = {
    State.QUEUED: {
        **_ANY_NEWS,
        Kind.CLAIM: cells.claim,
        Kind.SENT: cells.submitted,  # the answer of an attempt that was given up: the truth, and it saves a resend
        Kind.EXPIRE: cells.expired,
        Kind.OPT_OUT: cells.refused,
        Kind.CANCEL: cells.cancelled,
    },
    State.SENDING: {
        **_ANY_NEWS,
        Kind.GIVE_BACK: cells.back,
        Kind.SENT: cells.submitted,
        Kind.NOT_SENT: cells.back,
        Kind.UNCLEAR: cells.unknown,
        Kind.REFUSED_SMS: cells.failed,
        Kind.REFUSED_ACCOUNT: cells.back,
        Kind.REFUSED_UNREAD: cells.held_unsent,
        Kind.RATE_LIMITED: cells.back,
        Kind.NODE_GONE: cells.unknown,
    },
    State.SUBMITTED: {
        **_ANY_NEWS,
        Kind.PENDING: cells.still_pending,
        Kind.NO_SUCH: cells.submitted_no_such,
        Kind.NOT_TOLD: cells.submitted_waits,
        Kind.NO_ANSWER: cells.submitted_waits,
        Kind.NO_POLL: cells.submitted_no_poll,
    },
    State.UNKNOWN: {
        **_ANY_NEWS,
        Kind.SENT: cells.submitted,
        Kind.NO_SUCH: cells.unknown_no_such,
        Kind.NOT_TOLD: cells.unknown_not_told,
        Kind.NO_ANSWER: cells.unknown_no_answer,
        Kind.NO_POLL: cells.unknown_no_poll,
        Kind.CANCEL: cells.cancelled,
    },
    State.HELD: {
        **_ANY_NEWS,
        Kind.SENT: cells.submitted,
        Kind.NO_SUCH: cells.held_waits,
        Kind.NOT_TOLD: cells.held_waits,
        Kind.NO_ANSWER: cells.held_waits,
        Kind.NO_POLL: cells.held_waits,
        Kind.RELEASE: cells.released,
        Kind.CANCEL: cells.cancelled,
    },
    State.DELIVERED: _LATE_NEWS,  # rank decides: network → failed turns round, delivered stays
    State.FAILED: _LATE_NEWS,
    State.REFUSED: _LATE_NEWS,  # only of one that was tried before its phone opted out
    State.EXPIRED: _LATE_NEWS,
    State.CANCELLED: _LATE_NEWS,
    State.UNCONFIRMED: _LATE_NEWS,
}

TABLE: Final[Mapping[tuple[State, Kind], Cell]] = {
    (state, kind): _ROWS[state].get(kind, cells.nothing) for state in State for kind in Kind
}
