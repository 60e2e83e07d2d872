"""The reporter over a real database and a real smarthost: every due mail ends sent, waiting, dead or kept."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dkim
import pytest

from bridge.event import Event
from bridge.mail_out import MailOut, Signer, Smarthost, keygen
from bridge.mail_out.hand_over import WHOLE_S
from bridge.render import Renderer
from bridge.report.values import MailKind, OutboxState
from bridge.reporter import CLAIM_HOLDS_S, GIVE_UP_AFTER_MS, Reporter
from bridge.sms import HOUR, Kind
from bridge.store.outbox import LEASE_MS
from tests.mail_out.sink import Sink, serving, until
from tests.render import reading, samples
from tests.reporter.stored import TEXT, Outbox, opened

PEM, RECORD = keygen()
DELIVERED, ALARM = MailKind.DELIVERED, MailKind.ALARM
SENT, DUE, DEAD, KEPT = OutboxState.SENT, OutboxState.DUE, OutboxState.DEAD, OutboxState.KEPT


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Outbox]:
    async with opened(tmp_path) as outbox:
        yield outbox


def out(sink: Sink, **options: Any) -> MailOut:
    return MailOut(Smarthost("127.0.0.1", sink.port, "starttls"), hello="sms.local", **options)


@asynccontextmanager
async def running(box: Outbox, mail_out: MailOut | None, **options: Any) -> AsyncIterator[None]:
    renderer = options.pop("renderer", None) or samples.renderer()
    signer = options.pop("signer", None)
    reporter = Reporter(
        box.store, renderer, mail_out, signer, jitter=lambda: 0.0, clock=lambda: box.clock[0], **options
    )
    stop = asyncio.Event()
    task = asyncio.create_task(reporter.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def test_a_due_mail_is_stored_as_it_goes_out_and_handed_over(box: Outbox) -> None:
    await box.delivered()
    async with serving() as sink, running(box, out(sink)):
        mail = await box.until(DELIVERED, SENT)
    ((sender, to, raw),) = sink.mails
    assert sender in ("", "<>")
    assert to == ["alex@clinic.example"]
    assert raw == mail.raw
    assert mail.subject == "Re: Your appointment"
    assert reading.parsed(raw)["Message-ID"] == mail.message_id
    assert reading.parsed(raw)["In-Reply-To"] == "<first.61421000001@clinic.example>"
    assert TEXT in reading.part(raw, "text/plain")


async def test_a_reply_is_signed_and_has_a_bounce_address_of_its_own(box: Outbox) -> None:
    await box.reply("Thanks!")
    signer = Signer("sms.local", "bridge", PEM.encode())
    async with serving() as sink, running(box, out(sink), signer=signer):
        mail = await box.until(MailKind.REPLY, SENT)
    sender, _, raw = sink.mails[0]
    assert mail.bounce_key
    assert sender == f"bounce+{mail.bounce_key}@sms.local"
    assert "Thanks!" in reading.part(raw, "text/plain")
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: RECORD.encode())


async def test_without_a_smarthost_mails_are_made_and_kept_to_be_seen(box: Outbox) -> None:
    await box.delivered()
    async with running(box, None, signer=Signer("sms.local", "bridge", PEM.encode())):
        mail = await box.until(DELIVERED, KEPT)
    assert mail.raw is not None
    assert reading.part(mail.raw, "text/html")
    assert b"DKIM-Signature" not in mail.raw


async def test_a_refusal_for_now_waits_longer_each_time_and_the_same_octets_go_out_later(box: Outbox) -> None:
    await box.delivered()
    async with serving() as sink, running(box, out(sink)):
        sink.at_rcpt = "450 4.2.0 greylisted"
        first = await box.until_later()
        assert (first.error, first.due_at - box.clock[0]) == ("450 4.2.0 greylisted", 15_000)
        made = await box.store.outbox_mail(first.id)
        box.clock[0] = first.due_at
        second = await box.until_later(2)
        assert second.due_at - box.clock[0] == 30_000
        sink.at_rcpt = ""
        box.clock[0] = second.due_at
        await box.until(DELIVERED, SENT)
    assert made
    assert sink.mails[0][2] == made.raw


async def test_a_refusal_for_good_is_dead_and_the_admin_is_told_once(
    box: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    await box.delivered()
    await box.delivered("+61421000002")
    async with serving() as sink:
        sink.at_rcpt = "550 5.1.1 no such user"
        async with running(box, out(sink)):
            await box.until(ALARM, DEAD)
            await until(lambda: len(sink.options) >= 3)
    mails = await box.mails()
    assert [mail.kind for mail in mails] == [DELIVERED, DELIVERED, ALARM]
    assert {mail.state for mail in mails} == {DEAD}
    assert mails[0].error == "550 5.1.1 no such user"
    (told,) = [vars(one) for one in caplog.records if one.message == "an alarm for the admin"]
    assert told["about"].startswith("alarm: mail-dead; kind: delivered; to: alex@clinic.example; why: 550")
    assert dict(mails[2].facts) == {
        "alarm": "mail-dead",
        "kind": "delivered",
        "to": "alex@clinic.example",
        "why": "550 5.1.1 no such user",
    }


async def test_after_five_days_a_mail_is_given_up(box: Outbox) -> None:
    await box.delivered()
    box.clock[0] += GIVE_UP_AFTER_MS
    async with serving() as sink, running(box, out(sink)):
        sink.at_mail = "451 4.3.0 not now"
        mail = await box.until(DELIVERED, DEAD)
    assert mail.error == "given up after five days: 451 4.3.0 not now"


async def test_a_mail_that_cannot_be_made_safely_is_dead_and_the_others_go_out(box: Outbox) -> None:
    await box.delivered(to="a@b.example\r\nBcc: x@y.example")
    await box.delivered("+61421000002")
    async with serving() as sink, running(box, out(sink)):
        mail = await box.until(DELIVERED, DEAD)
        await box.until(DELIVERED, SENT)
        await box.until(ALARM, SENT)
    assert "malformed" in mail.error
    assert sorted(to[0] for _, to, _ in sink.mails) == ["admin@example.com", "alex@clinic.example"]


async def test_a_fault_of_ours_kills_no_mail(box: Outbox) -> None:
    def broken(at: int) -> datetime.datetime:
        raise OverflowError(at)

    renderer = Renderer({"default": samples.PLAIN}, domain="sms.local", instance="i", local=broken)
    await box.delivered()
    async with serving() as sink, running(box, out(sink), renderer=renderer):
        mail = await box.until_later()
    assert mail.error == "a fault of the bridge: OverflowError"
    assert sink.mails == []


async def test_a_mail_for_postmaster_goes_to_the_admin_as_it_came(box: Outbox) -> None:
    raw = b"From: who@far.example\r\nSubject: about your server\r\n\r\nhello \xff\r\n"
    assert await box.store.postmaster(raw, "192.0.2.1")
    async with serving() as sink, running(box, out(sink)):
        await box.until(MailKind.POSTMASTER, SENT)
    assert sink.mails[0][1:] == (["admin@example.com"], raw)
    assert sink.mails[0][0] in ("", "<>")


async def test_an_sms_that_answers_none_of_ours_goes_to_reception(tmp_path: Path) -> None:
    async with opened(tmp_path, inbound_to="desk@clinic.example") as box:
        await box.store.record_event(Event("webhook", "inbound", None, "Telstra", "raw", text="Your bill"))
        async with serving() as sink, running(box, out(sink)):
            await box.until(MailKind.INBOUND, SENT)
    assert sink.mails[0][1] == ["desk@clinic.example"]
    assert reading.parsed(sink.mails[0][2])["Subject"] == "SMS from Telstra"


async def test_a_brands_broken_template_is_told_and_the_mail_goes_out(box: Outbox, tmp_path: Path) -> None:
    (tmp_path / "delivered").mkdir()
    (tmp_path / "delivered" / "body.html").write_text("{% if %}")
    brand = replace(samples.CLINIC, templates=str(tmp_path))
    await box.delivered()
    async with serving() as sink, running(box, out(sink), renderer=samples.renderer(brand)):
        await box.until(DELIVERED, SENT)
        alarm = await box.until(ALARM, SENT)
    assert dict(alarm.facts)["brand"] == "clinic"
    assert dict(alarm.facts)["why"].startswith("template delivered/body.html")


async def test_a_database_that_is_locked_for_a_while_stops_nothing_for_good(
    box: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    await box.delivered()
    async with serving() as sink:
        async with box.locked():
            running_now = running(box, out(sink))
            await running_now.__aenter__()
            await until(lambda: "the outbox cannot be read" in caplog.text)
        await box.until(DELIVERED, SENT)
        await running_now.__aexit__(None, None, None)
    assert len(sink.mails) == 1


async def test_an_end_that_cannot_be_written_for_a_while_is_written_later_and_the_mail_goes_once(
    box: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    await box.delivered()
    async with serving() as sink, running(box, out(sink)):
        sink.gate = asyncio.Event()
        await until(lambda: bool(sink.options))
        async with box.locked():
            sink.gate.set()
            await until(lambda: "its state cannot be written now" in caplog.text)
        await box.until(DELIVERED, SENT)
    assert len(sink.mails) == 1


async def test_an_end_that_could_not_be_written_repeats_the_same_mail_with_the_same_id(
    box: Outbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.reporter.STORE_PATIENCE_S", 0.0)
    monkeypatch.setattr("bridge.reporter.CLAIMS_EVERY_S", 0.0)
    await box.delivered()
    async with serving() as sink, running(box, out(sink)):
        sink.gate = asyncio.Event()
        await until(lambda: bool(sink.options))
        async with box.locked():
            sink.gate.set()
            await until(lambda: "left for another time" in caplog.text)
        await box.until(DELIVERED, SENT)
    assert len(sink.mails) == 2
    assert sink.mails[0] == sink.mails[1]


async def test_many_mails_go_out_over_few_connections(box: Outbox) -> None:
    for n in range(30):
        await box.delivered(f"+614210001{n:02d}")
    async with serving() as sink, running(box, out(sink)):
        await until(lambda: len(sink.mails) == 30)
    assert len({reading.parsed(raw)["Message-ID"] for _, _, raw in sink.mails}) == 30
    assert sink.connections <= 4


async def test_no_more_mails_are_under_way_than_there_are_hands(box: Outbox) -> None:
    for n in range(6):
        await box.delivered(f"+614210001{n:02d}")
    async with serving() as sink:
        sink.hang = True
        async with running(box, out(sink, connections=6, whole_s=0.3), parallel=2):
            await until(lambda: len(sink.options) == 6)
    assert sink.most_at_once == 2


async def test_stopping_leaves_a_hand_over_that_hangs_and_keeps_the_mail(
    box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.reporter.GRACE_S", 0.2)
    await box.delivered()
    async with serving() as sink:
        sink.hang = True
        async with running(box, out(sink)):
            await until(lambda: bool(sink.options))
    mail = await box.until(DELIVERED, DUE)
    assert mail.raw is not None


async def test_doubts_are_swept_up_while_the_service_runs(box: Outbox) -> None:
    await box.delivered()
    await box.sent("+61421000002", end=Kind.UNCLEAR)
    async with serving() as sink, running(box, out(sink)):
        await box.until(DELIVERED, SENT)
        box.clock[0] += 16 * 60_000
        mail = await box.until(MailKind.FAILED, SENT)
    assert dict(mail.facts)["state"] == "unknown"
    assert "We cannot tell yet" in reading.part(sink.mails[-1][2], "text/plain")


async def test_a_mail_that_waited_too_long_for_a_hand_is_handed_over_another_time(
    box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another node's by now."""
    monkeypatch.setattr("bridge.reporter.CLAIM_HOLDS_S", -1.0)
    async with serving() as sink:
        async with running(box, out(sink)), asyncio.timeout(20):
            for n in (1, 2):  # when the second is made, the first was let go
                await box.delivered(f"+6142100000{n}")
                while (made := await box.store.outbox_mail(n)) is None or made.raw is None:
                    await asyncio.sleep(0.01)
        assert not sink.mails
        monkeypatch.undo()
        async with running(box, out(sink)):
            await until(lambda: len(sink.mails) == 2)
    assert [to for _, to, _ in sink.mails] == [["alex@clinic.example"]] * 2


def test_whatever_is_slow_a_hand_over_ends_within_the_lease_of_its_row() -> None:
    assert CLAIM_HOLDS_S + WHOLE_S < LEASE_MS / 1000


@pytest.mark.parametrize("step_ms", [HOUR, -HOUR])
async def test_a_clock_that_jumps_while_a_mail_is_handed_over_does_not_send_it_twice(
    box: Outbox, monkeypatch: pytest.MonkeyPatch, step_ms: int
) -> None:
    monkeypatch.setattr("bridge.reporter.CLAIMS_EVERY_S", 0.0)
    await box.delivered()
    async with serving() as sink, running(box, out(sink)):
        sink.gate = asyncio.Event()
        await until(lambda: len(sink.options) == 1)
        box.clock[0] += step_ms
        await box.delivered("+61421000002")
        await until(lambda: len(sink.options) == 2)  # what is due by now was claimed
        await box.delivered("+61421000003")
        await until(lambda: len(sink.options) == 3)
        sink.gate.set()
        await until(lambda: len(sink.mails) >= 3)
    assert {mail.state for mail in await box.mails()} == {SENT}
    assert len({reading.parsed(raw)["Message-ID"] for _, _, raw in sink.mails}) == len(sink.mails) == 3


async def test_no_hand_over_begins_once_the_service_stops(
    box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.reporter.GRACE_S", 20.0)
    for n in range(3):
        await box.delivered(f"+614210001{n:02d}")
    async with serving() as sink:
        sink.gate = asyncio.Event()
        async with running(box, out(sink), parallel=1):
            await until(lambda: bool(sink.options))
            asyncio.get_running_loop().call_later(
                0.3, sink.gate.set
            )  # when the reporter has heard of the stop
        assert len(sink.mails) == 1
