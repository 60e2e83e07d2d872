"""What becomes of an SMS after the vendor took it, as small scripts of steps. Pure.

`magic` names scripts by the endings of numbers, fault rules by their name; `vendor` plays them.
"""

from dataclasses import dataclass
from typing import Literal

Told = Literal["SUCCESS", "FAILED", "PENDING", "UPDATED"]


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of news. ``after`` counts in delivery delays from the step before.

    ``status`` and ``result`` are the webhook's words, ``state`` the status poll's.
    ``told`` False: no webhook, only a poll tells. ``free``: not billed.
    """

    after: float
    status: Told
    result: str
    state: str = "Completed"
    told: bool = True
    free: bool = False


def ending(result: str, *, told: bool = True, free: bool = False) -> tuple[Step, ...]:
    """Return the script of an SMS that fails with that result word."""
    return (Step(1, "FAILED", result, told=told, free=free),)


_NETWORK = Step(1, "SUCCESS", "delivered-to-network")
_LATE = 30.0

OUTCOMES: dict[str, tuple[Step, ...]] = {
    "delivered": (Step(1, "SUCCESS", "delivered"),),
    "undelivered": ending("Undelivered"),
    "bad-number": ending("Bad Number"),
    "blacklisted": ending("Destination is blacklisted", free=True),
    "network": (_NETWORK,),
    "network-delivered": (_NETWORK, Step(2, "UPDATED", "delivered")),
    "network-failed": (_NETWORK, Step(2, "UPDATED", "Undelivered")),
    "failed-delivered": (*ending("Undelivered"), Step(2, "UPDATED", "delivered")),
    "pending-delivered": (
        Step(0.5, "PENDING", "Pending", state="Pending"),
        Step(2, "SUCCESS", "delivered"),
    ),
    "late": (
        Step(1, "PENDING", "Delayed", state="Delayed", told=False),
        Step(_LATE, "SUCCESS", "delivered"),
    ),
    "never": (),
    "unknown": (Step(0, "PENDING", "Unknown", state="Unknown", told=False),),
    "credit-hold": (Step(0, "PENDING", "CreditHold", state="CreditHold", told=False),),
    "link": ending("LinkNotPermitted", told=False),
    "untold": (Step(1, "SUCCESS", "delivered", told=False),),
    "aborted": ending("Control Deleted", free=True),
    "country": ending("Rejected-Country Blocked-Account Policy"),
    "content": ending("Rejected-Message Content Issue"),
    "sender-id": ending("Rejected-Invalid Sender ID"),
    "permit": ending("No Permit Record"),
    "too-long": ending("Invalid Mobile Number (RP-Max)"),
    "too-short": ending("Invalid Mobile Number (RP-Min)"),
    "not-mobile": ending("Rejected-06-Invalid Mobile Number"),
    "not-a-number": ending("Rejected-07-Invalid Number"),
    "new-word": ending("Handset-Eaten-By-Dog"),
    "duplicate": ending("Rejected-Duplicate"),
}
