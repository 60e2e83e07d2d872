"""The life of one SMS: its states, what can happen to it, and one total table of what each does in each state.

Pure: ``now`` is an argument, nothing is stored or sent here.
"""

from bridge.sms.cost import cost
from bridge.sms.table import TABLE, after
from bridge.sms.values import (
    FINAL,
    FROM_SENDER,
    HELD_POLL_EVERY,
    HOUR,
    MIN_NO_SUCH,
    MINUTE,
    NEVER,
    NEWS_KIND,
    POLL_AFTER,
    POLL_EVERY,
    RANK,
    SECOND,
    SLOWEST_POLL,
    Change,
    Input,
    Kind,
    Sms,
    State,
    Timing,
)

__all__ = [
    "FINAL",
    "FROM_SENDER",
    "HELD_POLL_EVERY",
    "HOUR",
    "MINUTE",
    "MIN_NO_SUCH",
    "NEVER",
    "NEWS_KIND",
    "POLL_AFTER",
    "POLL_EVERY",
    "RANK",
    "SECOND",
    "SLOWEST_POLL",
    "TABLE",
    "Change",
    "Input",
    "Kind",
    "Sms",
    "State",
    "Timing",
    "after",
    "cost",
]
