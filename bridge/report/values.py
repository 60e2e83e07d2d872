"""Values of the mails we send: what is stored of a mail that came in, and of one that goes out."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.dsn import Wishes
from bridge.rules import ReportRule


class MailKind(StrEnum):
    """The kinds of mail; each has its templates in ``templates/mail/<kind>/``, but for the last.

    ``postmaster`` hands on a mail to postmaster@ as it came.
    """

    FAILED = "failed"
    DELIVERED = "delivered"
    SUMMARY = "summary"
    REPLY = "reply"
    INBOUND = "inbound"
    ALARM = "alarm"
    POSTMASTER = "postmaster"


class OutboxState(StrEnum):
    """Where a mail of ours stands: to be sent, handed to the smarthost, refused for good, or kept unsent."""

    DUE = "due"
    SENT = "sent"
    DEAD = "dead"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail that came in, as stored. ``id`` is ours (told in the 250). ``dsn``: what its client asked to be told."""

    id: str
    received_at: int
    sender: str
    proof: str
    rule: int
    client: str
    subject: str
    header_message_id: str | None
    references: tuple[str, ...]
    brand: str
    reports: ReportRule
    size: int
    cut: tuple[str, ...]
    dsn: Wishes | None = None


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A mail of ours to be written in the transaction of the change it tells of.

    ``facts`` are what the template needs and what may have changed until it is rendered (state, result,
    reply text, alarm words …). ``correction`` says that an earlier mail turned out wrong.
    """

    kind: MailKind
    to: str
    facts: tuple[tuple[str, str], ...] = ()
    correction: bool = False


@dataclass(frozen=True, slots=True)
class OutboxMail:
    """A mail of ours, as stored. ``message_id`` is fixed at birth, so that a repeated hand-over shows once.

    ``raw`` is the finished mail once rendered (bytes, CRLF). ``bounce_key`` is the key of its ``bounce+…@``
    envelope sender. ``group`` names the (sender, Message-ID) that a summary speaks of.
    """

    id: int
    kind: MailKind
    state: OutboxState
    to: str
    message_id: str
    bounce_key: str
    created_at: int
    due_at: int
    attempts: int
    facts: tuple[tuple[str, str], ...]
    correction: bool
    sms_id: int | None
    mail_id: str | None
    group: str | None
    brand: str
    subject: str
    raw: bytes | None
    error: str
    bounced: bool
