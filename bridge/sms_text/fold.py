"""Characters that cost money replaced by what GSM-7 has; what no phone shows is dropped. Knows nothing of
mails.

A character of the GSM-7 alphabet is never changed. Text is put into NFC first, so that é is one character.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from bridge.sms_text.segments import GSM, in_gsm

# Dropped always: controls (but the line end), marks of direction (they can hide what a text says), lone
# surrogates,
# noncharacters, the mark of a missing object.
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_NEVER = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffc"
    "\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U000e0001]"
)

_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_UNSEEN = "\u00ad\u034f\u115f\u180e\u200b\u2060\u2061\u2062\u2063\u2064\u3164"
_TYPOGRAPHIC = {
    **dict.fromkeys("‘’‚‛‹›′‵`´ʹʻʼʽˈˊˋ＇", "'"),
    **dict.fromkeys("“”„‟«»″‶〝〞＂", '"'),
    **dict.fromkeys("‐‑‒–—―⁃−﹘﹣－", "-"),
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(_UNSEEN, ""),
    **dict.fromkeys("•‣◦∙●▪■⁌⁍◾◼\uf0b7\uf0a7", "-"),
    "…": "...", "‥": "..", "·": ".", "․": ".", "⁄": "/", "∕": "/", "‼": "!!", "⁇": "??", "⁈": "?!", "⁉": "!?",
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl",
}  # fmt: skip
_ASCII = {
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ħ": "h", "Ħ": "H", "ı": "i", "ĸ": "k", "ŋ": "n", "Ŋ": "N",
    "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D", "ŧ": "t", "Ŧ": "T", "ẞ": "SS", "ƒ": "f",
    "©": "(c)", "®": "(R)", "™": "TM", "℠": "SM", "№": "No", "℅": "c/o", "°": "deg", "º": "o", "ª": "a",
    "µ": "u", "×": "x", "÷": "/", "±": "+/-", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "‰": "o/oo",
    "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "→": "->", "➔": "->", "➜": "->", "⇒": "=>",
    "←": "<-", "⇐": "<=", "↔": "<->", "↑": "^", "↓": "v", "¢": "c", "¦": "|", "¬": "-", "¯": "-", "†": "+",
    "‡": "+", "₹": "Rs", "₽": "RUB", "¸": ",", "¨": '"', "♥": "<3", "❤": "<3", "✓": "v", "✔": "v", "✗": "x",
    "✘": "x", "★": "*", "☆": "*", "☐": "[ ]", "☑": "[x]", "☒": "[x]",
}  # fmt: skip
_JOINERS = re.compile("(?<![\u0250-\U0010ffff])[\u200c\u200d]|[\u200c\u200d](?![\u0250-\U0010ffff])")
_SELECTORS = re.compile("[\ufe00-\ufe0f\u200c\u200d\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
# Normalising sorts each run of combining marks, in quadratic time: long runs are normalised in pieces.
_LONG_RUN = re.compile(r"[^\x00-\u02ff\w]{64}")


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text, how many characters were replaced by others, and how many emoji and symbols were
    dropped.
    """

    text: str
    replaced: int
    dropped: int


def clean(text: str) -> str:
    """``text`` in NFC with line ends as ``\\n``, tabs as blanks, and without what never belongs in an SMS."""
    if text.isascii() and text.replace("\n", "").isprintable():  # nothing to clean, as in most texts
        return text
    text = _LINE_ENDS.sub("\n", text).replace("\t", " ")
    return _composed(_NEVER.sub("", text))


def _composed(text: str) -> str:
    pieces, position = [], 0
    for run in _LONG_RUN.finditer(text):
        pieces.append(unicodedata.normalize("NFC", text[position : run.end()]))
        position = run.end()
    pieces.append(unicodedata.normalize("NFC", text[position:]))
    return "".join(pieces)


def tidy(text: str) -> str:
    """``text`` without blanks at line ends, and with one blank line at most between others; none around
    it.
    """
    lines = [line.rstrip() for line in text.split("\n")]
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(kept).strip()


def fold(text: str, how: str) -> Folded:
    """A clean text folded ``none``, ``typographic`` (quotes, dashes, blanks) or ``ascii`` (all that GSM-7
    lacks).
    """
    if how == "none" or in_gsm(text):
        return Folded(text, 0, 0)
    text, first = _replace(_JOINERS.sub("", text), _TYPOGRAPHIC)
    if how == "typographic":
        return Folded(text, first, 0)
    return _to_ascii(text, first)


def _replace(text: str, table: dict[str, str]) -> tuple[str, int]:
    found = set(text) & table.keys()
    if not found:
        return text, 0
    count = sum(text.count(character) for character in found)
    return text.translate({ord(character): table[character] for character in found}), count


def _to_ascii(text: str, replaced: int) -> Folded:
    pieces, dropped, gap = [""], 0, False
    for character in _SELECTORS.sub("", text):
        if character in GSM:
            if not (gap and character == " " == pieces[-1]):  # one blank where an emoji stood between two
                pieces.append(character)
            gap = False
            continue
        shown = _plain_form(character)
        replaced += bool(shown) and shown != character
        dropped, gap = dropped + (not shown), not shown
        if shown:
            pieces.append(shown)
    return Folded("".join(pieces), replaced, dropped)


@lru_cache(maxsize=4096)
def _plain_form(character: str) -> str:
    """What GSM-7 has for a character; the letter itself when it has nothing, "" for emoji and other
    symbols.
    """
    if character in _ASCII:
        return _ASCII[character]
    stripped = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    stripped = "".join(_TYPOGRAPHIC.get(c, _ASCII.get(c, c)) for c in stripped)
    if stripped.strip() and in_gsm(stripped):
        return stripped
    category = unicodedata.category(character)
    return character if category[0] in "LNMP" else ""
