"""What the part for programs in a report says (RFC 3464): for each recipient what became of the SMS, in its codes.

Pure. Only in reports that the client asked for with NOTIFY: RFC 3461 has the words for people beside it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bridge.dsn import Wish
from bridge.report import asked
from bridge.report.values import MailKind, OutboxMail, StoredMail
from bridge.sms import RANK, Kind, Sms, State

Action = Literal["delivered", "failed", "delayed", "relayed"]

_UNFIT: Final = re.compile(r"[^ -~]")
_MAX_DIAGNOSTIC: Final = 300

# RFC 3464, 2.3.3; RFC 3463. "Relayed": handed on to where nobody tells more.
_ENDS: Final[Mapping[State, tuple[Action, str]]] = {
    State.DELIVERED: ("delivered", "2.0.0"),
    State.FAILED: ("failed", "5.0.0"),
    State.REFUSED: ("failed", "5.7.1"),
    State.EXPIRED: ("failed", "4.4.7"),
    State.CANCELLED: ("failed", "5.3.0"),
    State.UNCONFIRMED: ("relayed", "2.0.0"),
    State.UNKNOWN: ("delayed", "4.4.0"),
    State.HELD: ("delayed", "4.3.0"),
}
_REPORTS: Final = frozenset({MailKind.FAILED, MailKind.DELIVERED, MailKind.SUMMARY})


@dataclass(frozen=True, slots=True)
class Recipient:
    """One number. ``original`` is the address it was first written as, with its type, or empty; ``diagnostic`` the
    vendor's word or our own reason, in ASCII, or empty; ``tried_at`` (ms UTC) the last hand-over, if there was one."""

    number: str
    original: str
    action: Action
    status: str
    diagnostic: str
    tried_at: int | None


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """``envelope_id`` is the client's, or empty; ``arrived_at`` (ms UTC) is when we took the mail."""

    envelope_id: str
    arrived_at: int
    recipients: tuple[Recipient, ...]


def delivery_report(mail: OutboxMail, source: StoredMail | None, sms: Sequence[Sms]) -> DeliveryReport | None:
    """What ``mail`` says to programs; None when its client asked for no such thing."""
    if source is None or source.dsn is None or mail.kind not in _REPORTS:
        return None
    alone = len(sms) == 1 and mail.kind is not MailKind.SUMMARY
    found = []
    for one in sms:
        wish = asked.wish(one, source)
        state, result = _then(mail, one) if alone else (one.state, one.result)
        if wish is not None and state in _ENDS and (alone or _speaks_of(mail, state, wish)):
            found.append(_recipient(one, wish.original, state, result))
    return DeliveryReport(source.dsn.envelope_id, source.received_at, tuple(found)) if found else None


def _then(mail: OutboxMail, sms: Sms) -> tuple[State, str]:
    """State and result when the mail was decided on."""
    facts = dict(mail.facts)
    named = facts.get("state", sms.state)
    return (State(named) if named in frozenset(State) else sms.state), facts.get("result", sms.result)


def _speaks_of(mail: OutboxMail, state: State, wish: Wish) -> bool:
    """Whether a mail about several speaks of one in ``state``: those refused together, or a summary."""
    return asked.wants(wish, state) and (mail.kind is MailKind.SUMMARY or state is State.REFUSED)


def _recipient(sms: Sms, original: str, state: State, result: str) -> Recipient:
    action, status = _ENDS[state]
    if state is State.DELIVERED and sms.rank == RANK[Kind.NETWORK]:
        action = "relayed"  # the phone itself has not confirmed it
    diagnostic = _UNFIT.sub("?", result)[:_MAX_DIAGNOSTIC].strip()
    return Recipient(sms.number, original, action, status, diagnostic, sms.claimed_at or sms.submitted_at)
