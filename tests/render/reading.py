"""Our mails read as a mail client reads them."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from typing import Any

import dkim
from lxml import html as lxml_html


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def names(raw: bytes) -> list[str]:
    """The header's field names as a strict reader sees them."""
    head = raw.partition(b"\r\n\r\n")[0]
    return [line.partition(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] not in b" \t"]


def python_names(raw: bytes) -> list[str]:
    """The same as Python's parser sees them: it takes more for a line end than CRLF."""
    return list(BytesHeaderParser().parsebytes(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n").keys())


def signers_names(raw: bytes) -> list[str]:
    """The same as dkimpy sees them, which knows no line end but those that it is to sign."""
    headers, _ = dkim.rfc822_parse(raw)
    return [name.decode() for name, _ in headers]


def part(raw: bytes, content_type: str) -> str:
    found = [p for p in parsed(raw).walk() if p.get_content_type() == content_type]
    assert len(found) == 1
    content = found[0].get_content()
    assert isinstance(content, str)
    return content


def shape(page: str) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Every element with its attributes, in order, but for line breaks: what a text may not change."""
    tree = lxml_html.document_fromstring(page.encode(), parser=lxml_html.HTMLParser(encoding="utf-8"))
    return [
        (str(node.tag), tuple(sorted((str(k), str(v)) for k, v in node.attrib.items() if k != "alt")))
        for node in tree.iter()
        if node.tag != "br"
    ]


def seen(page: str) -> str:
    """The text of a page, without the style sheet."""
    tree = lxml_html.document_fromstring(page.encode(), parser=lxml_html.HTMLParser(encoding="utf-8"))
    hidden = ("style", "title")
    return "".join(str(text) for node in tree.iter() if node.tag not in hidden for text in _texts(node))


def _texts(node: Any) -> list[str]:
    return [node.text or "", *(child.tail or "" for child in node)]
