"""Content-Transfer-Encoding undone, faults and all (RFC 2045, 6), and format=flowed joined (RFC 3676).

What cannot be decoded is given back as it stands: a line of rubbish in an SMS is better than a lost alarm.
"""

import binascii
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\s]")
_BLANKS = re.compile(rb"\s+")
_SEGMENT = re.compile(rb"([A-Za-z0-9+/\s]*)(=[=\s]*)?")
_MAX_SEGMENTS = 32  # pieces of base64 glued together by gateways; more is junk
_QUOTES = re.compile(r">+")


def decode(data: bytes, encoding: str) -> bytes:
    """``data`` without its transfer encoding; an unknown encoding changes nothing."""
    if encoding == "base64":
        return _base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    return data


def _base64(data: bytes) -> bytes:
    """Base64 with stray octets, missing padding, glued pieces, or a clear text footer behind it."""
    sample = data[:4096]
    if len(_NOT_BASE64.findall(sample)) * 20 > len(sample) or _looks_clear(sample):
        return data
    decoded, position = [], 0
    for _ in range(_MAX_SEGMENTS):
        match = _SEGMENT.match(data, position)
        if match is None or match.end() >= len(data):
            decoded.append(_piece(match[1] if match else b""))
            break
        decoded.append(_piece(match[1]))
        position = match.end()
        rest = data[position : position + 4096]
        if match[2] and _looks_clear(rest):
            decoded.append(b"\n" + data[position:])
            break
        if _NOT_BASE64.match(
            rest
        ):  # one stray octet inside a line: what follows belongs to what stood before
            cleaned = _NOT_BASE64.sub(b"", match[1] + data[position:])
            decoded[-1] = _base64(cleaned)
            break
    return b"".join(decoded)


def _looks_clear(sample: bytes) -> bool:
    """Whether this is words and not base64, in which a line has no blanks inside."""
    lines = [line.strip() for line in sample.split(b"\n")[:20] if line.strip()]
    spoken = sum(1 for line in lines if b" " in line)
    return spoken * 2 > len(lines)


def _piece(octets: bytes) -> bytes:
    letters = _BLANKS.sub(b"", octets)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def unflow(text: str, *, delete_space: bool) -> str:
    """The paragraphs of a format=flowed text: soft line breaks joined, stuffed blanks removed (RFC 3676,
    4.1).
    """
    paragraphs: list[str] = []
    pieces: list[str] = []
    depth_before = 0
    for line in text.replace("\r\n", "\n").split("\n"):
        quotes = _QUOTES.match(line)
        depth = quotes.end() if quotes else 0
        content = line[depth:].removeprefix(" ")
        soft = content.endswith(" ") and content != "-- "
        if pieces and (depth != depth_before or content == "-- "):
            paragraphs.append("".join(pieces))
            pieces = []
        if not pieces and depth:
            pieces.append(">" * depth + " ")
        pieces.append(content[:-1] if soft and delete_space else content)
        depth_before = depth
        if not soft:
            paragraphs.append("".join(pieces))
            pieces = []
    if pieces:
        paragraphs.append("".join(pieces))
    return "\n".join(paragraphs)
