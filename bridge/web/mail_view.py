"""A finished mail of ours, taken apart for the desk: its headers, its text, its HTML with pictures inside.

Mails to postmaster@ are a stranger's: they are shown as the text they came as, and never taken apart.
"""

import base64
import email
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from typing import Final

_SHOWN: Final = (
    "From",
    "To",
    "Subject",
    "Date",
    "In-Reply-To",
    "Message-ID",
    "Auto-Submitted",
    "DKIM-Signature",
)
_SAME_PICTURE: Final = 4  # times that one picture is put into the HTML
_AS_IT_CAME: Final = 64 * 1024  # characters shown of a mail that is not ours


@dataclass(frozen=True, slots=True)
class MailView:
    """``headers`` are the ones a person looks for, in order; ``html`` needs nothing from outside."""

    headers: tuple[tuple[str, str], ...]
    text: str
    html: str


def read(raw: bytes) -> MailView:
    """Return the parts of a mail that we made ourselves."""
    mail = email.message_from_bytes(raw)
    headers = tuple((name, _shown(name, str(mail[name]))) for name in _SHOWN if mail[name])
    text, html, pictures = "", "", {}
    for part in mail.walk():
        kind = part.get_content_type()
        if kind == "text/plain" and not text:
            text = _text(part)
        elif kind == "text/html" and not html:
            html = _text(part)
        elif kind.startswith("image/") and part["Content-ID"]:
            pictures[part["Content-ID"].strip("<>")] = _data_url(kind, _payload(part))
    for cid, url in pictures.items():
        # Only as a whole attribute: the quotes of a text are escaped, so that no text can ask for pictures.
        html = html.replace(f'"cid:{cid}"', f'"{url}"', _SAME_PICTURE)
    return MailView(headers, text, html)


def as_it_came(raw: bytes) -> MailView:
    """Return the beginning of a mail that is not ours, as text."""
    return MailView((), raw[:_AS_IT_CAME].decode("utf-8", "replace").replace("\r\n", "\n"), "")


def _shown(name: str, field: str) -> str:
    """A field as a person reads it: of a signature who signed, with which key; the rest is in the mail's file."""
    if name != "DKIM-Signature":
        return _decoded(field)
    tags = (tag.strip() for tag in field.split(";"))
    return "; ".join(tag for tag in tags if tag.startswith(("d=", "s=", "a=")))


def _decoded(field: str) -> str:
    """A field's text. One that Python cannot decode is shown as it stands."""
    try:
        return str(make_header(decode_header(field.replace("\r", "").replace("\n", ""))))
    except (MessageError, LookupError, ValueError):
        return field


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: Message) -> str:
    """A part's text with line ends as pages have them: a CR would be shown as a sign that nobody sees."""
    return _payload(part).decode("utf-8", "replace").replace("\r\n", "\n")


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
