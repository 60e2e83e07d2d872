"""What a decision is made from and what it is: client, envelope, accept or refuse, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from bridge.dsn import Wishes
from bridge.rules import Limits, Mode, OnUnknown, Proof, ReportRule

_USUAL: Final = Limits()

# Field order of an SMTP answer: "550 5.7.1 text".


@dataclass(frozen=True, slots=True)
class Refuse:
    """A refusal as SMTP speaks it. ``text`` is one ASCII line built from constants and checked values."""

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}"


@dataclass(frozen=True, slots=True)
class Client:
    """Who is connected: ``address`` is an IP; ``user`` the SMTP user proven by AUTH, lower-case, or None."""

    address: str
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the SMTP conversation said. ``recipients`` are the accepted addresses in order, as written; ``hello`` is
    the name that the client gave itself."""

    client: Client
    sender: str | None
    recipients: tuple[str, ...]
    hello: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of looking for one proof: it ``holds``, or ``why`` it does not (words of ours, ASCII, no sentence).

    ``later``: nobody can say now, and trying again may help.
    """

    holds: bool
    why: str = ""
    later: bool = False


@dataclass(frozen=True, slots=True)
class SignedMail:
    """A mail that anybody who has seen it can hand in again until ``until`` (ms since 1970), since its signature alone
    proves it.

    ``body`` is the digest of its body where the signature leaves open how that is read, else None: by another reading
    comes another SMS, so the mail is known again by what is signed.
    """

    until: int
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a mail has shown beside its client: a finding for each proof that was looked for.

    ``signed_to`` are the addresses in the To and Cc under the signature that counted for `dmarc`, lower-case;
    ``stand_in_id`` takes the place of a Message-ID that this signature does not cover or nobody can read, else None.
    ``signed_mail`` is there when that signature counted.
    """

    findings: Mapping[Proof, Finding] = field(default_factory=lambda: MappingProxyType({}))
    signed_to: frozenset[str] = frozenset()
    stand_in_id: str | None = None
    signed_mail: SignedMail | None = None


NOTHING_SHOWN = Shown()


@dataclass(frozen=True, slots=True)
class Target:
    """A recipient that means phones: one number in E.164, or those of an alias.

    No number at all: a name whose meaning is told only to a proven sender, so not before the mail is here.
    """

    address: str
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Special:
    """A recipient of ours that makes no SMS. ``key`` is that of ``reply+<key>@`` or ``bounce+<key>@``."""

    kind: Literal["postmaster", "reply", "bounce"]
    address: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail to be stored. ``sender`` is the proven identity, ``proof`` how it was proven.

    ``header_message_id`` is the mail's Message-ID with its angle brackets, or None; ``references`` the chain
    that our answers continue. ``rule`` is the index of the sender rule, -1 when an operator
    sent without one. ``cut`` names what was cut from the text. ``dsn`` is what its client asked to be told.
    """

    sender: str
    proof: Proof | Literal["operator"]
    rule: int
    client: str
    subject: str
    header_message_id: str | None
    references: tuple[str, ...]
    brand: str
    reports: ReportRule
    size: int
    cut: tuple[str, ...] = ()
    dsn: Wishes | None = None


@dataclass(frozen=True, slots=True)
class NewSms:
    """One SMS to be stored. ``refused`` is the reason when this number was refused, else empty.

    ``recipient`` is the address it was asked for under (an alias, or the number as written). ``cost`` in
    ten-thousandths is reserved where money is limited; None where none is counted.
    """

    number: str
    recipient: str
    text: str
    encoding: str
    segments: int
    account: str
    mode: Mode
    on_unknown: OnUnknown
    expire_after_ms: int
    refused: str = ""
    resubmit_of: str | None = None
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class JoinSame:
    """How the same text to the same number is joined: what comes ``within_ms`` after an SMS, in one SMS of at most so
    many ``segments``, with the words ``more`` behind the text."""

    within_ms: int
    segments: int
    more: str


@dataclass(frozen=True, slots=True)
class Accept:
    """A mail that is taken if it keeps ``limits``: what to store. At least one SMS of ``sms`` is not refused; ``join``
    is None when the same text is sent as often as it comes. ``signed`` is there when its signature alone proves it."""

    mail: NewMail
    sms: tuple[NewSms, ...]
    join: JoinSame | None = None
    limits: Limits = _USUAL
    signed: SignedMail | None = None
