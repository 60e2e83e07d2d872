"""The vendor's own account of what happened: every request and every post, as the vendor judged it.

Test judges read it over the admin routes. Bounded; knows nothing of HTTP.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Literal

Kind = Literal["send", "status", "reply", "received", "webhook", "mail"]

MAX_TEXT = 2_000


@dataclass(slots=True)
class Entry:
    """One line of the journal. ``created`` speaks of sends alone; ``sms`` is the record number made or found.

    ``answer`` is a word (``success``, ``refused``, ``not_found``, ``timeout`` …), ``http`` the status sent.
    """

    serial: int
    at: int
    kind: Kind
    account: str = ""
    message_id: str = ""
    number: str = ""
    text: str = ""
    created: bool = False
    sms: int = 0
    answer: str = ""
    http: int = 0
    reason: str = ""
    rule: str = ""
    answered_at: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return the entry for JSON."""
        return asdict(self)


class Journal:
    """The last entries, oldest first."""

    def __init__(self, limit: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=max(1, limit))
        self._serial = 0

    def add(self, entry: Entry) -> Entry:
        """Number the entry and keep it; it is completed in place when the answer is out."""
        self._serial += 1
        entry.serial = self._serial
        entry.text = entry.text[:MAX_TEXT]
        self._entries.append(entry)
        return entry

    def entries(self, after: int = 0, limit: int = 1_000, **wanted: str) -> list[Entry]:
        """Return entries numbered above ``after`` whose fields equal ``wanted``, oldest first."""
        return list(islice(self._matching(after, wanted), limit))

    def clear(self) -> None:
        """Forget all entries; numbers go on."""
        self._entries.clear()

    def _matching(self, after: int, wanted: dict[str, str]) -> Iterator[Entry]:
        for entry in self._entries:
            if entry.serial > after and all(getattr(entry, name) == value for name, value in wanted.items()):
                yield entry
