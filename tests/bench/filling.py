"""A store with many rows, made in little time: a thousand SMS by the store's own verbs, then copies of them in SQL.

A copy has names and numbers of its own, as far apart as those of real SMS, so that indexes are as wide and deep
as they would be. One SMS in ten waits to be sent, as after an hour without the vendor; one in a hundred of the
others was heard of no more; the rest was delivered.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bridge.decide.values import Accept, NewMail, NewSms
from bridge.event import Event, News
from bridge.retry import Answer
from bridge.rules import ReportRule
from bridge.sms import Input, Kind
from bridge.store import Store

TEMPLATE: Final = 1_000  # SMS
WAITING: Final = TEMPLATE // 10
SENDERS: Final = 200
GREAT_SENDER: Final = "s0@plant.example"  # of every tenth SMS
_STEP_MS: Final = 60_000  # a copy is so much older than the one before
_FOREVER_MS: Final = 10**12
_QUIET: Final = ReportRule(frozenset())

# How each column of a copy differs; all others are the same. ``c`` is the copy, ``t`` the row.
_NAME: Final = "c.name || substr(t.{0}, 8)"
_CHANGES: Final[Mapping[str, Mapping[str, str]]] = {
    "mail": {
        "id": _NAME.format("id"),
        "batch": _NAME.format("batch"),
        "header_message_id": "c.name || t.header_message_id",
        "received_at": "t.received_at - c.back",
    },
    "sms": {
        "id": "t.id + c.first",
        "message_id": "substr(t.message_id, 1, 4) || c.name || substr(t.message_id, 12)",
        "mail_id": _NAME.format("mail_id"),
        "reply_key": _NAME.format("reply_key"),
        "number": "'+614' || c.digits || substr(t.number, 10)",
        "tail": "substr(t.tail, 1, 3) || c.stigid || '416+'",
        "created_at": "t.created_at - c.back",
        "updated_at": "t.updated_at - c.back",
    },
    "seen": {"fingerprint": "{random}", "mail_id": _NAME.format("mail_id")},
    "history": {"id": "t.id + {span} * c.k", "sms_id": "t.sms_id + c.first"},
    "vendor_id": {"value": "c.name || t.value", "sms_id": "t.sms_id + c.first"},
    "job_price": {"sms_id": "t.sms_id + c.first", "job": "c.name || t.job"},
    "event": {
        "id": "t.id + {span} * c.k",
        "sms_id": "t.sms_id + c.first",
        "message_id": "substr(t.message_id, 1, 4) || c.name || substr(t.message_id, 12)",
        "job": "c.name || t.job",
        "fingerprint": "{random}",
        "phone": "'+614' || c.digits || substr(t.phone, 10)",
    },
}


def a_mail(serial: int) -> Accept:
    """Return a mail like any other, to one number."""
    number = f"+614{serial * 7919 % 10**8:08}"
    sender = GREAT_SENDER if serial % 10 == 0 else f"s{serial % SENDERS}@plant.example"
    text = f"Reminder {serial}: your appointment is tomorrow at 9:30. Reply YES to confirm or call us."
    mail = NewMail(sender, "auth", 0, "192.0.2.1", "Reminder", f"<{serial}@x>", (), "default", _QUIET, 1500)
    sms = NewSms(number, number, text, "gsm7", 1, "default", "live", "hold", _FOREVER_MS)
    return Accept(mail, (sms,))


async def fill(store: Store) -> None:
    """Bring ``TEMPLATE`` SMS to where they stay."""
    done = TEMPLATE - WAITING
    await asyncio.gather(*(store.accept(a_mail(serial)) for serial in range(done)))
    while rows := await store.claim("bench", TEMPLATE):
        sent = (
            store.finish(sms.id, Input(Kind.SENT, sms.attempts), Answer.CLEAR, (f"V{sms.message_id}",))
            for sms in rows
        )
        await asyncio.gather(*sent)
        told = (store.record_event(_delivered(sms.message_id, sms.number)) for sms in rows if sms.id % 100)
        await asyncio.gather(*told)
    await asyncio.gather(*(store.accept(a_mail(serial)) for serial in range(done, TEMPLATE)))


def _delivered(message_id: str, number: str) -> Event:
    raw = f'{{"Type":"SMS","Destination":"{number}","MessageID":"{message_id}","Result":"Delivered"}}'
    job, price = f"J{message_id[-8:]}", 1_000
    return Event(
        "webhook", "status", message_id, number, raw, News.DELIVERED, "delivered", job=job, price=price
    )


def multiply(database: str | Path, rows: int) -> None:
    """Copy what `fill` made until there are ``rows`` SMS. Nobody else may have the database open."""
    with _connected(database) as (run, columns_of, random):
        _number_copies(run, rows // TEMPLATE)
        for table, changes in _CHANGES.items():
            (span,) = run(f'SELECT coalesce(max(id), 0) FROM "{table}"') if "id" in changes else (0,)
            columns = columns_of(table)
            unknown = set(changes) - set(columns)
            if unknown:
                raise RuntimeError(f"{table} has no {', '.join(sorted(unknown))}")
            values = (
                changes.get(column, f't."{column}"').format(span=span, random=random) for column in columns
            )
            names = ", ".join(f'"{column}"' for column in columns)
            run(
                f'INSERT INTO "{table}" ({names}) SELECT {", ".join(values)} FROM copy c CROSS JOIN "{table}" t'
            )
        run("DROP TABLE copy")


def _number_copies(run: Any, copies: int) -> None:
    run(
        "CREATE TABLE copy (k BIGINT PRIMARY KEY, name TEXT, digits TEXT, stigid TEXT, first BIGINT, back BIGINT)"
    )
    for k in range(1, copies):
        digits = f"{k:05}"
        name = f"{k:07}"  # for the first digits of the time in a name
        values = (k, f"'{name}'", f"'{digits}'", f"'{digits[::-1]}'", k * TEMPLATE, k * _STEP_MS)
        run(f"INSERT INTO copy VALUES ({', '.join(map(str, values))})")


@contextlib.contextmanager
def _connected(database: str | Path) -> Iterator[tuple[Any, Any, str]]:
    """Yield how to run a statement (returning its first row), a table's columns, and 16 random octets in SQL."""
    path = str(database)
    if "://" in path:
        raise NotImplementedError
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")
        connection.execute("BEGIN")

        def run(statement: str) -> Any:
            return connection.execute(statement).fetchone()

        def columns_of(table: str) -> list[str]:
            return [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]

        yield run, columns_of, "randomblob(16)"
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
