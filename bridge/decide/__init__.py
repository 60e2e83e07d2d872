"""From mail to decision: who is the sender, may they, which numbers, which text. Pure.

`candidates` and `at_rcpt` answer during the SMTP conversation, `decide` after DATA, `taken` words the 250;
`by_hand` is an operator's send through the same policy, `explain` tells how a decision came about. Limits by time and
of money are judged by `use`, inside the commit.
"""

from bridge.decide.answers import taken, unreadable
from bridge.decide.decision import decide, to_look_for
from bridge.decide.explanation import Explanation, caps_of_mail, explain, with_use
from bridge.decide.hand import by_hand
from bridge.decide.recipient import at_rcpt, numbers_of
from bridge.decide.sender import candidates, known, upstreams_of
from bridge.decide.values import (
    NOTHING_SHOWN,
    Accept,
    Client,
    Envelope,
    Finding,
    JoinSame,
    NewMail,
    NewSms,
    Refuse,
    Shown,
    SignedMail,
    Special,
    Target,
)

__all__ = [
    "NOTHING_SHOWN",
    "Accept",
    "Client",
    "Envelope",
    "Explanation",
    "Finding",
    "JoinSame",
    "NewMail",
    "NewSms",
    "Refuse",
    "Shown",
    "SignedMail",
    "Special",
    "Target",
    "at_rcpt",
    "by_hand",
    "candidates",
    "caps_of_mail",
    "decide",
    "explain",
    "known",
    "numbers_of",
    "taken",
    "to_look_for",
    "unreadable",
    "upstreams_of",
    "with_use",
]
