"""Signatures out of a text, and what clients put in beside the words. One pass each, linear and bounded.

What it cuts it names. Whether a cut that leaves nothing is undone is decided in `body`.
"""

import re
from dataclasses import dataclass

from bridge.sms_text import words
from bridge.sms_text.marks import HISTORY, SIGNATURE

MAX_LINES = 3_000  # lines that are looked at; no SMS has room for what stands behind them
MAX_LINE = 1_000  # characters of one line that are looked at
_MAX_APP_LINE = 120  # characters of "Sent from my iPhone" and its like, without the link
_MAX_SIGNATURE_LINES = 20  # under a bare "--", which may also be a line drawn by hand

RULE = re.compile(r"[\s*>]*[-_=*—–]{3,}\s*")
_PICTURE = re.compile(
    r"\[(?:cid|image|inline image|bild|imagen|immagine|afbeelding|imagem)\s?:[^\]\n]{0,200}\]"
    r"|<(?:image|img)[\w.-]{0,60}\.(?:png|jpe?g|gif)>",
    re.IGNORECASE,
)
_LINK = re.compile(r"<((?:mailto:|tel:|https?://)[^\s<>]{1,2000})>")
_LINK_AT_END = re.compile(r"\s?[(<]?https?://\S{1,2000}$")
_LIST_RULE = re.compile(r"_{20,}\s*")
_LIST_WORDS = re.compile(r"mailing list|unsubscribe|listinfo|mailman", re.IGNORECASE)
_DASH_ESCAPED = re.compile(r"^- ", re.MULTILINE)  # RFC 9580, 7.1
_ARMOUR = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash:[^\n]*\n)*\n?")


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a text, and what was cut from it."""

    text: str
    cut: tuple[str, ...] = ()


def tidied(text: str) -> Rest:
    """``text`` without what programs put in beside the words: marks of pictures, doubled links, PGP armour,
    a help desk's line above which to answer.
    """
    found: tuple[str, ...] = ()
    if "-----BEGIN PGP SIG" in text:
        text, armour = _ARMOUR.subn("", text.partition("-----BEGIN PGP SIGNATURE-----")[0])
        text = _DASH_ESCAPED.sub("", text) if armour else text
        found = (SIGNATURE,)
    if answered := _at_reply_line(text):
        text, found = answered.text, (*found, *answered.cut)
    text, pictures = _PICTURE.subn("", text)
    if pictures:
        found += ("picture",)
    return Rest(_LINK.sub(_once, text), found)


def without_signature(text: str) -> Rest:
    """``text`` without what stands behind "-- " and without lines such as "Sent from my iPhone"."""
    lines = text.split("\n")
    end = _signature_at(lines[:MAX_LINES])
    kept = lines if end is None else lines[:end]
    signed = {index for index, line in enumerate(kept[:MAX_LINES]) if _is_sent_from(line)}
    if end is None and not signed:
        return Rest(text)
    return Rest("\n".join(line for index, line in enumerate(kept) if index not in signed), (SIGNATURE,))


def without_rule(lines: list[str]) -> list[str]:
    """``lines`` without the line drawn at their end, above what was cut."""
    while lines and (not lines[-1].strip() or RULE.fullmatch(lines[-1][:MAX_LINE])):
        lines.pop()
    return lines


def _at_reply_line(text: str) -> Rest | None:
    """What stands above "Please type your reply above this line"; below it in the help desk's own mails."""
    match = words.REPLY_ABOVE.search(text)
    if match is None:
        return None
    begin, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
    end = len(text) if end < 0 else end
    if end - begin > _MAX_APP_LINE or not words.ANSWER.search(text, begin, end):
        return None
    if not words.BEHIND_REPLY_ABOVE.fullmatch(text, match.end(), end):
        return None
    above, below = text[:begin], text[end:]
    if not any(character.isalnum() for character in above):
        return Rest(below)
    return Rest("\n".join(without_rule(above.split("\n"))), (HISTORY,))


def _once(match: re.Match[str]) -> str:
    """Outlook writes a link twice: ``x.example<http://x.example/>``. What the text does not show stays."""
    before = match.string[max(0, match.start() - 500) : match.start()]
    if not before or before[-1].isspace():
        return match[0]
    if match[1].startswith(("mailto:", "tel:")) or _bare(match[1]) == _bare(before.split()[-1]):
        return ""
    return f" ({match[1]})"


def _bare(link: str) -> str:
    return re.sub(r"^https?://", "", link.lower().strip("()[].,;")).rstrip("/")


def _is_sent_from(line: str) -> bool:
    shown = line[: 20 * _MAX_APP_LINE]
    if "://" in shown:
        shown = _LINK_AT_END.sub("", shown)
    return len(shown) <= _MAX_APP_LINE and words.SENT_FROM.fullmatch(shown) is not None


def _signature_at(lines: list[str]) -> int | None:
    """Where the signature or list footer begins: RFC 3676, 4.3 says "-- ", with no text above it too."""
    text_before = False
    for position, line in enumerate(lines):
        if line == "-- " or (line.rstrip() == "--" and text_before):
            if line == "-- " or len(lines) - position <= _MAX_SIGNATURE_LINES:
                return position
        elif text_before and _is_list_footer(lines, position):
            return position
        elif line.strip():
            text_before = True
    return None


def _is_list_footer(lines: list[str], position: int) -> bool:
    rule = lines[position]
    if not rule.startswith("____") or len(lines) - position > _MAX_SIGNATURE_LINES:
        return False
    if not _LIST_RULE.fullmatch(rule[:MAX_LINE]):
        return False
    return any(_LIST_WORDS.search(line[:MAX_LINE]) for line in lines[position:])
