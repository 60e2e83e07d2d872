"""Asks the vendor what became of unsettled SMS, and what phones answered. Step "event" of the flow.

It repairs missed webhooks. It writes to the store alone, and never decides what an answer does to an SMS.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from bridge.errors import StoreError
from bridge.event import Event, News
from bridge.sms import Input, Kind, Sms
from bridge.sms_api import Listed, Pace, Polled, SmsApi, boot_clock
from bridge.store import Store

log = logging.getLogger(__name__)

IDLE_S: Final = 1.0
AHEAD_S: Final = 5.0  # of the poll rate; a lease lasts a minute
STORE_WAIT_S: Final = 2.0
END_PATIENCE_S: Final = 2.0  # polls change nothing at the vendor: at the end they may be cut off
REFUSED_EVERY_S: Final = 15 * 60.0  # an account whose polls are refused is tried again so often
OVERLAP_MINUTES: Final = 15
FIRST_MINUTES: Final = 24 * 60
MOST_MINUTES: Final = 7 * 24 * 60  # answers come for seven days at most
MAX_PAGES: Final = 200
OLD_S: Final = 60.0  # by then an SMS may have been polled, and sent again, by another node


class _NotOurs(Exception):
    """Another node polls now, or has by now: what was asked for here counts for nothing."""


def wall_clock() -> int:
    """Return the time in ms UTC."""
    return time.time_ns() // 1_000_000


class Poller:
    """Polls with at most ``polls_per_second``; what was received is asked every ``received_every_ms``.

    ``idle_s`` is how often it looks whether a poll has fallen due. ``is_ours`` tells whether this node polls: one
    at a time does, so that the rate holds over all.
    """

    def __init__(
        self,
        store: Store,
        api: SmsApi,
        *,
        polls_per_second: float,
        received_every_ms: int,
        idle_s: float = IDLE_S,
        is_ours: Callable[[], bool] = lambda: True,
        clock: Callable[[], int] = wall_clock,
        since_boot: Callable[[], float] = boot_clock,
    ) -> None:
        self._store, self._api, self._clock, self._since_boot = store, api, clock, since_boot
        self._is_ours, self._polls = is_ours, False
        self._idle_s = idle_s
        self._received_every_s = received_every_ms / 1_000
        self._pace = Pace(polls_per_second)
        self._places = asyncio.Semaphore(api.poll_concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused_until: dict[str, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until ``stop``."""
        loops = [asyncio.create_task(loop) for loop in (self._statuses(), self._replies())]
        loops += [asyncio.create_task(self._received(key)) for key in sorted(self._api.accounts_with_polls)]
        try:
            await stop.wait()
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self._end()

    # --- what became of SMS ---

    async def _statuses(self) -> None:
        while True:
            if await self._ours():
                await self._guarded(self._status_round())

    async def _status_round(self) -> None:
        rows = await self._store.due_polls(self._room())
        for sms in rows:
            self._spawn(self._status(sms))
        if rows:
            await self._rest()
        else:
            await self._store.wait("poll", self._idle_s)

    async def _status(self, sms: Sms) -> None:
        polled = await self._asked(sms)
        self._note_refusal(sms.account, polled.input.why, refused=polled.credentials_refused)
        with suppress(asyncio.CancelledError):
            await self._keep(sms, polled)

    async def _asked(self, sms: Sms) -> Polled:
        if sms.account not in self._api.accounts_with_polls:
            return Polled(Input(Kind.NO_POLL))
        if self._is_refused(sms.account):
            return Polled(Input(Kind.NO_ANSWER, why="the vendor refuses the polls of this account"))
        polled = await self._ask(sms, None)
        if polled.input.kind is Kind.NO_SUCH:  # it may know the SMS under an id of its own only
            for theirs in await self._store.vendor_ids(sms.id):
                polled = await self._ask(sms, theirs)
                if polled.input.kind is not Kind.NO_SUCH:
                    break
        return polled

    async def _ask(self, sms: Sms, message_id: str | None) -> Polled:
        async with self._places:
            await self._turn()
            begun = self._since_boot()
            polled = await self._api.status(sms, message_id)
        if polled.event is None and self._since_boot() - begun > OLD_S:
            raise _NotOurs
        return polled

    async def _keep(self, sms: Sms, polled: Polled) -> None:
        """Store what a poll told. The news itself is kept once: the first sign of life, then the end."""
        event = polled.event
        if event is not None and event.credit_hold:
            await self._credit_hold(sms)
        fresh = event is not None and (event.news is not News.PENDING or not sms.rank)
        if event is not None and fresh and await self._store.record_event(event) == "applied":
            log.info("a poll told news", extra={"sms": sms.message_id, "result": event.result})
            return
        await self._store.polled(sms, polled.input)

    async def _credit_hold(self, sms: Sms) -> None:
        facts = (("alarm", "credit-hold"), ("account", sms.account), ("message_id", sms.message_id))
        await self._store.note_alarm(f"credit-hold:{sms.account}", facts)

    # --- what phones answered ---

    async def _replies(self) -> None:
        while True:
            if await self._ours():
                await self._guarded(self._reply_round())

    async def _reply_round(self) -> None:
        rows = await self._store.due_reply_polls(self._room())
        for sms in rows:
            self._spawn(self._reply(sms))
        if rows:
            await self._rest()
        else:
            await self._store.wait("poll", self._idle_s)

    async def _reply(self, sms: Sms) -> None:
        if sms.account in self._api.accounts_with_polls:
            if self._is_refused(sms.account):
                return
            async with self._places:
                await self._turn()
                listed = await self._api.replies(sms)
            self._note_refusal(sms.account, listed.why, refused=listed.credentials_refused)
            if listed.why:
                log.warning("a reply poll was not answered", extra={"sms": sms.message_id, "why": listed.why})
                return  # its lease ends by itself, then it is asked again
            await self._record(listed.events)
        await self._store.reply_polled(sms)

    async def _received(self, account: str) -> None:
        while True:
            if not await self._ours():
                continue
            if not self._is_refused(account):
                await self._guarded(self._received_round(account))
            await asyncio.sleep(self._received_every_s)

    async def _received_round(self, account: str) -> None:
        """Ask for all that came since the last full answer, and some minutes more."""
        name, now = f"received {account}", self._clock()
        since = await self._store.cursor(name)
        minutes = FIRST_MINUTES if since is None else math.ceil((now - since) / 60_000) + OVERLAP_MINUTES
        for page in range(1, MAX_PAGES + 1):
            listed = await self._page(account, max(1, min(minutes, MOST_MINUTES)), page)
            if listed.why:
                log.warning("a received poll was not answered", extra={"account": account, "why": listed.why})
                return
            await self._record(listed.events)
            if listed.last_page:
                break
        else:
            log.error("more was received than a poll can list", extra={"account": account})
        await self._store.set_cursor(name, now)

    async def _page(self, account: str, minutes: int, page: int) -> Listed:
        async with self._places:
            await self._turn()
            listed = await self._api.received(account, minutes, page)
        self._note_refusal(account, listed.why, refused=listed.credentials_refused)
        return listed

    async def _record(self, events: tuple[Event, ...]) -> None:
        await asyncio.gather(*(self._store.record_event(event) for event in events))

    # --- the account's polls ---

    def _is_refused(self, account: str) -> bool:
        return time.monotonic() < self._refused_until.get(account, 0.0)

    def _note_refusal(self, account: str, why: str, *, refused: bool) -> None:
        """Stop the polls of an account whose auth_token is refused, tell the admin, try again later."""
        if not refused:
            self._refused_until.pop(account, None)
            return
        self._refused_until[account] = time.monotonic() + REFUSED_EVERY_S
        log.error("the vendor refuses the polls of an account", extra={"account": account, "why": why})
        facts = (("alarm", "polls-refused"), ("account", account), ("why", why))
        self._spawn(self._store.note_alarm(f"polls-refused:{account}", facts))

    # --- how many, how fast ---

    def _room(self) -> int:
        places = self._api.poll_concurrency * 2 - len(self._tasks)
        return max(1, min(places, self._pace.free(time.monotonic(), AHEAD_S)))

    async def _rest(self) -> None:
        """Wait until there is a place for another poll, and the rate is not given away for long."""
        while len(self._tasks) >= self._api.poll_concurrency * 2:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(max(0.0, self._pace.busy_for(time.monotonic()) - AHEAD_S / 2))

    async def _ours(self) -> bool:
        """Return whether this node polls; if not, after a while."""
        if not self._is_ours():
            self._polls = False
            await asyncio.sleep(self._idle_s)
        elif not self._polls:
            self._polls = True
            self._pace.take(time.monotonic())  # whoever polled before us may have done so just now
        return self._polls

    async def _turn(self) -> None:
        """Wait for the moment of a poll. Raises _NotOurs when another node polls by then."""
        now = time.monotonic()
        await asyncio.sleep(max(0.0, self._pace.take(now) - now))
        if not self._is_ours():
            raise _NotOurs

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, object]) -> None:
        """Do a piece of work; when the database is away, wait. What was leased is due again later."""
        try:
            await work
        except StoreError as error:
            log.error("a poll could not be kept", extra={"why": str(error)})
            await asyncio.sleep(STORE_WAIT_S)
        except _NotOurs:
            return  # its lease ends by itself, then whoever polls asks again
        except Exception:
            log.exception("a poll ended in a fault of ours")
            await asyncio.sleep(STORE_WAIT_S)

    async def _end(self) -> None:
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=END_PATIENCE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
