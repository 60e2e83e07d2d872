"""What an SMS is, the states it can be in, and everything that can happen to it, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypedDict, Unpack

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
    OPT_OUT = "opted out"  # the phone wants no SMS any more: seen at the claim
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


class Changes(TypedDict, total=False):
    """What may change in an SMS once it is stored."""

    state: State
    updated_at: int
    due_at: int
    expires_at: int
    attempts: int
    reached: int
    resends: int
    node: str | None
    claimed_at: int | None
    submitted_at: int | None
    state_since: int
    settle_from: int | None
    no_such: int
    answered: int
    rank: int
    result: str
    price: int | None
    told: str


@dataclass(frozen=True)  # without slots, for `but`
class Sms:
    """One text to one number, as stored.

    ``attempts`` counts claims and fences stale writes; ``reached`` counts those that may have reached the
    vendor. ``due_at`` is when the next thing is due: a claim (queued) or a poll (submitted, unknown, held).
    ``settle_from`` is where the settle time began, ``no_such`` how many polls in a row said "no such message"
    since, ``answered`` how many were answered at all. ``rank`` is the highest news applied. ``result`` is the
    vendor's word or our own reason. ``price`` in ten-thousandths, None until an event tells. ``sender`` is the
    proven one of its mail. ``joined`` counts the mails with the same text that it stands for, 0 when it is the SMS of
    one mail. ``reserved`` is what one attempt is taken to cost in ten-thousandths, None where no money is counted (see
    `cost`).
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
    joined: int = 0
    reserved: int | None = None

    def but(self, **changes: Unpack[Changes]) -> "Sms":
        """Return this SMS with ``changes``.

        `dataclasses.replace` takes seven times as long, since it sets each of the 32 fields through the frozen class;
        an SMS changes about nine times on its way.
        """
        new = object.__new__(Sms)
        new.__dict__.update(self.__dict__, **changes)
        return new


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
