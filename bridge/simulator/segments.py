"""How a text is cut into billed segments: GSM 03.38 septets or UCS-2 units.

The vendor counts for itself, so that it can disagree with its customer. Pure.
"""

from collections.abc import Iterator
from typing import Literal

Encoding = Literal["GSM-7", "UCS-2"]

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")  # an escape septet and one more
ALL_GSM = BASIC | EXTENDED

# 140 octets a message; a part of several loses 6 of them to the header that joins them (3GPP TS 23.040).
SINGLE: dict[Encoding, int] = {"GSM-7": 160, "UCS-2": 70}
JOINED: dict[Encoding, int] = {"GSM-7": 153, "UCS-2": 67}


def encoding_of(text: str) -> Encoding:
    """Return GSM-7 when every character is in its tables, else UCS-2."""
    return "GSM-7" if ALL_GSM.issuperset(text) else "UCS-2"


def split(text: str) -> list[str]:
    """Return the billed parts of a text; an empty text is one part. No escape or surrogate pair is cut."""
    encoding = encoding_of(text)
    if len(text) <= SINGLE[encoding] and sum(_widths(text, encoding)) <= SINGLE[encoding]:
        return [text]
    parts: list[str] = []
    start = used = 0
    for index, width in enumerate(_widths(text, encoding)):
        if used + width > JOINED[encoding]:
            parts.append(text[start:index])
            start, used = index, 0
        used += width
    parts.append(text[start:])
    return parts


def _widths(text: str, encoding: Encoding) -> Iterator[int]:
    if encoding == "GSM-7":
        return (2 if char in EXTENDED else 1 for char in text)
    return (2 if char > "\uffff" else 1 for char in text)
