"""The proof `upstream`: a mail server of ours has checked the sender, and wrote so into the mail. Pure.

What position means: each server puts its fields on top. A stranger's fields, forged results too, stand below what the
server wrote, which is at least the Received field of taking the mail in. So its word counts only above that field or
right behind it; by `hops`, behind those of further servers of ours. Of its own word only the topmost counts.
Only ``dmarc=pass`` for the From's domain is a proof: a lone dkim or spf result tells nothing of the From.
Source: RFC 8601.
"""

import re
from collections.abc import Sequence
from typing import Final

from bridge.decide import Finding
from bridge.proving.fields import RawField
from bridge.rules import Upstream

_MAX_FIELD: Final = 8 * 1024
_WORD: Final = r"(?:\"(?:[^\"\\]|\\.){0,500}\"|[^\s;\"()]{1,500})"
_SERVER: Final = re.compile(rf"\s*({_WORD})(?:\s+[0-9]{{1,3}})?\s*")
_PAIR: Final = re.compile(rf"\s*([A-Za-z0-9-]{{1,40}}(?:\s*[./]\s*[A-Za-z0-9._-]{{1,60}})?)\s*=\s*({_WORD})")
_PIECE: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|[();]|[^\"();]+")
_IN_COMMENT: Final = re.compile(r"[()]|\\.|[^()\\]+", re.DOTALL)  # a quote has no meaning there

NOBODY: Final = Finding(False, "the client is no server whose results count")
UNCLEAR: Final = Finding(False, "its server's results hold no clear dmarc result")
NO_WORD: Final = Finding(False, "its server wrote no results into the mail")


def look(upstreams: Sequence[Upstream], fields: Sequence[RawField], domain: str) -> Finding:
    """Whether one of ``upstreams``, those of the client's network, says that the mail is from ``domain``."""
    if not upstreams:
        return NOBODY
    findings = [_of(upstream, fields, domain) for upstream in upstreams]
    return next((one for one in findings if one.holds), findings[0])


def _of(upstream: Upstream, fields: Sequence[RawField], domain: str) -> Finding:
    hops = 0
    for field in fields:
        if field.known_as == b"received":
            hops += 1
            if hops > upstream.hops:
                return NO_WORD
        elif field.known_as == b"authentication-results":
            parts = _parts(field.value)
            if parts is None and upstream.authserv_id.encode() in field.value.lower():
                return UNCLEAR  # what a sender brought into the server's own word must not let a forged one count
            if parts is not None and _server(parts[0]) == upstream.authserv_id:
                return _judged(parts[1:], domain)
    return NO_WORD


def _judged(results: Sequence[str], domain: str) -> Finding:
    """What the results of one field say of the From."""
    read = [_result(result) for result in results]
    said = [one for one in read if one is not None and one[0][0] == "dmarc"]
    if None in read or len(said) != 1:
        return UNCLEAR
    (_, result), *properties = said[0]
    if result != "pass":
        return Finding(False, "its server's dmarc result is no pass")
    named = [value for name, value in properties if name == "header.from"]
    if named != [domain]:
        return Finding(False, "its server's dmarc result is for another domain than From")
    return Finding(True)


def _parts(value: bytes) -> list[str] | None:
    """The field split at its semicolons, comments left out; None if it is too long or not well-formed."""
    if len(value) > _MAX_FIELD or not value.isascii():
        return None
    text = value.decode("ascii")
    parts, depth, position = [""], 0, 0
    while position < len(text):
        found = (_IN_COMMENT if depth else _PIECE).match(text, position)
        if found is None:
            return None
        piece, position = found[0], found.end()
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth -= 1
            if depth < 0:
                return None
            parts[-1] += " "
        elif depth == 0 and piece == ";":
            parts.append("")
        elif depth == 0:
            parts[-1] += piece
    return parts if depth == 0 else None


def _server(part: str) -> str:
    """The authserv-id in lower case, empty if there is none."""
    found = _SERVER.fullmatch(part)
    return _bare(found[1]).lower() if found else ""


def _result(part: str) -> list[tuple[str, str]] | None:
    """The pairs of one result, names and values in lower case; none for ``none``, None if it is not well-formed."""
    if part.strip().lower() in ("", "none"):
        return [("", "")]
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(part.rstrip()):
        pair = _PAIR.match(part, position)
        if pair is None:
            return None
        name = "".join(pair[1].split()).lower()
        found.append((name.partition("/")[0] if not found else name, _bare(pair[2]).lower()))
        position = pair.end()
    return found


def _bare(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word
