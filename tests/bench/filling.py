"""A store with many rows, made in little time: a thousand SMS by the store's own verbs, then copies of them in SQL.

A copy has names and numbers of its own, as far apart as those of real SMS, so that indexes are as wide and deep
as they would be. One SMS in ten waits to be sent, as after an hour without the vendor; one in a hundred of the
others was heard of no more; the rest was delivered.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psycopg

from bridge.decide.values import Accept, NewMail, NewSms
from bridge.event import Event, News
from bridge.retry import Answer
from bridge.rules import ReportRule
from bridge.sms import Input, Kind
from bridge.store import Store, is_postgresql

TEMPLATE: Final = 1_000  # SMS
WAITING: Final = TEMPLATE // 10
SENDERS: Final = 200
GREAT_SENDER: Final = "s0@plant.example"  # of every tenth SMS
_STEP_MS: Final = 60_000  # a copy is so much older than the one before
_FOREVER_MS: Final = 10**12
_QUIET: Final = ReportRule(frozenset())

Run = Callable[[str], Any]

# How each column of a copy differs; all others are the same. The words in braces are those of the copy: its number
# ``k``, the begin of its ``name``s, the ``digits`` of its numbers, how much older it is (``back``, ms), what is
# added to ids of SMS (``first``) and of the rows themselves (``own``).
_MESSAGE_ID: Final = "substr(message_id, 1, 4) || '{name}' || substr(message_id, 12)"
_CHANGES: Final[Mapping[str, Mapping[str, str]]] = {
    "mail": {
        "id": "'{name}' || substr(id, 8)",
        "batch": "'{name}' || substr(batch, 8)",
        "header_message_id": "'{name}' || header_message_id",
        "received_at": "received_at - {back}",
    },
    "sms": {
        "id": "id + {own}",
        "message_id": _MESSAGE_ID,
        "mail_id": "'{name}' || substr(mail_id, 8)",
        "reply_key": "'{name}' || substr(reply_key, 8)",
        "number": "'+614{digits}' || substr(number, 10)",
        "tail": "substr(tail, 1, 3) || '{stigid}416+'",
        "created_at": "created_at - {back}",
        "updated_at": "updated_at - {back}",
    },
    "seen": {"fingerprint": "{random}", "mail_id": "'{name}' || substr(mail_id, 8)"},
    "history": {"id": "id + {own}", "sms_id": "sms_id + {first}"},
    "vendor_id": {"value": "'{name}' || value", "sms_id": "sms_id + {first}"},
    "job_price": {"sms_id": "sms_id + {first}", "job": "'{name}' || job"},
    "event": {
        "id": "id + {own}",
        "sms_id": "sms_id + {first}",
        "message_id": _MESSAGE_ID,
        "job": "'{name}' || job",
        "fingerprint": "{random}",
        "phone": "'+614{digits}' || substr(phone, 10)",
    },
}
_COUNTED: Final = ("sms", "history", "event")  # whose ids are numbers


def a_mail(serial: int) -> Accept:
    """Return a mail like any other, to one number."""
    sender = GREAT_SENDER if serial % 10 == 0 else f"s{serial % SENDERS}@plant.example"
    text = f"Reminder {serial}: your appointment is tomorrow at 9:30. Reply YES to confirm or call us."
    return taken(sender, f"+614{serial * 7919 % 10**8:08}", text, serial)


def taken(sender: str, number: str, text: str, serial: int) -> Accept:
    """Return a mail as it comes out of the decision; nobody is to hear of its SMS."""
    mail = NewMail(
        sender, "network", 0, "192.0.2.1", "Reminder", f"<{serial}@x>", (), "default", _QUIET, 1500
    )
    return Accept(mail, (NewSms(number, number, text, "gsm7", 1, "default", "live", "hold", _FOREVER_MS),))


async def fill(store: Store) -> None:
    """Bring ``TEMPLATE`` SMS to where they stay."""
    done = TEMPLATE - WAITING
    await asyncio.gather(*(store.accept(a_mail(serial)) for serial in range(done)))
    while rows := await store.claim("bench", TEMPLATE):
        sent = (
            store.finish(sms, Input(Kind.SENT, sms.attempts), Answer.CLEAR, (f"V{sms.message_id}",))
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
        spans = {table: int(run(f"SELECT max(id) FROM {table}")[0]) for table in _COUNTED}
        for table, changes in _CHANGES.items():
            columns = columns_of(table)
            if unknown := set(changes) - set(columns):
                raise RuntimeError(f"{table} has no {', '.join(sorted(unknown))}")
            names = ", ".join(f'"{column}"' for column in columns)
            values = ", ".join(changes.get(column, f'"{column}"') for column in columns)
            run(f"CREATE TEMP TABLE template_{table} AS SELECT * FROM {table}")
            for k in range(1, rows // TEMPLATE):
                words = {
                    "name": f"{k:07}",
                    "digits": f"{k:05}",
                    "stigid": f"{k:05}"[::-1],
                    "back": k * _STEP_MS,
                    "first": k * spans["sms"],
                    "own": k * spans.get(table, 0),
                    "random": random,
                }
                run(f"INSERT INTO {table} ({names}) SELECT {values.format(**words)} FROM template_{table}")


@contextlib.contextmanager
def _connected(database: str | Path) -> Iterator[tuple[Run, Callable[[str], list[str]], str]]:
    """Yield how to run a statement (returning its first row), a table's columns, and 16 random octets in SQL."""
    if is_postgresql(database):
        with psycopg.connect(str(database)) as server:
            server.execute("SET synchronous_commit = off")
            server.execute("SET session_replication_role = replica")  # references are right: no look at each

            def run_there(statement: str) -> Any:
                done = server.execute(statement.encode())
                return done.fetchone() if done.description else None

            def columns_there(table: str) -> list[str]:
                asked = server.execute(f"SELECT * FROM {table} LIMIT 0".encode())
                return [column.name for column in asked.description or ()]

            yield run_there, columns_there, "uuid_send(gen_random_uuid())"
            for table in _COUNTED:
                ids = f"pg_get_serial_sequence('{table}', 'id')"
                server.execute(f"SELECT setval({ids}, (SELECT max(id) FROM {table}))".encode())
        with psycopg.connect(str(database), autocommit=True) as server:
            server.execute(
                "VACUUM ANALYZE"
            )  # as its own vacuum has done in a server that grew so large by itself
        return
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous = OFF")
        file.execute("PRAGMA cache_size = -1000000")
        file.execute("BEGIN")
        yield (
            lambda statement: file.execute(statement).fetchone(),
            lambda table: [row[1] for row in file.execute(f"PRAGMA table_info({table})")],
            "randomblob(16)",
        )
        file.execute("COMMIT")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
