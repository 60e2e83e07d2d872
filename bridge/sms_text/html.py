"""HTML to the text a reader sees, with the client's marks of quoted history and signatures cut in the tree.

The walk is iterative and bounded by the size of its input. For an SMS, a link keeps its address in brackets
when its text does not show it (else it is lost), pictures go, and the cells of a table row stand side by
side.
"""

import re
from dataclasses import dataclass, field

from lxml import etree

from bridge.sms_text import marks, shown
from bridge.sms_text.marks import HISTORY, LONG_MAIL, Cut

MAX_HTML = 512 * 1024  # characters; the mail reader holds to the same cap
MAX_ELEMENTS = 50_000  # a long newsletter has 5,000

_LEAVE_OUT = frozenset(
    {
        "head", "script", "style", "title", "template", "noscript", "object", "embed", "iframe", "svg",
        "math",
        "select", "option", "datalist", "audio", "video", "canvas", "map", "applet",
    }
)  # fmt: skip
_BLOCK = frozenset(
    {
        "address", "article", "aside", "body", "caption", "center", "dd", "details", "dir", "div", "dl", "dt",
        "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main",
        "menu", "nav", "ol", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
    }
)  # fmt: skip
_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"})
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
# Gateways and clients put text behind the end of the page; the parser would lose it.
_PAGE_END = re.compile(r"</(?:html|body)\s{0,20}>", re.IGNORECASE)
_NOT_DIGIT = re.compile(r"\D+")
_SHOWN_AS_IS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+")


@dataclass(slots=True)
class _Page:
    """The text so far: line ends wait until more text comes, so that none stand at the end of a block or
    the page.
    """

    pieces: list[str] = field(default_factory=list)
    line_ends: int = 0
    blank: bool = False
    prefix: str = ""

    def text(self, text: str) -> None:
        """Add text as a browser does: blanks collapse, none at the begin of a line."""
        text = _BLANKS.sub(" ", text)
        if not text or text == " ":
            self.blank = self.blank or bool(text)
            return
        self._open(text[0] == " ")
        self.pieces.append(text.strip(" "))
        self.blank = text[-1] == " "

    def verbatim(self, text: str) -> None:
        """Add preformatted text, its line ends kept."""
        body = text.rstrip("\n")
        if body:
            self._open(False)
            self.pieces.append(body)
        self.line_ends += len(text) - len(body)

    def _open(self, blank: bool) -> None:
        if self.line_ends and self.pieces:
            self.pieces.append("\n" * min(self.line_ends, 3))
        elif (self.blank or blank) and self.pieces:
            self.pieces.append(" ")
        self.line_ends, self.blank = 0, False
        if self.prefix:
            self.pieces.append(self.prefix)
            self.prefix = ""

    def line_end(self) -> None:
        """A ``<br>``."""
        self.line_ends += 1
        self.blank = False

    def block(self, line_ends: int = 1) -> None:
        """The edge of a block: at least that many line ends before the next text."""
        self.line_ends = max(self.line_ends, line_ends)
        self.blank = False

    def quote_gap(self) -> None:
        """Where quoted text was left out: a bare quote mark, which the line scanner takes for a quote and
        drops.
        """
        self.block()
        self.verbatim(">")
        self.block()


@dataclass(frozen=True, slots=True)
class Page:
    """The text of an HTML mail and what was cut in its tree."""

    text: str
    cut: tuple[Cut, ...]


def to_text(html: str, *, cut: bool, history: bool = True) -> Page:
    """The text of ``html``; with ``cut``, without what mail clients marked as signature and (``history``) as
    quoted history.
    """
    root = _parse(html)
    if root is None:
        return Page("", ())
    walk = _Walk(cut, cut and history, shown.sheets_of(root))
    walk.run(root)
    return Page("".join(walk.page.pieces), tuple(dict.fromkeys(walk.cut)))


def _parse(html: str) -> etree._Element | None:
    page = _PAGE_END.sub("", _DECLARATION.sub("", html[:MAX_HTML].replace("\0", "")))
    source = page.encode("utf-8", "replace")
    parser = etree.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True, no_network=True
    )
    try:
        root = etree.fromstring(source, parser)
    except etree.LxmlError:
        return None
    return (
        root if isinstance(root, etree._Element) else None
    )  # lxml gives None for a page without any element


@dataclass(slots=True)
class _Link:
    href: str
    begins_at: int


class _Walk:
    """One pass over the tree in document order, with a stack of its own so that no depth can hurt."""

    def __init__(self, cut: bool, cut_history: bool, sheets: shown.Sheets) -> None:
        self.page = _Page()
        self.cut: list[Cut] = []
        self._cutting = cut
        self._cutting_history = cut_history
        self._sheets = sheets
        self._keeps_blanks = [False]
        self._tiny = [False]
        self._links: list[_Link] = []
        self._numbers: list[int] = []

    def run(self, root: etree._Element) -> None:
        stack: list[tuple[etree._Element, bool]] = [(root, False)]
        left = MAX_ELEMENTS
        while stack:
            element, leaving = stack.pop()
            if leaving:
                self._leave(element)
            elif not self._skips(element):
                if self._cutting_history and marks.ends_mail(element):
                    self.cut.append(HISTORY)
                    self.page.quote_gap()
                    return
                if left == 0:
                    self.cut.append(LONG_MAIL)
                    return
                left -= 1
                stack.append((element, True))
                stack += [(child, False) for child in reversed(self._enter(element))]
                continue
            if element is not root:
                self._text(element.tail)

    def _skips(self, element: etree._Element) -> bool:
        """Whether an element is left out whole: never shown, hidden, or marked by the client as cut."""
        if not isinstance(element.tag, str) or element.tag in _LEAVE_OUT:
            return True
        if not element.keys():  # most elements: no attribute, so nothing says that they are special
            return False
        if self._sheets.hide(element):
            return True
        cut = marks.cut_of(element) if self._cutting else None
        if cut is None or (cut == HISTORY and not self._cutting_history):
            return False
        if cut not in self.cut and (element.text or len(element)):
            self.cut.append(cut)
        if cut == HISTORY:
            self.page.quote_gap()
        return True

    def _enter(self, element: etree._Element) -> list[etree._Element]:
        """Writes what stands at the begin of an element; returns the children to walk."""
        tag = element.tag
        self._enter_style(element)
        if tag == "br":
            self.page.line_end()
        elif tag in ("td", "th"):
            self.page.blank = True
        elif tag == "img":
            self._text(_emoji_of(element))
        elif tag == "a":
            href = element.get("originalsrc") or element.get(
                "href", ""
            )  # Exchange writes its own over a link
            self._links.append(_Link((href or "").strip(), len(self.page.pieces)))
        else:
            self._open_block(element)
        quoted_from = marks.first_quote_in(element) if self._cutting_history else None
        if quoted_from is not None:  # the attribution before the quote goes with it
            return list(element)[quoted_from:]
        self._text(element.text)
        return list(element)

    def _open_block(self, element: etree._Element) -> None:
        tag = str(element.tag)
        if tag in _SPACED:
            self.page.block(shown.margin(element))
        elif tag in _BLOCK:
            self.page.block()
        if tag in ("ol", "ul"):
            self._numbers.append(_first_number(element) - 1 if tag == "ol" else -1)
        elif tag == "li":
            self.page.prefix = self._bullet()

    def _bullet(self) -> str:
        if not self._numbers or self._numbers[-1] < 0:
            return "- "
        self._numbers[-1] += 1
        return f"{self._numbers[-1]}. "

    def _leave(self, element: etree._Element) -> None:
        tag = element.tag
        if tag == "a":
            self._close_link()
        elif tag in _SPACED:
            self.page.block(shown.margin(element))
        elif tag in _BLOCK:
            self.page.block()
            if tag in ("ol", "ul"):
                self._numbers.pop()
        self._leave_style(element)

    def _enter_style(self, element: etree._Element) -> None:
        style = shown.style_of(element)
        if style.block:
            self.page.block()
        if style.tiny is not None:
            self._tiny.append(style.tiny)
        if (keeps := _keeps_blanks(element, style)) is not None:
            self._keeps_blanks.append(keeps)

    def _leave_style(self, element: etree._Element) -> None:
        style = shown.style_of(element)
        if style.block:
            self.page.block()
        if style.tiny is not None:
            self._tiny.pop()
        if _keeps_blanks(element, style) is not None:
            self._keeps_blanks.pop()

    def _close_link(self) -> None:
        link = self._links.pop()
        text = "".join(self.page.pieces[link.begins_at :][:50]).strip()
        address = link.href.lower()
        if text and address.startswith("tel:"):
            self._tell_number(address[4:].strip(), text)
            return
        if not text or not address.startswith(("http://", "https://")) or _SHOWN_AS_IS.match(text):
            return
        if address.partition("://")[2].rstrip("/") != text.lower().rstrip("/"):
            self.page.text(f" ({link.href})")

    def _tell_number(self, number: str, text: str) -> None:
        """Write the number behind a link such as "call us", unless its text is that number."""
        if _NOT_DIGIT.sub("", number)[-6:] not in _NOT_DIGIT.sub("", text):
            self.page.text(f" ({number})")

    def _text(self, text: str | None) -> None:
        if not text or self._tiny[-1]:
            return
        if self._keeps_blanks[-1]:
            self.page.verbatim(text.replace("\r\n", "\n").replace("\r", "\n"))
        else:
            self.page.text(text)


def _keeps_blanks(element: etree._Element, style: shown.Style) -> bool | None:
    return True if element.tag == "pre" else style.keeps_blanks


def _first_number(element: etree._Element) -> int:
    start = element.get("start", "")
    return int(start) if start.isdecimal() and len(start) < 6 else 1


def _emoji_of(element: etree._Element) -> str:
    """The emoji that a picture stands for (Gmail and Outlook send them so), else nothing."""
    shown = element.get("data-emoji") or element.get("alt") or ""
    return shown if 0 < len(shown) <= 8 and not shown.isascii() and not shown[0].isalpha() else ""
