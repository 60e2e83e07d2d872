"""Limits by time and of money: what a sender has used so far, and whether one more mail fits. Pure.

The store counts and reserves with these answers inside the transaction that takes the mail; `explain` asks them too.
A mail fits whole or not at all.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bridge.decide.values import Accept, NewSms
from bridge.decide.windows import Span, window
from bridge.rules import Limits

UNLIMITED = 1 << 62  # counted for the operator to see, and for a limit that is set later
ALL = ""  # the sender that stands for all together
PACED = "paced "  # what is sent later is counted apart from what is sent at once
_MARGIN_MS = 60_000  # a paced SMS must be due so long before it expires, or a tenth of its time

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Cap:
    """One limit: at most ``most`` SMS, or ten-thousandths of ``money``, in a ``span``.

    ``name`` is that of its key. ``paced``: what is above is sent later. ``of_all``: all senders together.
    """

    name: str
    span: Span
    most: int
    money: bool = False
    paced: bool = False
    of_all: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """How much is ``used`` of a cap in the window from ``begins`` until ``ends`` (ms UTC)."""

    begins: int
    ends: int
    used: int = 0


@dataclass(frozen=True, slots=True)
class Fits:
    """The mail can be taken: each cap's use with it, and when each of its SMS may be sent (ms UTC)."""

    after: tuple[Use, ...]
    due: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Over:
    """The mail would be above ``cap``, of which ``use`` is used; it asks for ``more``.

    ``never``: it does not fit into an empty window either. ``due``: a paced SMS would have to wait until then, which is
    too late for it.
    """

    cap: Cap
    use: Use
    more: int
    never: bool = False
    due: int | None = None


@lru_cache(4_096)
def caps_of(limits: Limits, spend_cap: int | None) -> tuple[Cap, ...]:
    """Return the limits by time and of money that are set, the longest first; of money what each sender spends is
    counted in days and months as soon as any money is."""
    paced = limits.over == "pace"
    caps = []
    if limits.of_money or spend_cap is not None:
        month, day = (
            UNLIMITED if most is None else most for most in (limits.spend_per_month, limits.spend_per_day)
        )
        caps += [
            Cap("spend_per_month", "month", month, money=True),
            Cap("spend_per_day", "day", day, money=True),
        ]
    if spend_cap is not None:
        caps.append(Cap("spend_cap", "day", spend_cap, money=True, of_all=True))
    spans: tuple[tuple[Span, int | None], ...] = (
        ("day", limits.per_day),
        ("hour", limits.per_hour),
        ("minute", limits.per_minute),
    )
    caps += [Cap(f"per_{span}", span, most, paced=paced) for span, most in spans if most is not None]
    return tuple(caps)


def caps_for(mail: Accept, spend_cap: int | None) -> tuple[Cap, ...]:
    """Return the limits that a mail is counted for: those of money only if it costs any."""
    if spend_cap is None and not mail.limits.counted:
        return ()  # without asking what is remembered: that would look at every limit
    caps = caps_of(mail.limits, spend_cap)
    if all(new.cost is None for new in mail.sms):
        return tuple(cap for cap in caps if not cap.money)
    return caps


def key_of(cap: Cap, sender: str) -> Key:
    """Return whose use of a cap is counted, and under which name."""
    return ALL if cap.of_all else sender, f"{PACED}{cap.name}" if cap.paced else cap.name


def latest(good: Sequence[NewSms], now: int) -> int:
    """Return from when on (ms UTC) a paced SMS would come too late to be sent before it expires."""
    lives = min(new.expire_after_ms for new in good)
    return now + lives - min(_MARGIN_MS, lives // 10)


def judge(
    caps: Sequence[Cap],
    so_far: Sequence[Use | None],
    costs: Sequence[int],
    now: int,
    until: int,
    zone: datetime.tzinfo,
) -> Fits | Over:
    """Return whether a mail fits whose SMS have these ``costs`` (ten-thousandths), one for each.

    ``so_far`` has a use for each cap, None for none. ``until``: an SMS that could be sent only then or later is
    refused, since it would expire.
    """
    asked = [sum(costs) if cap.money else len(costs) for cap in caps]
    uses = [current(cap, use, now, zone) for cap, use in zip(caps, so_far, strict=True)]
    fixed = [n for n, cap in enumerate(caps) if not cap.paced]
    for n in fixed:
        if asked[n] > caps[n].most:
            return Over(caps[n], uses[n], asked[n], never=True)
    for n in fixed:
        if asked[n] and uses[n].used + asked[n] > caps[n].most:
            return Over(caps[n], uses[n], asked[n])
        uses[n] = _with(uses[n], asked[n])
    paced, before = [n for n, cap in enumerate(caps) if cap.paced], tuple(uses)
    due: list[int] = []
    at = max([now, *(uses[n].begins for n in paced)])  # nobody is sent before those who wait already
    for _ in costs:
        full = None
        while (blocked := _full(caps, uses, paced, at, zone)) is not None:
            full, at = blocked, uses[blocked].ends
        if at >= until and full is not None:
            return Over(caps[full], before[full], len(costs), due=at)
        due.append(at)
        for n in paced:
            uses[n] = _with(uses[n], 1)
    return Fits(tuple(uses), tuple(due))


def current(cap: Cap, use: Use | None, now: int, zone: datetime.tzinfo) -> Use:
    """Return the use of the window that is running. One that lies ahead stays: of paced SMS it is the one that is
    being filled, else the clock was set back a little, and nothing is given twice."""
    if use is not None and now < use.ends:
        return use
    running = window(cap.span, now, zone)
    return Use(running.begins, running.ends)


def _full(
    caps: Sequence[Cap], uses: list[Use], paced: Sequence[int], at: int, zone: datetime.tzinfo
) -> int | None:
    """The first cap that has no room at that time; those whose window is over by then begin another."""
    for n in paced:
        uses[n] = current(caps[n], uses[n], at, zone)
    return next((n for n in paced if uses[n].used >= caps[n].most), None)


def _with(use: Use, more: int) -> Use:
    return Use(use.begins, use.ends, use.used + more) if more else use
