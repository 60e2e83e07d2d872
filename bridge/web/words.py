"""What the states and the lines of a history mean, in plain words for the desk. Pure, knows no page."""

from collections.abc import Mapping
from typing import Final

from bridge.report.values import OutboxState
from bridge.sms import Kind, State

_STATES: Final[dict[str, str]] = {
    State.QUEUED: "waits to be sent",
    State.SENDING: "is being handed to the vendor right now",
    State.SUBMITTED: "the vendor has accepted it; whether it arrived is not known yet",
    State.UNKNOWN: "no clear answer from the vendor; the bridge keeps asking before it sends anything again",
    State.HELD: "waits for a person to decide",
    State.DELIVERED: "arrived on the phone",
    State.FAILED: "did not arrive, and is not tried again",
    State.REFUSED: "not allowed, or the phone wants no SMS; it is not sent",
    State.EXPIRED: "waited too long and is not sent any more",
    State.CANCELLED: "given up by an operator or at the vendor",
    State.UNCONFIRMED: "the vendor never told whether it arrived",
}
_MAILS: Final[dict[str, str]] = {
    OutboxState.DUE: "waits to be handed to the smarthost",
    OutboxState.SENT: "handed to the smarthost",
    OutboxState.DEAD: "refused by the smarthost for good",
    OutboxState.KEPT: "kept here: no smarthost is configured",
}
MEANINGS: Final[Mapping[str, str]] = {**_STATES, **_MAILS}
_HAPPENED: Final[Mapping[Kind, str]] = {
    Kind.CLAIM: "being handed to the vendor",
    Kind.GIVE_BACK: "put back: the request was not begun",
    Kind.SENT: "accepted by the vendor",
    Kind.NOT_SENT: "surely not sent, so it is tried again",
    Kind.UNCLEAR: "no clear answer: it may have been sent",
    Kind.REFUSED_SMS: "the vendor refuses this number or text",
    Kind.REFUSED_ACCOUNT: "the vendor refuses the account",
    Kind.REFUSED_UNREAD: "refused for a reason that the bridge does not know",
    Kind.RATE_LIMITED: "the vendor asks to wait",
    Kind.NODE_GONE: "the process ended while sending: it may have been sent",
    Kind.PENDING: "the vendor has it; nothing final yet",
    Kind.NETWORK: "handed to the phone network; the phone has not confirmed",
    Kind.NEWS_FAILED: "not delivered",
    Kind.NEWS_DELIVERED: "delivered to the phone",
    Kind.NEWS_CANCELLED: "taken back at the vendor",
    Kind.NEWS_DUPLICATE: "rejected by the vendor as a duplicate",
    Kind.NO_SUCH: "asked: the vendor knows no such message",
    Kind.NOT_TOLD: "asked: the vendor cannot tell yet",
    Kind.NO_ANSWER: "asked: no answer",
    Kind.NO_POLL: "the vendor cannot be asked: this account has no auth_token",
    Kind.EXPIRE: "too old to be sent",
    Kind.OPT_OUT: "not sent, since the phone wants no SMS",
    Kind.RELEASE: "an operator asked to send it",
    Kind.CANCEL: "an operator asked to cancel it",
}
_STALE: Final = " (stale)"


def happened(note: str) -> str:
    """Return a line of history as a sentence; one that is no input of the table stays as it is."""
    for kind, words in _HAPPENED.items():
        rest = note.removeprefix(kind)
        if rest == note:
            continue
        late = rest.startswith(_STALE)
        rest = rest.removeprefix(_STALE)
        if rest and not rest.startswith(": "):
            continue
        why = rest.removeprefix(": ")
        said = "" if why.lower() in words else f": {why}"
        return f"{words}{' (too late to count)' if late else ''}{said}"
    return note
