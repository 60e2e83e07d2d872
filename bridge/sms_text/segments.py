"""How many billed parts a text takes, and where it splits (3GPP TS 23.038 and 23.040).

GSM-7: 160 septets in one part, 153 in each of several; UCS-2: 70 and 67 UTF-16 units. Only counts: folds
nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Encoding = Literal["gsm7", "ucs2"]

# 3GPP TS 23.038, 6.2.1: the default alphabet in the order of its codes; ESC (0x1B) is left out.
GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")  # 6.2.1.1: an escape before each, so two septets
GSM = GSM_BASIC | GSM_EXTENDED

_SIZES: dict[Encoding, tuple[int, int]] = {"gsm7": (160, 153), "ucs2": (70, 67)}
_NOT_GSM = re.compile("[^" + re.escape("".join(sorted(GSM))) + "]")
_CLINGS = re.compile("[\u0300-\u036f\u200d\ufe00-\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_EXTENDED = re.compile("[" + re.escape("".join(sorted(GSM_EXTENDED))) + "]")
# Most texts are ASCII; patterns and sets take ten times as long to go through one.
_ASCII_IN_GSM = "".join(filter(str.isascii, GSM)).encode()
_ASCII_ESCAPED = "".join(filter(str.isascii, GSM_EXTENDED)).encode()


@dataclass(frozen=True, slots=True)
class Count:
    """The size of a text: its encoding, its septets (gsm7) or UTF-16 units (ucs2), and its billed parts."""

    encoding: Encoding
    units: int
    segments: int


def encoding_of(text: str) -> Encoding:
    """``gsm7`` when every character is in the default alphabet or its extension, else ``ucs2``."""
    return "gsm7" if in_gsm(text) else "ucs2"


def in_gsm(text: str) -> bool:
    """Whether GSM-7 has every character of ``text``."""
    if text.isascii():
        return not text.encode("ascii").translate(None, _ASCII_IN_GSM)
    return GSM.issuperset(text)


def costly_in(text: str) -> Iterator[int]:
    """Where the characters stand that force UCS-2, or in a GSM-7 text those that take two septets."""
    pattern = _EXTENDED if encoding_of(text) == "gsm7" else _NOT_GSM
    return (match.start() for match in pattern.finditer(text))


def units_of(character: str, encoding: Encoding) -> int:
    """Septets or UTF-16 units of one character: 1, or 2 for an escaped one or a surrogate pair."""
    if encoding == "gsm7":
        return 2 if character in GSM_EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1


def count(text: str) -> Count:
    """The encoding, units and billed parts of ``text``; an empty text has none."""
    encoding = encoding_of(text)
    units = _units(text, encoding)
    single, part = _SIZES[encoding]
    if units <= single:
        return Count(encoding, units, min(1, units))
    if units == len(text):  # no pair that must stay together
        return Count(encoding, units, -(-units // part))
    return Count(encoding, units, len(_ends(text, encoding, part)))


def split(text: str) -> tuple[str, ...]:
    """The parts as a phone gets them. No escape and no surrogate pair is cut in two."""
    counted = count(text)
    if counted.segments <= 1:
        return (text,) if text else ()
    ends = _ends(text, counted.encoding, _SIZES[counted.encoding][1])
    return tuple(text[start:end] for start, end in zip([0, *ends], ends, strict=False))


def cut_to(text: str, limit: int, ending: str = "") -> str:
    """``text`` and ``ending`` if they fit in ``limit`` parts, else the text's beginning with an ellipsis and the whole
    ending that do. The ending alone must fit.

    The ellipsis is ``...`` in GSM-7, where ``…`` would turn the whole text into UCS-2, and ``…`` in UCS-2.
    """
    if count(text + ending).segments <= limit:
        return text + ending
    if not in_gsm(ending):
        return _shortened(text, "…" + ending, limit, "ucs2")
    septets = "..." + ending
    unfit = None if in_gsm(text) else _NOT_GSM.search(text)
    if unfit is None:
        return _shortened(text, septets, limit, "gsm7")
    # Cutting may drop the very character that forces UCS-2, so the longer GSM-7 beginning is tried first.
    in_septets = _shortened(text[: unfit.start()], septets, limit, "gsm7")
    in_units = _shortened(text, "…" + ending, limit, "ucs2")
    return in_septets if len(in_septets) >= len(in_units) and len(in_septets) > len(septets) else in_units


def _shortened(text: str, ellipsis: str, limit: int, encoding: Encoding) -> str:
    """The longest beginning of ``text`` that fits with the ellipsis; at a word's end when one is near."""
    end = _fitting(text, limit, encoding)
    while end > 0 and not (_whole(text, end) and count(text[:end].rstrip() + ellipsis).segments <= limit):
        end -= 1
    return _at_word(text[:end], text).rstrip() + ellipsis


def _fitting(text: str, limit: int, encoding: Encoding) -> int:
    """How many characters of ``text`` fit in ``limit`` parts."""
    single, part = _SIZES[encoding]
    sample = text[: max(single, part * limit)]
    if limit <= 1:
        return _ends(sample, encoding, single)[0]
    return _ends(sample, encoding, part)[:limit][-1]


def _whole(text: str, end: int) -> bool:
    """Whether cutting at ``end`` leaves what a reader calls one character whole (accents, joined emoji)."""
    after = text[end : end + 1]
    return not after or not (_CLINGS.match(after) or text[end - 1] == "\u200d")


def _at_word(shorter: str, text: str) -> str:
    """``shorter`` without a word cut in half, unless that would cost more than 20 characters."""
    if text[len(shorter) : len(shorter) + 1].isspace() or shorter == text:
        return shorter
    blank = max(shorter.rfind(" "), shorter.rfind("\n"))
    return shorter[:blank] if blank >= max(1, len(shorter) - 20) else shorter


def _units(text: str, encoding: Encoding) -> int:
    """Septets or UTF-16 units of a whole text."""
    if encoding == "gsm7":
        if text.isascii():
            return 2 * len(text) - len(text.encode("ascii").translate(None, _ASCII_ESCAPED))
        return len(text) + sum(map(text.count, GSM_EXTENDED))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _ends(text: str, encoding: Encoding, part: int) -> list[int]:
    """The offset at which each part of ``part`` units ends."""
    if _units(text, encoding) == len(text):  # no pair to look out for, as in most texts
        return [*range(part, len(text), part), len(text)]
    ends, used = [], 0
    for position, character in enumerate(text):
        size = units_of(character, encoding)
        if used + size > part:
            ends.append(position)
            used = 0
        used += size
    ends.append(len(text))
    return ends
