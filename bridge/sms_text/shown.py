"""What an HTML mail holds but does not show, and how what it shows is laid out: the CSS that matters for text.

Reads style attributes and the simple rules of the mail's own style sheets. Used by the HTML walk alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from bridge.sms_text.marks import squeezed

_MAX_STYLE = 2_000  # characters of a style attribute that are read
_MAX_SHEETS = 128 * 1024  # characters of style sheets that are read

# On styles without blanks, in lower case (`squeezed`).
_HIDDEN = re.compile(
    r"display:none|visibility:hidden|mso-hide:all|max-height:0(?![.\d])|(?<![a-z-])opacity:0(?!\.\d*[1-9]|\d)"
)
_DISPLAY = re.compile(r"(?<![a-z-])display:(?!none)(block|table|flex|list-item)?")
_NO_MARGIN = re.compile(r"(?<![a-z-])margin(?:-bottom|-top)?:0")
_FONT_SIZE = re.compile(r"font-size:(0(?:px|pt|em|rem|%)?(?:[!;]|$))?")
_WHITE_SPACE = re.compile(r"white-space:(pre)?")
_COMMENT = re.compile(r"/\*(?:.*?\*/|.*)|<!--|-->", re.DOTALL)
_TO_BRACE = re.compile(r"([^{}]*)([{}])")
_ONE_NAME = re.compile(r"[a-z]*[.#]([\w-]+)")


@dataclass(frozen=True, slots=True)
class Style:
    """What a style attribute says. ``tiny`` (its text has no size) and ``keeps_blanks`` are None when it does
    not say, and so has them from what it stands in; ``block``: laid out as a block, as buttons are.
    """

    hidden: bool
    displayed: bool
    block: bool
    tiny: bool | None
    keeps_blanks: bool | None
    no_margin: bool


@dataclass(frozen=True, slots=True)
class Sheets:
    """The class names and ids that the style sheets of a mail hide."""

    hidden: frozenset[str]

    def hide(self, element: etree._Element) -> bool:
        """Whether an element is not shown: such text is for the list of an inbox, or was left by an editor."""
        style = style_of(element)
        if style.hidden or element.get("hidden") is not None:
            return True
        if not self.hidden or style.displayed:
            return False
        names = [element.get("id", "").lower(), *element.get("class", "").lower().split()[:20]]
        return not self.hidden.isdisjoint(names)


def style_of(element: etree._Element) -> Style:
    """The style of an element by its own attribute."""
    return _read(element.get("style", "")[:_MAX_STYLE])


@lru_cache(maxsize=1024)  # a mail repeats a few styles many times
def _read(attribute: str) -> Style:
    style = squeezed(attribute)
    display, size, blanks = _DISPLAY.search(style), _FONT_SIZE.search(style), _WHITE_SPACE.search(style)
    return Style(
        hidden=_HIDDEN.search(style) is not None,
        displayed=display is not None,
        block=display is not None and display[1] is not None,
        tiny=bool(size[1]) if size else None,
        keeps_blanks=bool(blanks[1]) if blanks else None,
        no_margin=_NO_MARGIN.search(style) is not None,
    )


def sheets_of(root: etree._Element) -> Sheets:
    """The style sheets of a mail. What holds for some screens alone (``@media``) counts for none."""
    hidden: set[str] = set()
    left = _MAX_SHEETS
    for sheet in root.iter("style"):
        text = (sheet.text or "")[:left].lower()
        left -= len(text)
        for selectors, declarations in _rules(text) if "none" in text or "hid" in text else ():
            names = [name[1] for part in selectors.split(",") if (name := _ONE_NAME.fullmatch(part.strip()))]
            if _HIDDEN.search(squeezed(declarations)):
                hidden.update(names)
            elif _DISPLAY.search(squeezed(declarations)):
                hidden.difference_update(names)
    return Sheets(frozenset(hidden))


def _rules(sheet: str) -> Iterator[tuple[str, str]]:
    """Selectors and declarations of each rule that stands in no at-rule."""
    depth, within, selectors = 0, False, ""
    for match in _TO_BRACE.finditer(_COMMENT.sub("", sheet)):
        text, brace = match[1].rpartition(";")[2] if depth == 0 else match[1], match[2]
        if brace == "{":
            if depth == 0:
                selectors, within = text.strip(), text.strip().startswith("@")
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0 and not within:
                yield selectors, text


def margin(element: etree._Element) -> int:
    """Line ends around a paragraph: Outlook's paragraphs have no margin, others show a blank line."""
    if "MsoNormal" in element.get("class", "") or "MsoPlainText" in element.get("class", ""):
        return 1
    return 1 if style_of(element).no_margin else 2
