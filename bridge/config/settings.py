"""The configuration as the bridge works with it: frozen values in our own units, every default filled in.

Durations are milliseconds, money ten-thousandths, rates a second, secrets masked. Knows no YAML and no model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from bridge.config.database import PASSWORD
from bridge.optout import Words
from bridge.rules import Brand, Mode, Network, Policy
from bridge.velocity import Bounds

Tls = Literal["none", "starttls", "implicit"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where HTTP listens; port 0 is any free one."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Listener:
    """Where SMTP listens; ``tls`` is none, starttls (offered) or implicit."""

    address: str
    port: int
    tls: Tls


@dataclass(frozen=True, slots=True)
class Smtp:
    """How mail comes in. ``users``: the path of the users file; ``certificate`` and ``key`` come together."""

    listen: tuple[Listener, ...]
    certificate: Path | None
    key: Path | None
    max_size: int
    max_connections: int
    max_per_address: int
    balancers: tuple[Network, ...]
    users: Path | None


@dataclass(frozen=True, slots=True)
class Dns:
    """Who is asked about the domains of senders: addresses with ports, none for the machine's own."""

    servers: tuple[tuple[str, int], ...]
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Http:
    """What the vendor reaches. ``url`` has no path and no closing slash."""

    listen: Endpoint
    url: str
    certificate: Path | None
    key: Path | None
    proxies: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """What people reach, on loopback."""

    listen: Endpoint


@dataclass(frozen=True, slots=True)
class Account:
    """A Sender and Token of the vendor; without ``auth_token`` it cannot be polled."""

    key: str
    sender: str
    token: SecretStr
    auth_token: SecretStr | None


@dataclass(frozen=True, slots=True)
class Vendor:
    """The vendor's API. ``accounts`` always has ``default``, the first pair. URLs have no closing slash."""

    send_url: str
    rest_url: str
    mode: Mode
    accounts: Mapping[str, Account]
    rate_per_second: float
    poll_rate_per_second: float
    timezone: ZoneInfo
    status_after_ms: int
    settle_ms: int
    send_timeout_ms: int
    give_up_after_ms: int
    received_every_ms: int


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a webhook must show: the secret in its path, and one of the (sender, token) pairs.

    With ``networks`` it must come from one of them.
    """

    secret: SecretStr
    credentials: tuple[tuple[str, SecretStr], ...]
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Smarthost:
    """Who carries our mails out. ``starttls``: used when offered and verified; with a user required."""

    host: str
    port: int
    tls: Literal["starttls", "implicit"]
    user: str | None
    password: SecretStr | None


@dataclass(frozen=True, slots=True)
class Dkim:
    """How our mails are signed; ``key_pem`` is an RSA or Ed25519 key and never shown."""

    domain: str
    selector: str
    key_pem: bytes

    def __repr__(self) -> str:
        return f"Dkim(domain={self.domain!r}, selector={self.selector!r})"


@dataclass(frozen=True, slots=True)
class Outbox:
    """How our mails go out; without a smarthost they are kept and shown."""

    smarthost: Smarthost | None
    dkim: Dkim | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long is kept what is over; None is for ever."""

    text_ms: int | None
    records_ms: int | None


@dataclass(frozen=True, slots=True)
class Log:
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["json", "text"]


@dataclass(frozen=True, slots=True)
class Database:
    """Where the store is: the path of an SQLite file, or a PostgreSQL URL in which ``{password}`` may stand for
    the password. ``address`` may be shown to anybody, `whole` to nobody."""

    address: str
    password: SecretStr | None = None

    def whole(self) -> str:
        """Return what the store opens."""
        password = self.password.get_secret_value() if self.password else ""
        return self.address.replace(PASSWORD, quote(password, safe=""), 1) if password else self.address


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the operator has said. ``brands`` always has ``default``; without ``velocity`` nobody is told
    of senders who are far above their habit."""

    policy: Policy
    brands: Mapping[str, Brand]
    timezone: ZoneInfo
    admin: str
    inbound_to: str
    database: Database
    smtp: Smtp
    dns: Dns
    http: Http
    desk: Desk
    vendor: Vendor
    webhook: Webhook
    replies_channel: Literal["bridge", "vendor"]
    velocity: Bounds | None
    optout_words: Words
    outbox: Outbox
    retention: Retention
    log: Log
