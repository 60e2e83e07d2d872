"""What a client asks to be told of a mail that it hands in (RFC 3461): values, and its parameters read strictly. Pure.

What is sent because of them, `report` decides.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

Notify = Literal["SUCCESS", "FAILURE", "DELAY"]

MAX_ENVELOPE_ID: Final = 100  # characters as sent (RFC 3461, 4.4)
MAX_ORIGINAL: Final = 500  # characters as sent (RFC 3461, 4.2)
_ENDS: Final[dict[str, Notify]] = {"SUCCESS": "SUCCESS", "FAILURE": "FAILURE", "DELAY": "DELAY"}
_XTEXT: Final = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")  # RFC 3461, 4
_HEX: Final = re.compile(r"\+([0-9A-F]{2})")
_PRINTABLE: Final = re.compile(r"[ -~]+")
_ADDRESS_TYPE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,40}")
# RFC 6533, 3: a character that is not ASCII stands there as it is, or as \x{…}.
_UTF_8: Final = re.compile(r"(?:[!-<>-\[\]-~\u00a1-\ud7ff\ue000-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})+")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be told of one recipient: ``notify`` is empty for NEVER.

    ``original`` is the recipient as its sender first wrote it, ``rfc822;jo@example.com``, in printable ASCII, or empty.
    """

    notify: frozenset[Notify]
    original: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The wishes of one mail, by number in E.164; a number without one has its sender's rule.

    ``envelope_id`` is the client's name for the mail, in printable ASCII, or empty.
    """

    envelope_id: str
    recipients: tuple[tuple[str, Wish], ...]

    def of(self, number: str) -> Wish | None:
        """The wish for ``number``, if there is one."""
        return next((wish for wished, wish in self.recipients if wished == number), None)


def notify(value: str) -> frozenset[Notify]:
    """What ``NOTIFY=<value>`` asks for, nothing for NEVER. Raises ValueError."""
    words = value.upper().split(",")
    if words == ["NEVER"]:
        return frozenset()
    if not set(words) <= set(_ENDS):
        raise ValueError("NOTIFY is NEVER, or a list of SUCCESS, FAILURE, DELAY")
    return frozenset(_ENDS[word] for word in words)


def envelope_id(value: str) -> str:
    """What ``ENVID=<value>`` says. Raises ValueError."""
    if len(value) > MAX_ENVELOPE_ID:
        raise ValueError("ENVID is too long")
    return _decoded(value)


def returned(value: str) -> str:
    """``RET=<value>``, FULL or HDRS. Raises ValueError."""
    if value.upper() not in ("FULL", "HDRS"):
        raise ValueError("RET is FULL or HDRS")
    return value.upper()


def original(value: str) -> str:
    """The address type and the address of ``ORCPT=<value>``. Raises ValueError."""
    kind, semicolon, address = value.partition(";")
    if len(value) > MAX_ORIGINAL or not semicolon or not _ADDRESS_TYPE.fullmatch(kind):
        raise ValueError("ORCPT is an address type, a semicolon, and an address")
    if kind.lower() != "utf-8":
        return f"{kind};{_decoded(address)}"
    if not _UTF_8.fullmatch(address):
        raise ValueError("ORCPT has no utf-8 address")
    return f"{kind};" + "".join(sign if sign.isascii() else f"\\x{{{ord(sign):X}}}" for sign in address)


def _decoded(xtext: str) -> str:
    """xtext as the text it stands for, which must be printable: it is to stand in a header. Raises ValueError."""
    if not _XTEXT.fullmatch(xtext):
        raise ValueError("no xtext")
    text = _HEX.sub(lambda match: chr(int(match[1], 16)), xtext)
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("not printable")
    return text
