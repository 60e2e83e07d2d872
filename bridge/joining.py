"""The same text to the same number again and again: the first goes out at once, those that come within a while after it
become one SMS at its end, and with that one the next while begins.

Pure. A storm of an hour with ten minutes to each window is 7 SMS. `store` keeps the windows and carries out the steps.
"""

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What becomes of one more of the same text: it goes out at once, begins the SMS that waits for the window's end,
    or is one more of that SMS."""

    SEND = "send"
    BEGIN = "begin"
    ADD = "add"


@dataclass(frozen=True, slots=True)
class Joined:
    """The SMS that stands for the rest of a window. ``waits``: nobody has tried to send it, so that its text may still
    change; ``sent_at``: when that was tried last (ms), None if it never was."""

    waits: bool
    sent_at: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Until when (ms) a text is held back, and the SMS that was begun for it, if any."""

    until: int
    joined: Joined | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """The step, and until when the window goes that counts from then on."""

    step: Step
    until: int


def next_step(window: Window | None, now: int, within_ms: int) -> Next:
    """Return what becomes of the same text at ``now``; ``window`` is what is known of those before, None if nothing.

    An SMS that still waits after its time (the vendor is away) goes on taking in more: it is not sent in vain.
    """
    if window is None:
        return Next(Step.SEND, now + within_ms)
    until = min(window.until, now + within_ms)  # further away it was before the clock was set back
    joined = window.joined
    if joined is not None and joined.waits:
        return Next(Step.ADD, until)
    if joined is not None and joined.sent_at is not None:
        until = max(until, min(joined.sent_at, now) + within_ms)
    if now < until:
        return Next(Step.BEGIN, until)
    return Next(Step.SEND, now + within_ms)
