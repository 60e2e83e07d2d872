"""The vendor's result words: what each means for an SMS, and one plain sentence for the person who sent it.

Words: the vendor's result pages and its reasons against a send. A word that is not here is shown as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.event.values import News


@dataclass(frozen=True, slots=True)
class Word:
    """A known word: what it means, and what happened and what to do, in plain English."""

    news: News
    sentence: str


_NUMBER = "Check the number and send again."
_CONTENT = "Change the text and send again."
_VENDOR = "Please tell your administrator, who can have it lifted at the SMS provider."
_FAILED, _PENDING = News.FAILED, News.PENDING

_WORDS: Final[Mapping[str, Word]] = {
    "delivered": Word(News.DELIVERED, "The phone confirmed the SMS."),
    "sentok": Word(News.DELIVERED, "The SMS was delivered."),
    "deliveredtonetwork": Word(
        News.NETWORK, "The phone's network took the SMS; the phone itself has not confirmed it."
    ),
    "controldeleted": Word(
        News.CANCELLED, "The SMS was taken back at the SMS provider before it went out, and is not billed."
    ),
    "undelivered": Word(
        _FAILED, "The phone could not be reached: it may be off, out of range or full. Try again later."
    ),
    "badnumber": Word(_FAILED, f"There is no phone with this number. {_NUMBER}"),
    "destinationisblacklisted": Word(
        _FAILED,
        "The owner of this phone has opted out of SMS, so nothing was sent or billed. "
        "Reach them in another way.",
    ),
    "rejectedduplicate": Word(
        News.DUPLICATE,
        "The same text went to this number within a minute, so the provider dropped this copy. "
        "Wait a minute or change the text.",
    ),
    "rejectedcountryblockedaccountpolicy": Word(
        _FAILED, f"The SMS provider does not let this account send to that country. {_VENDOR}"
    ),
    "rejectedinvalidsenderid": Word(
        _FAILED, f"The network does not accept the sender name of this account. {_VENDOR}"
    ),
    "rejectedmessagecontentissue": Word(_FAILED, f"The network refused the wording. {_CONTENT}"),
    "linknotpermitted": Word(
        _FAILED, "The text holds a link that this account may not send. Leave the link out and send again."
    ),
    "nopermitrecord": Word(
        _FAILED, f"The network wants a permit for such an SMS and has none on record. {_VENDOR}"
    ),
    "invalidmobilenumberrpmax": Word(_FAILED, f"The number is too long for a mobile phone. {_NUMBER}"),
    "invalidmobilenumberrpmin": Word(_FAILED, f"The number is too short for a mobile phone. {_NUMBER}"),
    "rejected06invalidmobilenumber": Word(_FAILED, f"This is not a mobile number. {_NUMBER}"),
    "rejected07invalidnumber": Word(_FAILED, f"This is not a valid number. {_NUMBER}"),
    "errorcouldnotfindanyvaliddestinations": Word(
        _FAILED, f"The SMS provider found no phone number it can send to. {_NUMBER}"
    ),
    "missingoremptydestinations": Word(_FAILED, f"The SMS provider found no phone number. {_NUMBER}"),
    "missingoremptymessage": Word(_FAILED, "The text was empty. Write some text and send again."),
    "pending": Word(_PENDING, "The SMS provider has the SMS and is sending it. Nothing to do yet."),
    "delayed": Word(
        _PENDING, "The SMS waits at the SMS provider and will be tried again. Nothing to do yet."
    ),
    "credithold": Word(
        _PENDING,
        "The SMS waits because the account at the SMS provider has no credit left. "
        "Please tell your administrator to top it up.",
    ),
}

_LETTERS: Final = re.compile(r"[^a-z0-9]+")
CREDIT_HOLD: Final = "credithold"


def squeezed(text: str) -> str:
    """Return a word in lower case without blanks and signs, so that ``Sent OK`` and ``SentOK`` are one."""
    return _LETTERS.sub("", text[:200].lower())


def known_word(result: str) -> Word | None:
    """Return what we know of a result word or reason, None if we do not know it."""
    return _WORDS.get(squeezed(result))


def sentence(result: str) -> str:
    """Return what happened and what to do, in plain English; "" for a word we do not know."""
    known = known_word(result)
    return known.sentence if known else ""


def classify(status: str, result: str) -> News:
    """Return what a status word (SUCCESS, FAILED, PENDING, UPDATED or none) and a result word mean together.

    The darker of the two wins: a failure is never told as a delivery. A success in words we do not know is
    not more than "handed to the network", which later news may still turn.
    """
    known = known_word(result)
    word = known.news if known else None
    status = squeezed(status)
    if status == "failed":
        return word if word in (News.CANCELLED, News.DUPLICATE) else News.FAILED
    if status == "pending":
        return News.NETWORK if word is News.NETWORK else News.PENDING
    if word is not None:
        return word
    if status == "success":
        return News.NETWORK
    return News.FAILED if squeezed(result).startswith(("rejected", "invalidmobilenumber")) else News.PENDING
