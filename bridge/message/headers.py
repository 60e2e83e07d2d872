"""Header fields of a mail or of one of its parts, split in the raw bytes so that nothing is hidden from us.

Owns the caps on headers. Unknown here: what a field means, and the body behind the blank line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.errors import MailError

MAX_OCTETS = 256 * 1024  # all header fields of the mail and its parts together
MAX_FIELDS = 1_000
MAX_PARTS = 100
MAX_FIELD = 8 * 1024
MAX_LONG_FIELD = 64 * 1024  # honest To lists are long, and so are some signatures

_LONG = frozenset({"to", "cc", "subject", "dkim-signature"})
_READ = frozenset({"from", "message-id"})
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,200})([ \t]*):")
_HIDDEN_FROM = re.compile(rb"(?im)^[^\S\n]*from[ \t]*:")
_BLANK = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")


@dataclass(slots=True)
class Budget:
    """What is left of the caps while one mail is read; shared by all its parts."""

    octets: int = MAX_OCTETS
    fields: int = MAX_FIELDS
    parts: int = MAX_PARTS

    def take_octets(self, count: int) -> None:
        """Count header octets. Raises `MailError` beyond 256 KiB."""
        self.octets -= count
        if self.octets < 0:
            raise MailError("the mail has more than 256 KiB of header fields")

    def take_field(self) -> None:
        """Count one header field. Raises `MailError` beyond 1,000."""
        self.fields -= 1
        if self.fields < 0:
            raise MailError("the mail has more than 1,000 header fields")

    def take_part(self) -> None:
        """Count one MIME part. Raises `MailError` beyond 100."""
        self.parts -= 1
        if self.parts < 0:
            raise MailError("the mail has more than 100 parts")


@dataclass(frozen=True, slots=True)
class Field:
    """One header field: its lower-case name, its unfolded raw value, and whether blanks stood before the
    colon.
    """

    name: str
    value: bytes
    spaced: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """The header fields of a mail or part, in order, and the offset at which its body begins."""

    fields: tuple[Field, ...]
    body_at: int

    def all(self, name: str) -> Sequence[Field]:
        """All fields of that lower-case name."""
        return [field for field in self.fields if field.name == name]

    def first(self, name: str) -> bytes:
        """The value of the first field of that name, or ``b""``."""
        return next((field.value for field in self.fields if field.name == name), b"")


def split(raw: bytes, start: int, end: int, budget: Budget) -> Head:
    """The header fields in ``raw[start:end]``. A line that is no field ends them, as in Postfix.

    Raises `MailError` over a cap, or when a From field stands behind such a line: readers would differ on it.
    """
    found: list[_Found] = []
    position = _past_envelope_line(raw, start, end)
    while position < end:
        line_end = _line_end(raw, position, end, budget)
        first = raw[position]
        if first in b" \t" and found:
            found[-1].end = line_end
        elif match := _FIELD.match(raw, position, line_end):
            budget.take_field()
            found.append(_Found(match, line_end))
        elif raw[position:line_end] in (b"\n", b"\r\n"):
            position = line_end
            break
        else:
            budget.take_octets(position - line_end)  # given back: this line is text
            _refuse_hidden_from(raw, position, end, bool(found))
            break
        position = line_end
    return Head(tuple(field for one in found if (field := one.field(raw))), position)


@dataclass(slots=True)
class _Found:
    """A field as it was met: its name's match, and where it ends so far."""

    match: re.Match[bytes]
    end: int

    def field(self, raw: bytes) -> Field | None:
        """The field, None for one too long that nobody reads. Raises `MailError` if it had to be read."""
        name = self.match[1].decode("ascii").lower()
        if not _fits(name, self.end - self.match.start()):
            return None
        value = raw[self.match.end() : self.end].strip()
        if b"\n" in value:
            value = _LINE_END.sub(b"", value)
        return Field(name, value, spaced=bool(self.match[2]))


def _past_envelope_line(raw: bytes, start: int, end: int) -> int:
    """The offset behind an mbox envelope line ("From x@y Mon …"), which some tools leave on top."""
    if raw.startswith((b"From ", b">From "), start, end) and not _FIELD.match(raw, start, end):
        return raw.find(b"\n", start, min(end, start + MAX_FIELD)) + 1 or start
    return start


def _line_end(raw: bytes, position: int, end: int, budget: Budget) -> int:
    """The offset behind this line's end; counts its octets."""
    found = raw.find(b"\n", position, min(end, position + budget.octets + 1))
    line_end = end if found < 0 else found + 1
    budget.take_octets(line_end - position)
    return line_end


def _refuse_hidden_from(raw: bytes, position: int, end: int, after_fields: bool) -> None:
    if not after_fields:
        return
    blank = _BLANK.search(raw, position, min(end, position + MAX_OCTETS))
    stop = blank.start() if blank else min(end, position + MAX_OCTETS)
    if _HIDDEN_FROM.search(raw, position, stop):
        raise MailError("the header holds a line that is no field before a From field")


def _fits(name: str, size: int) -> bool:
    """Whether a field of that size is looked at at all. Raises `MailError` for one that we have to read."""
    if name in _LONG:
        if size > MAX_LONG_FIELD:
            raise MailError(f"the {name} field is over 64 KiB")
    elif size > MAX_FIELD:
        if name in _READ or name.startswith("content-"):
            raise MailError("a From, Message-ID or Content field is over 8 KiB")
        return False
    return True
