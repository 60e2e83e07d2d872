"""Content-Transfer-Encoding undone, faults and all (RFC 2045, 6), and format=flowed joined (RFC 3676).

What cannot be decoded is given back as it stands: a line of rubbish in an SMS is better than a lost alarm.
"""

import binascii
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\s]")
_BLANKS = re.compile(rb"\s+")
_SEGMENT = re.compile(rb"([A-Za-z0-9+/\s]*)(=[=\s]*)?")
_MAX_SEGMENTS = 32  # pieces of base64 glued together by gateways; more is junk
_BLANKS_BEHIND_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")
_MAX_ENCODED_LINE = 200  # octets of a line of base64; RFC 2045 says 76
_UU_BEGIN = re.compile(r"begin(?:-base64)? [0-7]{3,4} \S[^\n]{0,200}")
_UU_LINE = re.compile(r"[ -`]{1,90}")
_QUOTES = re.compile(r">+")


def decode(data: bytes, encoding: str) -> bytes:
    """``data`` without its transfer encoding; an unknown encoding changes nothing."""
    if encoding == "base64":
        return _base64(data)
    if encoding == "quoted-printable":
        # RFC 2045, 6.7: blanks at a line's end came on the way; behind "=" they would undo the soft break
        return binascii.a2b_qp(
            _BLANKS_BEHIND_BREAK.sub(b"=", data) if b"= " in data or b"=\t" in data else data
        )
    return data


def _base64(data: bytes) -> bytes:
    """Base64 with stray octets, missing padding, glued pieces, or a clear text footer behind it."""
    sample = data[:4096]
    junk = len(_NOT_BASE64.findall(sample)) * 20 > len(sample) or _looks_clear(sample)
    if junk and not _begins_encoded(sample):
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
        ended = match[2] is not None or data[:position].endswith(b"\n")
        if ended and any(_is_spoken(line) for line in rest.split(b"\n")[:20]):
            decoded.append(b"\n" + data[position:])
            break
        if _NOT_BASE64.match(
            rest
        ):  # one stray octet inside a line: what follows belongs to what stood before
            cleaned = _NOT_BASE64.sub(b"", match[1] + data[position:])
            decoded[-1] = _base64(cleaned)
            break
    return b"".join(decoded)


def _begins_encoded(sample: bytes) -> bool:
    """Whether the first line is base64 of text beyond doubt: a short SMS above a long clear footer."""
    first = sample.lstrip().partition(b"\n")[0].strip()[:_MAX_ENCODED_LINE]
    if len(first) % 4 or _SEGMENT.fullmatch(first) is None or len(first) < 4:
        return False
    try:
        text = binascii.a2b_base64(first).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return all(character.isprintable() or character.isspace() for character in text)


def _looks_clear(sample: bytes) -> bool:
    """Whether this is words and not base64, whose lines have no blanks inside and fours of letters."""
    lines = [line for line in sample.split(b"\n")[:20] if line.strip()]
    spoken = sum(map(_is_spoken, lines))
    return spoken * 2 > len(lines) or (spoken > 0 and len(lines[0].strip()) % 4 > 0)


def _is_spoken(line: bytes) -> bool:
    return b" " in line.strip()


def _piece(octets: bytes) -> bytes:
    letters = _BLANKS.sub(b"", octets)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def without_uuencoded(text: str) -> str:
    """``text`` without files that old clients write into it: ``begin 644 name`` to ``end``."""
    if "begin" not in text:
        return text
    lines, kept, index = text.split("\n"), list[str](), 0
    while index < len(lines):
        end = _uuencoded_until(lines, index) if lines[index].startswith("begin") else index
        if end == index:
            kept.append(lines[index])
            end += 1
        index = end
    return "\n".join(kept)


def _uuencoded_until(lines: list[str], begin: int) -> int:
    """The line behind the file that begins at line ``begin``, or ``begin`` when none does."""
    if not _UU_BEGIN.fullmatch(lines[begin]):
        return begin
    for index in range(begin + 1, len(lines)):
        if lines[index].rstrip() in ("end", "===="):
            return index + 1
        if lines[index] and not _UU_LINE.fullmatch(lines[index]):
            return begin
    return begin


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
