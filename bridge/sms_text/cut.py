"""The line scanner: quoted history, signatures and small print out of a text. One pass each, linear and
bounded.

What it cuts it names. Whether a cut that leaves nothing is undone is decided in `make`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.sms_text import words
from bridge.sms_text.marks import HISTORY, SIGNATURE

MAX_LINES = 3_000  # lines that are looked at; no SMS has room for what stands behind them
_MAX_LINE = 1_000  # characters of one line that are looked at
_MAX_ATTRIBUTION_LINES = 4
_ATTRIBUTION_ENDS = (":", "：", "----")
_MAX_BLOCK_LINES = 9  # Outlook's header block: five fields, of which To and Cc may be wrapped
_MAX_APP_LINE = 120  # characters of "Sent from my iPhone" and its like, without the link
_MAX_SIGNATURE_LINES = 20  # under a bare "--", which may also be a line drawn by hand

# Every line that begins history has one of these.
_NOT_PROSE = re.compile(r"[:：]|[-_=]{2}|>>>")
_RULE = re.compile(r"[\s*>]*[-_=*—–]{3,}\s*")
_PICTURE = re.compile(
    r"\[(?:cid|image|inline image|bild|imagen|immagine|afbeelding|imagem)\s?:[^\]\n]{0,200}\]"
    r"|<(?:image|img)[\w.-]{0,60}\.(?:png|jpe?g|gif)>",
    re.IGNORECASE,
)
_LINK = re.compile(r"<((?:mailto:|tel:|https?://)[^\s<>]{1,2000})>")
_LINK_AT_END = re.compile(r"\s?[(<]?https?://\S{1,2000}$")
_LIST_RULE = re.compile(r"_{20,}\s*")
_LIST_WORDS = re.compile(r"mailing list|unsubscribe|listinfo|mailman", re.IGNORECASE)
_ARMOUR = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash:[^\n]*\n)*\n?")
_PARAGRAPH_END = re.compile(r"\n[ \t\u00a0]*\n")


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a text, and what was cut from it."""

    text: str
    cut: tuple[str, ...] = ()


def tidied(text: str) -> Rest:
    """``text`` without what clients put in beside the words: marks of pictures, doubled links, PGP armour."""
    found: tuple[str, ...] = ()
    if "-----BEGIN PGP SIG" in text:
        text = _ARMOUR.sub("", text.partition("-----BEGIN PGP SIGNATURE-----")[0])
        found = (SIGNATURE,)
    text, pictures = _PICTURE.subn("", text)
    if pictures:
        found += ("picture",)
    return Rest(_LINK.sub(_once, text), found)


def without_history(text: str) -> Rest:
    """``text`` without the mails it answers. Answers between quotes stay."""
    lines = text.split("\n")
    kept, position, cut = _unquoted(lines[:MAX_LINES])
    if not cut:
        return Rest(text)
    if position >= MAX_LINES:
        kept += lines[MAX_LINES:]
    return Rest("\n".join(kept), (HISTORY,))


def without_signature(text: str) -> Rest:
    """``text`` without what stands behind "-- " and without lines such as "Sent from my iPhone"."""
    lines = text.split("\n")
    end = _signature_at(lines[:MAX_LINES])
    kept = lines if end is None else lines[:end]
    signed = {index for index, line in enumerate(kept[:MAX_LINES]) if _is_sent_from(line)}
    if end is None and not signed:
        return Rest(text)
    return Rest("\n".join(line for index, line in enumerate(kept) if index not in signed), (SIGNATURE,))


def without_small_print(text: str, disclaimers: Sequence[re.Pattern[str]]) -> Rest:
    """``text`` without disclaimers (and what follows one), banners on top, and the operator's own
    patterns.
    """
    paragraphs = _PARAGRAPH_END.split(text)
    looked_at, kept, cut = paragraphs[:MAX_LINES], list[str](), list[str]()
    for index, paragraph in enumerate(looked_at):
        said = _text_in(kept)
        if not said and words.is_banner(paragraph.lstrip()):
            cut.append("warning banner")
            kept.append(_under_banner(paragraph))
        elif _is_own(paragraph, disclaimers) or (said and words.is_footer(paragraph)):
            cut.append("disclaimer")
        elif said and _begins_small_print(looked_at, index):
            return Rest("\n\n".join(kept), tuple(dict.fromkeys([*cut, "disclaimer"])))
        else:
            kept.append(paragraph)
    return Rest("\n\n".join(kept + paragraphs[MAX_LINES:]), tuple(dict.fromkeys(cut))) if cut else Rest(text)


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


def _unquoted(lines: list[str]) -> tuple[list[str], int, bool]:
    """The lines that are no history, where the scan ended, and whether there was history."""
    kept: list[str] = []
    position, cut = 0, False
    attributed = any(line.rstrip().endswith(_ATTRIBUTION_ENDS) for line in lines)
    while position < len(lines):
        attribution = _attribution_lines(lines, position) if attributed else 0
        if _is_quote(lines[position]) and not words.GROUPWISE.fullmatch(lines[position][:_MAX_LINE]):
            cut, position = True, position + 1
        elif attribution and _answer_follows(lines, position + attribution):
            cut, position = True, position + attribution
        elif attribution or _begins_history(lines, position):
            return _without_rule(kept), position, True
        else:
            kept.append(lines[position])
            position += 1
    return kept, position, cut


def _is_quote(line: str) -> bool:
    """Whether a line is quoted with ">". Banners such as ``>>> ALARM <<<`` are not."""
    return line.lstrip(" ")[:1] == ">" and not line.rstrip().endswith("<")


def _begins_history(lines: list[str], position: int) -> bool:
    line = lines[position][:_MAX_LINE]
    if not _NOT_PROSE.search(line):
        return False
    if any(pattern.fullmatch(line) for pattern in (words.FORWARD, words.DIVIDER, words.GROUPWISE)):
        return True
    return words.LABEL.match(line) is not None and _is_header_block(lines, position)


def _is_header_block(lines: list[str], position: int) -> bool:
    """Whether From, a date or To, and Subject stand together, as Outlook puts them above a quoted mail.

    A block that does not begin with From must have all four: machines write lines like these too.
    """
    seen: dict[str, None] = {}  # in order
    blanks = 0
    for line in lines[position : position + _MAX_BLOCK_LINES]:
        label = words.LABEL.match(line[:_MAX_LINE])
        if label and label.lastgroup:
            seen[label.lastgroup] = None
        elif not line.strip():
            blanks += 1
            if blanks > 4:
                break
    return len(seen) == 4 or (next(iter(seen)) == "from" and "subject" in seen and len(seen) > 2)


def _attribution_lines(lines: list[str], position: int) -> int:
    """How many lines from here are one attribution ("On … wrote:"), 0 for none."""
    first = lines[position].strip()[:_MAX_LINE]
    if not first:
        return 0
    if words.ATTRIBUTION_BEGIN.match(first) and (count := _dated_lines(lines, position)):
        return count
    named = _names_author(first) and (_is_attributed(first) or _quote_follows(lines, position + 1))
    return int(named)


def _dated_lines(lines: list[str], position: int) -> int:
    """How many lines from here end in "On <date> … wrote:", 0 when they do not."""
    joined = ""
    for count, line in enumerate(lines[position : position + _MAX_ATTRIBUTION_LINES], 1):
        if not line.strip() or len(joined) + len(line) > 600:
            return 0
        joined = f"{joined} {line.strip()}".strip()
        if joined.endswith(_ATTRIBUTION_ENDS) and _is_attribution(joined):
            return count
    return 0


def _is_attribution(joined: str) -> bool:
    dated = words.WHEN.search(joined) is not None
    return (dated and words.VERB.search(joined) is not None) or words.DATED_ADDRESS.fullmatch(
        joined
    ) is not None


def _names_author(line: str) -> bool:
    """Whether a line is "Ann wrote:", which counts only above a quote: people write such words themselves."""
    if not line.endswith(_ATTRIBUTION_ENDS) or len(line) > 300:
        return False
    return words.VERB.search(line) is not None or words.AUTHOR.fullmatch(line) is not None


def _is_attributed(line: str) -> bool:
    """Whether a line names an address and a date: no one writes this by hand."""
    return "@" in line and words.WHEN.search(line.replace("@", "")) is not None


def _quote_follows(lines: list[str], position: int) -> bool:
    following = next((line for line in lines[position : position + 3] if line.strip()), "")
    return _is_quote(following)


def _answer_follows(lines: list[str], position: int) -> bool:
    """Whether the quote under an attribution is marked line by line, so that answers can stand between."""
    return _quote_follows(lines, position) or not any(
        line.strip() for line in lines[position : position + 50]
    )


def _without_rule(kept: list[str]) -> list[str]:
    """``kept`` without the line drawn above the history."""
    while kept and (not kept[-1].strip() or _RULE.fullmatch(kept[-1][:_MAX_LINE])):
        kept.pop()
    return kept


def _is_sent_from(line: str) -> bool:
    shown = line[: 20 * _MAX_APP_LINE]
    if "://" in shown:
        shown = _LINK_AT_END.sub("", shown)
    return len(shown) <= _MAX_APP_LINE and words.SENT_FROM.fullmatch(shown) is not None


def _signature_at(lines: list[str]) -> int | None:
    """Where the signature or list footer begins: RFC 3676, 4.3 says "-- "."""
    text_before = False
    for position, line in enumerate(lines):
        if line.rstrip() == "--" and text_before:
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
    if not _LIST_RULE.fullmatch(rule[:_MAX_LINE]):
        return False
    return any(_LIST_WORDS.search(line[:_MAX_LINE]) for line in lines[position:])


def _text_in(paragraphs: list[str]) -> bool:
    return any(character.isalnum() for paragraph in paragraphs[:50] for character in paragraph[:_MAX_LINE])


def _is_own(paragraph: str, disclaimers: Sequence[re.Pattern[str]]) -> bool:
    return any(pattern.search(paragraph[: 10 * _MAX_LINE]) for pattern in disclaimers)


def _begins_small_print(paragraphs: list[str], index: int) -> bool:
    """Whether small print begins here: in this paragraph, or in the next one under a heading."""
    paragraph = paragraphs[index].strip()
    following = paragraphs[index + 1].strip() if index + 1 < len(paragraphs) else ""
    return words.is_disclaimer(paragraph) or (words.is_heading(paragraph) and words.is_disclaimer(following))


def _under_banner(paragraph: str) -> str:
    """What stands under a banner in the same paragraph: a banner ends with its advice, or with its line."""
    advice = re.search(r"(?:is safe|sicher ist|est sûr|è sicuro|es seguro)[.!]?\]?\W{0,5}(?:\n|$)", paragraph)
    end = advice.end() if advice else paragraph.find("\n") + 1 or len(paragraph)
    return paragraph[end:]
