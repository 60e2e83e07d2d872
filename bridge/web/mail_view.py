"""A finished mail of ours, taken apart for the desk: its headers, its text, its HTML with pictures inside.

Mails to postmaster@ are a stranger's: they are shown as the text they came as, and never taken apart.
"""

import base64
import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage, Message
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
    mail = email.message_from_bytes(raw, policy=email.policy.compat32)
    headers = tuple((name, _decoded(mail, name)) for name in _SHOWN if mail[name])
    text, html, pictures = "", "", {}
    for part in mail.walk():
        kind = part.get_content_type()
        if kind == "text/plain" and not text:
            text = _content(part)
        elif kind == "text/html" and not html:
            html = _content(part)
        elif kind.startswith("image/") and part["Content-ID"]:
            pictures[part["Content-ID"].strip("<>")] = _data_url(kind, _payload(part))
    for cid, url in pictures.items():
        # Only as a whole attribute: the quotes of a text are escaped, so that no text can ask for pictures.
        html = html.replace(f'"cid:{cid}"', f'"{url}"', _SAME_PICTURE)
    return MailView(headers, text, html)


def as_it_came(raw: bytes) -> MailView:
    """Return the beginning of a mail that is not ours, as text."""
    return MailView((), raw[:_AS_IT_CAME].decode("utf-8", "replace").replace("\r\n", "\n"), "")


def _decoded(mail: Message, name: str) -> str:
    parsed = EmailMessage(policy=email.policy.default)
    try:
        parsed[name] = str(mail[name]).replace("\r", "").replace("\n", "")
        return str(parsed[name])
    except (ValueError, LookupError, IndexError):
        return str(mail[name])


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _content(part: Message) -> str:
    try:
        return _payload(part).decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return _payload(part).decode("utf-8", "replace")


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
