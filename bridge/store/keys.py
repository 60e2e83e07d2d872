"""Names and keys that the store gives away: MessageIDs, mail ids, reply keys; and fingerprints."""

import secrets
from hashlib import blake2b
from typing import Final

_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_READABLE: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: told by telephone
MAX_MESSAGE_ID: Final = 40  # vendor: at most 40 letters and digits
RANDOM_PART: Final = 20  # of 36 signs: 103 bits
KEY_LENGTH: Final = 20
_TIME_SIGNS: Final = 9  # of 32 signs: 45 bits of milliseconds, until the year 3084
_MAIL_RANDOM: Final = 5


def message_id(prefix: str) -> str:
    """Return a new MessageID: ``prefix`` and upper-case letters and digits, not to be guessed."""
    return (prefix + _random(_UPPER, RANDOM_PART))[:MAX_MESSAGE_ID]


def key() -> str:
    """Return a new key for ``reply+<key>@`` or ``bounce+<key>@``: lower case, as mail servers may make it."""
    return _random(_LOWER, KEY_LENGTH)


def mail_id(now: int) -> str:
    """Return a new id of a mail, short and in the order of time."""
    signs = "".join(_READABLE[(now >> shift) & 31] for shift in range(5 * (_TIME_SIGNS - 1), -1, -5))
    return signs + _random(_READABLE, _MAIL_RANDOM)


def header_message_id(domain: str) -> str:
    """Return a new Message-ID for a mail of ours."""
    return f"<{_random(_LOWER, KEY_LENGTH)}@{domain}>"


def fingerprint(*parts: str | int | None) -> bytes:
    """Return 16 bytes that stand for ``parts``, taken apart exactly: ("ab", "c") is not ("a", "bc")."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = b"" if part is None else str(part).encode("utf-8", "surrogatepass")
        digest.update(f"{'-' if part is None else len(raw)}:".encode())
        digest.update(raw)
    return digest.digest()


def _random(signs: str, length: int) -> str:
    """Return ``length`` of ``signs``, each as likely: the digits of one big random number."""
    number = secrets.randbelow(len(signs) ** length)
    drawn = []
    for _ in range(length):
        number, place = divmod(number, len(signs))
        drawn.append(signs[place])
    return "".join(drawn)
