"""Who is calling: the address behind trusted proxies, and credentials compared in constant time. Pure."""

import hmac
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bridge.event import Fields, text_of
from bridge.rules import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Pair = tuple[str, str]

MAX_HOPS: Final = 20


def same(given: str, known: str) -> bool:
    """Return whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode("utf-8", "surrogatepass"))


def proven(fields: Fields, headers: Mapping[str, str], pairs: Iterable[Pair]) -> bool:
    """Return whether the webhook's Sender and Token (or APIKey) are one of ``pairs``.

    The body's credentials count; only a body without any is proven by the headers X-Sender and Authorization.
    Raises EventError when they are something else than text.
    """
    sender, token = text_of(fields, "sender"), text_of(fields, "token", "apikey")
    if not sender and not token:
        sender, token = headers.get("x-sender", ""), headers.get("authorization", "")
    found = False
    for known_sender, known_token in pairs:
        right = same(sender.strip().lower(), known_sender.lower()) & same(token.strip(), known_token)
        found |= right and bool(known_token)
    return found


def caller(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> Address | None:
    """Return the address that called, None if it cannot be read.

    ``forwarded`` are the X-Forwarded-For headers; a hop is believed only while the one before is a proxy of
    ours, so that nobody can write his own address.
    """
    address = _address(peer)
    hops = [hop for header in forwarded for hop in header.split(",")]
    for hop in reversed(hops[-MAX_HOPS:]):
        if address is None or not within(address, proxies):
            return address
        address = _address(hop.strip())
    return address


def within(address: Address, networks: Sequence[Network]) -> bool:
    """Return whether one of the networks holds the address."""
    return any(address in network for network in networks)


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text[:60].strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
