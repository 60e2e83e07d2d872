"""One piece of news from the vendor, as a frozen value: the other files make it, `store` applies it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Source = Literal["webhook", "poll", "mail"]
EventType = Literal["status", "reply", "inbound"]


class News(StrEnum):
    """What a status event means for the SMS, in rising rank but for the last two."""

    PENDING = "pending"  # the vendor has it; nothing final (Pending, Delayed, CreditHold)
    NETWORK = "network"  # handed to the network, handset not confirmed; may still change
    FAILED = "failed"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"  # "Control Deleted": aborted at the vendor, not billed
    DUPLICATE = "duplicate"  # "Rejected-Duplicate": same number and text within 60 s


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of news. Texts are bounded and free of control characters; ``raw`` is what came, as text.

    ``news`` is set for type ``status`` only. ``message_id`` and ``job`` are as the vendor wrote them (ours or
    its own, any case). ``phone`` is E.164 when it could be read so, else as it came. ``price`` is in
    ten-thousandths, ``vendor_at`` in ms UTC. ``received_id`` identifies a reply at the vendor.
    """

    source: Source
    type: EventType
    message_id: str | None
    phone: str
    raw: str
    news: News | None = None
    result: str = ""
    text: str = ""
    job: str | None = None
    received_id: str | None = None
    price: int | None = None
    vendor_at: int | None = None
    credit_hold: bool = False
