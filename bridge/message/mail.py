"""`read`: the bytes of one mail as a value. The step after SMTP and before the decision.

Knows nothing of rules or numbers. Every fault of a mail is one `MailError`; nothing else ever leaves this
module.
"""

import re
from dataclasses import dataclass

from bridge.errors import MailError
from bridge.message import address, headers
from bridge.message.fields import MAX_REFERENCES, keyword, message_ids, unfolded, words
from bridge.message.headers import Budget, Head
from bridge.message.parts import Walk

OUR_MARK = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True)
class InboundMail:
    """What one mail says, decoded and bounded.

    ``from_address`` is the single plain From address, its domain in lower case; None when there is no From
    field. ``plain`` and ``html`` are its texts, attachments read past; ``truncated``: they were longer than
    we read. ``auto_headers`` are the lower-case names of the fields it has that machines set, and
    ``return-path`` when that field is empty. ``sent_by_us`` is the value of our own mark, None without it.
    """

    from_address: str | None
    subject: str
    message_id: str | None
    references: tuple[str, ...]
    to_addresses: tuple[str, ...]
    plain: str | None
    html: str | None
    truncated: bool
    auto_submitted: str
    precedence: str
    auto_headers: frozenset[str]
    is_report: bool
    sent_by_us: str | None


def read(raw: bytes) -> InboundMail:
    """The mail in ``raw`` (CRLF or LF lines) as a value. Raises `MailError`, whose text is one ASCII
    sentence.

    It refuses: an unclear From, an encrypted or opaquely signed mail, and what goes over a cap (header fields
    256 KiB, 1,000 fields, 100 parts, 20 levels). A text over 256 KiB (HTML 512 KiB) is read so far and marked
    ``truncated``.
    """
    try:
        return _read(raw)
    except MailError:
        raise
    except Exception as error:  # whatever a hostile mail still finds: it cannot be read, and never will be
        raise MailError("the mail cannot be read") from error


def _read(raw: bytes) -> InboundMail:
    budget = Budget()
    head = headers.split(raw, 0, len(raw), budget)
    if head.fields and _is_text_alone(raw, head):
        head = Head((), 0)
    walk = Walk(raw, budget)
    sender = _from(head)
    texts = walk.texts(head)
    return InboundMail(
        from_address=sender,
        subject=words(head.first("subject")),
        message_id=next(iter(message_ids(head.first("message-id"))), None),
        references=_references(head),
        to_addresses=_recipients(head),
        plain=texts.plain,
        html=texts.html,
        truncated=walk.truncated,
        auto_submitted=keyword(head.first("auto-submitted")),
        precedence=keyword(head.first("precedence")),
        auto_headers=_auto_headers(head),
        is_report=walk.is_report,
        sent_by_us=_mark(head),
    )


def _is_text_alone(raw: bytes, head: Head) -> bool:
    """Whether a "mail" is bare text whose first line only looks like a field: ``ALARM: zone 3 open``."""
    return len(raw) <= headers.MAX_FIELD and not any(_KNOWN.fullmatch(field.name) for field in head.fields)


def _from(head: Head) -> str | None:
    fields = head.all("from")
    if not fields:
        return None
    if len(fields) > 1:
        raise MailError("the mail has more than one From field")
    if fields[0].spaced:
        raise MailError("the From field has blanks before its colon")
    return address.single(fields[0].value)


def _references(head: Head) -> tuple[str, ...]:
    return (message_ids(head.first("references")) or message_ids(head.first("in-reply-to")))[-MAX_REFERENCES:]


def _recipients(head: Head) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in ("to", "cc"):
        for field in head.all(name):
            found.update(dict.fromkeys(address.every(field.value)))
    return tuple(found)


def _auto_headers(head: Head) -> frozenset[str]:
    names = {field.name for field in head.fields}
    found = {name for name in _AUTO if name in names}
    if any(field.value.replace(b" ", b"") == b"<>" for field in head.all("return-path")):
        found.add("return-path")
    return frozenset(found)


def _mark(head: Head) -> str | None:
    if not head.all(OUR_MARK):
        return None
    return _MARK.sub("", unfolded(head.first(OUR_MARK)))[:64]
