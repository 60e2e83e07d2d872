"""What a client that hands in a mail has asked to be told of it (NOTIFY of RFC 3461), in place of the sender's rule.

Pure. Answers from a phone are no delivery reports: NOTIFY says nothing about them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from bridge.dsn import Notify, Wish
from bridge.report.values import StoredMail
from bridge.sms import Sms, State

# An SMS that nobody could confirm is told to who asked for its success or for its failure: neither is known.
_ASKED: Final[Mapping[State, frozenset[Notify]]] = {
    State.DELIVERED: frozenset({"SUCCESS"}),
    State.FAILED: frozenset({"FAILURE"}),
    State.REFUSED: frozenset({"FAILURE"}),
    State.EXPIRED: frozenset({"FAILURE"}),
    State.CANCELLED: frozenset({"FAILURE"}),
    State.UNCONFIRMED: frozenset({"SUCCESS", "FAILURE"}),
    State.UNKNOWN: frozenset({"DELAY"}),
    State.HELD: frozenset({"DELAY"}),
}


def wish(sms: Sms, mail: StoredMail | None) -> Wish | None:
    """Return what was asked for the number of ``sms``; None: what the sender's rule says."""
    return mail.dsn.of(sms.number) if mail is not None and mail.dsn is not None else None


def never(sms: Sms, mail: StoredMail | None) -> bool:
    """Return whether nothing is to be told of ``sms``."""
    asked = wish(sms, mail)
    return asked is not None and not asked.notify


def wants(asked: Wish, state: State) -> bool:
    """Return whether it was asked to be told that an SMS is in ``state``."""
    return not asked.notify.isdisjoint(_ASKED.get(state, frozenset()))


def tellable(sms: Sequence[Sms], mail: StoredMail | None) -> Sequence[Sms]:
    """Return those of several SMS that a mail may speak of."""
    if mail is None or mail.dsn is None:
        return sms
    return tuple(one for one in sms if not never(one, mail))
