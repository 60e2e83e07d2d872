"""The header fields of a mail as octets, for those who sign them or write results into them.

Stricter than the reader of mails: a header of which two readers could think differently has no fields here at all.
"""

import re
from dataclasses import dataclass
from typing import Final

_NAME: Final = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,200})[ \t]*:")
_MAX_HEADER: Final = 256 * 1024
_MAX_FIELDS: Final = 1_000
_FOLDS: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class RawField:
    """One field: ``name`` as written (blanks before the colon included), ``value`` behind the colon to its CRLF."""

    name: bytes
    value: bytes

    @property
    def known_as(self) -> bytes:
        """Its name in lower case, without blanks."""
        return self.name.rstrip(b" \t").lower()


def fields_of(mail: bytes) -> tuple[RawField, ...] | None:
    """The fields of a mail with CRLF lines, in order; None if a line in its header is no field, or it is too big."""
    end = mail.find(b"\r\n\r\n", 0, _MAX_HEADER)
    header = mail[:end] if end >= 0 else mail.removesuffix(b"\r\n")
    if mail.startswith(b"\r\n"):
        header = b""
    if len(header) > _MAX_HEADER:
        return None
    found: list[list[bytes]] = []
    for line in header.split(b"\r\n") if header else ():
        if line[:1] in (b" ", b"\t"):
            if not found:
                return None
            found[-1].append(line)
        elif _NAME.match(line) and len(found) < _MAX_FIELDS:
            found.append([line])
        else:
            return None
    return tuple(_field(b"\r\n".join(lines)) for lines in found)


def body_of(mail: bytes) -> bytes:
    """The body of a mail with CRLF lines: what stands behind the first empty one."""
    return mail[2:] if mail.startswith(b"\r\n") else mail.partition(b"\r\n\r\n")[2]


def _field(octets: bytes) -> RawField:
    name, _, value = octets.partition(b":")
    return RawField(name, value + b"\r\n")


def bare(value: bytes) -> bytes:
    """A value without the blanks and folds around it."""
    return value.strip(_FOLDS)


def tags(value: bytes) -> dict[bytes, bytes] | None:
    """The tags of a list such as ``v=1; a=rsa-sha256`` (RFC 6376, 3.2); None if it is none or has one twice."""
    found: dict[bytes, bytes] = {}
    pieces = value.split(b";")
    if not bare(pieces[-1]):
        pieces.pop()
    for piece in pieces:
        name, equals, content = piece.partition(b"=")
        name = bare(name)
        if not equals or not _TAG.fullmatch(name) or name in found:
            return None
        found[name] = bare(content)
    return found


_TAG: Final = re.compile(rb"[A-Za-z][A-Za-z0-9_]{0,40}")
