"""The MIME tree of a mail walked once, as spans of the raw bytes, and the texts that a reader would see taken
out.

Owns the caps on depth, parts and text. Parts that are not text are read past and never copied. Source: RFC
2045, 2046, 2183; the shapes of real clients, which follow them loosely.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bridge.errors import MailError
from bridge.message import charset, headers, transfer
from bridge.message.fields import ContentType, content_type, disposition
from bridge.message.headers import Budget, Head

MAX_DEPTH = 20
MAX_PLAIN = 256 * 1024  # octets of decoded text/plain, all parts together
MAX_HTML = 512 * 1024
_MAX_ENCODED = 4 * 1024 * 1024  # octets of one part that are looked at: HTML may carry pictures as data: URLs
_MAX_BOUNDARY = 200  # RFC 2046 says 70; clients go beyond

_DATA_URL = re.compile(rb"data:[a-z]{1,20}/[a-z0-9.+-]{1,40};base64,[A-Za-z0-9+/=\s%]*", re.IGNORECASE)
_FIRST_BOUNDARY = re.compile(rb"\n--([^\r\n]{1,200}?)[ \t]*\r?\ncontent-", re.IGNORECASE)
_PGP = "-----BEGIN PGP MESSAGE-----"
_PGP_IN_HTML = re.compile(rf"(?:\s|&nbsp;|<[^<>]{{0,500}}>)*{_PGP}")
_ENCRYPTED = "the mail is encrypted; send it without encryption"
_OPAQUE = (
    "the mail is signed in a form that hides its text; send it without S/MIME, or with a clear signature"
)
_REPORTS = frozenset(
    {
        "multipart/report",
        "message/delivery-status",
        "message/global-delivery-status",
        "message/disposition-notification",
    }
)
_PLAIN_TYPES = frozenset(
    {"text/plain", "text/markdown", "text/x-markdown", "text/enriched", "text/unknown", "text/text"}
)
_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_ENVELOPED = frozenset({"enveloped-data", "authenveloped-data"})


Block = tuple[str | None, str | None]  # one text in its plain form, its HTML form, or both


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME part: its header, its media type, and where its body lies in the raw bytes."""

    head: Head
    kind: ContentType
    start: int
    end: int


@dataclass(slots=True)
class Texts:
    """The readable texts of (a part of) a mail: pairs of plain and HTML text, in order; ``named`` ones
    have a file name.
    """

    blocks: list[Block] = field(default_factory=list)
    named: list[Block] = field(default_factory=list)

    @property
    def plain(self) -> str | None:
        """All plain texts joined; None when there is none, or one is in HTML alone and would be left out."""
        if any(plain is None for plain, _ in self.blocks):
            return None
        return "\n".join((plain or "").rstrip("\n") for plain, _ in self.blocks) if self.blocks else None

    @property
    def html(self) -> str | None:
        """All HTML texts joined, plain ones between them escaped, or None when there is no HTML."""
        if not any(markup is not None for _, markup in self.blocks):
            return None
        return "\n".join(
            markup if markup is not None else f"<pre>{html.escape(plain or '')}</pre>"
            for plain, markup in self.blocks
        )


class Walk:
    """One walk over the MIME tree of one mail."""

    def __init__(self, raw: bytes, budget: Budget) -> None:
        self._raw = raw
        self._budget = budget
        self._plain_left = MAX_PLAIN
        self._html_left = MAX_HTML
        self.is_report = False
        self.truncated = False

    def texts(self, head: Head) -> Texts:
        """The texts of the mail whose header is ``head``. Raises `MailError` over a cap or when it is
        encrypted.
        """
        root = self._part(head, len(self._raw), "text/plain")
        self.is_report = root.kind.kind in _REPORTS
        found = self._collect(root, 0)
        if not found.blocks:
            found.blocks, found.named = found.named, []
        if not found.blocks and root.kind.kind in _SMIME:
            raise MailError(
                _OPAQUE if root.kind.parameters.get("smime-type") == "signed-data" else _ENCRYPTED
            )
        return found

    def _part(self, head: Head, end: int, default: str) -> Part:
        return Part(head, content_type(head.first("content-type"), default), head.body_at, end)

    def _collect(self, part: Part, depth: int) -> Texts:
        if part.kind.kind == "multipart/encrypted" or _is_enveloped(part.kind):
            raise MailError(_ENCRYPTED)
        if part.kind.main != "multipart":
            return self._leaf(part)
        if depth >= MAX_DEPTH:
            raise MailError("the mail nests more than 20 parts deep")
        children = self._children(part)
        if not children:
            return self._leaf(
                Part(part.head, ContentType("text/plain", part.kind.parameters), part.start, part.end)
            )
        return self._chosen(part.kind.kind, children, depth + 1)

    def _chosen(self, kind: str, children: list[Part], depth: int) -> Texts:
        """What the children give a reader: the first that speaks, one of each form, or all in order."""
        found = Texts()
        for child in children:
            texts = self._collect(child, depth)
            found.named += texts.named
            if kind in ("multipart/signed", "multipart/related") and texts.blocks:
                found.blocks = found.blocks or texts.blocks
                if kind == "multipart/signed":
                    break
            else:
                found.blocks += texts.blocks
        if kind == "multipart/alternative":
            found.blocks = _one_of_each(found)
        return found

    def _leaf(self, part: Part) -> Texts:
        kind = part.kind.kind
        markup = kind in ("text/html", "application/xhtml+xml")
        place = disposition(part.head.first("content-disposition"))
        if not (markup or kind in _PLAIN_TYPES) or place.kind == "attachment":
            return Texts()
        text = self._text(part, markup)
        block: list[Block] = [(None, text) if markup else (text, None)]
        named = "filename" in place.parameters or "name" in part.kind.parameters
        return Texts(named=block) if named else Texts(block)

    def _text(self, part: Part, markup: bool) -> str:
        """The decoded text of a part, within what is left of the caps."""
        encoded = self._raw[part.start : min(part.end, part.start + _MAX_ENCODED)]
        data = transfer.decode(
            encoded, part.head.first("content-transfer-encoding").decode("latin-1").strip().lower()
        )
        left = self._html_left if markup else self._plain_left
        if markup and len(data) > left:
            data = _DATA_URL.sub(b"", data)
        if len(data) > left or part.end - part.start > _MAX_ENCODED:
            self.truncated, data = True, data[:left]
        label = part.kind.parameters.get("charset", "")
        if markup:
            self._html_left -= len(data)
            text = charset.decode(data, label or charset.label_in_html(data))
            if _PGP in text and _PGP_IN_HTML.match(text.partition("</head>")[2] or text):
                raise MailError(_ENCRYPTED)
            return text
        self._plain_left -= len(data)
        return self._plain(charset.decode(data, label), part.kind)

    def _plain(self, text: str, kind: ContentType) -> str:
        text = transfer.without_uuencoded(text.replace("\r\n", "\n").replace("\r", "\n"))
        if _PGP in text and text.lstrip().startswith(_PGP):
            raise MailError(_ENCRYPTED)
        if kind.parameters.get("format", "").lower() == "flowed":
            return transfer.unflow(text, delete_space=kind.parameters.get("delsp", "").lower() == "yes")
        return _without_commands(text) if kind.kind == "text/enriched" else text

    def _children(self, part: Part) -> list[Part]:
        """The parts between the boundaries; none when the boundary never occurs."""
        boundary = (
            part.kind.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")[:_MAX_BOUNDARY]
        )
        children = list(self._between(part, boundary)) if boundary else []
        if not children:
            guess = _FIRST_BOUNDARY.search(
                self._raw, max(part.start - 1, 0), min(part.end, part.start + 65_536)
            )
            children = list(self._between(part, guess[1])) if guess else []
        return children

    def _between(self, part: Part, boundary: bytes) -> Iterator[Part]:
        """Each part between lines of that boundary. A missing last line is forgiven (RFC 2046, 5.1.2)."""
        default = "message/rfc822" if part.kind.kind == "multipart/digest" else "text/plain"
        line = re.compile(rb"\n--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\r?\Z)")
        began: int | None = None
        position = max(part.start - 1, 0)
        while match := line.search(self._raw, position, part.end):
            if began is not None:
                yield self._child(began, match.start(), default)
            if match[1]:
                return
            began, position = match.end(), match.end() - 1
        if began is not None and began < part.end:
            yield self._child(began, part.end, default)

    def _child(self, start: int, end: int, default: str) -> Part:
        if end > start and self._raw[end - 1] == 13:  # the CR belongs to the boundary line
            end -= 1
        self._budget.take_part()
        head = headers.split(self._raw, start, max(start, end), self._budget)
        return self._part(head, max(head.body_at, end), default)


def _is_enveloped(kind: ContentType) -> bool:
    """Whether a part is an encrypted mail, also within what a list or a gateway put around it."""
    return kind.kind in _SMIME and kind.parameters.get("smime-type", "").lower() in _ENVELOPED


def _one_of_each(found: Texts) -> list[Block]:
    """The blocks of a multipart/alternative as one: its plain form and its HTML form say the same."""
    if not found.blocks:
        return []
    plain = Texts([block for block in found.blocks if block[0] is not None]).plain
    return [(plain, Texts([block for block in found.blocks if block[1] is not None]).html)]


def _without_commands(text: str) -> str:
    """text/enriched (RFC 1896) without its commands: ``<bold>`` goes, ``<<`` is ``<``, single line ends
    are blanks.
    """
    text = re.sub(r"<param>[^<]{0,200}</param>|<(?!<)/?[A-Za-z-]{0,60}>", "", text.replace("<<", "\0"))
    return re.sub(r"\n(\n*)", lambda match: match[1] or " ", text).replace("\0", "<")
