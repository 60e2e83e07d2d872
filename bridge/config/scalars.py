"""Scalars of the file in our own units: durations, sizes, rates, money, networks, addresses, prefixes, URLs.

Pure: each function takes a value from the tree and returns ours, or raises ValueError with one sentence that
says what is wrong and what would be right. No sentence repeats a value that may hold a secret.
"""

import ipaddress
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit
from zoneinfo import ZoneInfo

from bridge.rules import Network

MONEY_UNIT = 10_000  # ten-thousandths
_MAX_PATH = 1_024  # characters
_MAX_MONEY = 1_000_000  # whole units of currency

_DURATION = re.compile(
    r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?(?:(\d{1,9})ms)?", re.ASCII
)
_DURATION_MS = (86_400_000, 3_600_000, 60_000, 1_000, 1)
_SIZE = re.compile(r"(\d{1,12})(kB|MB|GB|KiB|MiB|GiB)", re.ASCII)
_SIZES = {"kB": 1_000, "MB": 1_000**2, "GB": 1_000**3, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,4})?)/([smh])", re.ASCII)
_RATES = {"s": 1, "m": 60, "h": 3_600}
_MONEY = re.compile(r"\d{1,9}(?:\.\d{1,4})?", re.ASCII)
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}", re.ASCII)  # E.164: at most 15 digits
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)  # RFC 1123, 2.1
_LOCAL_PART = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII | re.I)
_URL = re.compile(r"[\x21-\x7e]{1,2000}")
_WITH_PORT = re.compile(r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\]):([0-9]{1,5})", re.ASCII)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class SmarthostUrl:
    """``smtp://`` or ``smtps://`` taken apart; ``user`` is decoded, the password stands elsewhere."""

    host: str
    port: int
    tls: Literal["starttls", "implicit"]
    user: str | None


def text(value: object) -> str:
    """A value as text. A number is text too where text belongs: the tree keeps it exactly."""
    if isinstance(value, bool) or value is None:
        raise ValueError("is not text: put it in quotes" if value is not None else "has no value: give one")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str | int):
        return str(value)
    raise ValueError("must be one text, not a list or a mapping")


def path(value: object) -> str:
    """The text of a path."""
    written = text(value)
    if not written or len(written) > _MAX_PATH or not written.isprintable():
        raise ValueError("is no path: write one line, such as /etc/smsbridge/tls.crt")
    return written


def duration(value: object) -> int:
    """Milliseconds of ``10m``, ``48h``, ``1h30m`` or ``500ms``."""
    match = _DURATION.fullmatch(text(value))
    if match is None or not match[0]:
        raise ValueError("is no duration: write a number and its unit, such as 30s, 10m, 48h or 1h30m")
    return sum(int(n) * unit for n, unit in zip(match.groups(), _DURATION_MS, strict=True) if n)


def size(value: object) -> int:
    """Bytes of ``25MB`` (powers of 1,000) or ``25MiB`` (of 1,024)."""
    match = _SIZE.fullmatch(text(value))
    if match is None:
        raise ValueError("is no size: write a whole number and its unit, such as 25MB or 900kB")
    return int(match[1]) * _SIZES[match[2]]


def rate(value: object) -> float:
    """Events a second of ``20/s``, ``60/m`` or ``600/h``."""
    match = _RATE.fullmatch(text(value))
    if match is None or float(match[1]) == 0:
        raise ValueError("is no rate: write a number above 0 and its unit, such as 20/s or 60/m")
    return float(match[1]) / _RATES[match[2]]


def money(value: object) -> int:
    """Ten-thousandths of ``0.10``, exactly."""
    written = text(value)
    if _MONEY.fullmatch(written) is None or Decimal(written) > _MAX_MONEY:
        raise ValueError("is no amount of money: write a number with at most four decimals, such as 0.10")
    return int(Decimal(written) * MONEY_UNIT)


def prefix(value: object) -> str:
    """An E.164 prefix, ``+`` and 1 to 15 digits."""
    written = text(value)
    if _PREFIX.fullmatch(written):
        return written
    if re.fullmatch(r"[1-9][0-9]{0,14}", written, re.ASCII):
        raise ValueError(f"{written} lacks the plus: write +{written}")
    raise ValueError("is no E.164 prefix: write + and the country's code, such as +614")


def host_name(value: object) -> str:
    """A host name in lower case (RFC 1123, 2.1), in its ASCII form."""
    written = text(value).lower().removesuffix(".")
    labels = written.split(".")
    if not written.isascii():
        raise ValueError("is not ASCII: write the form that begins with xn--")
    if len(written) > 253 or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise ValueError("is no host name: write letters, digits, dots and dashes, such as sms.example.com")
    return written


def mail_address(value: object) -> str:
    """One plain mail address, its domain in lower case."""
    local, _, domain = text(value).rpartition("@")
    if len(local) <= 64 and _LOCAL_PART.fullmatch(local):
        try:
            return f"{local}@{host_name(domain)}"
        except ValueError:
            pass
    raise ValueError("is no mail address: write it plain, such as admin@example.com")


def sender_pattern(value: object) -> str:
    """A pattern of From addresses in lower case: ``a@b``, ``*@b`` or ``*@*.b``."""
    written = text(value).lower()
    local, _, domain = written.rpartition("@")
    try:
        if local == "*":
            return f"*@*.{host_name(domain[2:])}" if domain.startswith("*.") else f"*@{host_name(domain)}"
        if "*" not in written:
            return mail_address(written)
    except ValueError:
        pass
    raise ValueError('is no pattern: write "ann@example.com", "*@example.com" or "*@*.example.com"')


def network(value: object) -> Network:
    """An IP network; one address is a network of its own."""
    written = text(value)
    try:
        found = ipaddress.ip_network(written, strict=False)
    except ValueError:
        raise ValueError("is no network: write an address and its bits, such as 10.20.0.0/16") from None
    if "/" in written and ipaddress.ip_address(written.partition("/")[0]) != found.network_address:
        raise ValueError(f"has bits set behind its length: write {found}")
    if isinstance(found, ipaddress.IPv6Network) and found.overlaps(_MAPPED):
        raise ValueError("holds IPv4 addresses in IPv6 form: write the IPv4 network")
    return found


def narrow_network(value: object) -> Network:
    """A network that may stand for somebody: not the whole internet, nor half of it."""
    found = network(value)
    widest = 8 if found.version == 4 else 7  # 10.0.0.0/8 and fc00::/7 are the widest private ones
    if found.prefixlen < widest:
        raise ValueError(f"{found} holds the internet: name your own networks, at most /{widest} wide")
    return found


def ip_address(value: object) -> str:
    """An address to listen on."""
    written = text(value)
    try:
        return str(ipaddress.ip_address(written))
    except ValueError:
        raise ValueError(
            "is no IP address: write 127.0.0.1, 0.0.0.0 (every IPv4) or :: (every address)"
        ) from None


def name_server(value: object) -> tuple[str, int]:
    """Address and port of ``10.0.0.1``, ``10.0.0.1:5353`` or ``[::1]:5353``; port 53 unless given."""
    written = text(value)
    match = _WITH_PORT.fullmatch(written)
    port = int(match[3]) if match else 53
    try:
        address = str(ipaddress.ip_address((match[1] or match[2]) if match else written))
    except ValueError:
        address = ""
    if not address or not 0 < port < 65_536:
        raise ValueError("is no name server: write its address, such as 10.0.0.1 or 127.0.0.1:5353")
    return address, port


def base_url(value: object) -> str:
    """An http(s) URL without query, fragment, user and closing slash."""
    parts = _web_url(value)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def origin(value: object) -> str:
    """An http(s) URL without a path."""
    parts = _web_url(value)
    if parts.path.strip("/"):
        raise ValueError("has a path: write the scheme and host alone, such as https://sms.example.com")
    return f"{parts.scheme}://{parts.netloc}"


def smarthost(value: object) -> SmarthostUrl:
    """Host, port, TLS and user of ``smtp://user:{password}@host:587`` or ``smtps://…``."""
    parts = _url(value)
    if parts.scheme not in ("smtp", "smtps") or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("is no SMTP URL: write smtp://user:{password}@mail.example.com:587, or smtps://")
    if parts.password not in (None, "{password}"):
        raise ValueError("holds a password: write {password} there and give it in outbox.password")
    user = unquote(parts.username) if parts.username else None
    implicit = parts.scheme == "smtps"
    port = parts.port or (465 if implicit else 587)
    return SmarthostUrl(parts.hostname or "", port, "implicit" if implicit else "starttls", user)


def time_zone(value: object) -> ZoneInfo:
    """A time zone by its name in the IANA database."""
    written = text(value)
    if re.fullmatch(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}", written, re.ASCII):
        try:
            return ZoneInfo(written)
        except (OSError, ValueError, KeyError):  # unknown, or the name of a folder
            pass
    raise ValueError("is no time zone: write its IANA name, such as Australia/Sydney or UTC")


def _web_url(value: object) -> SplitResult:
    parts = _url(value)
    if parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise ValueError("is no web address: write it with http:// or https://, without ? and #")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or password: write the address without")
    return parts


def _url(value: object) -> SplitResult:
    wrong = "is no URL: write scheme://host, such as https://sms.example.com"
    written = text(value)
    if not _URL.fullmatch(written):
        raise ValueError(wrong)
    try:
        parts = urlsplit(written)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(wrong) from None
    if not port_is_good or not _is_host(parts.hostname or ""):
        raise ValueError(wrong)
    return parts


def _is_host(host: str) -> bool:
    for reads in (ip_address, host_name):
        try:
            reads(host)
        except ValueError:
            continue
        return True
    return False
