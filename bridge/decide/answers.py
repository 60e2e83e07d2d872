"""The words of our SMTP answers: one line of ASCII each, built from constants and checked values.

Owns how an answer is worded and how long it may be; which answer is given is decided elsewhere.
"""

import re
from collections.abc import Sequence

from bridge.decide.values import NOTHING_SHOWN, Accept, Refuse, Shown
from bridge.rules import Policy, Proof, SenderRule
from bridge.sms_text import TooLong

MAX_TEXT = 400  # characters; RFC 5321 4.5.3.1.5 allows 512 octets for a reply line
MAX_SHOWN = 80  # characters of one address or name in an answer

_UNSHOWN = re.compile(r"[^A-Za-z0-9@.+_=-]", re.ASCII)
# How a mail itself proves its sender.
_WAYS: dict[Proof, str] = {
    "dmarc": "have its mail server sign it with DKIM",
    "spf": "send from a server of its SPF record",
    "upstream": "send it through the mail server that vouches for it",
}
_ENCODINGS = {"gsm7": "GSM-7", "ucs2": "UCS-2"}


def refuse(code: int, status: str, text: str) -> Refuse:
    """A refusal whose text is one line of printable ASCII of at most 400 characters."""
    return Refuse(code, status, _line(text))


def shown(value: str) -> str:
    """An address or name fit to stand in an answer: harmless ASCII, and not long."""
    return _UNSHOWN.sub("?", value[:MAX_SHOWN]) + ("..." if len(value) > MAX_SHOWN else "")


def counted(count: int, one: str, many: str = "") -> str:
    """``1 segment``, ``2 segments``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def unreadable(reason: str) -> Refuse:
    """The answer to a mail that cannot be read; ``reason`` is the text of a `MailError`."""
    return refuse(550, "5.6.0", reason)


def not_ours(policy: Policy) -> Refuse:
    """The answer to a recipient that is not at one of our domains."""
    return refuse(550, "5.7.1", f"relaying denied: we take <number>@{policy.domains[0]}")


def not_a_number(read: str, example: str) -> Refuse:
    """The answer to what is neither number nor alias; ``read`` is what was read, or empty."""
    what = f"{shown(read)} is no phone number or alias here" if read else "that is no phone number or alias"
    return refuse(550, "5.1.1", f"{what}; write it like {example}")


def too_many(limit: int) -> Refuse:
    """The answer to more numbers in one mail than its sender may have."""
    return refuse(550, "5.5.3", f"at most {counted(limit, 'number')} per mail")


def nobody(address: str, user: str | None) -> Refuse:
    """The answer to a client whom no rule can ever fit."""
    if user:
        text = f"no sender rule fits the login {shown(user)}; the operator of this server can add one"
    else:
        where = shown_ip(address)
        text = f"no sender rule fits {where}: log in (SMTP AUTH), or ask the operator to list your network"
    return refuse(550, "5.7.1", text)


def shown_ip(address: str) -> str:
    """A client's address as it may stand in an answer."""
    return re.sub(r"[^0-9A-Fa-f.:]", "?", address[:45]) or "this client"


def not_listed(identity: str) -> Refuse:
    """The answer to a sender whose address matches no rule."""
    return refuse(
        550, "5.7.1", f"{shown(identity)} is not a sender of this server; the operator can add it to the list"
    )


def not_now(identity: str) -> Refuse:
    """The answer when DNS does not let us say whether a sender is proven (RFC 3463: directory server failure)."""
    text = f"the proof of {shown(identity)} cannot be looked up in DNS now; please try again later"
    return refuse(451, "4.4.3", text)


def not_proven(
    identity: str, matched: Sequence[SenderRule], user: str | None, mail: Shown = NOTHING_SHOWN
) -> Refuse:
    """The answer to a sender whose address matches ``matched`` but who proved none of their proofs."""
    proofs = {proof for rule in matched for proof in rule.proof}
    ways = []
    if "auth" in proofs and any(rule.users for rule in matched):
        ways.append("log in (SMTP AUTH) as a user who may send for it")
    elif "auth" in proofs:
        ways.append("log in (SMTP AUTH) under that address")
    if "network" in proofs:
        ways.append("send from a network listed for it (network)")
    for proof, way in _WAYS.items():
        if proof in proofs:
            why = mail.findings[proof].why if proof in mail.findings else ""
            ways.append(f"{way} ({proof}{f': {why}' if why else ''})")
    logged_in = f" (you are logged in as {shown(user)})" if user else ""
    return refuse(550, "5.7.1", f"{shown(identity)} is not proven{logged_in}: {', or '.join(ways)}")


def empty() -> Refuse:
    """The answer to a mail with nothing to send."""
    return refuse(550, "5.6.0", "the mail has no text and no subject to send")


def too_long(text: TooLong) -> Refuse:
    """The answer to a text of more segments than allowed: the counts, and what makes it expensive."""
    needs = f"the text needs {counted(text.segments, 'segment')}, {counted(text.limit, 'is', 'are')} allowed"
    size = f"{counted(text.characters, 'character')}, {_ENCODINGS[text.encoding]}"
    because = ""
    if text.encoding == "ucs2" and text.costly:
        costly = text.costly[0]
        because = f" because of {costly.name} at {costly.position + 1}"
    return refuse(552, "5.3.4", f"{needs} ({size}{because}); send a shorter text")


def all_refused(reason: str, count: int) -> Refuse:
    """The answer when none of a mail's numbers may be sent to: the first reason, and how many there were."""
    return refuse(
        550, "5.7.1", reason if count == 1 else f"all {count} numbers are refused; the first: {reason}"
    )


def taken(
    mail_id: str, accept: Accept, queued: int, duplicates: int, joined: int = 0, later: str = ""
) -> str:
    """The 250 line for a stored mail: what was queued, joined, taken before, refused, and cut.

    ``later``: when those are sent that are above a limit, such as ``sent from 15:00 AEDT``.
    """
    refused = [sms.refused for sms in accept.sms if sms.refused]
    good = next(sms for sms in accept.sms if not sms.refused)
    each = " each" if queued > 1 else ""
    said = []
    if queued:
        of = f" of {len(accept.sms)}" if queued < len(accept.sms) else ""
        said.append(f"{queued}{of} SMS queued, {counted(good.segments, 'segment')}{each}")
    if later:
        said.append(later)
    if joined:
        said.append(f"{joined} joined, one SMS will say how often the same text came")
    if duplicates:
        said.append(f"{duplicates} SMS already taken, not sent again")
    if refused:
        said.append(f"{len(refused)} refused: {refused[0]}")
    if accept.mail.cut and queued:
        said.append(f"left out: {', '.join(accept.mail.cut)}")
    return f"250 2.0.0 {_line(f'{shown(mail_id)}: ' + '; '.join(said))}"


def _line(text: str) -> str:
    good = text.isascii() and text.isprintable()
    line = text if good else "".join(c if " " <= c <= "~" else "?" for c in text)
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 3] + "..."
