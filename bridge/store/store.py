"""The store as the loops see it: every verb one transaction, durable when it returns.

Each raises StoreError when the database cannot do it now (see there what that says). A caller that is
cancelled while it waits undoes nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Final, TypeVar

from bridge.decide.values import Accept
from bridge.errors import StoreError
from bridge.event import Event
from bridge.optout import EVERY_ACCOUNT, OptOut
from bridge.report.values import OutboxMail, OutboxState
from bridge.retry import Account, Answer
from bridge.sms import Input, Kind, Sms, Timing
from bridge.store import (
    accepting,
    accounts,
    alarms,
    events,
    habits,
    looking,
    matching,
    nodes,
    optouts,
    outbox,
    polling,
    replies,
    sending,
    sweeping,
    using,
)
from bridge.store.database import Database, Together, Topic, Tx
from bridge.store.privacy import Privacy
from bridge.store.sending import Turns
from bridge.store.terms import Terms
from bridge.store.values import (
    DAY,
    Accepted,
    Actor,
    AlarmLine,
    Claimed,
    Counts,
    LeaseLine,
    LimitCounts,
    Node,
    NodeLine,
    OutboxWork,
    Recorded,
    SmsFilter,
    SmsPage,
    SmsStory,
    StoredEvent,
    StoreSettings,
    UseLine,
)
from bridge.store.waiting import Hints
from bridge.velocity import Bounds

T = TypeVar("T")
PartLock = Callable[[str], AbstractContextManager[None]]

CHECK_EVERY_S: Final = 1.0  # a health check asked for more often is answered by the last one
PUT_OFF_S: Final = 5.0  # so long after a mail could not be stored we are not ready, unless another was
# What nodes do one after the other, in one order in each commit: no ring of nodes that wait. Whoever noted that a 250
# was heard sends the next mail later.
_HEARD, _MAILS, _ANSWERS = range(3)
EVENTS_AT_ONCE: Final = 64  # of the vendor's that wait to be stored: a mail that comes waits behind no more
COUNTS_EVERY_S: Final = 5.0  # counting a million rows costs some 50 ms


class Store:
    """The database of the bridge. Made by `open_store`.

    ``privacy`` has the verbs of what is kept no longer. ``part_lock`` makes this process the only one that runs a
    part; None where several nodes may.
    """

    def __init__(
        self,
        database: Database,
        hints: Hints,
        part_lock: PartLock | None,
        settings: StoreSettings,
        timing: Timing,
    ) -> None:
        self._database = database
        self._hints = hints
        self._part_lock = part_lock
        self._terms = Terms(settings, timing)
        self.privacy = Privacy(database, self._terms)
        self._turns = Turns()
        self._accept: Together[Accept, Accepted] = lambda tx, mails: accepting.accept(tx, self._terms, mails)
        self._acknowledge: Together[str, None] = accepting.acknowledge
        self._answers: Together[Event, Recorded] = lambda tx, answers: replies.record(
            tx, self._terms, answers
        )
        self._checked_at = -CHECK_EVERY_S
        self._put_off: tuple[float, StoreError] | None = None
        self._counted: tuple[float, Counts] | None = None
        self._events = asyncio.Semaphore(EVENTS_AT_ONCE)

    async def close(self) -> None:
        """Finish what was begun, and close."""
        await self._database.close()

    @asynccontextmanager
    async def part(self, name: str) -> AsyncIterator[None]:
        """Run this part: as its only process, where the database is of one machine. Raises PartBusy.

        There, what another left of it is over: its lease at once; of ``send``, what was being sent becomes
        `unknown`; of ``reports``, what was being handed over is due.
        """
        if self._part_lock is None:
            yield
            return
        with self._part_lock(name):
            await self._write(lambda tx: tx.run("end_lease", part=name))
            if name == "send":
                await self._write(lambda tx: sending.adopt(tx, self._terms))
            elif name == "reports":
                await self._write(outbox.adopt)
            yield

    async def check(self) -> None:
        """Return if the database can be written to; else raise StoreError.

        On a full disk the small row of the check may still fit where a mail does not: one that was put off counts.
        """
        if self._put_off is not None and time.monotonic() - self._put_off[0] < PUT_OFF_S:
            raise StoreError(str(self._put_off[1]))
        if time.monotonic() - self._checked_at < CHECK_EVERY_S:
            return
        await self._write(looking.touch)
        self._checked_at = time.monotonic()

    async def wait(self, topic: Topic, timeout_s: float) -> None:
        """Return soon after this process committed something of ``topic``, at the latest in ``timeout_s``."""
        await self._hints.wait(topic, timeout_s)

    # --- mail in ---

    async def accept(self, taken: Accept) -> Accepted:
        """Store a mail and its SMS, unless it is above a limit (`Accepted.over`). When this returns, they are safe:
        this is what a 250 promises."""
        try:
            accepted = await self._database.write_together(self._accept, taken, turn=_MAILS, wakes="sms")
        except StoreError as error:
            self._put_off = time.monotonic(), error
            raise
        self._put_off = None
        return accepted

    async def accept_by_hand(self, taken: Accept, what: str, by: Actor) -> Accepted:
        """Store SMS that an operator asked for, and that they did ``what``: send, resubmit or forward."""
        return await self._write(lambda tx: accepting.accept_by_hand(tx, self._terms, taken, what, by))

    async def acknowledge(self, mail_id: str) -> None:
        """Note that the client of a mail without Message-ID has heard our 250."""
        await self._database.write_together(self._acknowledge, mail_id, turn=_HEARD)

    async def known_key(self, kind: str, key: str) -> bool:
        """Return whether ``key`` of ``reply+<key>@`` or ``bounce+<key>@`` is one of ours."""
        return await self._read(lambda tx: polling.known_key(tx, kind, key))

    async def vendor_mail(self, key: str, text: str) -> bool:
        """Take the vendor's mail to ``reply+<key>@``; False for an unknown key or more than 20 an hour."""
        return await self._write(lambda tx: polling.vendor_mail(tx, self._terms, key, text))

    async def bounce(self, key: str) -> bool:
        """Mark the mail of ours that bounced to ``bounce+<key>@`` and tell the admin once; False if unknown."""
        return await self._write(lambda tx: polling.bounce(tx, self._terms, key))

    async def postmaster(self, raw: bytes, client: str) -> bool:
        """Take a mail for postmaster@; False when there were ten in this hour from that client, or 200 in all."""
        return await self._write(lambda tx: polling.postmaster(tx, self._terms, raw, client))

    # --- send ---

    async def claim(self, node: str, limit: int, step_us: int = 0) -> Claimed:
        """Take up to ``limit`` SMS to send, each `sending` and ours alone, with the moments to send them.

        ``step_us``: microseconds from one send to the next over all nodes; 0: as fast as they come.
        """
        return await self._write(lambda tx: sending.claim(tx, self._terms, self._turns, node, limit, step_us))

    async def claim_next(self, node: str, limit: int, step_us: int, within_s: float) -> Claimed:
        """As `claim`, once something may be there to send, at the latest ``within_s``: what is accepted meanwhile is
        claimed in the commit that accepts it. Nothing after `stop_claiming`."""
        if self._hints.seen("sms"):
            return await self.claim(node, limit, step_us)
        claimed = await self._database.write_when(
            "sms", lambda tx: sending.claim(tx, self._terms, self._turns, node, limit, step_us), within_s
        )
        return claimed or Claimed(())

    def stop_claiming(self) -> None:
        """Have the `claim_next` that waits return without having claimed, unless it has begun to."""
        self._database.withdraw("sms")

    async def finish(
        self, claimed: Sms, given: Input, answer: Answer | None, vendor_ids: Sequence[str] = ()
    ) -> Sms | None:
        """Store what came of a claimed SMS and what it says of its account; return what the SMS became, None when it is
        gone."""
        return await self._write(
            lambda tx: sending.finish(tx, self._terms, claimed, given, answer, vendor_ids)
        )

    async def adopt_lost(self, node: str, under_way: Collection[int], older_ms: int) -> int:
        """Make `unknown` what ``node`` claimed so long ago and is not ``under_way`` (ids) there: a claim whose
        commit was reported as failed may stand all the same. Return how many."""
        return await self._write(lambda tx: sending.adopt_lost(tx, self._terms, node, under_way, older_ms))

    async def adopt_gone(self, us: str, gone_after_ms: int) -> int:
        """Make `unknown` what was claimed by nodes that are gone, as the node ``us`` sees it; return how many.

        ``gone_after_ms`` is for a node that has left no word of when it is.
        """
        return await self._write(lambda tx: sending.adopt_gone(tx, self._terms, us, gone_after_ms))

    async def expire(self) -> int:
        """End queued SMS that are too old, and drop rows that have served their time; return how many ended.

        It notices too that the database's clock was set back, and lets nothing wait for that.
        """

        def unit(tx: Tx) -> int:
            sweeping.look_at_clock(tx)
            sweeping.clean(tx, self._terms)
            return sending.expire(tx, self._terms)

        return await self._write(unit)

    async def accounts(self) -> tuple[Account, ...]:
        """Return the health of the vendor's accounts that anything is known of."""
        return await self._read(accounts.everyone)

    async def resume(self, account: str | None, by: Actor) -> int:
        """Let one account send again, or all, at an operator's word; return how many stood still."""
        return await self._write(lambda tx: accounts.resume(tx, account, by))

    async def note_alarm(self, key: str, facts: Sequence[tuple[str, str]], every_ms: int = DAY) -> bool:
        """Record an alarm and mail it to the admin, at most once in ``every_ms``; return whether it was mailed."""
        return await self._write(lambda tx: alarms.note(tx, self._terms, key, facts, every_ms))

    async def watch(self, bounds: Bounds) -> bool:
        """Count what senders did since the last look, some thousand SMS at a time, and alarm the admin about those
        far above their habit; return whether there may be more to count."""
        counted = await self._read(habits.look)
        if counted is None:
            return False
        await self._write(lambda tx: habits.keep(tx, self._terms, bounds, counted))
        return counted.more

    # --- nodes ---

    async def beat(self, node: Node, lease_ms: int, *, draining: bool = False) -> frozenset[str]:
        """Note that ``node`` lives; return the parts whose lease it holds now, for ``lease_ms``.

        It takes those that nobody holds; a node that is draining gives them back.
        """
        return await self._write(lambda tx: nodes.beat(tx, node, lease_ms, draining=draining))

    async def leave(self, node: str) -> int:
        """Take a node off that ends in good order; return how many SMS it leaves `unknown`."""
        return await self._write(lambda tx: nodes.leave(tx, self._terms, node))

    async def nodes(self) -> tuple[NodeLine, ...]:
        """Return the nodes, the oldest first, and those that went less than an hour ago."""
        return await self._read(nodes.listed)

    async def leases(self) -> tuple[LeaseLine, ...]:
        """Return which node does what one node at a time does."""
        return await self._read(nodes.leases)

    # --- events and polls ---

    async def record_event(self, event: Event) -> Recorded:
        """Take what the vendor said, once.

        ``applied``: it changed something or was mailed; ``known``: it came before; ``recorded``: nothing
        changed; ``kept``: it matches no SMS of ours yet.
        """
        async with self._events:
            if event.type != "status":
                return await self._database.write_together(self._answers, event, turn=_ANSWERS)
            return await self._write(lambda tx: events.record(tx, self._terms, event))

    async def vendor_ids(self, sms_id: int) -> tuple[str, ...]:
        """Return the MessageIDs that the vendor itself gave an SMS."""
        return await self._read(lambda tx: matching.vendor_ids(tx, sms_id))

    async def due_polls(self, limit: int) -> tuple[Sms, ...]:
        """Return SMS to ask the vendor about now; each is leased for a minute."""
        return await self._write(lambda tx: polling.due(tx, self._terms, limit))

    async def polled(self, asked: Sms, given: Input) -> Sms | None:
        """Store what a poll told; return what the SMS became, None when it is gone."""
        return await self._write(lambda tx: polling.polled(tx, self._terms, asked, given))

    async def due_reply_polls(self, limit: int) -> tuple[Sms, ...]:
        """Return SMS whose answers to ask for now; each is leased for a minute."""
        return await self._write(lambda tx: polling.replies_due(tx, limit))

    async def reply_polled(self, asked: Sms) -> None:
        """Note that the answers to an SMS were asked for."""
        await self._write(lambda tx: polling.reply_polled(tx, asked))

    async def cursor(self, name: str) -> int | None:
        """Return how far a periodic poll has come."""

        def unit(tx: Tx) -> int | None:
            row = tx.one("cursor", name=name)
            return int(row[0]) if row else None

        return await self._read(unit)

    async def set_cursor(self, name: str, value: int) -> None:
        """Store how far a periodic poll has come."""
        await self._write(lambda tx: tx.run("set_cursor", name=name, value=value))

    # --- mails of ours ---

    async def sweep_notices(self) -> None:
        """Write the mails that fall due by time: "we cannot tell yet", and summaries."""
        await self._write(lambda tx: sweeping.notices_due(tx, self._terms))

    async def claim_mail(self, limit: int, node: str = "") -> tuple[OutboxWork, ...]:
        """Take mails of ours that are due, oldest first; each is ``node``'s alone until its end is stored."""
        return await self._write(lambda tx: outbox.claim(tx, limit, node))

    async def give_mail_back(
        self, node: str, under_way: Collection[int], lost: Collection[int] = ()
    ) -> frozenset[int]:
        """Make due again what ``node`` claimed and is not ``under_way`` (ids) there, and of ``lost`` what was claimed
        by nodes that are gone, for longer than a hand-over may take. Return all that is claimed by such.

        Given as ``lost`` when all that live have shown themselves since, it is surely so: when the database's clock
        is set, all seem to be gone until their next heartbeat.
        """
        return await self._write(lambda tx: outbox.give_back(tx, node, under_way, lost))

    async def rendered(self, *mails: tuple[int, bytes, str]) -> None:
        """Keep finished mails (id, octets, subject) before they are first handed over; the first one stays."""
        await self._write(lambda tx: outbox.rendered(tx, mails))

    async def mail_sent(self, outbox_id: int) -> None:
        """The smarthost has it."""
        await self._write(lambda tx: outbox.settle(tx, outbox_id, OutboxState.SENT))

    async def mail_later(self, outbox_id: int, wait_ms: int, error: str, node: str = "") -> None:
        """It could not be handed over now by ``node``, whose it is; again in ``wait_ms``."""
        await self._write(lambda tx: outbox.later(tx, outbox_id, wait_ms, error, node))

    async def mail_dead(self, outbox_id: int, error: str) -> None:
        """It was refused for good."""
        await self._write(lambda tx: outbox.settle(tx, outbox_id, OutboxState.DEAD, error))

    async def mail_kept(self, outbox_id: int) -> None:
        """There is no smarthost: it stays to be looked at."""
        await self._write(lambda tx: outbox.settle(tx, outbox_id, OutboxState.KEPT))

    # --- seeing and operators ---

    async def list_sms(self, wanted: SmsFilter, before: int | None, limit: int) -> SmsPage:
        """Return SMS that fit, newest first, with ids under ``before``."""
        return await self._read(lambda tx: looking.list_sms(tx, wanted, before, limit))

    async def show(self, name: str) -> SmsStory | None:
        """Return all that is known of the SMS with that MessageID or id."""
        return await self._read(lambda tx: looking.show(tx, str(name)))

    async def list_outbox(self, before: int | None, limit: int) -> tuple[OutboxMail, ...]:
        """Return mails of ours, newest first, without their raw text."""
        return await self._read(lambda tx: looking.list_outbox(tx, before, limit))

    async def outbox_mail(self, outbox_id: int) -> OutboxMail | None:
        """Return one mail of ours with its raw text."""
        return await self._read(lambda tx: looking.outbox_mail(tx, outbox_id))

    async def list_events(self, before: int | None, limit: int) -> tuple[StoredEvent, ...]:
        """Return what the vendor said, newest first."""
        return await self._read(lambda tx: looking.list_events(tx, before, limit))

    async def list_alarms(self, limit: int) -> tuple[AlarmLine, ...]:
        """Return the latest alarms."""
        return await self._read(lambda tx: alarms.listed(tx, limit))

    async def counts(self) -> Counts:
        """Return how much there is of what, at most five seconds old."""
        now = time.monotonic()
        if self._counted is None or now - self._counted[0] >= COUNTS_EVERY_S:
            self._counted = now, await self._read(looking.counts)
        return self._counted[1]

    async def limits(self, most: int) -> tuple[UseLine, ...]:
        """Return what is used of limits now, at most so many lines: that of all senders together first."""
        return await self._read(lambda tx: using.listed(tx, most))

    async def limit_counts(self) -> LimitCounts:
        """Return how much the limits do."""
        return await self._read(lambda tx: using.counts(tx, self._terms.settings.spend_cap))

    async def release(self, message_id: str, by: Actor) -> Sms | None:
        """Queue a held SMS again, at an operator's word; None when there is no such SMS. Raises `OverLimit` when it
        may have been paid for once and a limit of money does not hold it twice."""
        return await self._write(
            lambda tx: sending.by_operator(tx, self._terms, message_id, Kind.RELEASE, by)
        )

    async def cancel(self, message_id: str, by: Actor) -> Sms | None:
        """Never send an SMS (again), at an operator's word; None when there is no such SMS."""
        return await self._write(lambda tx: sending.by_operator(tx, self._terms, message_id, Kind.CANCEL, by))

    # --- opt-outs ---

    async def opt_out(self, number: str, actor: Actor, account: str = EVERY_ACCOUNT, note: str = "") -> bool:
        """Note at an operator's word that the phone with this number (E.164) wants no SMS; False if it is noted
        already."""
        return await self._write(lambda tx: optouts.add(tx, actor, number, account, note))

    async def opt_in(self, number: str, actor: Actor, account: str | None = None) -> int:
        """Let SMS to this number through again at an operator's word, of one account (None: of all); return how
        many opt-outs that ended."""
        return await self._write(lambda tx: optouts.remove(tx, actor, number, account))

    async def optouts_of(self, *numbers: str) -> tuple[OptOut, ...]:
        """Return the opt-outs in force of these numbers."""
        return await self._read(lambda tx: optouts.of_numbers(tx, numbers))

    async def optouts_changed(self, since: int, limit: int) -> tuple[OptOut, ...]:
        """Return what was written about opt-outs at ``since`` (ms UTC) or later, the latest first, also what ended."""
        return await self._read(lambda tx: optouts.changed(tx, since, limit))

    async def list_optouts(self, before: OptOut | None, limit: int) -> tuple[OptOut, ...]:
        """Return the opt-outs in force, the latest first, those behind ``before``."""
        key = (before.at, before.number, before.account) if before else None
        return await self._read(lambda tx: optouts.listed(tx, key, limit))

    # ---

    async def _write(self, unit: Callable[[Tx], T]) -> T:
        return await self._database.write(unit)

    async def _read(self, unit: Callable[[Tx], T]) -> T:
        return await self._database.read(unit)
