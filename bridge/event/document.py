"""Bytes from the vendor, or from somebody who says so, to plain fields: JSON, XML or a form, all bounded.

Knows syntax only. Names are lower-cased with ``-`` as ``_``, so that all spellings of a field meet; whatever
could be read in two ways (a name given twice, NaN) is an error.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from bridge.errors import EventError

MAX_DEPTH: Final = 8  # the vendor's deepest document is <root><Recipients><Recipient><SMSReplies><SMSReply>
MAX_FORM_FIELDS: Final = 100
MAX_DIGITS: Final = 40

# Elements that hold a list, and the one that may simply be repeated.
_LISTS: Final = frozenset({"recipients", "messages", "smsreplies", "events"})
_REPEATED: Final = frozenset({"errormessage", "message"})

Value = str | bool | None | Sequence["Value"] | Mapping[str, "Value"]
Fields = Mapping[str, Value]


def read_document(body: bytes) -> Fields | Sequence[Value]:
    """Return what a JSON or XML body holds, told apart by its first character, whatever its type claims.

    Numbers come as text, exactly as written. Raises EventError when it is neither, ambiguous or too deep.
    """
    text = _text(body)
    try:
        value = _read_xml(text) if text.startswith("<") else _read_json(text)
    except EventError:
        raise
    except (ValueError, RecursionError, SyntaxError) as error:  # ParseError is a SyntaxError
        raise EventError("the document cannot be read") from error
    if isinstance(value, str | bool | None):
        raise EventError("the document has no fields")
    return value


def read_form(body: bytes) -> Fields:
    """Return the fields of a form-urlencoded body. Raises EventError when there are none, or one twice."""
    try:
        pairs = parse_qsl(
            _text(body), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS, errors="replace"
        )
    except ValueError as error:
        raise EventError("the form cannot be read") from error
    if not pairs:
        raise EventError("the form has no fields")
    return _mapping(pairs)


def normal(name: str) -> str:
    """Return a field's name as it stands in `Fields`: ``SentTimeUTC-RFC3339`` is ``senttimeutc_rfc3339``."""
    return name.strip().lower().replace("-", "_")


def _text(body: bytes) -> str:
    """Decode leniently: a phone's broken byte must not keep an answer from its reader."""
    return body.decode("utf-8-sig", "replace").strip("\ufeff \t\r\n")


def _read_json(text: str) -> Value:
    value: Value = _JSON.decode(text)
    _check_depth(value, MAX_DEPTH)
    return value


def _check_depth(value: Any, room: int) -> None:
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if not room:
            raise EventError("the document is nested too deeply")
        if isinstance(inner, dict | list):
            _check_depth(inner, room - 1)


def _mapping(pairs: Iterable[tuple[str, Any]]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for name, value in pairs:
        key = normal(name)
        if key in fields:
            raise EventError("a field is given twice")
        fields[key] = value
    return fields


def _no_constant(name: str) -> NoReturn:
    raise EventError("the document holds a number that is none")


def _number(text: str) -> str:
    if len(text) > MAX_DIGITS:
        raise EventError("the document holds a number that is too long")
    return text


_JSON: Final = json.JSONDecoder(
    object_pairs_hook=_mapping, parse_constant=_no_constant, parse_int=_number, parse_float=_number
)


def _read_xml(text: str) -> Value:
    # Given as text, a declared encoding is not looked at; DTDs carry every XML bomb, so there is none.
    declared_end = text.find("?>") + 2 if text.startswith("<?xml") else 0
    try:
        root = fromstring(text[declared_end:].lstrip(), forbid_dtd=True)
    except UnicodeEncodeError as error:
        raise EventError("the document cannot be read") from error
    return _element(root, MAX_DEPTH)


def _element(element: Element, room: int) -> Value:
    if room < 0:
        raise EventError("the document is nested too deeply")
    children = list(element)
    read: Callable[[Element], Value] = lambda child: _element(child, room - 1)  # noqa: E731
    if _tag(element) in _LISTS:
        return [read(child) for child in children]
    if not children:
        return element.text or ""
    return _children(children, read)


def _children(children: Sequence[Element], read: Callable[[Element], Value]) -> Value:
    fields: dict[str, Value] = {}
    for child in children:
        name, value = _tag(child), read(child)
        if name not in fields:
            fields[name] = value
            continue
        if name not in _REPEATED:
            raise EventError("a field is given twice")
        before = fields[name]
        fields[name] = [*before, value] if isinstance(before, list) else [before, value]
    return fields


def _tag(element: Element) -> str:
    return normal(str(element.tag).rpartition("}")[2])
