"""The reporter over a real smarthost on loopback: every due mail ends sent, waiting, dead or kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dkim
import pytest

from bridge.mail_out import MailOut, Signer, Smarthost, keygen
from bridge.report.values import MailKind, OutboxState
from bridge.reporter import GIVE_UP_AFTER_MS, Reporter
from tests.mail_out.sink import Sink, serving, until
from tests.render import reading, samples
from tests.reporter.rows import Rows

PEM, RECORD = keygen()


def out(sink: Sink) -> MailOut:
    return MailOut(Smarthost("127.0.0.1", sink.port, "starttls"), hello="sms.local")


@asynccontextmanager
async def running(rows: Rows, mail_out: MailOut | None, **options: Any) -> AsyncIterator[None]:
    renderer = options.pop("renderer", None) or samples.renderer()
    options.setdefault("clock", lambda: samples.NOON + 100_000)
    reporter = Reporter(rows, renderer, mail_out, options.pop("signer", None), jitter=lambda: 0.0, **options)
    stop = asyncio.Event()
    task = asyncio.create_task(reporter.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


def in_state(rows: Rows, number: int, state: OutboxState) -> Callable[[], bool]:
    return lambda: rows.mail(number).state is state


def sample(name: str, number: int = 7, **changes: Any) -> Any:
    mail, source, sms = samples.every()[name]
    return replace(mail, id=number, **changes), source, sms


async def test_a_due_mail_is_stored_as_it_goes_out_and_handed_over() -> None:
    rows = Rows()
    rows.put(sample("delivered"))
    async with serving() as sink, running(rows, out(sink)):
        await until(in_state(rows, 7, OutboxState.SENT))
    ((sender, to, raw),) = sink.mails
    assert (sender in ("", "<>"), to) == (True, ["alex@clinic.example"])
    assert raw == rows.mail(7).raw
    assert rows.mail(7).subject == "Re: Your appointment"
    assert reading.parsed(raw)["Message-ID"] == "<r7.q8w@sms.local>"


async def test_a_signed_mail_verifies_where_it_arrives() -> None:
    rows = Rows()
    rows.put(sample("reply"))
    signer = Signer("sms.local", "bridge", PEM.encode())
    async with serving() as sink, running(rows, out(sink), signer=signer):
        await until(in_state(rows, 7, OutboxState.SENT))
    sender, _, raw = sink.mails[0]
    assert sender == "bounce+b7key@sms.local"
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: RECORD.encode())


async def test_without_a_smarthost_mails_are_made_and_kept_to_be_seen() -> None:
    rows = Rows()
    rows.put(sample("delivered"), sample("reply", 8))
    async with running(rows, None, signer=Signer("sms.local", "bridge", PEM.encode())):
        await until(in_state(rows, 7, OutboxState.KEPT))
        await until(in_state(rows, 8, OutboxState.KEPT))
    raw = rows.mail(7).raw
    assert raw is not None
    assert reading.part(raw, "text/html")
    assert b"DKIM-Signature" not in raw


async def test_a_refusal_for_now_waits_longer_each_time_and_the_same_octets_go_out_later() -> None:
    rows = Rows()
    rows.put(sample("delivered"))
    async with serving() as sink, running(rows, out(sink)):
        sink.at_rcpt = "450 4.2.0 greylisted"
        await until(lambda: len(rows.later) == 1)
        first = rows.mail(7).raw
        rows.leased.clear()
        await until(lambda: len(rows.later) == 2)
        sink.at_rcpt = ""
        rows.leased.clear()
        await until(in_state(rows, 7, OutboxState.SENT))
    assert [wait for _, wait, _ in rows.later] == [15_000, 30_000]
    assert rows.later[0][2] == "450 4.2.0 greylisted"
    assert sink.mails[0][2] == first


async def test_a_refusal_for_good_is_dead_and_the_admin_is_told() -> None:
    rows = Rows()
    rows.put(sample("delivered"))
    async with serving() as sink, running(rows, out(sink)):
        sink.at_rcpt = "550 5.1.1 no such user"
        await until(lambda: bool(rows.alarms))
    assert rows.mail(7).state is OutboxState.DEAD
    assert rows.mail(7).error == "550 5.1.1 no such user"
    key, facts = rows.alarms[0]
    assert key == "mail-dead"
    assert dict(facts) == {
        "alarm": "mail-dead", "kind": "delivered", "to": "alex@clinic.example", "why": "550 5.1.1 no such user",
    }  # fmt: skip


async def test_an_alarm_that_dies_breeds_no_alarm() -> None:
    rows = Rows()
    rows.put(sample("alarm"))
    async with serving() as sink, running(rows, out(sink)):
        sink.at_rcpt = "550 5.1.1 no such user"
        await until(in_state(rows, 7, OutboxState.DEAD))
    assert rows.alarms == []


async def test_after_five_days_a_mail_is_given_up() -> None:
    rows = Rows()
    rows.put(sample("delivered"))
    created = rows.mail(7).created_at
    async with serving() as sink, running(rows, out(sink), clock=lambda: created + GIVE_UP_AFTER_MS):
        sink.at_mail = "451 4.3.0 not now"
        await until(in_state(rows, 7, OutboxState.DEAD))
    assert rows.mail(7).error == "given up after five days: 451 4.3.0 not now"


async def test_a_mail_that_cannot_be_made_safely_is_dead_and_the_others_go_out() -> None:
    rows = Rows()
    rows.put(sample("delivered", 7, to="a@b\r\nBcc: x@y.example"), sample("delivered", 8))
    async with serving() as sink, running(rows, out(sink)):
        await until(in_state(rows, 7, OutboxState.DEAD))
        await until(in_state(rows, 8, OutboxState.SENT))
    assert len(sink.mails) == 1
    assert "malformed" in rows.mail(7).error


async def test_a_fault_of_ours_kills_no_mail() -> None:
    rows = Rows()
    mail, source, _ = sample("delivered")
    rows.put((mail, source, (samples.sms(number=None),)))
    async with serving() as sink, running(rows, out(sink)):
        await until(lambda: bool(rows.later))
    assert rows.later[0][2].startswith("a fault of the bridge: ")
    assert sink.mails == []


async def test_a_mail_for_postmaster_goes_to_the_admin_as_it_came() -> None:
    raw = b"From: who@far.example\r\nSubject: about your server\r\n\r\nhello \xff\r\n"
    rows = Rows()
    handed = samples.outbox(MailKind.POSTMASTER, to="admin@example.com", raw=raw, sms_id=None, mail_id=None)
    rows.put((handed, None, ()), (replace(handed, id=8, raw=None), None, ()))
    async with serving() as sink, running(rows, out(sink)):
        await until(in_state(rows, 7, OutboxState.SENT))
        await until(in_state(rows, 8, OutboxState.DEAD))
    assert sink.mails[0][1:] == (["admin@example.com"], raw)
    assert sink.mails[0][0] in ("", "<>")


async def test_a_brands_broken_template_is_told_and_the_mail_goes_out(tmp_path: Path) -> None:
    (tmp_path / "delivered").mkdir()
    (tmp_path / "delivered" / "body.html").write_text("{% if %}")
    brand = replace(samples.CLINIC, templates=str(tmp_path))
    rows = Rows()
    rows.put(sample("delivered"))
    async with serving() as sink, running(rows, out(sink), renderer=samples.renderer(brand)):
        await until(in_state(rows, 7, OutboxState.SENT))
    ((key, facts),) = rows.alarms
    assert key == "template:clinic"
    assert dict(facts)["why"].startswith("template delivered/body.html")


async def test_a_database_that_is_gone_for_a_while_stops_nothing_for_good() -> None:
    rows = Rows(faults=2)
    rows.put(sample("delivered"))
    async with serving() as sink, running(rows, out(sink)):
        await until(in_state(rows, 7, OutboxState.SENT))
    assert rows.sweeps >= 1
    assert len(sink.mails) == 1


async def test_an_end_that_could_not_be_written_repeats_the_same_mail_with_the_same_id() -> None:
    rows = Rows(end_faults=1)
    rows.put(sample("delivered"))
    async with serving() as sink, running(rows, out(sink)):
        await until(lambda: rows.end_faults == 0)
        rows.leased.clear()
        await until(in_state(rows, 7, OutboxState.SENT))
    assert len(sink.mails) == 2
    assert sink.mails[0] == sink.mails[1]


async def test_many_mails_go_out_over_few_connections() -> None:
    rows = Rows()
    rows.put(*(sample("delivered", n, message_id=f"<r{n}@sms.local>") for n in range(1, 61)))
    async with serving() as sink, running(rows, out(sink), parallel=8):
        await until(lambda: all(w.mail.state is OutboxState.SENT for w in rows.works.values()))
    assert len({reading.parsed(raw)["Message-ID"] for _, _, raw in sink.mails}) == 60
    assert sink.connections <= 4


async def test_no_more_mails_are_under_way_than_there_are_hands() -> None:
    rows = Rows()
    rows.put(*(sample("delivered", n) for n in range(1, 10)))
    async with serving() as sink:
        sink.hang = True
        mail_out = MailOut(
            Smarthost("127.0.0.1", sink.port, "starttls"), hello="sms.local", connections=9, whole_s=0.3
        )
        async with running(rows, mail_out, parallel=2):
            await until(lambda: len(rows.leased) == 2)
            assert len(rows.leased) == 2
            await until(lambda: len(rows.later) == 9)


async def test_stopping_lets_a_hand_over_end_and_leaves_one_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.reporter.GRACE_S", 0.2)
    rows = Rows()
    rows.put(sample("delivered"))
    async with serving() as sink:
        sink.hang = True
        async with running(rows, out(sink)):
            await until(lambda: bool(sink.options))
    assert rows.mail(7).state is OutboxState.DUE
    assert rows.mail(7).raw is not None


async def test_notices_are_swept_again_and_again() -> None:
    rows = Rows()
    now = [samples.NOON]
    async with running(rows, None, clock=lambda: now[0]):
        await until(lambda: rows.sweeps == 1)
        now[0] += 15_000
        await until(lambda: rows.sweeps == 2)
