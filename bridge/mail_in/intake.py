"""From the final dot to the answer: read the mail, decide, store it, word the 250. The line that commits is here.

Knows nothing of sockets. Whatever fails on our side is a 451; only a decided refusal is a 5xx.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, TypeVar

from bridge import decide, log, message
from bridge.decide import Accept, Client, Envelope, Refuse, Special, Target
from bridge.dsn import Wish, Wishes
from bridge.errors import MailError, StoreError
from bridge.mail_in import replies
from bridge.mail_in.collect import Body, Collector
from bridge.mail_in.optouts import Known
from bridge.mail_in.replies import Reply
from bridge.mail_in.room import place_of
from bridge.message import InboundMail
from bridge.proving import Evidence, Prover, evidence_of
from bridge.rules import Policy, Proof, SenderRule, TextRule
from bridge.sms_text import SmsText, make
from bridge.store import Accepted, Store

T = TypeVar("T")

_LOG: Final = logging.getLogger("bridge.mail_in")
_READERS: Final = 2  # threads that read big mails: each holds one mail whole meanwhile
_READERS_OF_STRANGERS: Final = (
    1  # theirs wait for each other: read in the loop, many at once would hold up everybody
)
_TRUSTED: Final = ("auth", "network")  # reports to whom a mail only names as its sender would be backscatter
_VENDOR_TEXT: Final = TextRule(subject="ignore", cut="none", stop_marks=(), fold="none", too_long="cut")
_VENDOR_SEGMENTS: Final = 10


@dataclass(frozen=True, slots=True)
class Standing:
    """What a client may hope for: the rules it could still meet, whether it is ``known`` to one of them by network
    or login, and whether a signature in its mail may count."""

    candidates: tuple[SenderRule, ...]
    known: bool
    signed: bool


def standing_of(policy: Policy, client: Client) -> Standing:
    """The standing of a client under a policy."""
    rules = decide.candidates(policy, client)
    return Standing(rules, decide.known(rules, client), any("dmarc" in rule.proof for rule in rules))


@dataclass(slots=True)
class Transaction:
    """What one MAIL … DATA has said so far. ``special`` is set when the mail is for an address that makes no SMS;
    ``wishes`` are what the client asked to be told, by number."""

    client: Client
    standing: Standing
    sender: str
    envelope_id: str = ""
    hello: str = ""
    targets: list[Target] = field(default_factory=list)
    wishes: dict[str, Wish] = field(default_factory=dict)
    special: Special | None = None
    recipients: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a mail. ``unacknowledged`` is its id when only the client's next command shows that the
    answer arrived (a mail without Message-ID cannot be told from its repetition)."""

    reply: Reply
    unacknowledged: str | None = None


@dataclass(frozen=True, slots=True)
class _Undecided:
    """A mail that must first show its proofs."""

    mail: InboundMail
    envelope: Envelope
    evidence: Evidence
    size: int
    wanted: frozenset[Proof]


class Intake:
    """Takes mails in. Commits run to their end, whoever hangs up or is cancelled meanwhile.

    ``prover`` is there when a rule names a proof that only a mail can show.
    """

    def __init__(
        self, store: Store, policy: Policy, instance: str, optouts: Known, prover: Prover | None = None
    ) -> None:
        self._store = store
        self._policy = policy
        self._optouts = optouts
        self._instance = instance
        self._prover = prover
        self._threads = ThreadPoolExecutor(_READERS, "mail-read")
        self._for_strangers = ThreadPoolExecutor(_READERS_OF_STRANGERS, "mail-read-strangers")
        self._running: set[asyncio.Future[None]] = set()

    async def recipient(self, transaction: Transaction, address: str) -> Target | Reply | Special:
        """What the recipient ``address`` is, or the answer that refuses it."""
        found = decide.at_rcpt(
            self._policy,
            transaction.client,
            transaction.standing.candidates,
            address,
            transaction.targets,
            self._optouts.now,
        )
        if isinstance(found, Refuse):
            _log_refused("recipient refused", transaction, found)
            return replies.refusal(found)
        if isinstance(found, Special) and found.kind != "postmaster":
            try:
                known = await self._store.known_key(found.kind, found.key)
            except StoreError:
                return replies.STORE_DOWN
            return found if known else replies.NO_SUCH_KEY
        return found

    async def mail(self, transaction: Transaction, collector: Collector) -> Outcome:
        """The answer to the mail that ``collector`` holds, after everything it promises is stored."""
        began = time.monotonic()
        try:
            if transaction.special is not None:
                return await self._special(transaction, transaction.special, collector)
            return await self._sms(transaction, collector, began)
        except StoreError as fault:
            _LOG.error("store failed, mail not taken", extra=_who(transaction) | {"fault": str(fault)})
            return Outcome(replies.STORE_DOWN)
        finally:
            collector.close()

    async def _sms(self, transaction: Transaction, collector: Collector, began: float) -> Outcome:
        if collector.big or not transaction.standing.known:
            threads = self._threads if transaction.standing.known else self._for_strangers
            loop = asyncio.get_running_loop()
            decision = await loop.run_in_executor(threads, self._decided, transaction, collector)
        else:
            decision = self._decided(transaction, collector)
        if isinstance(decision, _Undecided):
            decision = await self._proven(transaction, decision)
        if isinstance(decision, Refuse):
            _log_refused("mail refused", transaction, decision)
            return Outcome(replies.refusal(decision))
        if transaction.wishes:
            decision = _with_wishes(decision, transaction)
        taken = await self._committed(self._store.accept(decision))  # the commit that 250 stands for
        if taken.over is not None:
            _log_refused("mail refused", transaction, taken.over)
            return Outcome(replies.refusal(taken.over))
        _log_taken(taken, transaction, decision, began)
        line = decide.taken(
            taken.mail_id, decision, len(taken.queued), taken.duplicates, taken.joined, taken.later
        )
        anonymous = decision.mail.header_message_id is None
        return Outcome(replies.checked(line), taken.mail_id if anonymous else None)

    def _decided(self, transaction: Transaction, collector: Collector) -> Accept | Refuse | _Undecided:
        body = collector.finish()
        try:
            mail = _read(body)
        except MailError as error:
            return decide.unreadable(str(error))
        addresses = tuple(target.address for target in transaction.targets)
        envelope = Envelope(transaction.client, transaction.sender or None, addresses, transaction.hello)
        if self._prover is not None and mail.from_address is not None:
            wanted = decide.to_look_for(self._policy, mail, envelope, self._instance)
            if wanted:
                evidence = evidence_of(body.octets, wanted, body.digests)
                return _Undecided(mail, envelope, evidence, body.size, wanted)
        return decide.decide(
            self._policy,
            mail,
            envelope,
            transaction.targets,
            body.size,
            self._instance,
            optouts=self._optouts.now,
        )

    async def _proven(self, transaction: Transaction, undecided: _Undecided) -> Accept | Refuse:
        """The decision on a mail after it was looked at for its proofs, which may take as long as DNS does."""
        assert self._prover is not None
        loop = asyncio.get_running_loop()
        mail, envelope = undecided.mail, undecided.envelope
        assert mail.from_address is not None
        look = self._prover.look(undecided.wanted, undecided.evidence, mail.from_address, envelope)
        shown = await loop.create_task(look)
        return await loop.run_in_executor(
            self._threads,
            partial(
                decide.decide,
                self._policy,
                mail,
                envelope,
                transaction.targets,
                undecided.size,
                self._instance,
                shown,
                self._optouts.now,
            ),
        )

    async def _special(self, transaction: Transaction, special: Special, collector: Collector) -> Outcome:
        loop = asyncio.get_running_loop()
        body = await loop.run_in_executor(self._threads, collector.finish)
        if special.kind == "postmaster":
            place = place_of(transaction.client.address)
            stored = await self._committed(self._store.postmaster(body.octets, place))
            full = replies.POSTMASTER_FULL
        elif special.kind == "bounce":
            came_back = await loop.run_in_executor(self._for_strangers, _is_bounce, transaction, body)
            stored = not came_back or await self._committed(self._store.bounce(special.key))
            full = replies.REPLIES_FULL
        else:
            text = await loop.run_in_executor(self._threads, _text_of, body)
            stored = await self._committed(self._store.vendor_mail(special.key, text))
            full = replies.REPLIES_FULL
        _LOG.info(
            "mail to a special address",
            extra=_who(transaction) | {"kind": special.kind, "taken": stored, "size": body.size},
        )
        return Outcome(replies.OK if stored else full)

    async def acknowledge(self, mail_id: str) -> None:
        """Note that the client of that mail has seen our 250. A fault only makes a repetition count as one."""
        try:
            await self._committed(self._store.acknowledge(mail_id))
        except StoreError as fault:
            _LOG.warning("could not note that the 250 arrived", extra={"id": mail_id, "fault": str(fault)})

    def acknowledge_soon(self, mail_id: str) -> None:
        """`acknowledge` without making the client's next command wait for it."""
        task = asyncio.get_running_loop().create_task(self.acknowledge(mail_id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _committed(self, write: Awaitable[T]) -> T:
        """The result of ``write``, which `settle` waits for. It needs no task: a conversation is not cancelled while
        it waits for one, and the store goes on with it in any case."""
        ended = asyncio.get_running_loop().create_future()
        self._running.add(ended)
        try:
            return await write
        finally:
            self._running.discard(ended)
            ended.set_result(None)

    async def settle(self) -> None:
        """Wait until every write that was begun has ended."""
        while self._running:
            await asyncio.wait(self._running)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._for_strangers.shutdown(wait=False, cancel_futures=True)


def _read(body: Body) -> InboundMail:
    mail = message.read(body.octets)
    return replace(mail, truncated=True) if body.cut else mail


def _with_wishes(accept: Accept, transaction: Transaction) -> Accept:
    """``accept`` with what the client asked to be told: of one that is proven itself, and if there is anybody to tell.

    A mail from nobody has no reports but those of its sender's rule (RFC 3461, 5.2.2); NEVER holds all the same.
    """
    if accept.mail.proof not in _TRUSTED:
        return accept
    found = [
        (number, wish) for number, wish in transaction.wishes.items() if transaction.sender or not wish.notify
    ]
    dsn = Wishes(transaction.envelope_id, tuple(found)) if found else None
    return replace(accept, mail=replace(accept.mail, dsn=dsn))


def _is_bounce(transaction: Transaction, body: Body) -> bool:
    """Whether a mail to a bounce address says that ours came back: absence notes go to that address too."""
    try:
        mail = _read(body)
    except MailError:
        return not transaction.sender
    return mail.is_report or (not transaction.sender and mail.auto_submitted in ("", "auto-generated", "no"))


def _text_of(body: Body) -> str:
    """The text of a mail from the vendor, as it is, bounded; empty when it has none or cannot be read."""
    try:
        mail = _read(body)
    except MailError:
        return ""
    found = make(
        plain=mail.plain,
        html=mail.html,
        subject=mail.subject,
        rule=_VENDOR_TEXT,
        segments_limit=_VENDOR_SEGMENTS,
        sender="",
        truncated=mail.truncated,
    )
    return found.text if isinstance(found, SmsText) else ""


def _who(transaction: Transaction) -> dict[str, Any]:
    return {"client": transaction.client.address, "user": transaction.client.user or ""}


def _log_refused(what: str, transaction: Transaction, refusal: Refuse) -> None:
    """Its text is the answer that the client got: made of constants and checked values, never of the mail's text."""
    _LOG.info(what, extra=_who(transaction) | {"answer": str(refusal)})


def _log_taken(taken: Accepted, transaction: Transaction, accept: Accept, began: float) -> None:
    mail = accept.mail
    if not _LOG.isEnabledFor(logging.INFO):
        return
    _LOG.info(
        "mail taken",
        extra={
            "id": taken.mail_id,
            "client": mail.client,
            "user": transaction.client.user or "",
            "sender": mail.sender,
            "proof": mail.proof,
            "numbers": ",".join(log.mask(sms.number) for sms in accept.sms[:20]),
            "queued": len(taken.queued),
            "joined": taken.joined,
            "duplicates": taken.duplicates,
            "refused": sum(1 for sms in accept.sms if sms.refused),
            "size": mail.size,
            "ms": round((time.monotonic() - began) * 1000),
        },
    )
