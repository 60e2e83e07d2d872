"""Handing SMS to the senders and taking back what came of it."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bridge.retry import Account, Answer, after_probe
from bridge.sms import Input, Kind, Sms, after
from bridge.store import accounts, audit, events, matching, optouts, pacing, using
from bridge.store.changing import as_it_is_now, change, sms_by_id, sms_by_message_id
from bridge.store.database import Tx
from bridge.store.rows import sms_of
from bridge.store.terms import Terms
from bridge.store.values import Actor, Claimed

MAX_SENDERS: Final = 64  # looked at in one go
MAX_ROUNDS: Final = 16  # of senders that have nothing due (all their SMS wait for a retry)
MAX_EXPIRED: Final = 500  # ended in one transaction
MAX_ADOPTED: Final = 500  # of nodes that are gone, given up in one transaction


@dataclass(slots=True)
class Turns:
    """Whose turn it is: the sender served last, for each account, and the account served last."""

    sender: dict[str, str] = field(default_factory=dict)
    account: str = ""


def claim(tx: Tx, terms: Terms, turns: Turns, node: str, limit: int, step_us: int = 0) -> Claimed:
    """Take SMS that are due, and moments of the shared rate to send them; see `Store.claim`."""
    waiting = [key for (key,) in tx.all("accounts_waiting")]
    if not waiting:
        return Claimed(())
    moments = pacing.free(tx, step_us, limit)
    if not moments.count:
        return Claimed((), again_s=moments.again_us / 1_000_000)
    taken, more = _of_accounts(tx, terms, turns, waiting, node, moments.count)
    pacing.take(tx, moments, len(taken))
    return Claimed(taken, moments.waits_s(len(taken)), more=more)


def _of_accounts(
    tx: Tx, terms: Terms, turns: Turns, waiting: list[str], node: str, limit: int
) -> tuple[list[Sms], bool]:
    """Return what was taken, and whether more may be due.

    Senders take turns, so that one's flood does not delay another's alarm; of one sender the oldest due comes
    first. An account that stands still gives at most its probe.
    """
    cut = next((i for i, key in enumerate(waiting) if key > turns.account), 0)
    taken: list[Sms] = []
    more = False
    for place, key in enumerate(waiting[cut:] + waiting[:cut]):
        room = limit - len(taken)
        if room <= 0:
            return taken, True
        account = accounts.get(tx, key)
        share = math.ceil(room / (len(waiting) - place)) if account.may_claim(tx.now) else 1
        if not account.may_claim(tx.now) and account.may_probe(tx.now):
            # One takes the probe, whoever asks at the same time.
            account = accounts.to_probe(tx, key) or replace(account, probe_at=None)
        if account.may_claim(tx.now) or account.may_probe(tx.now):
            here, left = _claim_of(tx, terms, turns, account, node, share)
            taken, more, turns.account = taken + here, more or left, key
    return taken, more


def _claim_of(
    tx: Tx, terms: Terms, turns: Turns, account: Account, node: str, limit: int
) -> tuple[list[Sms], bool]:
    taken: list[Sms] = []
    due, more = _due(tx, turns, account.key, limit)
    for sms, opted_out_at in due:
        if sms.expires_at <= tx.now:
            change(tx, terms, sms, Input(Kind.EXPIRE))
        elif opted_out_at is not None:
            change(tx, terms, sms, Input(Kind.OPT_OUT, why=optouts.at_claim(terms, opted_out_at)))
        else:
            taken.append(change(tx, terms, sms, Input(Kind.CLAIM, node=node)))
    if taken and not account.may_claim(tx.now):
        accounts.put(tx, after_probe(account, tx.now))
    return taken, more


def _due(tx: Tx, turns: Turns, account: str, limit: int) -> tuple[list[tuple[Sms, int | None]], bool]:
    """Return up to ``limit`` that are due, one sender after the other from where we left off, with each when its
    phone opted out; and whether others may be due: a sender gave all it was asked for."""
    begin = last = turns.sender.get(account, "")
    wrapped = more = False
    found: list[tuple[Sms, int | None]] = []
    for _ in range(MAX_ROUNDS):
        senders = [s for (s,) in tx.all("senders_waiting", account=account, last=last, limit=MAX_SENDERS)]
        here = [sender for sender in senders if sender <= begin] if wrapped else senders
        each = math.ceil((limit - len(found)) / len(here)) if here else 0
        for sender in here:
            share = min(each, limit - len(found))
            rows = tx.all("claimable", account=account, sender=sender, now=tx.now, limit=share)
            found += [(sms_of(row), row[-1]) for row in rows]
            more = more or len(rows) == share
            turns.sender[account] = sender
            if len(found) >= limit:
                return found, True
        if wrapped and len(here) < MAX_SENDERS:
            break
        wrapped = wrapped or len(senders) < MAX_SENDERS
        last = senders[-1] if len(senders) == MAX_SENDERS else ""
    else:
        more = True  # senders may be left that nobody has looked at
    return found, more


def finish(
    tx: Tx, terms: Terms, claimed: Sms, given: Input, answer: Answer | None, vendor_ids: Sequence[str]
) -> Sms | None:
    """Apply what a sender says; see `Store.finish`."""
    sms = as_it_is_now(tx, claimed)
    if sms is None:
        return None
    new = change(tx, terms, sms, given)
    if answer is not None and given.attempt == sms.attempts:
        accounts.hear(tx, terms, sms, answer, given.why)
    if matching.learn_ids(tx, sms, message_ids=vendor_ids):
        events.try_kept(tx, terms, new.id)
        new = sms_by_id(tx, sms.id) or new
    return new


def adopt(tx: Tx, terms: Terms) -> int:
    """Nobody is sending: what is in `sending` may have reached the vendor or not; return how many."""
    return _give_up(tx, terms, [sms_of(row) for row in tx.all("sending")])


def adopt_lost(tx: Tx, terms: Terms, node: str, under_way: Collection[int] = (), older_ms: int = 0) -> int:
    """Nobody is sending what ``node`` claimed that long ago, but for those ``under_way``; return how many."""
    rows = map(sms_of, tx.all("sending_of", node=node, before=tx.now - older_ms))
    return _give_up(tx, terms, [sms for sms in rows if sms.id not in under_way])


def adopt_gone(tx: Tx, terms: Terms, us: str, gone_after_ms: int) -> int:
    """Nobody is sending any more what nodes that are gone have claimed; return how many. ``us`` is not gone.

    Each node said itself after what silence it is gone; ``gone_after_ms`` is for one that nothing is known of.
    """
    rows = tx.all("sending_of_gone", us=us, now=tx.now, gone_after=gone_after_ms, limit=MAX_ADOPTED)
    return _give_up(tx, terms, [sms_of(row) for row in rows])


def _give_up(tx: Tx, terms: Terms, orphans: Sequence[Sms]) -> int:
    for sms in orphans:
        change(tx, terms, sms, Input(Kind.NODE_GONE, why="whoever claimed it does not send it"))
    return len(orphans)


def expire(tx: Tx, terms: Terms) -> int:
    """End what is queued and too old, also while its account stands still; return how many."""
    rows = [sms_of(row) for row in tx.all("expired", now=tx.now, limit=MAX_EXPIRED)]
    for sms in rows:
        change(tx, terms, sms, Input(Kind.EXPIRE))
    return len(rows)


def by_operator(tx: Tx, terms: Terms, message_id: str, kind: Kind, by: Actor) -> Sms | None:
    """Release or cancel an SMS; None when there is no such. Released, one that may have been made already needs its
    price once more: raises `OverLimit` when that is above a limit of money."""
    sms = sms_by_message_id(tx, message_id)
    if sms is None:
        return None
    given = Input(kind, why=f"by {by}"[:100])
    if kind is Kind.RELEASE:
        using.check(tx, terms, sms, after(sms, given, tx.now, terms.timing).sms)
    new = change(tx, terms, sms, given)
    if new.state is not sms.state:
        audit.note(tx, by, kind.value, sms.id, was=sms.state.value, number=sms.number)
    return new
