"""Why the vendor refuses: finding the reason in its answer, and whom the reason is about.

Pure. Sources: the reasons on the vendor's pages; ``ErrorMessage`` is a text there and a list in its SDKs.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal
from urllib.parse import quote, quote_plus

from bridge.errors import EventError
from bridge.event import Fields, News, Value, known_word, read_document, squeezed

MAX_REASON: Final = 200
About = Literal["sms", "duplicate", "account", "unread"]

_ABOUT_SMS: Final = (
    "validdestination",
    "emptydestination",
    "emptymessage",
    "invalidmobile",
    "invalidnumber",
    "badnumber",
    "blacklisted",
    "messagecontent",
    "linknotpermitted",
    "messagetoolong",
)
_ABOUT_ACCOUNT: Final = (
    "unauthori",
    "authenticat",
    "forbidden",
    "sender",
    "token",
    "apikey",
    "credential",
    "credit",
    "balance",
    "account",
    "suspended",
    "disabled",
    "notpermitted",
    "permission",
)
_CREDENTIALS: Final = (
    "unauthori",
    "authenticat",
    "forbidden",
    "token",
    "apikey",
    "credential",
    "accessdenied",
)
_NO_SUCH: Final = ("recordnotfound", "unabletofindentry", "messagesnotfound", "messagenotfound")
_UNPRINTABLE: Final = re.compile(r"[^ -~]+")


def read(body: bytes) -> Fields:
    """Return the fields of an answer. Raises EventError when it is no JSON or XML with named fields."""
    document = read_document(body)
    if not isinstance(document, dict):
        raise EventError("the answer is a list")
    return document


def fields_or_none(body: bytes) -> Fields:
    """Return the fields of an answer, none if it cannot be read."""
    try:
        return read(body)
    except EventError:
        return {}


def reason_of(body: bytes) -> str:
    """Return the reason in a refusal: ``ErrorMessage`` (text or list), ``Message``, or the bare text."""
    fields = fields_or_none(body)
    for name in ("errormessage", "message", "error", "errors"):
        if reason := "; ".join(_texts(fields.get(name))):
            return reason
    text = body[:1_000].decode("utf-8", "replace").strip()
    return "" if fields or text.startswith(("<", "{", "[")) else text.partition("\n")[0].strip()


def about(reason: str) -> About:
    """Return whom a reason of a refused send is about; ``unread`` when we do not know it."""
    word, flat = known_word(reason), squeezed(reason)
    if word is not None and word.news is News.DUPLICATE:
        return "duplicate"
    if (word is not None and word.news is News.FAILED) or _has(flat, _ABOUT_SMS):
        return "sms"
    return "account" if _has(flat, _ABOUT_ACCOUNT) else "unread"


def is_no_such(fields: Fields, reason: str) -> bool:
    """Return whether a poll's answer says that the vendor has no such message."""
    return "recordnotfound" in _results(fields) or _has(squeezed(reason), _NO_SUCH)


def is_failed(fields: Fields) -> bool:
    """Return whether the answer calls itself failed."""
    return "failed" in _results(fields)


def is_success(fields: Fields) -> bool:
    """Return whether the answer calls itself a success."""
    return "success" in _results(fields)


def is_about_credentials(reason: str) -> bool:
    """Return whether a poll was refused because of its auth_token."""
    return _has(squeezed(reason), _CREDENTIALS)


class Scrubber:
    """Makes foreign text fit for history, alarms and logs: no secret, one bounded line of ASCII."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if secret for form in _spellings(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, longest_first)), re.I) if forms else None

    def __call__(self, text: str) -> str:
        """Return ``text`` without any spelling of a secret; what is not printable ASCII becomes ``?``."""
        text = text[:10_000]
        if self._secret is not None:
            text = self._secret.sub("***", text)
        line = _UNPRINTABLE.sub(lambda found: " " if found.group().isspace() else "?", text)
        return line.strip()[:MAX_REASON]


def _spellings(secret: str) -> Iterable[str]:
    yield from (secret, quote(secret, safe=""), quote_plus(secret))
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


def _texts(value: Value) -> list[str]:
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    if isinstance(value, Sequence):
        return [one.strip() for one in value[:10] if isinstance(one, str) and one.strip()]
    return []


def _results(fields: Fields) -> str:
    result = fields.get("result")
    return squeezed(result) if isinstance(result, str) else ""


def _has(flat: str, parts: Iterable[str]) -> bool:
    return any(part in flat for part in parts)
