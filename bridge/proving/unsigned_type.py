"""Whether the signed body itself says what an unsigned Content-Type says of it. Pure.

Google and Yahoo do not cover Content-Type, so anybody who has seen such a mail can hand it in again under another one:
as one part instead of many, with a boundary that stands somewhere in a quoted text. Where the body leaves only one
reading open, and the field says that one, nothing was changed.
"""

import re
from typing import Final

from bridge.message.fields import content_type

_OF_PARTS: Final = frozenset({"multipart/alternative", "multipart/mixed", "multipart/related"})
# What Thunderbird and others write above the first part, for readers of old.
_PREAMBLE: Final = re.compile(
    rb"\AThis is a multi-?part message in MIME format\.?\r\n(?:\r\n)?", re.IGNORECASE
)
_CHARSETS: Final = frozenset({"utf-8", "us-ascii"})


def is_told_by_body(value: bytes, body: bytes) -> bool:
    """Whether ``value``, a Content-Type, is what can be seen in ``body`` (CRLF lines).

    A body whose first line, closed, is its last one too has parts with that boundary; any other is text in UTF-8, of
    markup if it begins so.
    """
    kind = content_type(value, "text/plain")
    first = _PREAMBLE.sub(b"", body, count=1).partition(b"\r\n")[0].rstrip(b" \t")
    if len(first) > 2 and first.startswith(b"--") and body.rstrip().endswith(b"\n" + first + b"--"):
        boundary = kind.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
        return kind.kind in _OF_PARTS and boundary == first[2:]
    wanted = "text/html" if body.lstrip().startswith(b"<") else "text/plain"
    return kind.kind == wanted and kind.parameters.get("charset", "utf-8").lower() in _CHARSETS
