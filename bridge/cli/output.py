"""How the command line prints: one JSON object a line for machines, aligned columns for people."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_WIDEST: Final = 60  # characters of one column; longer values end in an ellipsis
_UNSEEN: Final = dict.fromkeys(
    (*range(32), *range(127, 160), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"
)


def as_json(objects: Iterable[Mapping[str, Any]]) -> None:
    """Print each object on a line of its own."""
    for one in objects:
        print(json.dumps(one, ensure_ascii=False, default=str))


def as_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], empty: str) -> None:
    """Print ``columns`` of the rows aligned under their names, or ``empty`` when there are none."""
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    if not cells:
        print(empty, file=sys.stderr)
        return
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    for line in [[name.upper().replace("_", " ") for name in columns], *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def clean(text: str) -> str:
    """Return ``text`` without what could steer a terminal or turn its direction."""
    return text.translate(_UNSEEN)


def _cell(value: object) -> str:
    text = "" if value is None else clean(str(value).replace("\n", " "))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def fail(say: str) -> int:
    """Print one sentence to stderr and return the exit code 1."""
    print(f"smsbridge: {say}", file=sys.stderr)
    return 1
