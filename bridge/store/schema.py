"""The numbered steps that make the schema, one text for both engines; what one alone needs stands beside it."""

import re
import sqlite3
from importlib import resources
from typing import Literal

EngineName = Literal["sqlite", "postgresql"]


def migrations(engine: EngineName) -> dict[int, str]:
    """Return the script of each step: that of ``migrations/``, then that of ``migrations/<engine>/``."""
    folder = resources.files("bridge.store").joinpath("migrations")
    found: dict[int, str] = {}
    for part in (folder, folder.joinpath(engine)):
        for file in part.iterdir() if part.is_dir() else ():
            if re.fullmatch(r"\d{4}_\w+\.sql", file.name):
                number = int(file.name[:4])
                found[number] = found.get(number, "") + file.read_text(encoding="utf-8")
    return found


def newest() -> int:
    """Return the schema number of this version."""
    return max(migrations("sqlite"))


def split(text: str, engine: EngineName) -> list[str]:
    """Return the statements of a script (one call for all would commit before it begins): each ends with a line of
    it, and only SQLite's triggers have others inside."""
    found, begun = [], ""
    for line in text.splitlines(keepends=True):
        begun += line
        if line.rstrip().endswith(";") and (engine == "postgresql" or sqlite3.complete_statement(begun)):
            found.append(begun.strip())
            begun = ""
    assert not begun.strip(), f"a statement without its end: {begun[:80]}"
    return found
