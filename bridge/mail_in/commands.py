"""The arguments of MAIL, RCPT and AUTH, matched by strict patterns: what is not clearly an address is none.

RFC 5321, 4.1.2 and 4.1.3, with what honest clients do beside it: no angle brackets, a name without a domain.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from bridge import dsn
from bridge.dsn import Wish

# atext of RFC 5322 and UTF-8 beyond it (RFC 6531); no control, no blank, no bracket can be part of it.
_ATOMS: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a1-\ud7ff\ue000-\U0010ffff-]{1,256}"
_QUOTED: Final = r'"[ !#-\[\]-~]{1,256}"'
_DOMAIN: Final = (
    r"[A-Za-z0-9_\u00a1-\ud7ff\ue000-\U0010ffff](?:[A-Za-z0-9_.\u00a1-\ud7ff\ue000-\U0010ffff-]{0,253})"
)
_LITERAL: Final = r"\[[A-Za-z0-9:.-]{2,60}\]"
_MAILBOX: Final = rf"(?:{_ATOMS}|{_QUOTED})(?:@(?:{_DOMAIN}|{_LITERAL}))?"

_MAIL: Final = re.compile(rf"FROM: *(?:<({_MAILBOX})?>|({_MAILBOX}))((?: .*)?)", re.IGNORECASE)
_RCPT: Final = re.compile(rf"TO: *(?:<({_MAILBOX})>|({_MAILBOX}))((?: .*)?)", re.IGNORECASE)
_PARAMETER: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9-]{0,40})(?:=([!-<>-~\u00a1-\ud7ff\ue000-\U0010ffff]{1,1000}))?"
)
_DIGITS: Final = re.compile(r"[0-9]{1,20}")

# AUTH= (RFC 4954) says nothing that we use; refusing it would lose mails of Exchange, vCenter and sendmail.
_OF_MAIL: Final = frozenset({"SIZE", "BODY", "SMTPUTF8", "AUTH", "RET", "ENVID"})
_OF_RCPT: Final = frozenset({"NOTIFY", "ORCPT"})
_BODIES: Final = frozenset({"7BIT", "8BITMIME"})


@dataclass(frozen=True, slots=True)
class MailFrom:
    """A MAIL command: ``sender`` is empty for ``<>``; ``size`` is the declared one in octets, or 0.

    ``envelope_id`` is what the client calls the mail (RFC 3461), or empty."""

    sender: str
    size: int
    envelope_id: str = ""


@dataclass(frozen=True, slots=True)
class RcptTo:
    """A RCPT command: the recipient as it stands there, and what NOTIFY asks to be told of it, if it is there."""

    address: str
    wish: Wish | None = None


class NotWellFormed(Exception):
    """The command has no address that can be read."""


class NoAddress(NotWellFormed):
    """The keyword is there, the address is none."""


class UnknownParameter(NotWellFormed):
    """A parameter that we do not know, and so must not ignore (RFC 5321, 4.1.1.11)."""


class BadParameter(NotWellFormed):
    """A parameter whose value cannot be."""


def mail_from(argument: str) -> MailFrom:
    """The sender and the declared size of ``MAIL <argument>``. Raises `NotWellFormed` or a kind of it."""
    match = _MAIL.fullmatch(argument)
    if match is None:
        raise _why(argument, "FROM:")
    sender = match[1] or match[2] or ""
    if not match[3]:
        return MailFrom(sender, 0)
    found = _parameters(match[3], _OF_MAIL)
    try:
        if "RET" in found:
            dsn.returned(found["RET"])
        envelope_id = dsn.envelope_id(found["ENVID"]) if "ENVID" in found else ""
    except ValueError:
        raise BadParameter from None
    return MailFrom(sender, _size(found), envelope_id)


def rcpt_to(argument: str) -> RcptTo:
    """The recipient of ``RCPT <argument>``. Raises `NotWellFormed` or a kind of it."""
    match = _RCPT.fullmatch(argument)
    if match is None:
        raise _why(argument, "TO:")
    address = match[1] or match[2]
    if not match[3]:
        return RcptTo(address)
    found = _parameters(match[3], _OF_RCPT)
    try:
        original = dsn.original(found["ORCPT"]) if "ORCPT" in found else ""
        wish = Wish(dsn.notify(found["NOTIFY"]), original) if "NOTIFY" in found else None
    except ValueError:
        raise BadParameter from None
    return RcptTo(address, wish)


def _why(argument: str, keyword: str) -> NotWellFormed:
    return NoAddress() if argument[: len(keyword)].upper() == keyword else NotWellFormed()


def _parameters(text: str, known: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise BadParameter
        name = match[1].upper()
        if name not in known:
            raise UnknownParameter
        if name in found:
            raise BadParameter
        found[name] = match[2] or ""
    return found


def _size(parameters: dict[str, str]) -> int:
    if parameters.get("BODY", "7BIT").upper() not in _BODIES or parameters.get("SMTPUTF8"):
        raise BadParameter
    declared = parameters.get("SIZE", "0")
    if not _DIGITS.fullmatch(declared):
        raise BadParameter
    return int(declared)


def decoded(text: bytes) -> bytes | None:
    """The octets of a base64 word of AUTH; ``=`` alone is none of them (RFC 4954, 4). None: not base64."""
    if text == b"=":
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def plain_login(message: bytes) -> tuple[str, bytes] | None:
    """User and password of a SASL PLAIN message (RFC 4616); None when it is none, or asks to act for another."""
    parts = message.split(b"\0")
    if len(parts) != 3 or parts[0] not in (b"", parts[1]):
        return None
    return user_name(parts[1]), parts[2]


def user_name(octets: bytes) -> str:
    """A login as it is looked up: text in lower case, without blanks around it."""
    return octets.decode("utf-8", "replace").strip().lower()
