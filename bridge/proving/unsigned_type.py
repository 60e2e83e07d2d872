"""Whether the signed body itself says what an unsigned Content-Type says of it. Pure.

Google and Yahoo do not cover Content-Type, so anybody who has seen such a mail can hand it in again under another one:
as one part instead of many, with a boundary that stands somewhere in a quoted text. Where the body leaves only one
reading open, and the field says that one, nothing was changed.
"""

import re
from dataclasses import dataclass
from typing import Final

from bridge.message.fields import content_type

_OF_PARTS: Final = frozenset({"multipart/alternative", "multipart/mixed", "multipart/related"})
# What Thunderbird and others write above the first part, for readers of old.
_PREAMBLE: Final = re.compile(
    rb"\AThis is a multi-?part message in MIME format\.?\r\n(?:\r\n)?", re.IGNORECASE
)
_CHARSETS: Final = frozenset({"utf-8", "us-ascii"})


@dataclass(frozen=True, slots=True)
class Shape:
    """What can be seen in a body: the ``boundary`` between its parts, empty if it has none, or else ``markup``."""

    boundary: bytes = b""
    markup: bool = False


def shape_of(body: bytes) -> Shape:
    """The shape of a body with CRLF lines.

    One whose first line, closed, is its last one too has parts with that boundary; any other is text, of markup if it
    begins so.
    """
    first = _PREAMBLE.sub(b"", body, count=1).partition(b"\r\n")[0].rstrip(b" \t")
    if len(first) > 2 and first.startswith(b"--") and body.rstrip().endswith(b"\n" + first + b"--"):
        return Shape(boundary=first[2:])
    return Shape(markup=body.lstrip().startswith(b"<"))


def is_told_by(shape: Shape, value: bytes) -> bool:
    """Whether ``value``, a Content-Type or none, is what can be seen in a body of that shape; its text is UTF-8."""
    kind = content_type(value, "text/plain")
    if shape.boundary:
        boundary = kind.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
        return kind.kind in _OF_PARTS and boundary == shape.boundary
    wanted = "text/html" if shape.markup else "text/plain"
    return kind.kind == wanted and kind.parameters.get("charset", "utf-8").lower() in _CHARSETS
