"""The operator's rules as plain frozen values: who may send, where to, how text is cut, who is told.

`config` makes these values from the YAML file; `decide`, `sms_text`, `report` and the loops read them.
Nothing here knows of files, YAML or the environment.
"""

import datetime
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Proof = Literal["auth", "network", "dmarc", "spf", "upstream"]
Mode = Literal["live", "test"]
OnUnknown = Literal["resend", "hold"]
Over = Literal["refuse", "pace"]
NumberType = Literal["mobile", "fixed", "voip", "any"]
ReportKind = Literal["failed", "delivered", "reply"]

# What only the mail itself can show, by its signature, its path or another server's word.
BY_MAIL: frozenset[Proof] = frozenset({"dmarc", "spf", "upstream"})

MORE = "(+{{ count }} more)"  # what a joined SMS ends in, unless the operator says it in another language
DEFAULT_ACCOUNT = "default"  # of the vendor: the first pair of the configuration
MAX_RECIPIENTS = 100  # RFC 5321 4.5.3.1.8: a server must take at least 100; we take no more in one mail


def money(ten_thousandths: int) -> str:
    """Return an amount as it is written, with at least two decimals: ``0.10``, ``0.0825``."""
    units, rest = divmod(ten_thousandths, 10_000)
    return f"{units}.{rest // 100:02}" if rest % 100 == 0 else f"{units}.{rest:04}".rstrip("0")


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of one sender rule, None where there is none.

    ``recipients``: numbers per mail; ``segments``: billed parts per SMS; ``per_…``: SMS of one sender; ``spend_…``:
    money of one sender, in ten-thousandths. ``over``: what is above ``per_…`` is refused, or taken and sent later.
    ``join_same_ms``: so long after an SMS the same text to the same number is held back and joined; 0: never.
    """

    recipients: int = MAX_RECIPIENTS
    segments: int = 1
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    spend_per_day: int | None = None
    spend_per_month: int | None = None
    over: Over = "refuse"
    join_same_ms: int = 0

    @property
    def counted(self) -> bool:
        """Whether anything is counted for each sender."""
        return bool(
            self.per_minute or self.per_hour or self.per_day or self.spend_per_day or self.spend_per_month
        )

    @property
    def of_money(self) -> bool:
        """Whether money is counted for each sender."""
        return self.spend_per_day is not None or self.spend_per_month is not None


class Searching(Protocol):
    """A pattern of the operator's."""

    def search(self, text: str, /) -> object:
        """Return something true if the text holds it."""


@dataclass(frozen=True, slots=True)
class TextRule:
    """How the text of an SMS is made from a mail (interface: key ``text``)."""

    subject: Literal["auto", "ignore", "first", "only"] = "auto"
    template: str = "{{ body }}"
    cut: Literal["auto", "none"] = "auto"
    disclaimers: tuple[Searching, ...] = ()
    stop_marks: tuple[str, ...] = ("##",)
    fold: Literal["none", "typographic", "ascii"] = "typographic"
    too_long: Literal["refuse", "cut"] = "refuse"
    more: str = MORE


@dataclass(frozen=True, slots=True)
class ReportRule:
    """Which news a sender hears and where: ``to`` is ``sender`` or an address; an empty ``when`` is none."""

    when: frozenset[ReportKind] = frozenset({"failed", "delivered", "reply"})
    to: str = "sender"


@dataclass(frozen=True, slots=True)
class SenderRule:
    """One entry of the allowlist. It holds when one pattern matches the From and one proof holds.

    ``match`` patterns are lower-case: ``a@b``, ``*@b`` or ``*@*.b``. ``index`` is its place in the file,
    from 0.
    """

    index: int
    match: tuple[str, ...]
    proof: frozenset[Proof]
    users: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    brand: str = "default"
    account: str = DEFAULT_ACCOUNT
    prefixes: tuple[str, ...] = ()
    limits: Limits = Limits()
    text: TextRule = TextRule()
    reports: ReportRule = ReportRule()
    mode: Mode = "live"
    on_unknown: OnUnknown = "hold"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A mail server whose Authentication-Results count when it hands a mail in from ``network``.

    ``authserv_id`` is its name there, lower-case; ``hops`` how many Received fields of our own side may stand
    above its word.
    """

    network: Network
    authserv_id: str
    hops: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a decision on a mail needs, besides the mail.

    ``allow`` and ``deny`` are E.164 prefixes with ``+``; the longest match wins, none is a refusal.
    ``aliases`` maps a lower-case local part to numbers in E.164. ``prices`` and ``price_per_segment`` are in
    ten-thousandths of the vendor's currency; ``spend_cap`` is what all senders together may spend in a day, None for
    any amount. Days and months are those of ``timezone``. ``mode`` is that of an SMS without a rule.
    """

    domains: tuple[str, ...]
    region: str
    rules: tuple[SenderRule, ...]
    allow: tuple[str, ...]
    deny: tuple[str, ...] = ()
    number_types: frozenset[NumberType] = frozenset({"mobile"})
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prices: Mapping[str, int] = field(default_factory=dict)
    price_per_segment: int = 0
    message_prefix: str = "BRDG"
    expire_after_ms: int = 12 * 3_600_000
    duplicates_window_ms: int = 24 * 3_600_000
    upstreams: tuple[Upstream, ...] = ()
    spend_cap: int | None = None
    timezone: datetime.tzinfo = datetime.UTC
    mode: Mode = "live"


@dataclass(frozen=True, slots=True)
class Brand:
    """The look and words of the mails for a group of senders (whitelabel).

    ``sender`` is the From address of summaries and alarms. ``logo`` is the picture's bytes, inlined;
    ``templates`` a folder whose files replace ours one by one. ``accent`` is ``#rrggbb``.
    """

    key: str
    name: str
    sender: str
    accent: str = "#2563eb"
    footer: str = ""
    logo: bytes | None = None
    templates: str | None = None
