"""Who hears what, and when: which mails of ours a change of an SMS makes due.

Pure; `store` calls it inside the transaction of the change and writes what it returns into the outbox.
Texts and looks are decided later, from the facts given here.

Facts of ``failed`` and ``delivered``: ``state`` and ``result`` as they were then. Of ``reply`` and
``inbound``: ``phone``, ``text``, ``at`` (ms UTC), perhaps ``note``, and ``said`` when the phone opted out or in.
Of ``alarm``: ``alarm`` and what it needs.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from bridge.optout import Said
from bridge.report import asked
from bridge.report.values import MailKind, NewNotice, StoredMail
from bridge.sms import FINAL, MINUTE, Sms, State

SUMMARY_ABOVE: Final = 5  # more numbers than this in one mail: one summary in place of a report each
SUMMARY_AFTER_MS: Final = 10 * MINUTE
DOUBT_AFTER_MS: Final = 15 * MINUTE


class Told(StrEnum):
    """What the sender was last told of an SMS (`Sms.told`)."""

    NOTHING = ""
    DELIVERED = "delivered"
    FAILED = "failed"
    DOUBT = "cannot tell yet"
    UNCONFIRMED = "unconfirmed"


_WORD: Final = {
    State.DELIVERED: Told.DELIVERED,
    State.FAILED: Told.FAILED,
    State.REFUSED: Told.FAILED,
    State.EXPIRED: Told.FAILED,
    State.CANCELLED: Told.FAILED,
    State.UNCONFIRMED: Told.UNCONFIRMED,
}
_SAID: Final[dict[Said, str]] = {
    "stop": "With this word they opted out of SMS: from now on your mails to this number are refused. If they did not "
    "mean it, they can answer START, or your administrator can let SMS through again.",
    "start": "With this word they want SMS again: your mails to this number are taken from now on.",
}
_IN_DOUBT: Final = frozenset({State.UNKNOWN, State.HELD})


def notices_after(
    before: Sms, after: Sms, mail: StoredMail, group_size: int, *, summarized: bool = False
) -> tuple[NewNotice, ...]:
    """Return the mails that the change from ``before`` to ``after`` makes due.

    ``group_size`` counts the numbers of the same sender and Message-ID; above five, nothing is told until
    the group is ``summarized``.
    """
    if after.state is before.state or after.state not in FINAL:
        return ()
    return _told(after, _WORD[after.state], mail, group_size, summarized)


def doubts(sms: Sms, mail: StoredMail, group_size: int, *, summarized: bool = False) -> tuple[NewNotice, ...]:
    """Return the mail for an SMS that is `unknown` or `held` for `DOUBT_AFTER_MS`: "we cannot tell yet"."""
    if sms.state not in _IN_DOUBT or sms.told:
        return ()
    return _told(sms, Told.DOUBT, mail, group_size, summarized)


def told_after(after: Sms, notices: Sequence[NewNotice]) -> str:
    """Return what `Sms.told` becomes once ``notices`` are written."""
    if not notices:
        return after.told
    return _WORD.get(after.state, Told.DOUBT).value


def refusals(refused: Sequence[Sms], mail: StoredMail) -> tuple[NewNotice, ...]:
    """Return the one ``failed`` mail for the numbers of a mail that were refused when it was taken."""
    refused = heard_of(refused, mail)
    to = address(mail)
    if not refused or not to:
        return ()
    facts = _facts(refused[0]) if len(refused) == 1 else (("state", State.REFUSED.value),)
    return (NewNotice(MailKind.FAILED, to, facts),)


def heard_of(refused: Sequence[Sms], mail: StoredMail) -> tuple[Sms, ...]:
    """Return those of the refused SMS that the sender is told of."""
    return tuple(sms for sms in refused if _asked(sms, mail, "failed" in mail.reports.when))


def summary(group: Sequence[Sms], mail: StoredMail) -> tuple[NewNotice, ...]:
    """Return the summary of a group, all final or ten minutes old; none if the sender asked for none.

    Who asked for failures alone gets one only when not all is well. ``mail`` has the wishes of the whole group.
    """
    to = address(mail)
    when = mail.reports.when
    wanted = any(
        _asked(sms, mail, "delivered" in when or ("failed" in when and sms.state is not State.DELIVERED))
        for sms in group
    )
    if not to or not wanted:
        return ()
    return (NewNotice(MailKind.SUMMARY, to),)


def told_by_summary(sms: Sms, mail: StoredMail) -> str:
    """Return what a summary tells of one of its SMS, as `Sms.told`; "still open" tells nothing."""
    if not _asked(sms, mail, True):
        return sms.told
    if sms.state in _IN_DOUBT:
        return Told.DOUBT.value
    return _WORD[sms.state].value if sms.state in FINAL else sms.told


def reply(
    sms: Sms, mail: StoredMail, text: str, at: int, *, others: bool, said: Said | None = None
) -> tuple[NewNotice, ...]:
    """Return the mail for an answer from the phone. ``others``: another sender wrote to that number too.
    ``said``: by this answer it opted out of SMS, or in again."""
    to = address(mail)
    if not to or "reply" not in mail.reports.when:
        return ()
    facts = [("phone", sms.number), ("text", text), ("at", str(at))]
    notes = [_SAID[said]] if said else []
    if others:
        notes.append("Somebody else wrote to this number in the last 7 days: it may answer them.")
    if notes:
        facts.append(("note", " ".join(notes)))
    if said:
        facts.append(("said", said))
    return (NewNotice(MailKind.REPLY, to, tuple(facts)),)


def inbound(phone: str, text: str, at: int, to: str, *, said: Said | None = None) -> tuple[NewNotice, ...]:
    """Return the mail for an SMS that answers none of ours, when there is somebody to tell; ``said`` as in
    `reply`."""
    if not to:
        return ()
    note = (("note", _SAID[said]), ("said", said)) if said else ()
    return (NewNotice(MailKind.INBOUND, to, (("phone", phone), ("text", text), ("at", str(at)), *note)),)


def address(mail: StoredMail) -> str:
    """Return who hears of ``mail``, empty for nobody (an operator without an address)."""
    to = mail.sender if mail.reports.to == "sender" else mail.reports.to
    return to if "@" in to else ""


def _told(sms: Sms, word: Told, mail: StoredMail, group_size: int, summarized: bool) -> tuple[NewNotice, ...]:
    if group_size > SUMMARY_ABOVE and not summarized:
        return ()
    to = address(mail)
    if not to or sms.told == word or not _heard(sms, word, mail, summarized):
        return ()
    kind = MailKind.DELIVERED if word is Told.DELIVERED else MailKind.FAILED
    return (NewNotice(kind, to, _facts(sms), correction=bool(sms.told)),)


def _asked(sms: Sms, mail: StoredMail, otherwise: bool) -> bool:
    """Whether the client asked to be told of ``sms`` as it is; ``otherwise`` when it did not say."""
    wish = asked.wish(sms, mail)
    return asked.wants(wish, sms.state) if wish is not None else otherwise


def _heard(sms: Sms, word: Told, mail: StoredMail, summarized: bool) -> bool:
    """Whether the sender hears that ``sms`` is ``word`` now: it was asked for, or corrects what was told before."""
    wish = asked.wish(sms, mail)
    if wish is None:
        return bool(sms.told) or _wanted(word, mail, summarized)
    turned = sms.told not in (Told.NOTHING, Told.DOUBT)  # a delay that was told needs no correction
    return bool(wish.notify) and (turned or asked.wants(wish, sms.state))


def _wanted(word: Told, mail: StoredMail, summarized: bool) -> bool:
    """A first report follows ``when``. After a summary only bad news is a mail of its own."""
    if word is Told.DELIVERED:
        return "delivered" in mail.reports.when and not summarized
    return "failed" in mail.reports.when


def _facts(sms: Sms) -> tuple[tuple[str, str], ...]:
    return (("state", sms.state.value), ("result", sms.result))
