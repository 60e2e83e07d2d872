"""Skims a big MIME mail as it arrives: headers, boundaries and texts are kept, other bodies read past.

What it keeps reads the same as the whole mail (`bridge.message` tells a part's kind); a 25 MB signature costs
no memory. Knows nothing of SMTP. In doubt it keeps, up to its caps.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bridge.errors import MailError
from bridge.message import fields, headers

MAX_PART: Final = (
    4 * 1024 * 1024 + 1
)  # `bridge.message` looks at 4 MiB of one part and says so of a longer one
MAX_KEPT: Final = 8 * 1024 * 1024
_MAX_HEAD: Final = headers.MAX_OCTETS + 1  # one header over its cap is enough for the mail to be refused
_MAX_BOUNDARY: Final = 200  # octets, as `bridge.message` reads it
_MAX_DEPTH: Final = 24  # more than `bridge.message` takes, so that it is what refuses
_MAX_PARTS: Final = 110  # likewise
_MAX_LINE: Final = 320  # octets of a boundary line with the blanks that some mailers leave behind it

_FIELD: Final = re.compile(rb"[\x21-\x39\x3b-\x7e]{1,200}[ \t]*:")
_ENVELOPE_LINES: Final = (b"From ", b">From ")
_OPAQUE: Final = frozenset({"application", "image", "audio", "video", "font", "model", "message", "chemical"})
_MARKUP: Final = "application/xhtml+xml"


@dataclass(slots=True)
class _Level:
    """One multipart that is open: the line before each of its parts, and whether one has come."""

    line: bytes
    opened: bool = False


class Skimmer:
    """Feed it the mail; it hands on what is kept. ``cut`` tells that texts over the caps were left out."""

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self.cut = False
        self._hand_on = keep
        self._kept = 0
        self._part_left = MAX_PART
        self._levels: list[_Level] = []
        self._pending = b""
        self._head: list[bytes] | None = []  # the header being read; None within a body
        self._head_size = 0
        self._parts = 0
        self._dropping = False
        self._line_start = True
        self._search = re.compile(b"$^")

    @property
    def waiting(self) -> int:
        """The octets it holds itself: a header not yet whole, a line not yet ended."""
        return self._head_size + len(self._pending)

    def feed(self, data: bytes) -> None:
        """Take the next octets of the mail."""
        data = self._pending + data
        self._pending = b""
        position = 0
        while position < len(data):
            step = self._header_line if self._head is not None else self._body
            moved = step(data, position)
            if moved < 0:
                self._pending = data[position:]
                return
            position = moved

    def close(self) -> None:
        """The mail has ended."""
        rest, self._pending = self._pending, b""
        if self._head is not None:
            self._keep(b"".join(self._head))
            self._keep(rest)
            self._head = None
        elif self._boundary(rest.removeprefix(b"\n")) is not None:
            self._keep(rest)
        else:
            self._take(rest)

    def _header_line(self, data: bytes, position: int) -> int:
        """Read one line of a header; where the next begins, or -1 for "more octets first"."""
        end = data.find(b"\n", position) + 1
        if not end and len(data) - position + self._head_size <= _MAX_HEAD:
            return -1
        line = data[position : end or len(data)]
        if line.startswith(b"--") and self._boundary(line) is not None:
            self._end_head(b"")
            return self._cross(line, position)
        if line in (b"\n", b"\r\n"):
            self._end_head(line)
            return position + len(line)
        if self._belongs(line):
            assert self._head is not None
            self._head.append(line)
            self._head_size += len(line)
            if self._head_size > _MAX_HEAD:
                self._end_head(b"")
            return position + len(line)
        self._end_head(b"")
        return position

    def _belongs(self, line: bytes) -> bool:
        """Whether this line is still of the header: a field, one that goes on, or an mbox line on top."""
        if line[:1] in (b" ", b"\t"):
            return bool(self._head) and not (len(self._head or ()) == 1 and self._on_envelope())
        return bool(_FIELD.match(line)) or (not self._head and line.startswith(_ENVELOPE_LINES))

    def _on_envelope(self) -> bool:
        first = (self._head or [b""])[0]
        return first.startswith(_ENVELOPE_LINES) and not _FIELD.match(first)

    def _end_head(self, blank: bytes) -> None:
        """The header is whole: keep it, and settle what becomes of the body behind it."""
        head = b"".join(self._head or ())
        self._head, self._head_size, self._line_start = None, 0, True
        self._keep(head + blank)
        self._part_left = MAX_PART
        try:
            found = headers.split(head, 0, len(head), headers.Budget())
        except MailError:  # the reader will refuse the mail for it
            self._dropping = False
            return
        kind = fields.content_type(found.first("content-type"), "text/plain")
        if kind.main == "multipart":
            self._dropping = False
            self._open(kind.parameters.get("boundary", ""))
            return
        place = fields.disposition(found.first("content-disposition")).kind
        opaque = place == "attachment" or (kind.main in _OPAQUE and kind.kind != _MARKUP)
        self._dropping = opaque and bool(blank)  # what follows a header without blank line is looked at

    def _open(self, boundary: str) -> None:
        octets = boundary.rstrip().encode("utf-8", "replace")[:_MAX_BOUNDARY]
        if octets and len(self._levels) < _MAX_DEPTH:
            self._levels.append(_Level(b"--" + octets))
            self._learn_boundaries()

    def _close_levels(self, first: int) -> None:
        if first < len(self._levels):
            del self._levels[first:]
            self._learn_boundaries()

    def _learn_boundaries(self) -> None:
        lines = b"|".join(re.escape(level.line) for level in self._levels)
        self._search = re.compile(rb"\n(?:" + lines + rb")(?:--)?[ \t]{0,100}\r?\n")

    def _body(self, data: bytes, position: int) -> int:
        """Read a body up to the next boundary line; as `_header_line`."""
        if not self._levels:
            self._take(data[position:])
            return len(data)
        if self._line_start and data[position] == 45:  # "-"
            return self._dashes(data, position)
        self._line_start = False
        found = self._search.search(data, position)
        if found:
            self._take(data[position : found.start() + 1])
            self._line_start = True
            return found.start() + 1
        last = data.rfind(b"\n", max(position, len(data) - _MAX_LINE))
        if last < 0 or not b"\n--".startswith(data[last : last + 3]):
            last = len(data)
        if last == position:
            return -1
        self._take(data[position:last])
        return last

    def _dashes(self, data: bytes, position: int) -> int:
        """Read a line that begins with a dash: a boundary, or text."""
        end = data.find(b"\n", position, position + _MAX_LINE) + 1
        if not end and len(data) - position < _MAX_LINE:
            return -1
        if end and self._boundary(data[position:end]) is not None:
            return self._cross(data[position:end], position)
        self._line_start = False
        self._take(data[position : position + 1])
        return position + 1

    def _boundary(self, line: bytes) -> tuple[int, bool] | None:
        """The level whose boundary ``line`` is, and whether it closes it."""
        bare = line[:-1] if line.endswith(b"\n") else line
        bare = (bare[:-1] if bare.endswith(b"\r") else bare).rstrip(b" \t")
        for index, level in enumerate(self._levels):
            if bare == level.line:
                return index, False
            if bare == level.line + b"--":
                return index, True
        return None

    def _cross(self, line: bytes, position: int) -> int:
        """Step over a boundary line: into the next part's header, or behind a multipart."""
        met = self._boundary(line)
        assert met is not None
        index, closes = met
        self._keep(line)
        self._line_start = True
        opened = self._levels[index].opened
        self._close_levels(index if closes else index + 1)
        self._parts += 1
        if self._parts > _MAX_PARTS:
            self._levels.clear()
            self._head, self._dropping, self.cut = None, True, True
        elif closes:  # closed before any part: then all of it is text to a reader
            self._head, self._dropping = None, opened
        else:
            self._levels[index].opened = True
            self._head, self._head_size = [], 0
        return position + len(line)

    def _take(self, body: bytes) -> None:
        """Octets of a body: kept when it is text and within the caps."""
        if self._dropping:
            return
        part = body[: self._part_left]
        self._part_left -= len(part)
        self._keep(part)

    def _keep(self, octets: bytes) -> None:
        if self.cut or self._kept + len(octets) > MAX_KEPT:
            self.cut = True
            return
        self._kept += len(octets)
        if octets:
            self._hand_on(octets)
