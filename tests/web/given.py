"""A real store with mails, SMS and answers in it, and the desk over it: as ASGI app and on a port."""

import contextlib
import datetime
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from starlette.applications import Starlette

from bridge.app.http import http_server
from bridge.decide.values import Accept, NewMail, NewSms
from bridge.errors import StoreError
from bridge.event import Event, News
from bridge.render import Renderer
from bridge.retry import Answer
from bridge.rules import ReportRule
from bridge.sms import Input, Kind, Sms
from bridge.store import Store
from bridge.web import DeskSettings, desk_app
from tests import given_store
from tests.render import samples

NUMBER = "+61421000001"
SENDER = "alex@clinic.example"
ZONE = ZoneInfo("Australia/Sydney")
HOME = "http://127.0.0.1:8080"
_IDS = itertools.count()

SCRIPT = "<script>document.title='owned'</script>"
HOSTILE = [
    SCRIPT,
    "<img src='http://127.0.0.1:9/x.png' onerror=\"document.title='owned'\">",
    "</td></tr></table></body><h1 id=owned>big</h1>",
    '" autofocus onfocus="document.title=1" x="',
    "<iframe srcdoc='<script>top.document.title=1</script>'></iframe>",
    "<base href=http://127.0.0.1:9/><link rel=stylesheet href=x.css><a id=owned href=javascript:alert(1)>x</a>",
    "{{ 7 * 7 }} {% include 'base.html' %}",
    "\u202egnp.exe\u2066 \x07 and more",
    "wide" * 60,
]


def renderer() -> Renderer:
    """The mails as the service makes them, with the clinic's logo."""
    brands = {"default": samples.PLAIN, "clinic": samples.CLINIC}
    return Renderer(brands, domain="sms.local", instance="sms.local", local=_local)


def _local(at: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at / 1000, ZONE)


@dataclass(frozen=True, slots=True)
class Desk:
    """The store, the desk's app over it, and a client that is asked for no name and no proxy."""

    store: Store
    app: Starlette
    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def mailed(
        self, texts: Sequence[str] = ("See you at 5",), *, number: str = NUMBER, **mail: Any
    ) -> tuple[Sms, ...]:
        """One mail with an SMS for each of ``texts``, queued."""
        facts: dict[str, Any] = {
            "sender": SENDER,
            "proof": "auth",
            "rule": 0,
            "client": "192.0.2.9",
            "subject": "Appointment",
            "header_message_id": f"<{next(_IDS)}@clinic.example>",
            "references": (),
            "brand": "clinic",
            "reports": ReportRule(),
            "size": 100,
        }
        sms = tuple(
            NewSms(number, number, text, "gsm7", 1, "default", "live", "hold", 3_600_000) for text in texts
        )
        return (await self.store.accept(Accept(NewMail(**(facts | mail)), sms))).queued

    async def sent(
        self, text: str = "See you at 5", *, end: Kind = Kind.SENT, why: str = "", **mail: Any
    ) -> Sms:
        """One SMS whose POST ended so."""
        (queued,) = await self.mailed([text], **mail)
        (claimed,) = await self.store.claim("node", 1)
        assert claimed.id == queued.id
        answer = Answer.CLEAR if end is Kind.SENT else Answer.UNCLEAR
        after = await self.store.finish(claimed, Input(end, claimed.attempts, why), answer)
        assert after is not None
        return after

    async def delivered(self, sms: Sms) -> None:
        news = Event("webhook", "status", sms.message_id, sms.number, '{"Status": "SUCCESS"}', News.DELIVERED)
        await self.store.record_event(news)

    async def answered(self, sms: Sms, text: str) -> None:
        await self.store.record_event(
            Event("webhook", "reply", sms.message_id, sms.number, f'{{"Message": "{text}"}}', text=text)
        )

    async def made_mails(self) -> list[int]:
        """Make every mail of ours that is due, and keep it; their ids, oldest first."""
        made = []
        while work := await self.store.claim_mail(100):
            for one in work:
                finished = renderer().render(one.mail, one.source, one.sms)
                await self.store.rendered((one.mail.id, finished.raw, finished.subject))
                await self.store.mail_kept(one.mail.id)
                made.append(one.mail.id)
        return sorted(made)

    def ready_on_a_port(self) -> contextlib.AbstractAsyncContextManager[int]:
        """Serve the desk as the service does; gives the port."""
        return http_server(self.app, "127.0.0.1", 0)


@contextlib.asynccontextmanager
async def opened(
    folder: Path, ready: Callable[[], Awaitable[str]] | None = None, **settings: Any
) -> AsyncIterator[Desk]:
    """The desk over a database in that folder; ready when the database is, if nothing else is said."""
    async with given_store.opened(folder, **settings) as store:

        async def writable() -> str:
            try:
                await store.check()
            except StoreError as fault:
                return str(fault)
            return ""

        app = desk_app(store, DeskSettings(ZONE, "0.0.1"), ready or writable)
        wire = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=wire, base_url=HOME, trust_env=False) as client:
            yield Desk(store, app, client)
