"""A real database with mails of ours that are due, on a clock that the test turns."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bridge.decide.values import Accept, NewMail, NewSms
from bridge.event import Event, News
from bridge.report.values import MailKind, OutboxMail, OutboxState
from bridge.retry import Answer
from bridge.rules import ReportRule
from bridge.sms import Input, Kind
from bridge.store import Store, StoreSettings, open_store
from tests.render import samples

TEXT = samples.sms().text


@dataclass
class Outbox:
    """The store, its clock in ms, and short ways to have something due."""

    store: Store
    path: Path
    clock: list[int] = field(default_factory=list)

    async def delivered(self, number: str = "+61421000001", *, to: str = "sender") -> None:
        """One SMS all the way from a mail to its delivery: a `delivered` mail is due."""
        sms_id = await self.sent(number, to=to)
        await self.store.record_event(
            Event("webhook", "status", sms_id, number, "raw", news=News.DELIVERED, result="delivered")
        )

    async def sent(self, number: str = "+61421000001", *, to: str = "sender", end: Kind = Kind.SENT) -> str:
        """One SMS that the vendor took, or whose POST ended as ``end`` says; returns its MessageID."""
        mail = NewMail(
            sender="alex@clinic.example",
            proof="auth",
            rule=0,
            client="10.0.0.1",
            subject="Your appointment",
            header_message_id=f"<first.{number[1:]}@clinic.example>",
            references=("<thread@clinic.example>",),
            brand="clinic",
            reports=ReportRule(to=to),
            size=1_500,
        )
        sms = NewSms(number, number, TEXT, "GSM-7", 1, "default", "live", "hold", 3_600_000)
        await self.store.accept(Accept(mail, (sms,)))
        (claimed,) = await self.store.claim("node", 1)
        answer = Answer.CLEAR if end is Kind.SENT else Answer.UNCLEAR
        await self.store.finish(claimed, Input(end, attempt=claimed.attempts), answer)
        return claimed.message_id

    async def reply(self, text: str) -> None:
        """An answer from the phone to an SMS of ours."""
        sms_id = await self.sent()
        await self.store.record_event(Event("webhook", "reply", sms_id, "+61421000001", "raw", text=text))

    async def mails(self) -> tuple[OutboxMail, ...]:
        """All mails of ours, oldest first."""
        return tuple(reversed(await self.store.list_outbox(None, 200)))

    async def until(self, kind: MailKind, state: OutboxState) -> OutboxMail:
        """Wait for a mail of that kind in that state."""
        async with asyncio.timeout(20):
            while True:
                for mail in await self.mails():
                    if mail.kind is kind and mail.state is state:
                        found = await self.store.outbox_mail(mail.id)
                        assert found
                        return found
                await asyncio.sleep(0.01)

    async def until_later(self, attempts: int = 1) -> OutboxMail:
        """Wait for a mail that was put off so many times."""
        async with asyncio.timeout(20):
            while True:
                for mail in await self.mails():
                    if mail.error and mail.attempts >= attempts:
                        return mail
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Another process holds the database, longer than the store waits."""
        other = sqlite3.connect(self.path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            yield
        finally:
            other.close()


@asynccontextmanager
async def opened(
    folder: Path, *, admin: str = "admin@example.com", inbound_to: str = ""
) -> AsyncIterator[Outbox]:
    """A new database under ``folder``."""
    clock = [samples.NOON]
    settings = StoreSettings("sms.local", admin=admin, inbound_to=inbound_to)
    path = folder / "bridge.db"
    store = await open_store(path, settings=settings, clock=lambda: clock[0], busy_ms=50)
    try:
        yield Outbox(store, path, clock)
    finally:
        await store.close()
