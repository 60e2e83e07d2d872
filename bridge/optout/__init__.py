"""Phones that want no SMS: the words by which they say so, and what a decision must know of them. Pure.

A phone opts out of one account of the vendor, that is of the number that its SMS come from, or of every account.
"""

from bridge.optout.values import (
    EVERY_ACCOUNT,
    NOBODY,
    OptOut,
    OptOuts,
    Source,
    day_in,
    reason,
    since,
    told_day,
    view,
)
from bridge.optout.words import AUTO, Said, Words, plain

__all__ = [
    "AUTO",
    "EVERY_ACCOUNT",
    "NOBODY",
    "OptOut",
    "OptOuts",
    "Said",
    "Source",
    "Words",
    "day_in",
    "plain",
    "reason",
    "since",
    "told_day",
    "view",
]
