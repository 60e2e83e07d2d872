"""The PROXY protocol, versions 1 and 2: what a balancer says first on a connection, the address of its client.

Pure: octets in, a `Header` out. Who may say it is decided elsewhere. Source: "The PROXY protocol", HAProxy's
proxy-protocol.txt, 2.1 and 2.2; the section numbers below are its.
"""

import ipaddress
import re
import struct
from dataclasses import dataclass
from typing import Final

MAX_V1: Final = 107  # octets with its CRLF (2.1)
MAX_V2: Final = (
    4_096  # octets in all: addresses, and extensions that we read past; balancers send some hundred
)
_FIRST: Final = b"PROXY "
_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED: Final = 16  # octets of version 2 before the addresses
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESSES: Final = {_TCP4: 12, _TCP6: 36}
_UNNAMED: Final = frozenset({0x00, 0x31})  # AF_UNSPEC; a client of the balancer's own over a Unix socket

_V1: Final = re.compile(
    rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f.:]{2,45}) ([0-9A-Fa-f.:]{2,45}) (\d{1,5}) (\d{1,5})\r\n"
)
_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header of ``length`` octets. ``address`` is the client's, normal; None when the balancer names
    none: a health check of its own, or a client that has no IP address."""

    address: str | None
    length: int


class NotProxy(Exception):
    """What was said is no header, or none of a kind that may stand here."""


def read(octets: bytes) -> Header | None:
    """The header that ``octets`` begin with, None while more of it must come. Raises `NotProxy`."""
    if octets.startswith(_SIGNATURE):
        return _version_2(octets)
    if octets.startswith(_FIRST):
        return _version_1(octets)
    if _SIGNATURE.startswith(octets) or _FIRST.startswith(octets):
        return None
    raise NotProxy


def _version_1(octets: bytes) -> Header | None:
    line, end, _ = octets[:MAX_V1].partition(b"\n")
    if not end:
        if len(octets) >= MAX_V1:
            raise NotProxy
        return None
    length = len(line) + 1
    if _UNKNOWN.fullmatch(line + end):
        return Header(None, length)
    match = _V1.fullmatch(line + end)
    if match is None or any(_port(port) is None for port in match.group(4, 5)):
        raise NotProxy
    source, _ = (_address(match[1] == b"TCP6", text) for text in match.group(2, 3))
    return Header(source, length)


def _port(written: bytes) -> int | None:
    number = int(written)
    return number if number <= 65_535 and str(number).encode() == written else None


def _address(is_v6: bool, written: bytes) -> str:
    kind = ipaddress.IPv6Address if is_v6 else ipaddress.IPv4Address
    try:
        return _normal(kind(written.decode("ascii")))
    except ValueError:
        raise NotProxy from None


def _version_2(octets: bytes) -> Header | None:
    if len(octets) < _FIXED:
        return None
    command, family, size = struct.unpack_from(">BBH", octets, len(_SIGNATURE))
    length = _FIXED + size
    if command not in (_LOCAL, _PROXY) or length > MAX_V2:
        raise NotProxy
    if command == _PROXY and family not in _UNNAMED and size < _ADDRESSES.get(family, MAX_V2):
        raise NotProxy
    if len(octets) < length:
        return None
    if command == _LOCAL or family in _UNNAMED:
        return Header(None, length)
    width = 4 if family == _TCP4 else 16
    return Header(_normal(ipaddress.ip_address(octets[_FIXED : _FIXED + width])), length)


def _normal(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """As text; an IPv4 address in IPv6 form as IPv4, as rules name it."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
