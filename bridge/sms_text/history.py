"""The mails that a text answers or forwards: where they begin, taken off an answer, unwrapped from a forward.

One pass over the lines, linear and bounded. Used by `body`, which decides what is undone.
"""

import re
from dataclasses import dataclass

from bridge.sms_text import words
from bridge.sms_text.cut import MAX_LINE, MAX_LINES, Rest, without_rule
from bridge.sms_text.marks import HISTORY

FORWARD_HEADER = "the header of a forwarded mail"

_MAX_ATTRIBUTION_LINES = 4
_MAX_ATTRIBUTION = 300  # characters
_ATTRIBUTION_ENDS = (":", "：", "----")
_MAX_BLOCK_LINES = 9  # Outlook's header block: five fields, of which To and Cc may be wrapped
_MAX_HEADER_LINES = 30  # of a forwarded mail's header block with long lists of recipients
_MAX_BLANKS_IN_BLOCK = 4

# Every line that begins history has one of these.
_NOT_PROSE = re.compile(r"[:：]|[-_=]{2}|>>>")
_OTHER_FIELD = re.compile(
    r"[>\s*]{0,10}[^\W\d_][\w -]{0,24}\s?\*{0,2}:\*{0,2}\s"
)  # Cc, Importance, Attachments
_TIME = re.compile(r"\d{4}|\d:\d\d")  # a year or an hour
_CLOCK = re.compile(r"\d{1,2}[:.]\d{2}")
_YEAR = re.compile(r"\b(?:19|20)\d{2}")
_ADDRESS_AT_END = re.compile(r"<[^<>\s]{1,200}@[^<>\s]{1,200}>\s?[:：]\Z")  # "2024-03-12 9:58 Ann <ann@x>:"
_ADDRESS = re.compile(r"[<(][^<>()\s]{1,200}@[^<>()\s]{1,200}[>)]")


@dataclass(frozen=True, slots=True)
class _Scan:
    """What of the lines is no history; ``cut`` tells whether there was any, ``ended`` whether it goes on to the end.

    ``heading_at`` is where the first divider or header block stands, None without one.
    """

    kept: list[str]
    cut: bool
    ended: bool
    heading_at: int | None


def without_history(text: str) -> Rest:
    """``text`` without the mails it answers. Answers between quotes stay."""
    lines = text.split("\n")
    scan = _scan(lines[:MAX_LINES])
    if not scan.cut:
        return Rest(text)
    behind = [] if scan.ended else lines[MAX_LINES:]
    return Rest("\n".join(scan.kept + behind), (HISTORY,))


def forwarded(text: str) -> Rest | None:
    """The mail that ``text`` forwards, without the header that the client put above it; None if there is none."""
    lines = text.split("\n")
    at = _scan(lines[:MAX_LINES]).heading_at
    if at is None:
        return None
    body = _below_header(lines, at)
    said = [line for line in body if line.strip()]
    if said and all(line.startswith(">") for line in said):  # Apple Mail quotes what it forwards
        body = [line[1:].removeprefix(" ") for line in body]
        body = body[_header_end(body, 0) :]
    return Rest("\n".join(body), (FORWARD_HEADER,)) if said else None


def _below_header(lines: list[str], at: int) -> list[str]:
    """The lines below a divider and the header block that stand at ``at``."""
    if _is_divider(lines[at][:MAX_LINE]):
        at += 1
    while at < len(lines) and not lines[at].strip():
        at += 1
    return lines[_header_end(lines, at) :]


def _header_end(lines: list[str], start: int) -> int:
    """Where a header block that begins at ``start`` ends; fields may be wrapped, or set apart by blank lines."""
    end = start
    spaced = start + 1 < len(lines) and not lines[start + 1].strip()
    for index, line in enumerate(lines[start : start + _MAX_HEADER_LINES], start):
        if words.LABEL.match(line[:MAX_LINE]) or (end > start and _goes_on(lines, index)):
            end = index + 1
        elif not spaced or line.strip():
            break
    return end


def _goes_on(lines: list[str], index: int) -> bool:
    """Whether a line that is none of the four fields is of their block: another field, or one that goes on."""
    line = lines[index][:MAX_LINE]
    if not line.strip():
        return False
    if lines[index - 1].strip() and _OTHER_FIELD.match(line):
        return True
    return any(words.LABEL.match(following[:MAX_LINE]) for following in lines[index + 1 : index + 3])


def _scan(lines: list[str]) -> _Scan:
    kept: list[str] = []
    heading_at: int | None = None
    position, cut = 0, False
    attributed = any(line.rstrip().endswith(_ATTRIBUTION_ENDS) for line in lines)
    while position < len(lines):
        older = _attribution_lines(lines, position) if attributed else 0
        if _is_quote(lines[position]) and not words.GROUPWISE.fullmatch(lines[position][:MAX_LINE]):
            cut, position = True, position + 1
            continue
        answerable = older > 0 and _answer_follows(lines, position + older)
        if not older and _begins_history(lines, position):
            heading_at = position if heading_at is None else heading_at
            older = _heading_lines(lines, position)
            answerable = _quote_follows(lines, position + older)
        if answerable:
            cut, position = True, position + older
        elif older:
            return _Scan(without_rule(kept), True, True, heading_at)
        else:
            kept.append(lines[position])
            position += 1
    return _Scan(kept, cut, False, heading_at)


def _is_quote(line: str) -> bool:
    """Whether a line is quoted with ">". Banners such as ``>>> ALARM <<<`` are not."""
    return line.lstrip(" ")[:1] == ">" and not line.rstrip().endswith("<")


def _begins_history(lines: list[str], position: int) -> bool:
    line = lines[position][:MAX_LINE]
    if not _NOT_PROSE.search(line):
        return False
    return _is_divider(line) or (words.LABEL.match(line) is not None and _is_header_block(lines, position))


def _is_divider(line: str) -> bool:
    return any(pattern.fullmatch(line) for pattern in (words.FORWARD, words.DIVIDER, words.GROUPWISE))


def _heading_lines(lines: list[str], position: int) -> int:
    """How many lines stand above a mail whose divider or header block is at ``position``."""
    first = position + int(_is_divider(lines[position][:MAX_LINE]))
    return max(_header_end(lines, first), position + 1) - position


def _is_header_block(lines: list[str], position: int) -> bool:
    """Whether From, a date or To, and Subject stand together, as Outlook puts them above a quoted mail.

    One without an address must have a date, and one that does not begin with From all four: machines write
    lines like these too.
    """
    seen: dict[str, str] = {}  # in order
    blanks = 0
    for line in lines[position : position + _MAX_BLOCK_LINES]:
        label = words.LABEL.match(line[:MAX_LINE])
        if label and label.lastgroup:
            seen[label.lastgroup] = line
        elif not line.strip():
            blanks += 1
            if blanks > _MAX_BLANKS_IN_BLOCK:
                break
    addressed = any("@" in line for line in seen.values())
    if next(iter(seen)) == "from":
        return "subject" in seen and ("date" in seen or ("to" in seen and addressed))
    return len(seen) == 4 and (addressed or _TIME.search(seen["date"]) is not None)


def _attribution_lines(lines: list[str], position: int) -> int:
    """How many lines from here are one attribution ("On … wrote:"), 0 for none."""
    first = lines[position].strip()[:MAX_LINE]
    if not first:
        return 0
    if words.ATTRIBUTION_BEGIN.match(first) and (count := _dated_lines(lines, position)):
        return count
    if _names_author(first):
        return int(_is_attributed(first) or _quote_follows(lines, position + 1))
    return int(_is_address_with_time(first) and _quote_follows(lines, position + 1))


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
    if words.WHEN.search(joined) and words.VERB.search(joined):
        return True
    address = _ADDRESS_AT_END.search(joined)
    return address is not None and any(c.isdigit() for c in joined[: address.start()].rpartition("<")[2])


def _names_author(line: str) -> bool:
    """Whether a line is "Ann wrote:", which counts only above a quote: people write such words themselves."""
    if not line.endswith(_ATTRIBUTION_ENDS) or len(line) > _MAX_ATTRIBUTION:
        return False
    return words.VERB.search(line) is not None or words.AUTHOR.fullmatch(line) is not None


def _is_attributed(line: str) -> bool:
    """Whether a line names an address and a date: no one writes this by hand."""
    return "@" in line and words.WHEN.search(line.replace("@", "")) is not None


def _is_address_with_time(line: str) -> bool:
    """Whether a line is an attribution in whatever language: an address, a year and a time, then a colon."""
    return (
        line.endswith(_ATTRIBUTION_ENDS)
        and len(line) <= _MAX_ATTRIBUTION
        and all(pattern.search(line) for pattern in (_ADDRESS, _YEAR, _CLOCK))
    )


def _quote_follows(lines: list[str], position: int) -> bool:
    following = next((line for line in lines[position : position + 3] if line.strip()), "")
    return _is_quote(following)


def _answer_follows(lines: list[str], position: int) -> bool:
    """Whether the quote under an attribution is marked line by line, so that answers can stand between."""
    return _quote_follows(lines, position) or not any(
        line.strip() for line in lines[position : position + 50]
    )
