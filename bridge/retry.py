"""How long to wait before trying again, and whether an account of the vendor may be used at all.

Pure: ``now`` and ``jitter`` (0 ≤ jitter < 1) are arguments. `Account` is the circuit of one Sender/Token
pair: five unclear answers in a row open it, a refusal of the account stops it, probes close it again.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND

UNCLEAR_OPENS: Final = 5
SAME_FATE_STOPS: Final = 3  # different numbers in a row that end alike say it is not the number
PROBE_AFTER: Final = (1 * MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 15 * MINUTE)


def backoff_ms(tries: int, jitter: float, *, first: int = 2 * SECOND, most: int = 5 * MINUTE) -> int:
    """Return the wait before try ``tries + 1``: doubling from ``first`` to ``most``, half of it by jitter."""
    ceiling = min(most, first << min(max(tries - 1, 0), 20))
    return int(ceiling * (0.5 + jitter / 2))


class Answer(StrEnum):
    """What one answer of the vendor says about the account it was sent with."""

    CLEAR = "clear"  # a 200 Success, or a refusal that is about the SMS
    SHOWN = "shown"  # an event or poll shows an SMS of the account: the only proof of life
    UNCLEAR = "unclear"
    ACCOUNT = "account"  # sender, token, key, credit …; 401, 403, redirects …
    UNREAD = "unread"  # a refusal whose reason we do not know
    SILENT = "silent"  # accepted with 200, yet "no such message" over the settle time


class Stop(StrEnum):
    """Why sending with an account stands still."""

    NONE = ""
    CIRCUIT = "circuit"  # the vendor gives no clear answers; claims stop, one SMS probes
    ACCOUNT = "account"  # the vendor refuses the account
    UNREAD = "unread"  # it refuses different numbers for a reason we do not know
    SILENT = "silent"  # it accepts and makes nothing: a wrong token


@dataclass(frozen=True, slots=True)
class Account:
    """The health of one Sender/Token pair. ``probe_at`` (ms) is when one SMS may try while it stands still.

    ``unclear`` counts unclear answers in a row; ``unread`` and ``silent`` hold the last different numbers;
    ``silent_since`` is when the first SMS of those silent ones was claimed.
    """

    key: str
    stop: Stop = Stop.NONE
    why: str = ""
    stopped_at: int | None = None
    probe_at: int | None = None
    probes: int = 0
    unclear: int = 0
    unread: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    silent_since: int | None = None

    def may_claim(self, now: int) -> bool:
        """Return whether SMS of this account may be claimed freely."""
        return self.stop is Stop.NONE

    def may_probe(self, now: int) -> bool:
        """Return whether one single SMS may be claimed to see if the vendor answers again."""
        return self.stop is not Stop.NONE and self.probe_at is not None and now >= self.probe_at


def after_probe(account: Account, now: int) -> Account:
    """Return the account after one SMS was claimed as a probe: the next one is due later."""
    step = PROBE_AFTER[min(account.probes, len(PROBE_AFTER) - 1)]
    if account.stop is not Stop.CIRCUIT:
        step = PROBE_AFTER[-1]
    return replace(account, probes=account.probes + 1, probe_at=now + step)


def after_answer(
    account: Account, answer: Answer, number: str, why: str, now: int, claimed_at: int | None = None
) -> Account:
    """Return the account after one answer about an SMS that was claimed at ``claimed_at``.

    An alarm is due when ``stop`` becomes another one that is not none.
    """
    if answer in _GOOD and account.stopped_at is not None and _is_before(claimed_at, account.stopped_at):
        return account  # sent before it stopped: it proves nothing about now
    if answer is Answer.SHOWN:
        return _shown(account, claimed_at)
    if answer is Answer.CLEAR:
        return _clear(account)
    if answer is Answer.UNCLEAR:
        return _count_unclear(account, why, now)
    if answer is Answer.ACCOUNT:
        return _stopped(account, Stop.ACCOUNT, why, now)
    if answer is Answer.UNREAD:
        unread = _different(account.unread, number)
        account = replace(account, unread=unread, unclear=0)
        return _stopped(account, Stop.UNREAD, why, now) if len(unread) >= SAME_FATE_STOPS else account
    return _count_silent(account, number, why, now, claimed_at)


def resumed(account: Account) -> Account:
    """Return the account as an operator's ``resume`` leaves it: sending, with all counts forgotten."""
    return Account(account.key)


_GOOD: Final = frozenset({Answer.CLEAR, Answer.SHOWN})


def _is_before(claimed_at: int | None, moment: int) -> bool:
    return claimed_at is not None and claimed_at < moment


def _shown(account: Account, claimed_at: int | None) -> Account:
    """A sign of life ends every stop; late news of an SMS sent before the silent ones says nothing of them."""
    if account.silent_since is not None and _is_before(claimed_at, account.silent_since):
        return replace(account, unclear=0, unread=())
    return Account(account.key)


def _count_silent(account: Account, number: str, why: str, now: int, claimed_at: int | None) -> Account:
    since = min(
        (at for at in (account.silent_since, claimed_at) if at is not None), default=account.silent_since
    )
    account = replace(account, silent=_different(account.silent, number), silent_since=since)
    return _stopped(account, Stop.SILENT, why, now) if len(account.silent) >= SAME_FATE_STOPS else account


def _clear(account: Account) -> Account:
    if account.stop is Stop.SILENT:
        return account  # the vendor said 200 all along: only an event or a poll proves life
    return Account(account.key, silent=account.silent, silent_since=account.silent_since)


def _count_unclear(account: Account, why: str, now: int) -> Account:
    account = replace(account, unclear=account.unclear + 1)
    return _stopped(account, Stop.CIRCUIT, why, now) if account.unclear >= UNCLEAR_OPENS else account


def _stopped(account: Account, stop: Stop, why: str, now: int) -> Account:
    """Stop, or turn a stop into a graver one; a lighter reason changes nothing."""
    if _GRAVITY.index(stop) <= _GRAVITY.index(account.stop):
        return account
    first = PROBE_AFTER[0] if stop is Stop.CIRCUIT else PROBE_AFTER[-1]
    return replace(account, stop=stop, why=why, stopped_at=now, probe_at=now + first, probes=0)


# After a silent stop a 200 proves nothing, so no other stop may hide it.
_GRAVITY: Final = (Stop.NONE, Stop.CIRCUIT, Stop.UNREAD, Stop.ACCOUNT, Stop.SILENT)


def _different(numbers: tuple[str, ...], number: str) -> tuple[str, ...]:
    return (*(n for n in numbers if n != number), number)[-SAME_FATE_STOPS:]
