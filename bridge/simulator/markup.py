"""JSON and XML as the vendor writes them: the same names, ``<root>`` around, singular children. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

JSON_TYPE = "application/json; charset=utf-8"
XML_TYPE = "text/xml; charset=utf-8"

_CHILD = {"Recipients": "Recipient", "Messages": "Message", "SMSReplies": "SMSReply"}
# What XML 1.0 cannot hold in any form; a phone can send it all the same.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_json(document: Mapping[str, Any]) -> bytes:
    """Return compact UTF-8 JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def to_xml(document: Mapping[str, Any]) -> bytes:
    """Return the document below ``<root>``, lists of known names with singular children."""
    inner = "".join(_children(document))
    return f'<?xml version="1.0" encoding="UTF-8"?><root>{inner}</root>'.encode("utf-8", "replace")


def wants_xml(accept: str) -> bool:
    """Tell whether an Accept header asks for XML and not for JSON, the vendor's default."""
    return "xml" in accept.lower() and "json" not in accept.lower()


def _children(mapping: Mapping[str, Any]) -> Iterator[str]:
    for name, value in mapping.items():
        if isinstance(value, list) and name in _CHILD:
            yield f"<{name}>{''.join(_element(_CHILD[name], item) for item in value)}</{name}>"
        elif isinstance(value, list):
            yield from (_element(name, item) for item in value)
        else:
            yield _element(name, value)


def _element(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inner = "".join(_children(value))
    else:
        # A bare carriage return would be read as a line feed (XML 1.0, 2.11).
        text = "" if value is None else _NOT_XML.sub("\ufffd", str(value))
        inner = escape(text, {"\r": "&#13;"})
    return f"<{name}>{inner}</{name}>"
