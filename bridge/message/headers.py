"""Header fields of a mail or of one of its parts, split in the raw bytes so that nothing is hidden from us.

Owns the caps on headers. Unknown here: what a field means, and the body behind the blank line.
"""

import re
from collections.abc import KeysView, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.errors import MailError

MAX_OCTETS = 256 * 1024  # all header fields of the mail and its parts together
MAX_FIELDS = 1_000
MAX_PARTS = 100
MAX_FIELD = 8 * 1024
MAX_LONG_FIELD = 64 * 1024  # honest To lists are long, and so are some signatures

_LONG = frozenset({"to", "cc", "subject", "dkim-signature"})
_READ = frozenset({"from", "message-id"})
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,200})([ \t]*):")
_WHOLE_FIELD = re.compile(_FIELD.pattern + rb"([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
_HIDDEN_FROM = re.compile(rb"(?im)^[^\S\n]*from[ \t]*:")
_BLANK_LINE = re.compile(rb"\r?\n")
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


class Head:
    """The header fields of a mail or part, in order, and the offset at which its body begins."""

    __slots__ = ("_firsts", "body_at", "fields")

    def __init__(self, fields: Sequence[Field], body_at: int) -> None:
        self.fields: Final = tuple(fields)
        self.body_at: Final = body_at
        self._firsts = {field.name: field.value for field in reversed(self.fields)}

    @property
    def names(self) -> KeysView[str]:
        """The lower-case names of its fields."""
        return self._firsts.keys()

    def all(self, name: str) -> Sequence[Field]:
        """All fields of that lower-case name."""
        return [field for field in self.fields if field.name == name] if name in self._firsts else ()

    def first(self, name: str) -> bytes:
        """The value of the first field of that name, or ``b""``."""
        return self._firsts.get(name, b"")


def split(raw: bytes, start: int, end: int, budget: Budget) -> Head:
    """The header fields in ``raw[start:end]``. A line that is no field ends them, as in Postfix.

    Raises `MailError` over a cap, or when a From field stands behind such a line: readers would differ on it.
    """
    found: list[Field] = []
    position = begin = _past_envelope_line(raw, start, end)
    # No more is looked at than may be: what goes over that counts as one octet more, and so is refused.
    while match := _WHOLE_FIELD.match(raw, position, bound := min(end, position + budget.octets + 1)):
        budget.take_octets(match.end() - position)
        budget.take_field()
        position = match.end()
        if field := _field(match):
            found.append(field)
    if bound < end and raw.find(b"\n", position, bound) < 0:
        budget.take_octets(bound - position)
    blank = _BLANK_LINE.match(raw, position, end)
    if blank:
        budget.take_octets(len(blank[0]))
        position = blank.end()
    elif position > begin:
        _refuse_hidden_from(raw, position, end)
    return Head(found, position)


def _field(match: re.Match[bytes]) -> Field | None:
    """The field, None for one too long that nobody reads. Raises `MailError` if it had to be read."""
    name, spaced, value = match.groups()
    known_as = name.decode("ascii").lower()
    if len(match[0]) > MAX_FIELD and not _is_looked_at(known_as, len(match[0])):
        return None
    value = value.strip()
    if b"\n" in value:
        value = _LINE_END.sub(b"", value)
    return Field(known_as, value, bool(spaced))


def _past_envelope_line(raw: bytes, start: int, end: int) -> int:
    """The offset behind an mbox envelope line ("From x@y Mon …"), which some tools leave on top."""
    if raw.startswith((b"From ", b">From "), start, end) and not _FIELD.match(raw, start, end):
        return raw.find(b"\n", start, min(end, start + MAX_FIELD)) + 1 or start
    return start


def _refuse_hidden_from(raw: bytes, position: int, end: int) -> None:
    blank = _BLANK.search(raw, position, min(end, position + MAX_OCTETS))
    stop = blank.start() if blank else min(end, position + MAX_OCTETS)
    if _HIDDEN_FROM.search(raw, position, stop):
        raise MailError("the header holds a line that is no field before a From field")


def _is_looked_at(name: str, size: int) -> bool:
    """Whether a field longer than 8 KiB is. Raises `MailError` for one that we have to read."""
    if name in _LONG:
        if size > MAX_LONG_FIELD:
            raise MailError(f"the {name} field is over 64 KiB")
        return True
    if name in _READ or name.startswith("content-"):
        raise MailError("a From, Message-ID or Content field is over 8 KiB")
    return False
