"""The vendor's books: every SMS it made and every SMS it received, found by id, by number and by time.

Bounded: beyond the limit the oldest record goes. Knows nothing of HTTP, clocks or delivery.
"""

import secrets
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final, Literal

Status = Literal["PENDING", "SUCCESS", "FAILED"]

# As the real vendor does, give no job number twice: what stored them outlives a start of the simulator.
FIRST_JOB: Final = 0x10000000 + secrets.randbelow(0xE0000000)
MAX_REPLIES = 100  # kept with one SMS for the reply poll
MAX_LOOK_BACK = 1_000  # how far an answer looks for the SMS that it answers


@dataclass(slots=True)
class Sms:
    """One SMS the vendor made. ``message_id`` is the id it answers with, ``tracking_id`` the caller's."""

    serial: int
    at: int
    account: str
    message_id: str
    tracking_id: str
    number: str
    text: str
    segments: int
    encoding: str
    price: int
    test: bool = False
    reply_mail: str = ""
    status: Status = "PENDING"
    result: str = "Pending"
    state: str = "Pending"  # the status poll's word: Pending, Delayed, Completed, CreditHold, Unknown
    settled_at: int = 0
    replies: list["Received"] = field(default_factory=list)

    @property
    def job(self) -> str:
        """The vendor's job number: eight hexadecimal digits."""
        return f"{FIRST_JOB + self.serial:08X}"


@dataclass(slots=True)
class Received:
    """One SMS a phone sent. ``sms`` is the one it answers, None for an inbound SMS that answers none."""

    serial: int
    at: int
    account: str
    number: str
    text: str
    sms: Sms | None
    received_id: str = field(default_factory=lambda: secrets.token_hex(16).upper())


Item = Sms | Received


def own_id() -> str:
    """Return an id in the vendor's own shape: an upper-case UUID."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16))).upper()


class Books:
    """All records, newest last, with the indexes that polls, answers and the phone page need."""

    def __init__(self, limit: int) -> None:
        self.limit = max(1, limit)
        self.items: OrderedDict[int, Item] = OrderedDict()
        self.threads: OrderedDict[str, deque[Item]] = OrderedDict()
        self.received: deque[Received] = deque()
        self._by_id: dict[str, Sms] = {}
        self._texts: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._serial = 0

    def next_serial(self) -> int:
        """Return the next record number; they only grow, also over a clearing."""
        self._serial += 1
        return self._serial

    def add(self, item: Item, ids: tuple[str, ...] = ()) -> None:
        """Enter a record; ``ids`` are the names it is found by, the latest owner of a name wins."""
        self.items[item.serial] = item
        self.threads.setdefault(item.number, deque()).append(item)
        self.threads.move_to_end(item.number)
        if isinstance(item, Received):
            self.received.append(item)
        else:
            self._by_id.update((name.lower(), item) for name in ids if name)
        while len(self.items) > self.limit:
            self._drop_oldest()

    def find(self, message_id: str) -> Sms | None:
        """Return the latest SMS of that id, upper or lower case alike."""
        return self._by_id.get(message_id.lower())

    def sms(self, serial: int) -> Sms | None:
        """Return the SMS with that record number."""
        item = self.items.get(serial)
        return item if isinstance(item, Sms) else None

    def answered_by(self, number: str, since: int) -> Sms | None:
        """Return the last SMS to that number that the phone can have got, made at or after ``since``."""
        thread = self.threads.get(number, deque())
        for _, item in zip(range(MAX_LOOK_BACK), reversed(thread), strict=False):
            if item.at < since:
                return None
            if isinstance(item, Sms) and item.status != "FAILED" and not item.test:
                return item
        return None

    def repeats(self, account: str, number: str, text: str, at: int, window_ms: int) -> bool:
        """Tell whether the same text went to the same number within the window, and remember it."""
        while self._texts and (
            at - next(iter(self._texts.values())) > window_ms or len(self._texts) >= self.limit
        ):
            self._texts.popitem(last=False)
        key = (account, number, text)
        if key in self._texts:
            return True
        self._texts[key] = at
        return False

    def clear(self) -> None:
        """Forget every record."""
        for kept in (self.items, self.threads, self.received, self._by_id, self._texts):
            kept.clear()

    def _drop_oldest(self) -> None:
        _, item = self.items.popitem(last=False)
        thread = self.threads[item.number]
        thread.popleft()
        if not thread:
            del self.threads[item.number]
        if isinstance(item, Received):
            self.received.popleft()
            return
        for name in (item.message_id.lower(), item.tracking_id.lower()):
            if self._by_id.get(name) is item:
                del self._by_id[name]
