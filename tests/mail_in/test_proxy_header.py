"""Headers of the PROXY protocol, octet by octet: right ones read, all others refused, none waited for in vain."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail_in import proxy
from bridge.mail_in.proxy import Header, NotProxy, read

LONGEST = ":".join(["ffff"] * 8)
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(command: int, family: int, block: bytes) -> bytes:
    return SIGNATURE + struct.pack(">BBH", command, family, len(block)) + block


def tcp4(source: str, extensions: bytes = b"") -> bytes:
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address("192.0.2.1").packed
    return v2(0x21, 0x11, addresses + b"\x9c\x40\x00\x19" + extensions)


def tcp6(source: str) -> bytes:
    return v2(0x21, 0x21, ipaddress.IPv6Address(source).packed + b"\0" * 16 + b"\x9c\x40\x00\x19")


@pytest.mark.parametrize(
    ("octets", "address"),
    [
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\r\n", "203.0.113.7"),
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
        (b"PROXY TCP6 2001:DB8::1 ::1 40000 25\r\n", "2001:db8::1"),
        (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 40000 25\r\n", "203.0.113.7"),
        (
            f"PROXY TCP6 {LONGEST} {LONGEST} 65535 65535\r\n".encode(),
            LONGEST,
        ),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN whatever stands here 1 2\r\n", None),
        (tcp4("203.0.113.7"), "203.0.113.7"),
        (tcp4("203.0.113.7", b"\x04\x00\x03abc"), "203.0.113.7"),
        (tcp6("2001:db8::1"), "2001:db8::1"),
        (tcp6("::ffff:203.0.113.7"), "203.0.113.7"),
        (v2(0x20, 0x00, b""), None),
        (v2(0x20, 0x11, b"\x7f\0\0\1\x7f\0\0\1\0\1\0\1"), None),
        (v2(0x21, 0x00, b"\x04\x00\x01x"), None),
        (v2(0x21, 0x31, b"\0" * 216), None),
    ],
)
def test_a_whole_header_names_the_client_and_what_follows_it_is_left(
    octets: bytes, address: str | None
) -> None:
    assert read(octets) == read(octets + b"EHLO c\r\n") == Header(address, len(octets))
    for length in range(len(octets)):
        assert read(octets[:length]) is None, "a part of a header is waited for"


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO c\r\n", b"PROXYTCP4", b"proxy TCP4 203.0.113.7 192.0.2.1 40000 25\r\n", b"\x16\x03\x01\x02\x00",
        b"PROXY \r\n", b"PROXY TCP4\r\n", b"PROXY TCP5 203.0.113.7 192.0.2.1 1 1\r\n", b"PROXY UNKNOWNX\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\n", b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25 \r\n",
        b"PROXY TCP4  203.0.113.7 192.0.2.1 40000 25\r\n", b"PROXY TCP4 203.0.113.07 192.0.2.1 40000 25\r\n",
        b"PROXY TCP4 203.0.113.256 192.0.2.1 40000 25\r\n", b"PROXY TCP4 2001:db8::1 ::1 40000 25\r\n",
        b"PROXY TCP6 203.0.113.7 192.0.2.1 40000 25\r\n", b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 25\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 040 25\r\n", b"PROXY TCP4 203.0.113.7 192.0.2.1 40000\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\r\r\n", b"PROXY TCP6 fe80::1%lo ::1 40000 25\r\n",
        b"PROXY UNKNOWN " + b"x" * 93, b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", b"PROXY TCP4 " + b"1" * 96,
        v2(0x11, 0x11, b"\0" * 12), v2(0x22, 0x11, b"\0" * 12), v2(0x21, 0x11, b"\0" * 11),
        v2(0x21, 0x21, b"\0" * 35), v2(0x21, 0x12, b"\0" * 12), v2(0x21, 0x22, b"\0" * 36), v2(0x21, 0x99, b""),
        v2(0x20, 0x00, b"\0" * 5_000), SIGNATURE + b"\x21\x11\xff\xff",
    ],
)  # fmt: skip
def test_anything_else_is_refused(octets: bytes) -> None:
    with pytest.raises(NotProxy):
        read(octets)


LIKELY = st.lists(
    st.sampled_from([b"PROXY ", b"TCP4 ", b"TCP6 ", b"UNKNOWN", b"1.2.3.4 ", b"::1 ", b"25", b" ", b"\r\n", SIGNATURE,
                     b"\x21", b"\x20", b"\x11", b"\x00\x0c", b"\x00" * 12, b"\xff"])
    | st.binary(max_size=8),
    max_size=12,
).map(b"".join)  # fmt: skip


@given(LIKELY | st.binary(max_size=200))
def test_whatever_is_said_is_read_or_refused_within_a_bound(octets: bytes) -> None:
    try:
        found = read(octets)
    except NotProxy:
        return
    if found is None:
        assert len(octets) < proxy.MAX_V2
        assert octets.startswith(SIGNATURE) or len(octets) < proxy.MAX_V1
    else:
        assert found.length <= min(len(octets), proxy.MAX_V2)
        if found.address is not None:
            assert str(ipaddress.ip_address(found.address)) == found.address


@given(st.ip_addresses(), st.binary(max_size=300))
def test_any_address_is_read_as_it_was_sent(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, rest: bytes
) -> None:
    mapped = address.ipv4_mapped if address.version == 6 else None
    expected = str(mapped or address)
    line = f"PROXY TCP{address.version} {address} {address} 1 2\r\n".encode()
    binary = tcp4(str(address), rest) if address.version == 4 else tcp6(str(address))
    assert read(line + rest) == Header(expected, len(line))
    assert read(binary) == Header(expected, len(binary))
