"""The vendor's business: makes SMS, lets them meet their fate, takes what phones send, tells the customer.

Everything shared hangs here; the HTTP sides (`send`, `polls`, `admin`, `page`) call it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from bridge.simulator import documents
from bridge.simulator.books import MAX_REPLIES, Books, Received, Sms, own_id
from bridge.simulator.changes import Changes
from bridge.simulator.faults import Rules
from bridge.simulator.journal import Journal
from bridge.simulator.magic import ORDINARY, Magic, magic_of
from bridge.simulator.orders import Order
from bridge.simulator.outcomes import OUTCOMES, Step
from bridge.simulator.reply_mails import Mailer
from bridge.simulator.segments import encoding_of, split
from bridge.simulator.settings import Settings
from bridge.simulator.webhooks import Poster

GOOD_RESULTS = frozenset({"delivered", "delivered-to-network", "SentOK", "Sent OK"})
MAX_INBOUND_TEXT = 5_000


def wall_clock() -> int:
    """Return the time in milliseconds UTC."""
    return time.time_ns() // 1_000_000


class Vendor:
    """One simulated vendor. Lives in one event loop; nothing in it waits."""

    def __init__(self, settings: Settings, clock: Callable[[], int] = wall_clock) -> None:
        self.settings = settings
        self.clock = clock
        self.closing = asyncio.Event()
        self.books = Books(settings.max_records)
        self.journal = Journal(settings.max_records)
        self.rules = Rules()
        self.changes = Changes()
        self.poster = Poster(lambda: self.settings, self.rules, self.journal, clock)
        self.mailer = Mailer(lambda: self.settings, self.journal, clock)
        self._era = 0

    def magic(self, number: str) -> Magic:
        """Return what the number's ending stands for, nothing special when magic is off."""
        return magic_of(number) if self.settings.magic else ORDINARY

    def id_for(self, order: Order, *, own: bool = False) -> str:
        """Return the id to answer with: the caller's, or one of the vendor's own."""
        keep = order.tracking_id and not own and self.settings.message_id == "echo"
        return order.tracking_id if keep else own_id()

    def make(self, order: Order, message_id: str, outcome: Sequence[Step] | None = None) -> Sms:
        """Make one new SMS, always, and start it on its way; ``outcome`` overrides what its number says."""
        settings, now = self.settings, self.clock()
        longest = settings.max_segments * 160
        parts = split(order.text[:longest])[: settings.max_segments]
        text = "".join(parts)
        sms = Sms(
            serial=self.books.next_serial(),
            at=now,
            account=order.account,
            message_id=message_id,
            tracking_id=order.tracking_id,
            number=order.number,
            text=text,
            segments=len(parts),
            encoding=encoding_of(text),
            price=0 if order.test else settings.price_per_segment * len(parts),
            test=order.test,
            reply_mail=order.reply_mail,
        )
        hidden = settings.message_id == "own-only"
        self.books.add(sms, (message_id,) if hidden else (message_id, order.tracking_id))
        magic = self.magic(order.number)
        steps = magic.steps if outcome is None else outcome
        if settings.reject_duplicates and not order.test and self._repeats(sms, now):
            steps = OUTCOMES["duplicate"]
        elif magic.replies and not order.test:
            self._later(3, self._answer_by_itself, sms, magic.replies)
        self._play(sms, steps, 0)
        self.changes.touch(sms.number)
        return sms

    def receive(self, number: str, text: str) -> Received:
        """Take an SMS from a phone: an answer to the last SMS it got, else an inbound one."""
        now = self.clock()
        sms = self.books.answered_by(number, now - self.settings.reply_window_ms)
        account = sms.account if sms else self.settings.accounts[0].sender
        message = Received(self.books.next_serial(), now, account, number, text[:MAX_INBOUND_TEXT], sms)
        if sms is not None:
            sms.replies.append(message)
            del sms.replies[:-MAX_REPLIES]
        self.books.add(message)
        self.poster.tell(documents.news_of(message, "", "", now), account)
        self.mailer.tell(message)
        self.changes.touch(number)
        return message

    def record(self, sms: Sms, step: Step) -> None:
        """Enter one step of an SMS in the books and tell the customer, if the step is one that is told."""
        sms.result, sms.state = step.result, step.state
        if step.status != "PENDING":
            sms.status = "SUCCESS" if step.result in GOOD_RESULTS else "FAILED"
            sms.settled_at = self.clock()
        if step.free:
            sms.price = 0
        if step.told:
            self.poster.tell(documents.news_of(sms, step.status, step.result, self.clock()), sms.account)
        self.changes.touch(sms.number)

    def forget_all(self) -> None:
        """Clear books, journal, rules and whatever is still under way."""
        self._era += 1
        self.books.clear()
        self.journal.clear()
        self.rules.clear()
        self.poster.forget()
        self.changes.touch_all()

    def close(self) -> None:
        """Let go of everybody who waits: held requests, open pages."""
        self.closing.set()
        self.changes.touch_all()

    def _repeats(self, sms: Sms, now: int) -> bool:
        window = self.settings.duplicate_window_ms
        return self.books.repeats(sms.account.lower(), sms.number, sms.text, now, window)

    def _play(self, sms: Sms, steps: Sequence[Step], index: int) -> None:
        if index < len(steps):
            self._later(steps[index].after, self._take_step, sms, steps, index)

    def _take_step(self, sms: Sms, steps: Sequence[Step], index: int) -> None:
        self.record(sms, steps[index])
        self._play(sms, steps, index + 1)

    def _answer_by_itself(self, sms: Sms, text: str) -> None:
        self.receive(sms.number, text)

    def _later(self, delays: float, act: Callable[..., None], *args: object) -> None:
        delay_s = delays * self.settings.delivery_delay_ms / 1000
        asyncio.get_running_loop().call_later(delay_s, self._unless_over, self._era, act, args)

    def _unless_over(self, era: int, act: Callable[..., None], args: tuple[object, ...]) -> None:
        if era == self._era and not self.closing.is_set():
            act(*args)
