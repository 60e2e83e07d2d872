"""The words for a mail that is above a limit: which one, and when it resets, on the operator's clock. Pure.

What all senders together have spent is never named: it is none of one sender's business.
"""

import datetime
from collections.abc import Sequence

from bridge.decide import answers
from bridge.decide.use import Cap, Over
from bridge.decide.values import Refuse
from bridge.decide.windows import moment
from bridge.rules import money

_ONE = {"minute": "a minute", "hour": "an hour", "day": "a day", "month": "a month"}


def refusal(over: Over, now: int, zone: datetime.tzinfo) -> Refuse:
    """Return the answer: 450 for what the next minute changes, else 550."""
    cap = over.cap
    wait = cap.span == "minute" and not over.never
    return answers.refuse(450 if wait else 550, "4.7.1" if wait else "5.7.1", _why(over, now, zone))


def _why(over: Over, now: int, zone: datetime.tzinfo) -> str:
    cap, resets = over.cap, f"it resets at {moment(over.use.ends, now, zone)}"
    if cap.of_all:
        return f"the spending limit of this server for a day does not hold this mail; {resets}"
    needs = money(over.more) if cap.money else answers.counted(over.more, "SMS", "SMS")
    if over.never:
        return f"this mail needs {needs}, and {limit_words(cap)}: send less at once"
    if over.due is not None:
        when = moment(over.due, now, zone)
        return f"{limit_words(cap)}: this mail could be sent at {when} only, when it would have expired"
    used = money(over.use.used) if cap.money else f"{over.use.used:,}"
    return f"{limit_words(cap)}: {used} used so far, this mail needs {needs}; {resets}"


def limit_words(cap: Cap) -> str:
    """Return the limit in words: ``at most 60 SMS an hour``."""
    what = f"{money(cap.most)} may be spent" if cap.money else answers.counted(cap.most, "SMS", "SMS")
    return f"at most {what} {_ONE[cap.span]}"


def later_words(due: Sequence[int], now: int, zone: datetime.tzinfo) -> str:
    """Return what the 250 says of SMS that are sent later: ``2 sent from 15:00 AEDT``; ``due`` are the times of all."""
    waiting = [at for at in due if at > now]
    if not waiting:
        return ""
    some = f"{len(waiting)} " if len(waiting) < len(due) else ""
    return f"{some}sent from {moment(waiting[0], now, zone)}"
