"""A mail's octets: header, text and HTML side by side, the logo beside the HTML. All of it 7-bit.

Sources: RFC 2045, 2046, 2387. No part is sent as 8bit: a relay without 8BITMIME would have to rewrite it, and
that would break our DKIM signature. Knows nothing of what the mail says.
"""

import binascii
import hashlib
import re
from base64 import encodebytes
from collections.abc import Sequence
from typing import Final

from bridge.render import headers
from bridge.render.headers import Field
from bridge.render.logo import Logo

_FROM: Final = re.compile(rb"^From ", re.MULTILINE)  # mailboxes put a ">" before it: a broken signature
_PLAIN: Final = re.compile(rb"(?:(?!From )[\t -~]{0,900}\r\n)*")


def build(
    fields: Sequence[Field],
    text: str,
    html: str,
    logo: Logo | None,
    for_programs: tuple[bytes, bytes] | None = None,
) -> bytes:
    """The finished mail, CRLF, no line over 998 octets. Raises `RenderError` when it is not as asked.

    ``for_programs`` makes it a report of RFC 6522: a delivery status, and header fields of the mail it is about.
    """
    mark = hashlib.sha256(f"{fields!r}{text}{html}".encode("utf-8", "replace")).hexdigest()[:24]
    page = _leaf("text/html; charset=utf-8", html)
    if logo:
        kind, body = _several("related", f"=_r{mark}", [page, _picture(logo)], '; type="text/html"')
        page = f"Content-Type: {kind}\r\n\r\n".encode() + body
    kind, body = _several("alternative", f"=_a{mark}", [_leaf("text/plain; charset=utf-8", text), page])
    if for_programs:
        status, header = for_programs
        people = f"Content-Type: {kind}\r\n\r\n".encode() + body
        parts = [
            people,
            b"Content-Type: message/delivery-status\r\n\r\n" + status,
            b"Content-Type: text/rfc822-headers\r\n\r\n" + header,
        ]
        kind, body = _several("report", f"=_s{mark}", parts, "; report-type=delivery-status")
    return headers.write([*fields, ("MIME-Version", "1.0"), ("Content-Type", kind)]) + b"\r\n" + body


def _several(subtype: str, boundary: str, parts: Sequence[bytes], more: str = "") -> tuple[str, bytes]:
    """The Content-Type and the body of a multipart entity. No line of a part can be the boundary: ``=_`` never
    stands in encoded text."""
    edge = f"--{boundary}".encode()
    body = b"".join([edge + b"\r\n" + part for part in parts]) + edge + b"--\r\n"
    return f'multipart/{subtype}; boundary="{boundary}"{more}', body


def _leaf(content_type: str, content: str) -> bytes:
    """A text part in the shortest of the transfer encodings that fit it."""
    lines = content.rstrip("\r\n").replace("\r\n", "\n").replace("\r", "\n") + "\n"
    octets = lines.replace("\n", "\r\n").encode("utf-8", "replace")
    encoding, body = _encoded(octets)
    return f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def _encoded(octets: bytes) -> tuple[str, bytes]:
    if octets.isascii() and _PLAIN.fullmatch(octets) and b"=_" not in octets:
        return "7bit", octets
    quoted = binascii.b2a_qp(octets, istext=True)
    if b"From " in quoted:
        quoted = _FROM.sub(b"=46rom ", quoted)
    if len(quoted) <= len(octets) * 4 // 3 * 78 // 76:  # what base64 comes to, within a few octets
        return "quoted-printable", quoted
    return "base64", _base64(octets)


def _picture(logo: Logo) -> bytes:
    head = (
        f"Content-Type: {logo.media_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-ID: <{logo.cid}>\r\nContent-Disposition: inline; filename="{logo.filename}"\r\n\r\n'
    )
    return head.encode() + _base64(logo.octets)


def _base64(octets: bytes) -> bytes:
    return encodebytes(octets).replace(b"\n", b"\r\n")
