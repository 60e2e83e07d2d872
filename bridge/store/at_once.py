"""One statement for many rows, made of the statement for one.

Python lets go of its lock for each statement, and has it back only when the event loop lets go of it: ten mails
in one commit would wait for it sixty times, with one statement for all of them a tenth as often. And what SQLite
does between is done beside the loop, on another core. PostgreSQL is asked over a wire: each statement is a way there
and back.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from bridge.store.database import Values
from bridge.store.queries import statements

# Rows in one statement. Each size is a text of its own that is kept prepared, so there are few.
_SIZES: Final = (32, 16, 8, 4, 2, 1)
_NAME: Final = re.compile(r":(\w+)")
_ROW: Final = re.compile(r"VALUES (\([^()]+\))")
_RETURNING: Final = re.compile(r"\s+RETURNING id$")
_PLACE: Final = re.compile(r"\?(\d+)")

Part = tuple[str, list[Any]]


def inserting(name: str, rows: Sequence[Values]) -> Iterator[Part]:
    """Return the statements that insert all ``rows``, with their values. What stands outside of the row's own
    brackets has its values from the first row."""
    for part in _parts(rows):
        text, of_row, of_all = _insert(name, len(part))
        yield text, [row[name] for row in part for name in of_row] + [part[0][name] for name in of_all]


def asking(name: str, rows: Sequence[Values]) -> Iterator[Part]:
    """Return the queries that find what the query ``name`` finds for each of ``rows``."""
    for part in _parts(rows):
        text, of_row = _query(name, len(part))
        yield text, [row[name] for row in part for name in of_row]


def inserting_there(name: str, rows: Sequence[Values]) -> Iterator[tuple[bytes, list[Any]]]:
    """`inserting`, as PostgreSQL reads it; the ids of the rows come back if the statement for one returns its id."""
    returning = b" RETURNING id" if _RETURNING.search(statements()[name]) else b""
    for text, values in inserting(name, rows):
        yield _there(text) + returning, values


def asking_there(name: str, rows: Sequence[Values]) -> Iterator[tuple[bytes, list[Any]]]:
    """`asking`, as PostgreSQL reads it."""
    for text, values in asking(name, rows):
        yield _there(text), values


@cache
def _there(text: str) -> bytes:
    return _PLACE.sub(r"$\1", text).encode()


def _parts(rows: Sequence[Values]) -> Iterator[Sequence[Values]]:
    begin = 0
    while begin < len(rows):
        size = next(size for size in _SIZES if size <= len(rows) - begin)
        yield rows[begin : begin + size]
        begin += size


@cache
def _insert(name: str, times: int) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return the text, and the names of the values of each row and of those behind them."""
    text = _RETURNING.sub("", statements()[name])
    row = _ROW.search(text)
    assert row is not None, f"{name} inserts no row"
    of_row = tuple(_NAME.findall(row[1]))
    values = ", ".join(_numbered(row[1], of_row, at * len(of_row)) for at in range(times))
    before, behind = text[: row.start(1)], text[row.end(1) :]
    of_all = tuple(dict.fromkeys(_NAME.findall(behind)))
    return before + values + _numbered(behind, of_all, times * len(of_row)), of_row, of_all


@cache
def _query(name: str, times: int) -> tuple[str, tuple[str, ...]]:
    """Return the text, and the names of the values of each row."""
    text = statements()[name]
    of_row = tuple(dict.fromkeys(_NAME.findall(text)))
    alike = [_numbered(f"({text}) AS q{at}", of_row, at * len(of_row)) for at in range(times)]
    return "SELECT * FROM " + " UNION ALL SELECT * FROM ".join(alike), of_row  # noqa: S608 - texts of ours


def _numbered(text: str, names: tuple[str, ...], before: int) -> str:
    """Return ``text`` with its values numbered, those ``before`` it left out."""
    return _NAME.sub(lambda found: f"?{before + names.index(found[1]) + 1}", text)
