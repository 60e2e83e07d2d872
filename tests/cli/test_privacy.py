"""``smsbridge purge``, ``audit`` and the text of an SMS by hand from standard input."""

import io
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from bridge.retry import Answer
from bridge.sms import Input, Kind
from bridge.store import Actor, Store
from tests.cli.given import Bench
from tests.given_store import queued, submitted

NUMBER = "0421000001"


def old(bench: Bench, days: int) -> None:
    """Make everything in the database that much older."""
    with sqlite3.connect(bench.folder / "bridge.db") as connection:
        connection.execute("UPDATE sms SET state_since = state_since - ?", (days * 86_400_000,))


async def failed(store: Store) -> None:
    await queued(store)
    (sms,) = await store.claim("test", 1)
    await store.finish(sms, Input(Kind.REFUSED_SMS, 1, "bad number"), Answer.CLEAR)
    for work in await store.claim_mail(9):
        await store.mail_kept(work.mail.id)


def test_a_purge_without_a_retention_says_what_to_write(bench: Bench) -> None:
    bench.store(failed)
    done = bench("purge")
    assert (done.code, "retention: {text: 30d}" in done.err) == (1, True)


def test_a_purge_tells_what_it_did_and_is_recorded(bench: Bench) -> None:
    bench.configure(retention={"text": "30d"})
    bench.store(failed)
    old(bench, 31)
    assert bench("purge", "--dry-run", "--json").objects[0]["sms"] == 1
    assert bench("purge").out.startswith(
        "purged the texts of 1 SMS, 0 events, 0 mails of ours, and 0 records"
    )
    assert bench("purge", "--rewrite", "--json").objects[0]["sms"] == 0
    assert bench("messages", "resubmit", "1").err.endswith("the text of message 1 is not kept any more\n")
    lines = bench("audit", "list", "--json").objects
    assert [line["what"] for line in lines] == ["purge", "purge"]
    assert lines[1]["details"]["sms"] == "1"


def test_a_person_is_forgotten_when_nothing_is_under_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.store(lambda store: queued(store, ["+61421000001"]))
    done = bench("purge", "--number", NUMBER)
    assert done.code == 1
    assert "1 SMS queued" in done.err
    assert "At the latest it is over on" in done.err
    assert bench("messages", "cancel", "1").code == 0
    assert "1 mails of ours not sent" in bench("purge", "--number", NUMBER).err

    async def mailed(store: Store) -> None:
        for work in await store.claim_mail(9):
            await store.mail_kept(work.mail.id)

    bench.store(mailed)
    assert bench("purge", "--number", NUMBER, "--dry-run").out.startswith(
        "would forget +61 421 000 001: 1 SMS"
    )
    assert bench("purge", "--number", "12").code == 1
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{NUMBER}\n"))
    out = bench("purge", "--number", "-").out
    assert "forgot +61 421 000 001: 1 SMS" in out
    assert "the configuration still names the number: aliases.oncall" in out
    assert bench("messages", "list", "--json").out == ""
    audit = bench("audit", "list").out
    assert "+61421•••001" in audit
    assert "0001" not in audit.replace("•••001", "")


def test_the_mark_of_a_configuration_is_never_cut_off(bench: Bench) -> None:
    facts = {"parts": "mail,send,events,reports,web", "version": "10.10.10", "configuration": "a1" * 8}
    bench.store(lambda store: store.privacy.note(Actor("smsbridge", "service"), "start", **facts))
    assert bench("audit", "list").out.endswith(f"configuration {'a1' * 8}\n")


def test_what_operators_do_is_recorded_with_who_did_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.store(lambda store: submitted(store, ["+61421000001"]))
    bench("messages", "resubmit", "1")
    bench("messages", "forward", "1", "0421000002")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe\n")))
    assert "from a pipe" in bench("send", NUMBER, "-").out
    bench("messages", "cancel", "4")
    bench("messages", "cancel", "4")
    lines = bench("audit", "list", "--json").objects
    assert [(line["what"], line["about"]) for line in lines] == [
        ("cancel", "4"),
        ("send", "4"),
        ("forward", "3"),
        ("resubmit", "2"),
    ]
    assert {line["via"] for line in lines} == {"command line"}
    assert all(line["who"] for line in lines)
    assert lines[1]["details"] == {"number": "+61421•••001", "segments": "1"}
    assert len(bench("audit", "list", "--json", "--limit", "2").objects) == 2
    assert len(bench("audit", "list", "--json", "--since", "1h").objects) == 4
    assert bench("audit", "list", "--json", "--since", "2999-01-01").out == ""
    assert bench("audit", "list", "--since", "soon").code == 1


@pytest.mark.parametrize("piped", [b"\xff", b"x" * 70_000, b" \n"])
def test_a_text_from_standard_input_is_read_within_bounds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, piped: bytes
) -> None:
    bench.store(queued)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    assert bench("send", NUMBER, "-").code == 1


def test_a_purge_that_is_killed_leaves_all_or_nothing_of_a_record_and_is_done_again(bench: Bench) -> None:
    bench.configure(retention={"records": "30d"})
    numbers = [f"+614210{n:05}" for n in range(400)]

    async def refused(store: Store) -> None:
        for at in range(0, len(numbers), 50):
            await queued(store, numbers[at : at + 50])
        for sms in await store.claim("test", len(numbers)):
            await store.finish(sms, Input(Kind.REFUSED_SMS, 1, "bad number"), Answer.CLEAR)
        connection = sqlite3.connect(bench.folder / "bridge.db")
        with connection:
            connection.execute("UPDATE outbox SET state = 'kept'")
            connection.execute("UPDATE batch SET summary_at = NULL")
        connection.close()

    bench.store(refused)
    old(bench, 31)
    connection = sqlite3.connect(bench.folder / "bridge.db", timeout=30)

    def rows() -> int:
        return int(connection.execute("SELECT count(*) FROM sms").fetchone()[0])

    before = rows()
    command = [sys.executable, "-m", "bridge", "purge", "-c", str(bench.config)]
    purging = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while rows() == before:
        assert purging.poll() is None
        time.sleep(0.01)
    purging.send_signal(signal.SIGKILL)
    purging.wait()
    left = rows()
    assert 0 < left < before
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    for table in ("history", "outbox"):
        of_none = f"SELECT count(*) FROM {table} WHERE sms_id NOT IN (SELECT id FROM sms)"
        assert connection.execute(of_none).fetchone() == (0,)
    assert bench("purge").code == 0
    for table in ("sms", "mail", "history", "outbox", "batch"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    connection.close()


def test_users_are_recorded_once_there_is_a_database(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.configure(
        smtp={"listen": [{"address": "127.0.0.1", "port": 0, "tls": "none"}], "users": "users.yaml"}
    )
    assert bench("migrate").code == 0
    for verb in ("add", "passwd", "remove"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a long password\n")))
        assert bench("user", verb, "--smtp", "relay").code == 0
    lines = bench("audit", "list", "--json").objects
    assert [(line["what"], line["about"]) for line in lines] == [
        ("user remove", "relay"),
        ("user passwd", "relay"),
        ("user add", "relay"),
        ("migrate", ""),
    ]
    bench.configure(region="Nowhere", smtp={"listen": [], "users": "users.yaml"})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a long password\n")))
    assert (
        "not in the audit record: the configuration has mistakes"
        in bench("user", "add", "--smtp", "relay").err
    )
