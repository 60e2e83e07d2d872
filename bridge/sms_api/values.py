"""What the vendor's edge takes and gives: accounts in, outcomes of sends and polls out, as frozen values."""

from dataclasses import dataclass, field
from typing import Final

from bridge.event import Event
from bridge.retry import Answer
from bridge.sms import Input

RATE_LIMIT_WAIT_MS: Final = 5_000  # a 429 that does not say how long


@dataclass(frozen=True, slots=True)
class Credentials:
    """One Sender/Token pair of the vendor, and the token of its polls, None where none are possible."""

    sender: str
    token: str = field(repr=False)
    auth_token: str | None = field(default=None, repr=False)


class TooLate(Exception):
    """An SMS may not be sent any more: raised right before its request would have left."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one send came to: the input for the SMS, what it says about the account, the vendor's own ids.

    ``answer`` is None when it says nothing about the account (not sent, told to slow down).
    """

    input: Input
    answer: Answer | None
    vendor_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Polled:
    """What one status poll came to. ``event`` is set when the vendor has the SMS.

    ``credentials_refused``: the account's polls will go on failing until somebody mends its auth_token.
    """

    input: Input
    event: Event | None = None
    credentials_refused: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """What a reply poll, or one page of a received poll, came to. ``why`` is empty when it was answered."""

    events: tuple[Event, ...] = ()
    why: str = ""
    last_page: bool = True
    credentials_refused: bool = False
