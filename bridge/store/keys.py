"""Names and keys that the store gives away: MessageIDs, mail ids, reply keys; and fingerprints."""

import secrets
import threading
from hashlib import blake2b
from typing import Final

_UPPER: Final = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # 32 of them: each byte gives one, all as likely
_LOWER: Final = _UPPER.lower()
_TO_UPPER: Final = bytes(_UPPER[byte & 31] for byte in range(256))
_TO_LOWER: Final = bytes(_LOWER[byte & 31] for byte in range(256))
MAX_MESSAGE_ID: Final = 40  # vendor: at most 40 letters and digits
RANDOM_PART: Final = 20  # of 32 signs: 100 bits, not to be guessed
_MAIL_RANDOM: Final = 8  # 40 bits: a busy node gives several away in one millisecond


# Names begin with their time: so a new row goes to the end of its index, at a million rows as at the first.


def message_id(prefix: str, now: int) -> str:
    """Return a new MessageID: ``prefix`` and upper-case letters and digits, not to be guessed."""
    return f"{prefix}{now:011X}{_random(_TO_UPPER, RANDOM_PART)}"[:MAX_MESSAGE_ID]


def key(now: int) -> str:
    """Return a new key for ``reply+<key>@`` or ``bounce+<key>@``: lower case, as mail servers may make it."""
    return f"{now:011x}{_random(_TO_LOWER, RANDOM_PART)}"


def mail_id(now: int) -> str:
    """Return a new id of a mail, short and in the order of time."""
    return f"{now:011x}{_random(_TO_LOWER, _MAIL_RANDOM)}"


def header_message_id(domain: str, now: int) -> str:
    """Return a new Message-ID for a mail of ours."""
    return f"<{key(now)}@{domain}>"


def fingerprint(*parts: str | int | None) -> bytes:
    """Return 16 bytes that stand for ``parts``, taken apart exactly: ("ab", "c") is not ("a", "bc")."""
    marked = []
    for part in parts:
        raw = b"" if part is None else str(part).encode("utf-8", "surrogatepass")
        marked += [b"-:" if part is None else b"%d:" % len(raw), raw]
    return blake2b(b"".join(marked), digest_size=16).digest()


class _Octets:
    """Random octets, drawn from the kernel a page at a time: for each draw Python lets go of its lock, and three
    for each mail kept the writing thread waiting for it."""

    def __init__(self) -> None:
        self._left = b""
        self._lock = threading.Lock()

    def take(self, length: int) -> bytes:
        """Return ``length`` octets that nobody else gets."""
        with self._lock:
            if len(self._left) < length:
                self._left = secrets.token_bytes(_PAGE)
            taken, self._left = self._left[:length], self._left[length:]
        return taken


_PAGE: Final = 2_048
_OCTETS: Final = _Octets()


def _random(signs: bytes, length: int) -> str:
    return _OCTETS.take(length).translate(signs).decode("ascii")
