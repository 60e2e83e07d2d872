"""Rows turned into values and back. The order of columns is that of the fields (see `queries`)."""

import json
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from bridge.decide.values import NewMail
from bridge.dsn import Wish, Wishes
from bridge.event import News
from bridge.report.values import MailKind, OutboxMail, OutboxState, StoredMail
from bridge.retry import Account, Stop
from bridge.rules import ReportRule
from bridge.sms import Sms, State
from bridge.store.database import Row
from bridge.store.queries import EVENT_FIELDS, MAIL_FIELDS, OUTBOX_FIELDS, SMS_CHANGING, SMS_FIELDS
from bridge.store.values import HistoryLine, StoredEvent

SMS_WIDTH: Final = len(SMS_FIELDS)
_STATE: Final = SMS_FIELDS.index("state")
_all: Final = attrgetter(*SMS_FIELDS)
_changing: Final = attrgetter(*SMS_CHANGING)


def sms_of(row: Row) -> Sms:
    """Return the SMS in the first columns of ``row``."""
    values: list[Any] = list(row[:SMS_WIDTH])
    values[_STATE] = State(values[_STATE])
    return Sms(*values)


def with_id(sms: Sms, sms_id: int) -> Sms:
    """Return ``sms`` as it was stored (`dataclasses.replace` costs three times as much on the way in)."""
    return Sms(sms_id, *_all(sms)[1:])


def sms_values(sms: Sms) -> dict[str, object]:
    """Return what an insert of ``sms`` needs."""
    values: dict[str, object] = dict(zip(SMS_FIELDS, _all(sms), strict=True))
    values["state"] = sms.state.value
    return values


def changed_values(sms: Sms) -> dict[str, object]:
    """Return what may change in ``sms``."""
    values: dict[str, object] = dict(zip(SMS_CHANGING, _changing(sms), strict=True))
    values["state"] = sms.state.value
    return values


def mail_of(row: Row) -> StoredMail:
    """Return the mail in ``row``."""
    at = dict(zip(MAIL_FIELDS, row, strict=True))
    when, to = at.pop("reports_when"), at.pop("reports_to")
    at["references"] = tuple(json.loads(at["references"]))
    at["cut"] = tuple(json.loads(at["cut"]))
    at["dsn"] = wishes_of(at["dsn"])
    return StoredMail(**at, reports=ReportRule(frozenset(json.loads(when)), to))


def mail_values(mail: NewMail, mail_id: str, now: int, batch: str) -> dict[str, object]:
    """Return what an insert of ``mail`` needs."""
    return {
        "id": mail_id,
        "received_at": now,
        "sender": mail.sender,
        "proof": mail.proof,
        "rule": mail.rule,
        "client": mail.client,
        "subject": mail.subject,
        "header_message_id": mail.header_message_id,
        "references": _list(mail.references),
        "brand": mail.brand,
        "reports_when": _list(tuple(sorted(mail.reports.when))),
        "reports_to": mail.reports.to,
        "size": mail.size,
        "cut": _list(mail.cut),
        "dsn": wishes_text(mail.dsn),
        "batch": batch,
    }


def wishes_of(text: str | None) -> Wishes | None:
    """Return what the client of a mail asked to be told, as it is stored."""
    if text is None:
        return None
    envelope_id, recipients = json.loads(text)
    found = [(number, Wish(frozenset(notify), original)) for number, notify, original in recipients]
    return Wishes(envelope_id, tuple(found))


def wishes_text(wishes: Wishes | None) -> str | None:
    """Return those wishes as they are stored."""
    if wishes is None:
        return None
    found = [(number, sorted(wish.notify), wish.original) for number, wish in wishes.recipients]
    return json.dumps([wishes.envelope_id, found])


@lru_cache(256)
def _list(texts: tuple[str, ...]) -> str:
    return json.dumps(texts)


def outbox_of(row: Row, raw: bytes | None = None) -> OutboxMail:
    """Return the mail of ours in ``row``; ``raw`` is read apart, since lists do without."""
    at = dict(zip(OUTBOX_FIELDS, row, strict=True))
    at["kind"], at["state"] = MailKind(at["kind"]), OutboxState(at["state"])
    at["facts"] = facts_of(at["facts"])
    at["correction"], at["bounced"] = bool(at["correction"]), bool(at["bounced"])
    return OutboxMail(**at, raw=raw)


def facts_of(text: str) -> tuple[tuple[str, str], ...]:
    """Return stored facts."""
    return tuple((name, value) for name, value in json.loads(text))


def facts_text(facts: Sequence[tuple[str, str]]) -> str:
    """Return ``facts`` as they are stored."""
    return json.dumps(list(facts))


def history_of(row: Row) -> HistoryLine:
    """Return a line of history."""
    at, state, note, attempt, times, last_at = row
    return HistoryLine(at, State(state), note, attempt, times, last_at)


def event_of(row: Row) -> StoredEvent:
    """Return a stored event."""
    at = dict(zip(EVENT_FIELDS, row, strict=True))
    at["news"] = News(at["news"]) if at["news"] is not None else None
    return StoredEvent(**at)


def account_of(key: str, text: str) -> Account:
    """Return the health of an account."""
    at = json.loads(text)
    at["stop"] = Stop(at["stop"])
    for name in ("unread", "silent"):
        at[name] = tuple(at[name])
    return Account(key, **at)


def account_text(account: Account) -> str:
    """Return the health of an account as it is stored."""
    at = {field.name: getattr(account, field.name) for field in fields(account) if field.name != "key"}
    return json.dumps(at)
