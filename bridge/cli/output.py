"""How the command line prints: one JSON object a line for machines, aligned columns for people.

Whatever a mail or a phone said is shown without what could steer a terminal or turn its direction.
"""

import datetime
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_WIDEST: Final = 60  # characters of one column; longer values end in an ellipsis

# Control characters of both sets, lone surrogates, line and paragraph ends, direction marks, interlinear and
# invisible tags. Joiners stay: emoji and scripts need them.
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def as_json(objects: Iterable[Mapping[str, Any]]) -> None:
    """Print each object on a line of its own."""
    plain = "utf" not in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    for one in objects:
        line = json.dumps(one, ensure_ascii=plain, default=str)
        print(_UNSEEN.sub(lambda found: json.dumps(found.group())[1:-1], line))


def as_table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], empty: str, *, whole: str = ""
) -> None:
    """Print ``columns`` of the rows aligned under their names, the one named ``whole`` uncut; or ``empty``."""
    cells = [[_cell(row.get(name), name == whole) for name in columns] for row in rows]
    if not cells:
        print(empty, file=sys.stderr)
        return
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    for line in [[name.upper().replace("_", " ") for name in columns], *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def clean(text: str) -> str:
    """Return ``text`` without what could steer a terminal or turn its direction."""
    return _UNSEEN.sub("\ufffd", text)


def shorter(text: str) -> str:
    """Return ``text`` on one line, cut to the width of a column."""
    line = _line(text)
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"


def iso(at: int | None) -> str | None:
    """Return a time in ms UTC as ISO 8601, for machines."""
    if at is None:
        return None
    return datetime.datetime.fromtimestamp(at / 1000, datetime.UTC).isoformat(timespec="milliseconds")


def local(at: int, zone: datetime.tzinfo) -> str:
    """Return a time in ms UTC as the operator's clock shows it."""
    return datetime.datetime.fromtimestamp(at / 1000, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def days(ms: int | None) -> str:
    """Return a time that is given in the configuration, for people: ``for 30 days``, ``for ever``."""
    if ms is None:
        return "for ever"
    return f"for {ms / _DAY_MS:.0f} days" if ms >= 2 * _DAY_MS else f"for {ms / _HOUR_MS:.0f} hours"


def fail(say: str) -> int:
    """Print one sentence to stderr and return the exit code 1."""
    print(f"smsbridge: {clean(say)}", file=sys.stderr)
    return 1


def _line(text: str) -> str:
    return clean(" ".join(text.split()))


def _cell(value: object, whole: bool) -> str:
    text = "" if value is None else str(value)
    return _line(text) if whole else shorter(text)
