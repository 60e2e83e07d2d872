"""What is wrong in a configuration file, and where: one value, one line of text.

Owns the form of that line (interface: `check-config`). It must not know YAML or the model.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
KeyPath = tuple[str | int, ...]

_MAX_KEY = 40  # characters of a key that are shown: a longer one is no key of ours
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_+*@-][A-Za-z0-9_+*@ -]*")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the value at ``path``, or about its key, before its place in the file is known."""

    path: KeyPath
    text: str
    severity: Severity = "error"
    of_key: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake or warning; ``line`` and ``column`` count from 1, ``key`` may be empty. Holds no secret."""

    file: str
    line: int
    column: int
    key: str
    text: str
    severity: Severity = "error"

    def __str__(self) -> str:
        """``file:line:column: key.path: text``, always one line."""
        said = f"warning: {self.text}" if self.severity == "warning" else self.text
        where = f"{self.file}:{self.line}:{self.column}"
        return printable(": ".join(part for part in (where, self.key, said) if part))


def key_path(path: Iterable[str | int]) -> str:
    """A path as people write it: ``senders[0].limits.segments``; an odd key stands in quotes."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            shown += f".{shown_key(step)}" if shown else shown_key(step)
    return shown


def shown_key(key: str) -> str:
    """A key fit to be shown: cut when long, quoted when it is not a plain word."""
    short = key if len(key) <= _MAX_KEY else key[:_MAX_KEY] + "..."
    return short if _PLAIN_KEY.fullmatch(short) else f'"{printable(short)}"'


def printable(text: str) -> str:
    """``text`` with every character that is not printable, line ends too, as ``?``."""
    return "".join(c if c.isprintable() else "?" for c in text)
