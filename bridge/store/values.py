"""What the verbs of the store take and give, besides the values of the core."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Self

from bridge.decide.values import Refuse
from bridge.event import EventType, News, Source
from bridge.optout import Words
from bridge.report.values import OutboxMail, StoredMail
from bridge.sms import Sms, State

DAY: Final = 24 * 3_600_000

Recorded = Literal["applied", "known", "recorded", "kept"]


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What the store needs of the configuration.

    ``domain`` is our first one: our Message-IDs end in it. ``admin`` and ``inbound_to`` are addresses, or empty
    when nobody is to be told. ``accounts_with_polls`` names the accounts that have an auth_token. ``timezone`` is
    where the operator's days begin; ``optout_words`` are those by which a phone opts out of SMS and in again.
    ``spend_cap`` is what all senders together may spend in a day, in ten-thousandths.
    """

    domain: str
    message_prefix: str = "BRDG"
    admin: str = ""
    inbound_to: str = ""
    replies_channel: Literal["bridge", "vendor"] = "bridge"
    duplicates_window_ms: int = DAY
    accounts_with_polls: frozenset[str] = frozenset()
    timezone: datetime.tzinfo = datetime.UTC
    optout_words: Words = field(default_factory=Words.of)
    spend_cap: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a mail. ``duplicates``, ``refused`` and ``joined`` count numbers; of a mail that was wholly a
    duplicate nothing new is stored, and ``mail_id`` is that of the first. ``queued`` go out soon; ``later``
    tells from when on, where a limit makes them wait. ``over``: it is above a limit, and nothing of it is stored."""

    mail_id: str
    queued: tuple[Sms, ...]
    duplicates: int
    refused: int
    joined: int = 0
    over: Refuse | None = None
    later: str = ""


@dataclass(frozen=True, slots=True)
class UseLine:
    """How much a sender, or all together (an empty ``sender``), has used of a limit in the window from ``begins`` until
    ``ends``, in SMS or ten-thousandths; ``most`` is the limit when a mail last came, None for none; ``refused`` counts
    the mails that were refused for it in this window."""

    sender: str
    name: str
    begins: int
    ends: int
    used: int
    most: int | None
    refused: int


@dataclass(frozen=True, slots=True)
class LimitCounts:
    """How much the limits do, by their names: mails refused ever, and senders who have reached one in the window
    that is running. ``spent`` is what all senders together have spent today, out of ``cap``."""

    refusals: Mapping[str, int]
    at_limit: Mapping[str, int]
    spent: int
    cap: int | None


class Claimed(tuple[Sms, ...]):
    """SMS that are ours to send, and when: ``waits_s`` are seconds from the claim on, one for each, so that the
    rate holds over all nodes. ``more``: something else may be due; if ``again_s`` is not 0, no moment to send it is
    free for so long."""

    waits_s: tuple[float, ...]
    more: bool
    again_s: float

    def __new__(
        cls, sms: Iterable[Sms], waits_s: tuple[float, ...] = (), *, more: bool = False, again_s: float = 0.0
    ) -> Self:
        claimed = super().__new__(cls, sms)
        claimed.waits_s, claimed.more, claimed.again_s = waits_s, more, again_s
        return claimed


@dataclass(frozen=True, slots=True)
class OutboxWork:
    """One mail of ours to be made and handed over: the mail it answers, and the SMS it speaks of."""

    mail: OutboxMail
    source: StoredMail | None
    sms: tuple[Sms, ...]


@dataclass(frozen=True, slots=True)
class SmsFilter:
    """Which SMS to list. ``number``: a whole number, or its last digits (four or more). ``text``: a part of it,
    any case. ``sender``: the whole address."""

    state: State | None = None
    sender: str | None = None
    number: str | None = None
    text: str | None = None
    mail_id: str | None = None


@dataclass(frozen=True, slots=True)
class SmsLine:
    """One line of a list."""

    sms: Sms
    sender: str
    subject: str


class SmsPage(tuple[SmsLine, ...]):
    """A page of a list, newest first. ``older`` is the ``before`` of the next page, None at the end.

    A search by text reads a bounded stretch of rows: its page may be short, or empty, and yet have more.
    """

    older: int | None

    def __new__(cls, lines: Iterable[SmsLine], older: int | None) -> Self:
        page = super().__new__(cls, lines)
        page.older = older
        return page


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One input and what it did. ``times`` counts equal ones, ``last_at`` is the latest of them."""

    at: int
    state: State
    note: str
    attempt: int
    times: int = 1
    last_at: int = 0


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One thing the vendor said, as stored; ``kept_until`` is set while it matches no SMS of ours."""

    id: int
    at: int
    sms_id: int | None
    source: Source
    type: EventType
    news: News | None
    result: str
    text: str
    phone: str
    message_id: str | None
    job: str | None
    received_id: str | None
    price: int | None
    vendor_at: int | None
    raw: str
    times: int
    kept_until: int | None


@dataclass(frozen=True, slots=True)
class SmsStory:
    """Everything known of one SMS."""

    sms: Sms
    mail: StoredMail
    history: tuple[HistoryLine, ...]
    events: tuple[StoredEvent, ...]
    outbox: tuple[OutboxMail, ...]


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """One thing the admin should know, and how often it happened."""

    key: str
    first_at: int
    last_at: int
    told_at: int
    times: int
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is of what. ``events_kept`` are those that match no SMS of ours (yet); ``oldest_queued_at``
    is when the SMS that waits longest was taken (ms UTC), None when none waits. ``far_above`` counts senders that were
    far above their habit within the last hour, by the alarm's name. ``optouts`` are those in force."""

    by_state: Mapping[State, int]
    outbox_by_state: Mapping[str, int]
    events_kept: int = 0
    alarms: int = 0
    oldest_queued_at: int | None = None
    far_above: Mapping[str, int] = field(default_factory=dict)
    optouts: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A process that works on the database. ``id`` is random per start; ``host`` and ``pid`` are for people.

    ``gone_after_ms`` without a heartbeat it is gone: longer than any call to the vendor that it may have begun.
    """

    id: str
    host: str
    pid: int
    parts: tuple[str, ...]
    gone_after_ms: int


@dataclass(frozen=True, slots=True)
class NodeLine:
    """A node as the database knows it; ``silent_ms`` since its last heartbeat."""

    node: Node
    started_at: int
    silent_ms: int
    draining: bool

    @property
    def gone(self) -> bool:
        """Whether it has been silent for so long that others take over what it left."""
        return self.silent_ms >= self.node.gone_after_ms


@dataclass(frozen=True, slots=True)
class LeaseLine:
    """Who does the work of a part that one node at a time does."""

    part: str
    node: str


@dataclass(frozen=True, slots=True)
class Retention:
    """How long is kept what is over (ms): the texts, and the records themselves. None: for ever."""

    text_ms: int | None = None
    records_ms: int | None = None

    @property
    def is_given(self) -> bool:
        """Whether anything is to go at all."""
        return self.text_ms is not None or self.records_ms is not None


@dataclass(frozen=True, slots=True)
class PurgePlace:
    """How far a purge has come: in which of its lists, and behind which row."""

    stage: int = 0
    since: int = -1
    last: int = 0

    @property
    def is_first(self) -> bool:
        """Whether it begins here."""
        return self == PurgePlace()


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge has done away with: the texts of SMS, of events and of mails of ours; and whole records.

    ``next`` is where it goes on, None when it has come to its end.
    """

    texts: int = 0
    events: int = 0
    mails: int = 0
    records: int = 0
    next: PurgePlace | None = None

    @property
    def emptied(self) -> int:
        """How many rows have lost their text."""
        return self.texts + self.events + self.mails

    def __add__(self, other: "Purged") -> "Purged":
        """Return both together, as far as ``other`` came."""
        return Purged(
            self.texts + other.texts,
            self.events + other.events,
            self.mails + other.mails,
            self.records + other.records,
            other.next,
        )


@dataclass(frozen=True, slots=True)
class PurgeFigures:
    """When a purge last came to its end (ms UTC), and how many texts and records all of them did away with."""

    at: int | None
    texts: int
    records: int


@dataclass(frozen=True, slots=True)
class Trace:
    """How much is known of the person with one number, and what of it is still under way: SMS by state, and mails of
    ours to be sent. ``ends_by`` is when that is over at the latest (ms UTC), but for what an operator must decide.
    ``opted_out``: they want no SMS, which is kept."""

    sms: int
    events: int
    mails: int
    alarms: int
    under_way: Mapping[State, int]
    under_way_ids: tuple[int, ...]
    mails_due: int
    opted_out: bool
    ends_by: int | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user of the system, and by what means."""

    who: str
    via: str = "command line"

    def __str__(self) -> str:
        return f"{self.via}, {self.who}" if self.who else self.via


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the audit record. ``about`` is the id of what it was done to; details have no text in them, and
    numbers masked."""

    id: int
    at: int
    who: str
    via: str
    what: str
    about: str
    details: tuple[tuple[str, str], ...]
