"""Header fields written safely: every value checked or encoded, folded, and the result read again.

Sources: RFC 5322 (2.2.3 folding, 3.2.4 quoted strings), RFC 2047 (encoded words), RFC 6532 (UTF-8 addresses).
Python's own writer puts a decoded line end into the mail; nothing here can.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from email.errors import MultipartInvariantViolationDefect
from email.parser import BytesHeaderParser
from typing import Final

from bridge.errors import RenderError

Field = tuple[str, str]  # a name, and a value that may hold "\r\n " only where it is folded

MAX_REFERENCES: Final = 20
_WIDTH: Final = 78  # RFC 5322, 2.1.1: lines should be no longer
_CHUNK: Final = (
    42  # octets of an encoded word: with =?utf-8?B?…?= it stays within 75 characters (RFC 2047, 2)
)
_PRINTABLE: Final = re.compile(r"[ -~]*")
_LONG_WORD: Final = re.compile(r"[^ ]{61}")
_NAME: Final = re.compile(rb"([A-Za-z][A-Za-z0-9-]*):")
_ADDRESS: Final = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\"(),:;<>@\[\\\]\ud800-\udfff]{1,64}@"
    r"(?:[A-Za-z0-9._\u00a1-\u1fff\u3001-\ud7ff\ue000-\U0010ffff-]{1,253}|\[[0-9A-Fa-f:.IPv]{2,45}\])"
)
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,240}>")


def text(value: str) -> str:
    """Any text as the value of an unstructured field: as it is when plain ASCII, else as encoded words."""
    if _PRINTABLE.fullmatch(value) and "=?" not in value and not _LONG_WORD.search(value):
        return value
    return " ".join(_encoded_words(value))


def address(value: str) -> str:
    """``value`` when it is one bare address. Raises `RenderError` for anything else."""
    if not _ADDRESS.fullmatch(value):
        raise RenderError("an address of the mail is malformed")
    return value


def mailbox(name: str, addr: str) -> str:
    """``"name" <addr>``; the name quoted, or as encoded words when it is not plain ASCII."""
    if not name:
        return address(addr)
    if _PRINTABLE.fullmatch(name) and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address(addr)}>'
    return f"{' '.join(_encoded_words(name))} <{address(addr)}>"


def message_ids(values: Iterable[str]) -> str:
    """The well-formed Message-IDs among ``values``, once each: of many, the first and the newest."""
    good = [value for value in dict.fromkeys(values) if _MESSAGE_ID.fullmatch(value)]
    if len(good) > MAX_REFERENCES:
        good = [good[0], *good[1 - MAX_REFERENCES :]]
    return " ".join(good)


def write(fields: Sequence[Field]) -> bytes:
    """The fields as octets, folded, with CRLF. Raises `RenderError` when they do not read back."""
    octets = b"".join(f"{_folded(name, value)}\r\n".encode() for name, value in fields)
    check(octets + b"\r\n", [name for name, _ in fields])
    return octets


def check(raw: bytes, names: Sequence[str]) -> None:
    """Raise `RenderError` unless the header of ``raw`` has exactly the fields ``names``, in this order.

    Read twice: line by line as a strict server does, and by Python's parser, which takes more for a line end.
    """
    head, _, _ = raw.partition(b"\r\n\r\n")
    strict = [_name_of(line) for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    parsed = BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
    # Python in older patch releases calls a multipart mail that is read without its body a defect.
    defects = [one for one in parsed.defects if not isinstance(one, MultipartInvariantViolationDefect)]
    if strict != list(names) or parsed.keys() != list(names) or defects:
        raise RenderError("the header of the mail does not read back as it was written")


def _name_of(line: bytes) -> str:
    match = _NAME.match(line)
    return match[1].decode("ascii") if match and len(line) <= 998 else ""


def _encoded_words(value: str) -> Iterator[str]:
    chunk = b""
    for character in value:
        octets = character.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _CHUNK:
            yield _encoded(chunk)
            chunk = b""
        chunk += octets
    yield _encoded(chunk)


def _encoded(octets: bytes) -> str:
    return f"=?utf-8?B?{b64encode(octets).decode('ascii')}?="


def _folded(name: str, value: str) -> str:
    """``name: value`` folded at blanks; its first word stays on the first line, whatever its length."""
    lines, line, words = [], f"{name}:", 0
    for word in value.split():
        if words and len(line) + 1 + len(word) > _WIDTH:
            lines.append(line)
            line, words = "", 0
        line, words = f"{line} {word}", words + 1
    return "\r\n".join([*lines, line])
