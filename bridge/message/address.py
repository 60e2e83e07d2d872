"""Addresses in From, To and Cc: one linear scanner, strict for the identity, forgiving for lists.

Source: RFC 5322, 3.4. What several readers would read differently is refused, never guessed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import idna

from bridge.errors import MailError

_UNCLEAR = "the From field must hold exactly one plain address"
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_PLAIN = re.compile(
    rf"({_ATEXT}(?:{_ATEXT}|\.){{0,63}})"
    r"@((?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})){0,30})"
    r"|\[(?:IPv6:)?[0-9A-Fa-f:.]{2,45}\])"
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(
    r"(?P<blank>[ \t]+)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*")'
    r'|(?P<encoded>=\?[^?\s"<>(),;]{1,60}\?[bBqQ]\?[^?\s"<>(),;]*\?=)'
    r"|(?P<angle><[^<>]*>)"
    r"|(?P<mark>[,;:])"
    r'|(?P<word>(?:\[[^\[\]\s<>"]*\]|[^\s"<>(),;:])+)'
)
_MOST_LABELS = 31
_MAX_DOMAIN = 253  # octets in ASCII (RFC 1035, 2.3.4), and a letter beyond it takes at least one
_NEEDLESS_QUOTES = re.compile(r'^"([^"\\]{1,64})"@')
_COMMENT_EDGE = re.compile(r"[()\\]")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


class _Unreadable(Exception):
    """The scanner met a quote, comment or bracket that does not close."""


def single(value: bytes) -> str:
    """The one plain address of a From field, its domain in lower case. Raises `MailError` for anything
    else.
    """
    text = value.decode("latin-1")
    if _CONTROL.search(text):
        raise MailError("the From field holds control characters")
    try:
        tokens = list(_tokens(text))
    except _Unreadable:
        raise MailError(_UNCLEAR) from None
    marks = {token.text for token in tokens if token.kind == "mark"}
    mailboxes = [box for box in _split(tokens, ",") if any("@" in t.text for t in box if _may_address(t))]
    if ";" in marks or len(mailboxes) != 1:
        raise MailError(_UNCLEAR)
    address = _address_of(mailboxes[0])
    if ":" in marks and text.count("@") != 1:
        raise MailError(_UNCLEAR)
    return address


def every(value: bytes) -> tuple[str, ...]:
    """All plain addresses of a To or Cc field, as far as it can be read; nothing is refused."""
    found: list[str] = []
    try:
        for token in _tokens(value.decode("latin-1")):
            match = _PLAIN.fullmatch(token.text.strip("<> \t")) if _may_address(token) else None
            if match:
                found.append(_normal(match))
    except _Unreadable:
        pass
    return tuple(dict.fromkeys(found))


def _tokens(text: str) -> Iterator[_Token]:
    """The tokens of an address field without blanks and comments."""
    position = 0
    while position < len(text):
        if text[position] == "(":
            position = _past_comment(text, position)
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            raise _Unreadable
        position = match.end()
        if match.lastgroup and match.lastgroup != "blank":
            yield _Token(match.lastgroup, match[0])


def _past_comment(text: str, position: int) -> int:
    depth = 0
    while True:
        edge = _COMMENT_EDGE.search(text, position)
        if edge is None:
            raise _Unreadable
        position = edge.end()
        if edge[0] == "\\":
            position += 1
        else:
            depth += 1 if edge[0] == "(" else -1
            if depth == 0:
                return position


def _may_address(token: _Token) -> bool:
    return token.kind in ("angle", "word")


def _split(tokens: list[_Token], mark: str) -> list[list[_Token]]:
    groups: list[list[_Token]] = [[]]
    for token in tokens:
        if token.kind == "mark" and token.text == mark:
            groups.append([])
        else:
            groups[-1].append(token)
    return groups


def _address_of(box: list[_Token]) -> str:
    """The address of one mailbox: ``name <a@b>`` or a bare ``a@b``; nothing may stand behind it."""
    last, before = box[-1], box[:-1]
    match = _PLAIN.fullmatch(
        _bare(last.text[1:-1].strip(" \t")) if last.kind == "angle" else _bare(last.text)
    )
    if match is None or (last.kind == "word" and before):
        raise MailError(_UNCLEAR)
    address = _normal(match)
    for token in before:
        if token.kind == "angle" or (token.kind == "word" and _other_address(token.text, address)):
            raise MailError(_UNCLEAR)
    return address


def _bare(address: str) -> str:
    """An address without quotes that say nothing (RFC 5321, 4.1.2), its domain in ASCII as it stands in DNS.

    Strict IDNA 2008 (RFC 5891) and nothing made alike before: a wide or capital letter, or another dot, makes no name.
    """
    address = _NEEDLESS_QUOTES.sub(r"\1@", address)
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    try:
        name = domain.encode("latin-1").decode("utf-8")
        if len(name) > _MAX_DOMAIN or name.count(".") >= _MOST_LABELS:
            return address
        labels = name.split(".")
        return f"{local}@" + ".".join(one if one.isascii() else idna.alabel(one).decode() for one in labels)
    except UnicodeError:  # idna.IDNAError is one
        return address


def _other_address(word: str, address: str) -> bool:
    """Whether a word of the name looks like an address; ``a@b <a@b>`` is clear to every reader and passes."""
    return "@" in word and word.strip("'").lower() != address.lower()


def _normal(match: re.Match[str]) -> str:
    return f"{match[1]}@{match[2].lower()}"
