"""What PostgreSQL asks all day goes down its index there too, also when it plans without seeing the values."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bridge.store import migrate
from bridge.store.queries import numbered
from tests.postgres import Server

FILLED = Path(__file__).with_name("filled.sql")


@pytest.fixture(scope="module")
def connection(postgres: Server) -> Iterator["psycopg.Connection[tuple[str]]"]:
    url = postgres.database()
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILLED.read_bytes())
        connection.execute("ANALYZE")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection


def plan(connection: "psycopg.Connection[tuple[str]]", name: str) -> str:
    statement = numbered(locking=True)[name]
    connection.execute(b"PREPARE asked AS " + statement.text)
    try:
        values = f"({', '.join(['NULL'] * len(statement.names))})" if statement.names else ""
        return "\n".join(line for (line,) in connection.execute(f"EXPLAIN EXECUTE asked{values}".encode()))
    finally:
        connection.execute("DEALLOCATE asked")


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("sms_by_id", "sms_pkey"),
        ("sms_by_message_id", "sms_message_id_key"),
        ("sms_of_reply_key", "sms_reply_key_key"),
        ("claimable", "sms_queued"),
        ("accounts_waiting", "sms_queued"),
        ("senders_waiting", "sms_queued"),
        ("expired", "sms_expiring"),
        ("to_poll", "sms_to_poll"),
        ("settled_to_poll", "sms_settling"),
        ("sending_of", "sms_sending"),
        ("doubts_due", "sms_doubted"),
        ("save_sms", "sms_pkey"),
        ("history_again", "history_by_sms"),
        ("history_full", "history_by_sms"),
        ("group_of", "mail_by_header"),
        ("mail_with_batch", "mail_pkey"),
        ("seen_in", "seen_pkey"),
        ("event_again", "event_fingerprint_key"),
        ("answers_of", "event_by_phone"),
        ("kept_for", "event_kept_message"),
        ("texts_to_empty", "sms_with_text"),
        ("records_to_drop", "sms_without_text"),
        ("events_to_empty", "event_with_text"),
        ("events_to_drop", "event_of_none"),
        ("mails_to_empty", "outbox_with_text"),
        ("sms_to", "sms_by_tail"),
        ("habit_of", "sms_by_tail"),
        ("sms_of_vendor_id", "vendor_id_pkey"),
        ("price_of", "job_price_pkey"),
        ("outbox_due", "outbox_due"),
        ("outbox_of_node", "outbox_claimed"),
        ("outbox_of_gone", "outbox_claimed"),
        ("give_outbox_of_node_back", "outbox_claimed"),
        ("outbox_of_bounce_key", "outbox_by_bounce"),
        ("replies_to_poll", "reply_poll_due"),
        ("used_of", "used_pkey"),
        ("settle", "used_pkey"),
        ("take_settled", "settled_by_sender"),
        ("drop_settled", "settled_by_time"),
        ("drop_used", "used_by_end"),
    ],
)
def test_what_is_asked_all_day_goes_down_its_index(
    connection: "psycopg.Connection[tuple[str]]", name: str, index: str
) -> None:
    steps = plan(connection, name)
    assert index in steps, steps
    read_whole = [
        table
        for table in ("sms", "mail", "event", "outbox", "history", "seen")
        if f"Seq Scan on {table}" in steps
    ]
    assert not read_whole, steps
