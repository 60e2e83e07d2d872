"""What became of an SMS in plain words: for each end a word, a sentence, and what the reader can do now.

Pure; written for someone at a reception desk, not for an engineer. The vendor's own words come from `event`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bridge import event, optout
from bridge.report import plain
from bridge.sms import RANK, Kind, Sms, State


class Tone(StrEnum):
    """How news feels: it picks colour and sign in the mail, never alone, the word always stands beside."""

    GOOD = "good"
    BAD = "bad"
    WAIT = "wait"
    NEWS = "news"


ICONS: Final[Mapping[Tone, str]] = {Tone.GOOD: "✓", Tone.BAD: "✕", Tone.WAIT: "?", Tone.NEWS: "↩"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an SMS stands, told to a person. ``word`` fits on a badge; ``advice`` may be empty."""

    tone: Tone
    word: str
    sentence: str
    advice: str = ""

    @property
    def icon(self) -> str:
        return ICONS[self.tone]


_RING: Final = "If it is urgent, please call them or reach them in another way."
_AGAIN: Final = "Nothing was charged for it. Please send your mail again if it still matters."
_TELL: Final = "You need not do anything: we write again as soon as we know more. " + _RING

_TOLD: Final[Mapping[State, Outcome]] = {
    State.QUEUED: Outcome(Tone.WAIT, "Waiting", "It is waiting to be sent."),
    State.SENDING: Outcome(Tone.WAIT, "Sending", "It is being sent right now."),
    State.SUBMITTED: Outcome(Tone.WAIT, "Sent", "It was sent; the phone has not confirmed it yet."),
    State.UNKNOWN: Outcome(
        Tone.WAIT,
        "Cannot tell yet",
        "We cannot tell yet whether it was sent: the SMS service gave no clear answer.",
        "Please do not send it again now, it might arrive twice. " + _TELL,
    ),
    State.HELD: Outcome(
        Tone.WAIT,
        "On hold",
        "We cannot tell whether it was sent, so we are holding it until someone has looked at it.",
        "Please do not send it again now, it might arrive twice. " + _RING,
    ),
    State.DELIVERED: Outcome(Tone.GOOD, "Delivered", "It has arrived on the phone."),
    State.FAILED: Outcome(
        Tone.BAD,
        "Not delivered",
        "The phone network could not deliver it.",
        "Please check the number. " + _RING,
    ),
    State.REFUSED: Outcome(
        Tone.BAD,
        "Not sent",
        "We may not send to this number.",
        "Nothing was charged for it. If you think this number should be allowed, please ask your "
        "administrator.",
    ),
    State.EXPIRED: Outcome(
        Tone.BAD, "Not sent", "It could not be sent in time, so we did not send it any more.", _AGAIN
    ),
    State.CANCELLED: Outcome(
        Tone.BAD,
        "Cancelled",
        "It was cancelled: it will not be sent any more.",
        "Please send it again if it still matters.",
    ),
    State.UNCONFIRMED: Outcome(
        Tone.WAIT,
        "Not confirmed",
        "It was sent, but nobody could tell us whether it arrived. The phone may have been off for days.",
        "Please ask the person whether they got it before you send it again.",
    ),
}
_NETWORK: Final = Outcome(
    Tone.GOOD, "Sent to the network", "The phone network has taken it; the phone itself has not confirmed it."
)
_NEVER_LEFT: Final = Outcome(
    Tone.WAIT,
    "On hold",
    "The SMS service did not take it and gave a reason we do not know. It was not sent.",
    "Someone has to look at it first. " + _RING,
)
# A try before may have reached the phone: its fate was unknown, and nobody could be asked.
_EXPIRED_IN_DOUBT: Final = Outcome(
    Tone.BAD,
    "Not confirmed",
    "We cannot tell whether it was sent: the SMS service gave no clear answer, and it could not be sent again in time.",
    "Please ask the person whether they got it before you send it again.",
)
_START: Final = "They can have SMS again by answering one of ours with START."


def outcome(sms: Sms, state: State, result: str) -> Outcome:
    """Where ``sms`` stands when it is in ``state`` with ``result`` (the vendor's word, or our own reason)."""
    told = _TOLD[state]
    result = plain.one_line(result)
    if state is State.DELIVERED and sms.rank == RANK[Kind.NETWORK]:
        return _NETWORK
    if state is State.HELD and not sms.reached:
        return _NEVER_LEFT
    if state is State.EXPIRED and sms.reached:
        return _EXPIRED_IN_DOUBT
    if state is State.REFUSED and (day := optout.told_day(result)):
        return _opted_out(day, tried=bool(sms.reached))
    if state is State.REFUSED and result:
        return Outcome(told.tone, told.word, _as_sentence(result), told.advice)
    if state is State.FAILED and result:
        known = event.sentence(result)
        if known:  # it says by itself what to do about number or text
            return Outcome(told.tone, told.word, known, _RING)
        return Outcome(told.tone, told.word, f"{told.sentence} Its own words: “{result}”.", told.advice)
    return told


def _opted_out(day: str, *, tried: bool) -> Outcome:
    """``tried``: what was sent before they opted out may have arrived, nobody could tell."""
    if tried:
        sentence = (
            f"They opted out of SMS on {day}, so we did not try again. A try before that may have arrived."
        )
    else:
        sentence = f"They opted out of SMS on {day}, so we did not send it. Nothing was charged for it."
    return Outcome(Tone.BAD, "Not sent", sentence, f"Please reach them in another way. {_START}")


def _as_sentence(reason: str) -> str:
    return reason[0].upper() + reason[1:] + ("" if reason[-1] in ".!?…" else ".")
