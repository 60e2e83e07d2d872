"""The statements of the store by name, read from ``sql/*.sql`` once: one text for both engines.

A statement begins with ``-- name: it``. ``{sms}`` and its like stand for the columns of a value in the order
of its fields, so that a row can be turned into the value without naming them again. ``{lock s}`` locks the rows
of ``s`` that were found until the unit is committed, ``{skip s}`` also leaves out those that another unit has
locked; both are nothing on SQLite, where one unit writes at a time, and in a unit that only reads.
"""

import re
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Final

from bridge.optout import OptOut
from bridge.report.values import OutboxMail, StoredMail
from bridge.sms import FINAL, Sms, State
from bridge.store.values import StoredEvent

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^--.*\n?", re.MULTILINE)

SMS_FIELDS: Final = tuple(field.name for field in fields(Sms))
# A mail's reports stand in two columns.
MAIL_FIELDS: Final = tuple(
    name
    for field in fields(StoredMail)
    for name in (("reports_when", "reports_to") if field.name == "reports" else (field.name,))
)
OUTBOX_FIELDS: Final = tuple(field.name for field in fields(OutboxMail) if field.name != "raw")
EVENT_FIELDS: Final = tuple(field.name for field in fields(StoredEvent))
# What never changes after the row was written, but for what joins the same text to an SMS that waits.
SMS_FIXED: Final = frozenset(
    (
        *("id", "message_id", "mail_id", "number", "text", "encoding", "segments", "account", "mode"),
        *("on_unknown", "reply_key", "created_at", "resubmit_of", "sender", "joined", "reserved"),
    )
)
SMS_CHANGING: Final = tuple(name for name in SMS_FIELDS if name not in SMS_FIXED)


def _columns(alias: str, names: tuple[str, ...]) -> str:
    return ", ".join(f'{alias}."{name}"' for name in names)


_LISTED: Final = f"{_columns('s', SMS_FIELDS)}, s.sender, m.subject FROM {{}} JOIN mail m ON m.id = s.mail_id"
# What is settled by now counts too, in the window in which it was reserved.
_USED: Final = """u.sender, u.name, u.begins, u.ends, u.used, u.most, u.told, u.refused,
    CASE WHEN u.name LIKE 'spend%' THEN (SELECT CAST(coalesce(sum(c.money), 0) AS BIGINT) FROM settled c
        WHERE c.sender = u.sender AND c.at >= u.begins AND c.at < u.ends) ELSE 0 END AS changed"""
_PARTS: Final = {
    "final": str(tuple(state.value for state in State if state in FINAL)),
    "sms": _columns("s", SMS_FIELDS),
    "mail": _columns("m", MAIL_FIELDS),
    "outbox": _columns("o", OUTBOX_FIELDS),
    "event": _columns("e", EVENT_FIELDS),
    "optout": _columns("o", tuple(field.name for field in fields(OptOut))),
    "used": _USED,
    "listed": _LISTED.format("sms s"),
    "listed_by_tail": _LISTED.format("sms s INDEXED BY sms_by_tail"),
    "fits": " AND ".join(
        (
            "s.id < :before AND s.id >= :floor",
            "(CAST(:state AS TEXT) IS NULL OR s.state = :state)",
            "(CAST(:sender AS TEXT) IS NULL OR s.sender = :sender)",
            "(CAST(:text AS TEXT) IS NULL OR s.text LIKE :text ESCAPE '\\')",
            "(CAST(:tail AS TEXT) IS NULL OR (s.tail >= :tail AND s.tail < :tail_end))",
        )
    ),
    "insert_sms": ", ".join(f'"{name}"' for name in SMS_FIELDS if name != "id"),
    "insert_sms_values": ", ".join(f":{name}" for name in SMS_FIELDS if name != "id"),
    "save_sms": ", ".join(f"{name} = :{name}" for name in SMS_CHANGING),
}


@dataclass(frozen=True, slots=True)
class Numbered:
    """A statement with its values numbered ($1, $2 …), and their names in that order."""

    text: bytes
    names: tuple[str, ...]


@cache
def statements() -> dict[str, str]:
    """Return every statement by its name, as SQLite reads it."""
    return {name: _fill(text, "").strip() for name, text in _texts().items()}


@cache
def numbered(*, locking: bool) -> dict[str, Numbered]:
    """Return every statement by its name, as PostgreSQL reads it; with its locks for a unit that writes."""
    # An update of ours never changes a key, so references to the row need not wait for it.
    lock = "FOR NO KEY UPDATE" if locking else ""
    return {name: _numbered(_fill(text, lock).strip()) for name, text in _texts().items()}


@cache
def _texts() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in resources.files("bridge.store").joinpath("sql").iterdir():
        if not file.name.endswith(".sql"):
            continue
        _, *pieces = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(pieces[::2], pieces[1::2], strict=True):
            assert name not in found, f"two statements are called {name}"
            found[name] = _COMMENT.sub("", text).strip().rstrip(";")
    return found


def _fill(text: str, lock: str) -> str:
    def part(match: re.Match[str]) -> str:
        name, alias = match[1], match[2]
        if name not in ("lock", "skip"):
            return _PARTS[name]
        if not lock:
            return ""
        return f"{lock}{f' OF {alias}' if alias else ''}{' SKIP LOCKED' if name == 'skip' else ''}"

    return re.sub(r"\{(\w+)(?: (\w))?\}", part, text)


def _numbered(text: str) -> Numbered:
    names: dict[str, int] = {}
    text = re.sub(r" INDEXED BY \w+", "", text)  # PostgreSQL knows how many rows each index holds
    text = text.replace(" LIKE ", " ILIKE ")  # SQLite's LIKE takes any case of a letter
    text = re.sub(r":(\w+)", lambda match: f"${names.setdefault(match[1], len(names) + 1)}", text)
    return Numbered(text.encode(), tuple(names))
