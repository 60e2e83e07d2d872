"""What an alarm to the admin says: its facts become a heading, a sentence, what to do, and the bare facts.

Pure. Facts are pairs of words; ``alarm`` names what happened. One that has no words here is shown as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.report import plain

MAX_FACTS = 20


@dataclass(frozen=True, slots=True)
class Alarm:
    """The words of one alarm; ``details`` are (label, value), bounded and safe to show once escaped."""

    heading: str
    sentence: str
    advice: str
    details: tuple[tuple[str, str], ...] = ()


_RESUME: Final = (
    "When it is mended, start sending again with “smsbridge resume”. "
    "The bridge also tries by itself every 15 minutes. Nothing is lost meanwhile: SMS wait in the queue."
)
_STOPPED: Final[Mapping[str, Alarm]] = {
    "circuit": Alarm(
        "The SMS service does not answer",
        "Five SMS in a row got no clear answer, so the bridge has paused sending.",
        "It tries with single SMS and goes on by itself when the service answers again. "
        "If this lasts, look at the service's status page and at your network.",
    ),
    "account": Alarm(
        "Sending has stopped: the SMS service refuses the account",
        "The service refuses the sender, the token or the credit of this account.",
        "Check the account's Sender, Token and credit at the service. " + _RESUME,
    ),
    "unread": Alarm(
        "Sending has stopped: refusals we cannot read",
        "The service refused SMS to three different numbers for a reason the bridge does not know.",
        "Look at the reason below and at the held messages, and ask the service what it means. " + _RESUME,
    ),
    "silent": Alarm(
        "Sending has stopped: accepted SMS do not exist",
        "The service accepted SMS to three different numbers and then knew nothing of them. "
        "A wrong Token does this.",
        "Check the account's Sender and Token at the service. " + _RESUME,
    ),
}
_LOOK_AT_SENDER: Final = (
    "Look at its messages (“smsbridge messages list --sender”, or the desk). If somebody else sends in its name, take "
    "its rule out or change its password, and restart the service. If all is well, nothing need be done; limits of its "
    "rule say how much it may send at most, the block velocity when this alarm comes."
)
_KNOWN: Final[Mapping[str, Alarm]] = {
    "bounce": Alarm(
        "A mail of ours came back",
        "An answer from a phone was mailed to a sender, and that mail bounced. The sender has not read it.",
        "Check whether the address below still exists, and pass the answer on; it is shown on the desk.",
    ),
    "mail-dead": Alarm(
        "A mail of ours could not be handed over",
        "The smarthost refused a report or an answer for good. Its reader does not have it.",
        "Look at the reason below. The mail is kept and shown on the desk.",
    ),
    "template": Alarm(
        "A mail template of a brand is broken",
        "The bridge used its own template instead, so the mail went out, but not in the brand's look.",
        "Mend the file below and restart the service.",
    ),
    "renewal": Alarm(
        "A changed file cannot be used",
        "A certificate with its key, or the file of SMTP users, was changed and cannot be read as it is now.",
        "The service goes on with what it read before. Mend the file; it is looked at every few seconds, and at once "
        "on SIGHUP.",
    ),
    "certificate": Alarm(
        "A TLS certificate expires soon",
        "From then on mail servers, clients and the SMS service will refuse to talk to the bridge inside TLS.",
        "Renew it and put it in the place of the old one; the service takes it by itself.",
    ),
    "certificate-expired": Alarm(
        "A TLS certificate has expired",
        "Mail servers, clients and the SMS service may refuse to talk to the bridge inside TLS.",
        "Renew it and put it in the place of the old one; the service takes it by itself.",
    ),
    "polls-refused": Alarm(
        "The SMS service refuses our status polls",
        "The bridge can send, but cannot ask what became of an SMS: the service refuses the account's AuthToken.",
        "Check the account's auth_token. Until then results come by webhook alone.",
    ),
    "event-flood": Alarm(
        "Too much news from the SMS service",
        "The service, or somebody who knows the webhook's secret, sends more events than the bridge keeps.",
        "Ask the service whether these are its events. If they are not, change webhook.secret.",
    ),
    "vendor-unreachable": Alarm(
        "The SMS service cannot be reached",
        "For five minutes no SMS could be handed over.",
        "Look at the reason below, at the network and at the service's status page. SMS wait in the queue, "
        "and sending goes on by itself; what waits too long expires, and its sender is told.",
    ),
    "sender-many": Alarm(
        "A sender sends far more than usual",
        "In one hour more SMS were sent for this sender than in its usual busiest hours by far.",
        _LOOK_AT_SENDER,
    ),
    "sender-new-numbers": Alarm(
        "A sender writes to many new numbers",
        "In one hour SMS for this sender went to many numbers that none of this bridge had gone to before.",
        _LOOK_AT_SENDER,
    ),
    "sender-one-number": Alarm(
        "A sender writes to one number again and again",
        "In one hour very many SMS for this sender went to one and the same number.",
        _LOOK_AT_SENDER
        + " If it is a machine that repeats its alarm, limits.join_same makes one SMS of many.",
    ),
    "joined-many": Alarm(
        "A sender repeats one text without end",
        "A thousand mails with the same text have come for one SMS. They cost no more SMS, and no limit counts them, "
        "but each is kept in the database.",
        "Look at the machine that sends them. If somebody else sends in its name, take its rule out or change its "
        "password, and restart the service.",
    ),
    "limit": Alarm(
        "A sender has reached a limit",
        "Mails of this sender above the limit are refused, and the sender is told when the limit resets.",
        "If that is too little for what they do, raise the limit of their rule under senders and restart the service. "
        "If they send more than they should, look at their messages on the desk.",
    ),
    "limit-near": Alarm(
        "A sender has spent four fifths of a limit",
        "When the limit is reached, mails of this sender are refused until it resets.",
        "If that is too little for what they do, raise the limit of their rule under senders and restart the service.",
    ),
    "limit-paced": Alarm(
        "A sender sends faster than a limit lets through",
        "What is above the limit was taken and is sent later. What would expire before its turn is refused.",
        "Look at what the sender has to say so often. If the limit is too low, raise it under senders and restart the "
        "service.",
    ),
    "spend-cap": Alarm(
        "The spending limit of the day is used up",
        "All senders together have spent what spend_cap allows. Every further mail that costs money is refused.",
        "Look on the desk at who sends so much. If it is all meant, raise spend_cap.per_day and restart the service.",
    ),
    "spend-cap-near": Alarm(
        "Four fifths of the spending limit of the day are used",
        "When all senders together have spent what spend_cap allows, every further mail that costs money is refused.",
        "Look on the desk at who sends so much. If it is all meant, raise spend_cap.per_day and restart the service.",
    ),
    "credit-hold": Alarm(
        "The SMS service holds messages: no credit left",
        "SMS are accepted and held by the service until the account is topped up.",
        "Please top up the account. Held SMS then go out by themselves.",
    ),
}
_FIELDS: Final[Mapping[str, str]] = {
    "account": "Account",
    "why": "Reason",
    "error": "Reason",
    "to": "Mail to",
    "kind": "Kind of mail",
    "brand": "Brand",
    "file": "File",
    "number": "Number",
    "message_id": "Message ID",
    "result": "Result",
    "kept": "Events kept",
    "sender": "Sender",
    "count": "In this hour",
    "usual": "Usual in its busiest hour",
    "limit": "This alarm comes above",
    "what": "What",
    "expires": "Expires on",
    "used": "Used so far",
    "joined": "Mails for one SMS",
}
_NAMES: Final = frozenset({"alarm", "key", "stop"})


def words(facts: Mapping[str, str]) -> Alarm:
    """The words of an alarm. Of its facts ``alarm`` names it, ``stop`` says why an account stands still."""
    name = plain.one_line(facts.get("alarm") or facts.get("key", ""), 80)
    known = _STOPPED.get(facts.get("stop", "")) or _KNOWN.get(name.partition(":")[0])
    details = tuple(
        (_FIELDS.get(key, key.replace("_", " ").replace("-", " ").capitalize()), plain.one_line(value))
        for key, value in list(facts.items())[:MAX_FACTS]
        if key not in _NAMES and value
    )
    if known:
        return Alarm(known.heading, known.sentence, known.advice, details)
    return Alarm(
        f"The bridge needs a look: {name}" if name else "The bridge needs a look",
        "Something happened that a person should know of.",
        "Look at the facts below and at the service's log.",
        details,
    )
