"""What the operator settles about the SMTP server, as frozen values. `config` fills them, nothing here reads files."""

import datetime
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bridge.rules import Network

Tls = Literal["none", "starttls", "implicit"]

MIB = 1024 * 1024
# Of TLS 1.2: forward secrecy always, CBC for old machines with SHA-2 only (RFC 9325, 4.2). Those of 1.3 are its own.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:!aNULL:!SHA1"


@dataclass(frozen=True, slots=True)
class Listener:
    """One port: ``port`` 0 is any free one; ``implicit`` begins with TLS, ``starttls`` offers it."""

    address: str
    port: int
    tls: Tls = "none"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Deadlines in ms. ``idle``: for a whole command to come (RFC 5321, 4.5.3.2.7 asks for 5 minutes);
    ``data``: for a whole mail; ``session``: for a connection, looked at between mails; ``proxy``: for what a balancer
    says first, long enough for one lost packet to be sent again."""

    idle_ms: int = 300_000
    data_ms: int = 900_000
    session_ms: int = 3_600_000
    handshake_ms: int = 30_000
    proxy_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How the SMTP server listens and what it allows.

    ``hostname`` is our name in greetings, ``instance`` the mark of our own mails. ``tls`` is the context of
    every listener that offers TLS (`server_context`). ``users`` maps a lower-case login to its argon2 hash.
    ``balancers`` are the networks whose hosts must speak the PROXY protocol, and whom it is believed.
    ``reserved`` of ``max_connections`` are kept for network senders. ``max_memory`` bounds the octets of mails
    held over all connections. ``timezone`` is where days in answers begin.
    """

    listeners: tuple[Listener, ...]
    hostname: str
    instance: str
    tls: ssl.SSLContext | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_size: int = 25 * MIB
    max_connections: int = 500
    reserved: int = 20
    max_per_address: int = 100
    max_memory: int = 64 * MIB
    balancers: tuple[Network, ...] = ()
    timeouts: Timeouts = Timeouts()
    timezone: datetime.tzinfo = datetime.UTC


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """A TLS context for a server with these PEM files. Raises `OSError` (`ssl.SSLError`) if they do not fit."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    try:
        context.load_cert_chain(certificate, key, password="")  # else one would be asked for at the terminal
    except ValueError as fault:
        raise OSError("the key has a password") from fault
    return context
