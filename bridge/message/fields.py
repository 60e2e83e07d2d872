"""The meaning of single header fields: encoded words, parameters, message ids, keywords.

Sources: RFC 2047 (encoded words), RFC 2231 (parameters), RFC 5322 3.6.4 (message ids). All of it is linear.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from bridge.message import charset

MAX_SUBJECT = 2_000  # characters: more than ten segments hold
MAX_ID = 512
MAX_REFERENCES = 20

_ENCODED = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]{0,4000})\?=")
_ID = re.compile(rb"<([^<>]{1,4000})>")
_UNSAFE_IN_ID = re.compile(rb"[^\x21-\x3b\x3d\x3f-\x7e]")
_KEYWORD = re.compile(r"[a-z0-9][a-z0-9_.+-]{0,63}")
_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,80})\s*/\s*([A-Za-z0-9!#$&^_.+-]{1,80})")
# It begins where a name does and never gives back what it has read: a value of blanks, semicolons or quotes
# without end is read through once, not once from each of its characters.
_PARAMETER = re.compile(
    r"""(?<![A-Za-z0-9_.-])([A-Za-z0-9_.-]{1,60}+)(\*\d{1,3}+)?(\*)?\s*+=\s*+"""
    r"""("(?:[^"\\]|\\.)*+"?|'[^']{0,200}'|[^;"\s]*)"""
)


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type (or Content-Disposition, whose ``kind`` is then the whole value) with its parameters."""

    kind: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def main(self) -> str:
        """The part before the slash."""
        return self.kind.partition("/")[0]


def unfolded(value: bytes) -> str:
    """A raw field value as text: bytes beyond ASCII guessed as UTF-8, then Windows-1252."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii").replace("\0", "")
    return charset.decode(value, "")


def words(value: bytes) -> str:
    """An unstructured field such as Subject, decoded, as one bounded line."""
    text = unfolded(value)
    if "=?" not in text:
        return " ".join(text.split())[:MAX_SUBJECT].strip()
    pieces: list[str] = []
    pending: list[tuple[str, bytes]] = []
    position = 0
    for match in _ENCODED.finditer(text):
        between = text[position : match.start()]
        if between.strip() or not pending:
            pieces += [_joined(pending), between]
            pending = []
        pending.append(_encoded_word(match))
        position = match.end()
    pieces += [_joined(pending), text[position:]]
    return " ".join("".join(pieces).split())[:MAX_SUBJECT].strip()


def _encoded_word(match: re.Match[str]) -> tuple[str, bytes]:
    label = match[1].partition("*")[0].lower()  # RFC 2231, 5: a language may follow the charset
    octets = match[3].encode("utf-8", "replace")
    if match[2] in "qQ":
        return label, binascii.a2b_qp(octets, header=True)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", octets)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return label, binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _joined(pending: list[tuple[str, bytes]]) -> str:
    """The text of neighbouring words; those of one charset are joined first, as they may split a
    character.
    """
    runs: list[tuple[str, list[bytes]]] = []
    for label, octets in pending:
        if not runs or runs[-1][0] != label:
            runs.append((label, []))
        runs[-1][1].append(octets)
    return "".join(charset.decode(b"".join(parts), label) for label, parts in runs)


def content_type(value: bytes, default: str) -> ContentType:
    """The media type of a part, lower-case, with its parameters; what cannot be read is ``default``."""
    text = unfolded(value)
    match = _TYPE.match(text) if text else None
    if match is None:
        return ContentType(default)
    return ContentType(f"{match[1]}/{match[2]}".lower(), _parameters(text[match.end() :]))


def disposition(value: bytes) -> ContentType:
    """Content-Disposition: ``kind`` is ``attachment``, ``inline`` or ``""``."""
    if not value:
        return ContentType("")
    text = unfolded(value)
    kind, _, rest = text.partition(";")
    return ContentType(kind.strip().lower()[:40], _parameters(rest))


def keyword(value: bytes) -> str:
    """The first keyword of a field such as Auto-Submitted or Precedence, lower-case, or ``""``."""
    if not value:
        return ""
    match = _KEYWORD.match(unfolded(value).strip().strip("\"'").lower())
    return match[0] if match else ""


def message_ids(value: bytes) -> tuple[str, ...]:
    """The message ids of a field with their angle brackets, made safe: printable ASCII without blanks."""
    if not value:
        return ()
    found = [_UNSAFE_IN_ID.sub(b"", inner) for inner in _ID.findall(value)]
    if not found and b"<" not in value:
        found = [_UNSAFE_IN_ID.sub(b"", token) for token in value.split()[:1]]
    return tuple(f"<{inner.decode('ascii')}>" for inner in found if 0 < len(inner) <= MAX_ID)


def _parameters(text: str) -> dict[str, str]:
    """The parameters behind a value, with RFC 2231 pieces joined; the first of a name wins."""
    pieces: dict[str, list[tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(text):
        name, value = match[1].lower(), match[4]
        if name not in pieces or match[2]:
            pieces.setdefault(name, []).append((_bare(value), bool(match[3])))
    return {name: _extended(parts) for name, parts in pieces.items()}


def _bare(value: str) -> str:
    if value[:1] == '"':
        return re.sub(r"\\(.)", r"\1", value.strip('"'))
    return value.strip("'") if value[:1] == "'" and value[-1:] == "'" else value


def _extended(parts: list[tuple[str, bool]]) -> str:
    """Continued and percent-encoded pieces of one parameter, as text."""
    if not any(encoded for _, encoded in parts):
        return "".join(value for value, _ in parts)
    label, _, rest = parts[0][0].partition("'")
    first = rest.partition("'")[2] if rest else parts[0][0]
    octets = [first, *(value for value, _ in parts[1:])]
    return charset.decode(b"".join(unquote_to_bytes(piece) for piece in octets), label if rest else "")
