"""Sends what is queued: claim, call the vendor, store what came of it. Step "send" of the flow.

It meets the other loops in the store alone. A row it has claimed is its own until `finish` is stored;
what the vendor answered is never forgotten, however long the database is away.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from bridge import retry
from bridge.errors import StoreError
from bridge.retry import backoff_ms
from bridge.sms import Input, Kind, Sms
from bridge.sms_api import Outcome, Pace, SmsApi, TooLate, boot_clock
from bridge.store import Claimed, Store

log = logging.getLogger(__name__)

BUSY_S: Final = 0.2  # while those that are claimed take longer than this to go out, no more are
MAX_AGE_S: Final = 5.0  # a claim older than this may have been adopted by another while we were frozen
IDLE_S: Final = 0.5  # how long a row that another process queued, or that falls due again, waits at most
SWEEP_EVERY_S: Final = 10.0
GONE_AFTER_MS: Final = 60_000  # of a node that has left no word of when it is gone
LOST_CLAIM_MS: Final = 60_000  # of rows in `sending` that no task here sends
STORE_PATIENCE_S: Final = 10.0  # at the end, for outcomes that the database would not take yet
DOWN_AFTER: Final = 3  # sends in a row without a connection: the vendor is down, claim less often
MAX_DOWN_WAIT_MS: Final = 30_000
STUCK_ALARM_S: Final = 300.0  # nothing gets through for so long: senders would hear of it only at expiry
_STUCK: Final = frozenset({Kind.NOT_SENT, Kind.RATE_LIMITED})

ReplyAddress = Callable[[Sms], str | None]


class Submitter:
    """Sends with at most ``rate_per_second``, evenly, over all nodes; ``reply_address`` gives the SMSEmailReply of
    an SMS. ``node`` claims; ``is_ours`` tells whether it does what one node at a time does, every ``sweep_every_s``.
    """

    def __init__(
        self,
        store: Store,
        api: SmsApi,
        *,
        rate_per_second: float,
        node: str,
        reply_address: ReplyAddress | None = None,
        is_ours: Callable[[], bool] = lambda: True,
        sweep_every_s: float = SWEEP_EVERY_S,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._store, self._api, self._node = store, api, node
        self._reply_address = reply_address or (lambda sms: None)
        self._clock = clock
        self._is_ours, self._sweep_every_s = is_ours, sweep_every_s
        self._step_us = math.ceil(1_000_000 / rate_per_second)
        # Here as well: after this process stood still, what was due does not go out in a bunch.
        self._pace = Pace(rate_per_second)
        self._waiting = 0  # sends whose turn has not come
        self._last_moment = 0.0
        self._places = asyncio.Semaphore(api.concurrency)
        self._tasks: dict[asyncio.Task[None], int] = {}  # with the id of the SMS
        self._changed = asyncio.Event()
        self._unstored = 0
        self._typical_s = 0.1
        self._not_sent = 0
        self._paused_until = 0.0
        self._stuck_since: float | None = None
        self._more = True  # something may be due that the last claim did not take
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop``, then bring every send that has begun to its end."""
        sweeper = asyncio.create_task(self._sweep())
        stopped = asyncio.create_task(self._stopped(stop))
        try:
            while not stop.is_set():
                await self._round(stopped)
        finally:
            self._stopping = True
            await _ended(sweeper, stopped)
            await self._drain()

    async def _stopped(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._store.stop_claiming()

    async def _round(self, stopped: asyncio.Task[None]) -> None:
        """Claim what can be sent soon and begin to send it."""
        self._changed.clear()
        limit, wait_s = self._room()
        if not limit:
            await self._until_changed(stopped, wait_s)
            return
        claimed_at = self._clock()
        try:
            claimed = await self._claim(limit)
        except StoreError as error:
            log.error("nothing could be claimed", extra={"why": str(error)})
            self._more = True
            await asyncio.wait({stopped}, timeout=backoff_ms(1, random.random()) / 1_000)  # noqa: S311
            return
        now = time.monotonic()
        for sms, wait_s in zip(claimed, claimed.waits_s, strict=True):
            self._begin(sms, claimed_at, now + wait_s)
        self._more = claimed.more or claimed.again_s > 0
        if claimed.again_s:
            # Jitter, or all nodes would come at once.
            await asyncio.wait({stopped}, timeout=claimed.again_s * (1 + random.random() / 4))  # noqa: S311

    async def _claim(self, limit: int) -> Claimed:
        """Claim what is there, or what comes next when the last claim left nothing that is due."""
        if self._more:
            return await self._store.claim(self._node, limit, self._step_us)
        return await self._store.claim_next(self._node, limit, self._step_us, IDLE_S)

    async def _until_changed(self, stopped: asyncio.Task[None], wait_s: float) -> None:
        changed = asyncio.create_task(self._changed.wait())
        await asyncio.wait({stopped, changed}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        await _ended(changed)

    def _room(self) -> tuple[int, float]:
        """Return how many rows to claim now, and if none, how long to wait (for a change at most)."""
        now = time.monotonic()
        if self._unstored:
            return 0, IDLE_S
        if now < self._paused_until:
            return 0, self._paused_until - now
        # Beyond one row for each connection, only as many as are over within half a second.
        ahead = int(self._api.concurrency * min(1.0, 0.5 / max(self._typical_s, 0.001)))
        places = self._api.concurrency + ahead - len(self._tasks)
        if places <= 0:
            return 0, IDLE_S
        late_s = self._pace.busy_for(now) + self._waiting * self._step_us / 1_000_000
        busy_s = max(late_s, self._last_moment - now)
        return (0, busy_s - BUSY_S) if busy_s > BUSY_S else (places, 0.0)

    def _begin(self, sms: Sms, claimed_at: float, moment: float) -> None:
        self._waiting, self._last_moment = self._waiting + 1, moment
        task = asyncio.create_task(self._send(sms, claimed_at, moment))
        self._tasks[task] = sms.id
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a send ended in a fault of ours", exc_info=error)

    async def _send(self, sms: Sms, claimed_at: float, moment: float) -> None:
        try:
            await _until(moment)
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            await _until(self._pace.take(time.monotonic()))
            outcome = await self._post(sms, claimed_at)
        finally:
            self._places.release()
        await self._keep(sms, outcome)
        if outcome.input.kind in _STUCK:
            await self._tell_if_stuck(outcome.input.why)

    async def _post(self, sms: Sms, claimed_at: float) -> Outcome:
        """Call the vendor, unless the row has to go back: claimed too long ago, a pause, the end."""

        def check() -> None:
            if why := self._why_not(claimed_at):
                raise TooLate(why)

        begun = time.monotonic()
        try:
            check()
            # Again when the connection stands: we may have been frozen while it was made.
            outcome = await self._api.send(sms, self._reply_address(sms), check)
        except TooLate as why:
            wait_ms = max(0, int((self._paused_until - time.monotonic()) * 1_000))
            return Outcome(Input(Kind.GIVE_BACK, sms.attempts, str(why), wait_ms), None)
        except Exception:  # a fault of ours: nobody knows how far it came, so nobody may send it again
            log.exception("a send ended in a fault of ours", extra={"sms": sms.message_id})
            return Outcome(
                Input(Kind.UNCLEAR, sms.attempts, "a fault inside the bridge"), retry.Answer.UNCLEAR
            )
        self._typical_s += (time.monotonic() - begun - self._typical_s) / 8
        self._learn(outcome)
        return outcome

    def _why_not(self, claimed_at: float) -> str:
        age_s = self._clock() - claimed_at
        if age_s > MAX_AGE_S:
            return f"claimed {age_s:.1f} s ago"
        if self._stopping:
            return "the bridge stops"
        return "sending pauses" if time.monotonic() < self._paused_until else ""

    def _learn(self, outcome: Outcome) -> None:
        """Slow down when the vendor says so or cannot be reached: a long queue is not tried in vain."""
        kind = outcome.input.kind
        if kind not in _STUCK:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = time.monotonic()
        self._not_sent = self._not_sent + 1 if kind is Kind.NOT_SENT else 0
        if kind is Kind.RATE_LIMITED:
            self._pause(outcome.input.wait_ms)
        elif self._not_sent >= DOWN_AFTER:
            self._pause(backoff_ms(self._not_sent - DOWN_AFTER + 1, random.random(), most=MAX_DOWN_WAIT_MS))  # noqa: S311

    async def _tell_if_stuck(self, why: str) -> None:
        """Alarm the admin, once a day, when the vendor has been out of reach for minutes."""
        if self._stuck_since is None or time.monotonic() - self._stuck_since < STUCK_ALARM_S:
            return
        try:
            facts = (("alarm", "vendor-unreachable"), ("why", why))
            await self._store.note_alarm("vendor-unreachable", facts)
        except StoreError as error:
            log.error("an alarm could not be stored", extra={"why": str(error)})

    def _pause(self, wait_ms: int) -> None:
        until = time.monotonic() + wait_ms / 1_000
        if until > self._paused_until:
            self._paused_until = until
            self._store.stop_claiming()
            log.warning("sending pauses", extra={"wait_ms": wait_ms})

    async def _keep(self, sms: Sms, outcome: Outcome) -> None:
        """Store the outcome, and try until the database takes it."""
        tries = 0
        try:
            while True:
                try:
                    await self._finish(sms, outcome)
                    return
                except StoreError as error:
                    tries += 1
                    self._unstored += tries == 1
                    self._store.stop_claiming()
                    log.error(
                        "an outcome could not be stored, trying again",
                        extra={"sms": sms.message_id, "outcome": outcome.input.kind, "why": str(error)},
                    )
                await asyncio.sleep(backoff_ms(tries, random.random(), first=100, most=5_000) / 1_000)  # noqa: S311
        finally:
            self._unstored -= tries > 0

    async def _finish(self, sms: Sms, outcome: Outcome) -> None:
        after = await self._store.finish(sms, outcome.input, outcome.answer, outcome.vendor_ids)
        _tell(sms, outcome, after)

    async def _sweep(self) -> None:
        """Let be asked about what nobody sends: claimed here by a commit that the database reported as failed, or
        by a node that is gone. End what is too old, also while an account stands still and nothing is claimed."""
        while True:
            try:
                await self._store.adopt_lost(self._node, frozenset(self._tasks.values()), LOST_CLAIM_MS)
                if self._is_ours():
                    await self._store.adopt_gone(self._node, GONE_AFTER_MS)
                    await self._store.expire()
            except StoreError as error:
                log.error("nothing could be swept", extra={"why": str(error)})
            await asyncio.sleep(self._sweep_every_s)

    async def _drain(self) -> None:
        """Wait for every send and its outcome. What the database still refuses then is `unknown` later."""
        patience_s = self._api.send_timeout_ms / 1_000 + STORE_PATIENCE_S
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience_s)
            for task in late:
                task.cancel()
            if late:
                log.error("outcomes could not be stored before the end", extra={"count": len(late)})
                await asyncio.wait(late)


def _tell(sms: Sms, outcome: Outcome, after: Sms | None) -> None:
    """Log one send, whatever came of it: the id first, no text, no number."""
    good = outcome.answer is retry.Answer.CLEAR or outcome.input.kind is Kind.GIVE_BACK
    log.log(
        logging.INFO if good else logging.WARNING,
        "%s",
        outcome.input.kind,
        extra={
            "sms": sms.message_id,
            "attempt": sms.attempts,
            "state": after.state if after else "gone",
            "why": outcome.input.why,
        },
    )


async def _until(moment: float) -> None:
    """Sleep until ``moment`` of the monotonic clock; a timer is no more exact than a millisecond."""
    wait_s = moment - time.monotonic()
    if wait_s > 0.001:
        await asyncio.sleep(wait_s)


async def _ended(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel helper tasks and wait until they are over."""
    for task in tasks:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
