"""A YAML file as a tree of values with their places, read by YAML 1.2 rules: `+61`, `0061`, `NO` stay text.

Owns syntax: double keys, anchors, tags, depth and size. It must not know a single key of the configuration.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from bridge.config.problem import KeyPath, Problem, key_path, shown_key

MAX_BYTES = 1 << 20
MAX_DEPTH = 20  # our deepest key lies at 5
MAX_NODES = 100_000  # some 5,000 sender rules

Scalar = None | bool | int | Decimal | str

# YAML 1.2 core schema, 10.3.2, without what people mean as text: a sign, a leading zero, 0x, 0o, exponents.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# YAML 1.2, 5.1: all a file may hold; the byte order mark is told apart with a sentence of its own.
_NOT_YAML = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_NEEDS_QUOTES = "a value may not begin with {0}: put it in quotes"
_SENTENCES = (
    (
        "mapping values are not allowed",
        "a colon where no key can stand: put the value in quotes, or mend the indent",
    ),
    ("unexpected end of stream", "a quote is opened and never closed"),
    ("unknown escape", 'inside "..." a backslash begins an escape: write it twice, or use single quotes'),
    ("expected ',' or", "a list [..] or mapping {..} is not closed, or lacks a comma"),
    ("expected node content", "a value is missing here, or a bracket is not closed"),
    ("expected the node content", "a value is missing here, or a bracket is not closed"),
    ("could not find expected ':'", "a colon is missing behind this key"),
    ("expected <block end>", "the indent does not fit with the lines above"),
    ("expected key", "the indent does not fit with the lines above"),
    ("expected '-' indicator", "the indent does not fit with the lines above"),
    ("incompatible YAML document", "take the %YAML line away"),
)

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events, thirty times faster


@dataclass(frozen=True, slots=True)
class Node:
    """A value, its place counted from 1, and the place of its key (its own when it has none)."""

    value: "Scalar | tuple[Node, ...] | Mapping[str, Node]"
    line: int
    column: int
    key_line: int
    key_column: int

    def plain(self) -> Any:
        """The value without places: lists, dicts and scalars."""
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value

    def child(self, step: str | int) -> "Node | None":
        """The value under a key or at an index, or None."""
        if isinstance(self.value, tuple):
            return self.value[step] if isinstance(step, int) and 0 <= step < len(self.value) else None
        if isinstance(self.value, Mapping) and isinstance(step, str):
            return self.value.get(step)
        return None

    def nearest(self, path: Iterable[str | int]) -> "tuple[Node, bool]":
        """The deepest value on ``path`` that is there, and whether it is the one that was asked for."""
        node = self
        for step in path:
            below = node.child(step)
            if below is None:
                return node, False
            node = below
        return node, True


class _Broken(Exception):
    """The text cannot be read any further; the place is known."""

    def __init__(self, line: int, column: int, text: str, path: KeyPath = ()) -> None:
        super().__init__(text)
        self.line, self.column, self.text, self.path = line, column, text, path


def compose(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The tree of ``text`` and all mistakes of syntax; no tree when it cannot be read to its end."""
    composer = _Composer(text, file)
    try:
        return composer.document(), composer.problems
    except _Broken as broken:
        found = Problem(file, broken.line, broken.column, key_path(broken.path), broken.text)
        return None, [*composer.problems, found]


def scalar(text: str) -> Scalar:
    """What a plain (unquoted) scalar means; only plain numbers are numbers, so that nothing is lost."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return Decimal(text) if _DECIMAL.fullmatch(text) else text


class _Composer:
    """Builds the tree from the parser's events, one document, without recursion deeper than `MAX_DEPTH`."""

    def __init__(self, text: str, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._nodes = 0
        self._events = _events(text)

    def document(self) -> Node:
        node: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent) and node is not None:
                raise _broken(
                    event, "a second document begins here: one file is one document, take the --- away"
                )
            if isinstance(event, yaml.NodeEvent):
                node = self._node(event, (), None)
        if node is None:
            raise _Broken(1, 1, "the file is empty: copy config/bridge.yaml and change it")
        return node

    def _node(self, event: Any, path: KeyPath, key: Any) -> Node:
        """The value that begins with ``event``; ``key`` is the event of its key."""
        self._check(event, path)
        line, column = _place(event)
        key_line, key_column = _place(key or event)
        if isinstance(event, yaml.ScalarEvent):
            value: Any = scalar(event.value) if event.implicit[0] else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = tuple(self._items(path))
        else:
            value = self._mapping(path)
        return Node(value, line, column, key_line, key_column)

    def _check(self, event: Any, path: KeyPath) -> None:
        self._nodes += 1
        if isinstance(event, yaml.AliasEvent):
            raise _broken(event, "aliases (*name) are not read: text that begins with * needs quotes", path)
        if event.anchor is not None:
            raise _broken(event, "anchors (&name) are not read: text that begins with & needs quotes", path)
        if event.tag is not None:
            raise _broken(event, "tags (!name) are not read: text that begins with ! needs quotes", path)
        if len(path) > MAX_DEPTH:
            raise _broken(event, f"nested deeper than {MAX_DEPTH} levels")
        if self._nodes > MAX_NODES:
            raise _broken(event, f"more than {MAX_NODES:,} values")

    def _items(self, path: KeyPath) -> Iterator[Node]:
        for index, event in enumerate(self._events):
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._node(event, (*path, index), None)

    def _mapping(self, path: KeyPath) -> Mapping[str, Node]:
        found: dict[str, Node] = {}
        for key in self._events:
            if isinstance(key, yaml.MappingEndEvent):
                break
            if not isinstance(key, yaml.ScalarEvent):
                self._check(key, path)
                raise _broken(
                    key, "a key must be one word: put a value that begins with [ or { in quotes", path
                )
            self._check(key, path)
            node = self._node(next(self._events), (*path, key.value), key)
            if key.value in found:
                self._double(key, (*path, key.value), found[key.value])
            else:
                found[key.value] = node
        return found

    def _double(self, key: Any, path: KeyPath, first: Node) -> None:
        text = f"the key {shown_key(key.value)} stands here twice, first in line {first.key_line}: keep one"
        self.problems.append(Problem(self._file, *_place(key), key_path(path), text))


def _events(text: str) -> Iterator[Any]:
    """The parser's events; whatever it finds wrong becomes `_Broken` with a sentence of ours."""
    if text.startswith("\ufeff"):
        raise _Broken(1, 1, "the file begins with a byte order mark: save it as UTF-8 without one")
    odd = _NOT_YAML.search(text)
    if odd:
        line, column = place_of(text, odd.start())
        raise _Broken(
            line, column, f"the character U+{ord(odd[0]):04X} may not stand in a YAML file: take it away"
        )
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        raise _Broken(line + 1, column + 1, _sentence(error.problem or "", text, line, column)) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise _Broken(1, 1, "this is not readable as YAML") from None


def _sentence(problem: str, text: str, line: int, column: int) -> str:
    """Our words for what the parser met; nothing of the file but one character is in it."""
    lines = text.splitlines()
    row = lines[line] if line < len(lines) else ""
    here, before = row[column : column + 1], row[max(0, column - 1) : column]
    if here == "\t" or (row[:column].isspace() and "\t" in row[:column]):
        return "a tab in the indent: indent with spaces"
    if before in ("*", "&") and "alphabetic" in problem:
        return _NEEDS_QUOTES.format(before)
    if "cannot start any token" in problem and here:
        return _NEEDS_QUOTES.format(here)
    for part, sentence in _SENTENCES:
        if part in problem:
            return sentence
    return "this is not readable as YAML: look at quotes, brackets and indent here and in the line before"


def place_of(text: str, position: int) -> tuple[int, int]:
    """The line and column, from 1, of an offset in ``text``."""
    return text.count("\n", 0, position) + 1, position - (text.rfind("\n", 0, position) + 1) + 1


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _broken(event: Any, text: str, path: KeyPath = ()) -> _Broken:
    return _Broken(*_place(event), text, path)
