"""The statements of the store by name, read from ``sql/*.sql`` once.

A statement begins with ``-- name: it``. ``{sms}`` and its like stand for the columns of a value in the order
of its fields, so that a row can be turned into the value without naming them again.
"""

import re
from dataclasses import fields
from functools import cache
from importlib import resources
from typing import Final

from bridge.report.values import OutboxMail, StoredMail
from bridge.sms import Sms
from bridge.store.values import StoredEvent

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)

SMS_FIELDS: Final = tuple(field.name for field in fields(Sms))
# A mail's reports stand in two columns.
MAIL_FIELDS: Final = tuple(
    name
    for field in fields(StoredMail)
    for name in (("reports_when", "reports_to") if field.name == "reports" else (field.name,))
)
OUTBOX_FIELDS: Final = tuple(field.name for field in fields(OutboxMail) if field.name != "raw")
EVENT_FIELDS: Final = tuple(field.name for field in fields(StoredEvent))
# What never changes after the row was written.
SMS_FIXED: Final = frozenset(
    (
        *("id", "message_id", "mail_id", "number", "text", "encoding", "segments", "account", "mode"),
        *("on_unknown", "reply_key", "created_at", "resubmit_of", "sender"),
    )
)
SMS_CHANGING: Final = tuple(name for name in SMS_FIELDS if name not in SMS_FIXED)


def _columns(alias: str, names: tuple[str, ...]) -> str:
    return ", ".join(f'{alias}."{name}"' for name in names)


_LISTED: Final = f"{_columns('s', SMS_FIELDS)}, s.sender, m.subject FROM {{}} JOIN mail m ON m.id = s.mail_id"
_PARTS: Final = {
    "sms": _columns("s", SMS_FIELDS),
    "mail": _columns("m", MAIL_FIELDS),
    "outbox": _columns("o", OUTBOX_FIELDS),
    "event": _columns("e", EVENT_FIELDS),
    "listed": _LISTED.format("sms s"),
    "listed_by_tail": _LISTED.format("sms s INDEXED BY sms_by_tail"),
    "fits": " AND ".join(
        (
            "s.id < :before AND s.id >= :floor",
            "(:state IS NULL OR s.state = :state)",
            "(:sender IS NULL OR s.sender = :sender)",
            "(:mail_id IS NULL OR s.mail_id = :mail_id)",
            "(:text IS NULL OR s.text LIKE :text ESCAPE '\\')",
            "(:tail IS NULL OR (s.tail >= :tail AND s.tail < :tail_end))",
        )
    ),
    "insert_sms": ", ".join(f'"{name}"' for name in SMS_FIELDS if name != "id"),
    "insert_sms_values": ", ".join(f":{name}" for name in SMS_FIELDS if name != "id"),
    "save_sms": ", ".join(f"{name} = :{name}" for name in SMS_CHANGING),
}


@cache
def statements() -> dict[str, str]:
    """Return every statement by its name."""
    found: dict[str, str] = {}
    for file in resources.files("bridge.store").joinpath("sql").iterdir():
        if not file.name.endswith(".sql"):
            continue
        _, *pieces = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(pieces[::2], pieces[1::2], strict=True):
            assert name not in found, f"two statements are called {name}"
            found[name] = _fill(text).strip().rstrip(";")
    return found


def _fill(text: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: _PARTS[match[1]], text)
