"""What the judges saw, each thing as a frozen value: the clients, the vendor, the smarthost.

Times are the seconds of one monotonic clock, the harness's own. A number gets one SMS only, so that it names the SMS.
"""

from dataclasses import dataclass
from typing import Literal

News = Literal["delivered", "failed", "reply"]
Sign = Literal[
    "✓", "✕", "?", "↩"
]  # how a mail of ours begins: good, bad, cannot tell yet; an answer from a phone


@dataclass(frozen=True, slots=True)
class Handed:
    """A mail that a client handed in, as often as it took. ``answered_at``: when it heard 250, None if never."""

    text: str
    numbers: tuple[str, ...]
    answered_at: float | None
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Post:
    """One POST at the vendor. ``created``: an SMS was made of it; ``answered``: its client was told so."""

    at: float
    message_id: str
    number: str
    created: bool
    answered: bool


@dataclass(frozen=True, slots=True)
class Poll:
    """One status poll at the vendor, and what it said; ``nothing``: the poll failed."""

    at: float
    message_id: str
    said: Literal["found", "no such", "nothing"]


@dataclass(frozen=True, slots=True)
class Hook:
    """News that the vendor posted until it was answered 200. ``taken_at``: when it was, None if never."""

    number: str
    news: News
    text: str
    taken_at: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """One hand-over of a mail to the smarthost. ``answered``: the 250 after its final dot was sent.

    ``opened_at`` is when its connection was opened: what a dead process had written may be read after its death.
    """

    at: float
    message_id: str
    number: str
    sign: Sign
    text: str
    answered: bool
    opened_at: float


@dataclass(frozen=True, slots=True)
class Row:
    """An SMS as the bridge lists it at the end."""

    number: str
    state: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known at the end, when everything has been up for longer than the settle time.

    ``cuts`` are the moments at which the bridge, or its way to the database, was cut off; ``frozen`` the spans in
    which a process stood still. ``settle_s`` is in the harness's seconds. ``resend``: the rule's ``on_unknown``.
    ``mails_open`` counts mails of ours that are not yet handed over.
    """

    handed: tuple[Handed, ...]
    posts: tuple[Post, ...]
    polls: tuple[Poll, ...]
    hooks: tuple[Hook, ...]
    reports: tuple[Report, ...]
    rows: tuple[Row, ...]
    settle_s: float
    cuts: tuple[float, ...] = ()
    frozen: tuple[tuple[float, float], ...] = ()
    resend: bool = False
    mails_open: int = 0
