"""The loop of the step "report mail": due outbox rows are rendered once, signed, and handed to the smarthost.

It decides nothing about SMS. A mail goes out at least once: its Message-ID and octets are fixed before the
first hand-over, so that one that is repeated after a crash shows once.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from bridge import retry
from bridge.errors import RenderError, StoreError
from bridge.mail_out import Dead, Later, MailOut, Result, Sent, Signer
from bridge.render import Rendered, Renderer
from bridge.report import MailKind, OutboxMail
from bridge.sms import HOUR, SECOND
from bridge.sms_api import boot_clock
from bridge.store import OutboxWork, Store

log = logging.getLogger(__name__)

FIRST_WAIT_MS: Final = 30 * SECOND
LONGEST_WAIT_MS: Final = HOUR
GIVE_UP_AFTER_MS: Final = 5 * 24 * HOUR  # RFC 5321, 4.5.4.1: at least four to five days
SWEEP_EVERY_MS: Final = 15 * SECOND
IDLE_S: Final = 1.0  # the store's hint comes at once; this is for rows that become due by time
GRACE_S: Final = 10.0  # for hand-overs under way when the service stops
STORE_PATIENCE_S: Final = 120.0
CLAIM_HOLDS_S: Final = 30.0  # with the longest hand-over within the lease
CLAIMS_EVERY_S: Final = 10.0  # twice as long as from one heartbeat to the next


@dataclass(frozen=True, slots=True)
class _Made:
    """A claimed mail: its octets, or how it ended because it could not be made.

    ``fresh`` is there when it was made just now; else it was handed over before, in vain.
    """

    work: OutboxWork
    raw: bytes = b""
    end: Result | None = None
    fresh: Rendered | None = None


class Reporter:
    """Sends the mails of the outbox. Without ``mail_out`` they are made and kept, to be seen on the desk.

    ``node`` is this node's id. ``is_ours`` tells whether it writes the mails that fall due by time, and looks after
    those of nodes that are gone: one node at a time does.
    """

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        mail_out: MailOut | None,
        signer: Signer | None = None,
        *,
        parallel: int = 8,
        node: str = "",
        is_ours: Callable[[], bool] = lambda: True,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        since_boot: Callable[[], float] = boot_clock,
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._mail_out = mail_out
        self._signer = signer
        self._parallel = parallel
        self._node, self._is_ours = node, is_ours
        self._jitter = jitter
        self._clock, self._since_boot = clock, since_boot
        self._tasks: dict[asyncio.Task[None], int] = {}  # with the id of the mail
        self._hands = asyncio.Semaphore(parallel)
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="report-maker")
        self._stop = asyncio.Event()
        self._swept_at = 0
        self._claims_seen_at = -CLAIMS_EVERY_S
        self._lost: frozenset[int] = frozenset()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then let the hand-overs under way end, for some seconds."""
        self._stop, faults = stop, 0
        while not stop.is_set():
            try:
                await self._sweep()
                await self._sweep_claims()
                found = await self._claim()
                faults = 0
            except StoreError as error:
                faults += 1
                log.warning("the outbox cannot be read: %s", error)
                await _either(stop, asyncio.sleep(retry.backoff_ms(faults, self._jitter()) / 1000))
                continue
            if not found:
                await _either(stop, self._store.wait("outbox", IDLE_S))
        await self._end()

    async def _sweep(self) -> None:
        now = self._clock()
        due = now - self._swept_at >= SWEEP_EVERY_MS or now < self._swept_at
        if due and self._is_ours():
            await self._store.sweep_notices()
            self._swept_at = now

    async def _sweep_claims(self) -> None:
        """Make due what was claimed and nobody hands over. Here that is a claim whose commit was reported as failed,
        a mail that could not be stored, or one that waited too long; elsewhere, what a node left that is gone."""
        at = time.monotonic()
        if at - self._claims_seen_at < CLAIMS_EVERY_S:
            return
        self._claims_seen_at = at
        lost = self._lost if self._is_ours() else frozenset()
        self._lost = await self._store.give_mail_back(self._node, frozenset(self._tasks.values()), lost)

    async def _claim(self) -> bool:
        """Claim and make a batch while the one before is handed over; False when nothing is due."""
        if len(self._tasks) > self._parallel:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            return True
        claimed_at = self._since_boot()
        works = await self._store.claim_mail(self._parallel, self._node)
        for made in await self._batch(works) if works else ():
            task = asyncio.create_task(self._work(made, claimed_at))
            self._tasks[task] = made.work.mail.id
            task.add_done_callback(self._tasks.pop)
        return bool(works)

    async def _end(self) -> None:
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._mail_out:
            await self._mail_out.close()
        self._maker.shutdown(wait=False)

    async def _batch(self, works: Sequence[OutboxWork]) -> Sequence[_Made]:
        """Make the mails that are not made yet, and store all of them before any is handed over.

        One thread and one commit for all: eight threads fought with the event loop for the interpreter.
        """
        make = partial(self._make, works, self._clock())
        batch = await asyncio.get_running_loop().run_in_executor(self._maker, make)
        fresh = [(one.work.mail.id, one.raw, one.fresh.subject) for one in batch if one.fresh]
        which = ", ".join(str(mail_id) for mail_id, _, _ in fresh)
        try:
            if fresh:
                await self._stored(which, lambda: self._store.rendered(*fresh))
        except StoreError as error:
            log.warning("mail %s: left for another time: %s", which, error)
            return ()
        return batch

    def _make(self, works: Sequence[OutboxWork], now: int) -> list[_Made]:
        """Each mail with its octets as they go out. Blocks for about a millisecond a mail."""
        return [_Made(work, work.mail.raw) if work.mail.raw else self._made(work, now) for work in works]

    def _made(self, work: OutboxWork, now: int) -> _Made:
        try:
            if work.mail.kind is MailKind.POSTMASTER:
                raise RenderError("the mail to hand on is not stored")
            rendered = self._renderer.render(work.mail, work.source, work.sms)
            sign = self._signer if self._mail_out else None
            return _Made(work, sign.sign(rendered.raw, now) if sign else rendered.raw, fresh=rendered)
        except RenderError as error:
            return _Made(work, end=Dead(str(error)))
        except Exception as error:
            log.exception("mail %s cannot be made", work.mail.id)
            return _Made(work, end=Later(f"a fault of the bridge: {type(error).__name__}"))

    async def _work(self, made: _Made, claimed_at: float) -> None:
        """One mail, whatever happens to it; it comes back when the store fails for long."""
        mail = made.work.mail
        try:
            await self._tell(made)
            async with self._hands:
                if self._stop.is_set() or self._since_boot() - claimed_at > CLAIM_HOLDS_S:
                    return  # it may be another's by now
                result = made.end or await self._handed_over(made)
            await self._stored(str(mail.id), lambda: self._settle(mail, result))
        except StoreError as error:
            log.warning("mail %s: left for another time: %s", mail.id, error)

    async def _tell(self, made: _Made) -> None:
        """Say what the operator should know of a mail that was made just now."""
        mail = made.work.mail
        if mail.kind is MailKind.ALARM and made.fresh:
            about = "; ".join(f"{name}: {value}" for name, value in mail.facts)
            log.warning("an alarm for the admin", extra={"about": about})
        for fault in made.fresh.faults if made.fresh else ():
            log.warning("brand %s: %s", mail.brand, fault)
            facts = (("alarm", "template"), ("brand", mail.brand), ("why", fault))
            await self._store.note_alarm(f"template:{mail.brand}", facts)

    async def _handed_over(self, made: _Made) -> Result | None:
        """What the smarthost said; None when there is none and the mail is kept."""
        if self._mail_out is None:
            return None
        sender = self._renderer.envelope_sender(made.work.mail)
        return await self._mail_out.hand_over(sender, made.work.mail.to, made.raw)

    async def _stored(self, which: str, write: Callable[[], Awaitable[None]]) -> None:
        """Write, and try again for a while when the database cannot: a mail handed over should not go twice."""
        tries, until = 0, time.monotonic() + STORE_PATIENCE_S
        while True:
            try:
                return await write()
            except StoreError as error:
                if time.monotonic() >= until:
                    raise
                tries += 1
                log.warning("mail %s: its state cannot be written now, trying again: %s", which, error)
            await asyncio.sleep(retry.backoff_ms(tries, self._jitter(), first=100, most=2 * SECOND) / 1000)

    async def _settle(self, mail: OutboxMail, result: Result | None) -> None:
        if isinstance(result, Later) and self._clock() - mail.created_at >= GIVE_UP_AFTER_MS:
            result = Dead(f"given up after five days: {result.error}")
        if result is None:
            await self._store.mail_kept(mail.id)
        elif isinstance(result, Sent):
            log.info("mail %s handed over", mail.id, extra={"kind": mail.kind.value})
            await self._store.mail_sent(mail.id)
        elif isinstance(result, Later):
            wait_ms = retry.backoff_ms(
                mail.attempts + 1, self._jitter(), first=FIRST_WAIT_MS, most=LONGEST_WAIT_MS
            )
            log.warning("mail %s: later: %s", mail.id, result.error)
            await self._store.mail_later(mail.id, wait_ms, result.error, self._node)
        else:
            await self._died(mail, result.error)

    async def _died(self, mail: OutboxMail, error: str) -> None:
        """Told to the admin once a day; not when an alarm itself died, or alarms would breed alarms."""
        log.error("mail %s is dead: %s", mail.id, error)
        await self._store.mail_dead(mail.id, error)
        if mail.kind is not MailKind.ALARM:
            facts = (("alarm", "mail-dead"), ("kind", mail.kind.value), ("to", mail.to), ("why", error))
            await self._store.note_alarm("mail-dead", facts)


async def _either(stop: asyncio.Event, other: object) -> None:
    """Wait for ``other`` or for ``stop``, whichever comes first."""
    waiting = asyncio.ensure_future(other)  # type: ignore[call-overload]
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, stopping):
        task.cancel()
    await asyncio.gather(waiting, stopping, return_exceptions=True)
