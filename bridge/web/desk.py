"""Routes of the desk listener: the message list, one message's story, our mails as they look, who did what,
health, metrics.

Without accounts the desk lives on loopback only; the Host header is checked too, so that a web page elsewhere
cannot read it through a name that resolves to 127.0.0.1 (DNS rebinding).
"""

import asyncio
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.errors import StoreError
from bridge.optout import OptOut
from bridge.report import alarms
from bridge.report.values import MailKind, OutboxMail
from bridge.retry import Account
from bridge.sms import State
from bridge.store import AlarmLine, SmsFilter, Store
from bridge.web import mail_view, metrics
from bridge.web.pages import Pages

PAGE_ROWS: Final = 50
_MAX_QUERY: Final = 200  # characters of one search field
_ALARMS: Final = 20
_OPTOUT: Final = re.compile(r"([0-9]{1,18})\.([0-9]{1,15})\.(\*|[a-z0-9_-]{1,40})", re.ASCII)
_ALARM_FRESH_MS: Final = 24 * 3_600_000
# A mail runs in a sandbox of its own: no script, no form, no request leaves it. It is of our origin so that
# the page around it can measure its height.
_MAIL_POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """``timezone`` is where the operator lives; ``config`` the file that commands shown on a page must name,
    empty when they find it by themselves. ``certificate_ends`` tells when the certificates expire (seconds UTC) by
    file."""

    timezone: ZoneInfo
    version: str
    config: str = ""
    certificate_ends: Callable[[], Mapping[str, float]] = dict


def desk_app(store: Store, settings: DeskSettings, ready: Callable[[], Awaitable[str]]) -> Starlette:
    """Return the ASGI app of the desk listener. ``ready`` returns "" when the service is, else what is missing."""
    desk = _Desk(store, settings)

    async def readyz(request: Request) -> Response:
        missing = await ready()
        return PlainTextResponse(f"not ready: {missing}\n", 503) if missing else PlainTextResponse("ready\n")

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("alive\n")

    routes = [
        Route("/", desk.messages),
        Route("/messages/{message_id}", desk.message),
        Route("/mails", desk.mails),
        Route("/mails/{mail_id}", desk.mail),
        Route("/mails/{mail_id}/html", desk.mail_html),
        Route("/mails/{mail_id}/raw", desk.mail_raw),
        Route("/optouts", desk.optouts),
        Route("/audit", desk.audit),
        Route("/static/{name}", desk.static),
        Route("/metrics", desk.metrics),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(_Guard)],
        exception_handlers={404: desk.not_found, StoreError: desk.no_database, Exception: desk.broken},
    )


class _Desk:
    def __init__(self, store: Store, settings: DeskSettings) -> None:
        self._store = store
        self._certificate_ends = settings.certificate_ends
        self._pages = Pages(settings.timezone, settings.version, settings.config)

    async def messages(self, request: Request) -> Response:
        asked = {key: _field(request, key) for key in ("state", "number", "sender", "text", "mail")}
        state = State(asked["state"]) if asked["state"] in set(State) else None
        asked["state"] = state or ""
        wanted = SmsFilter(
            state=state,
            sender=asked["sender"] or None,
            number=asked["number"] or None,
            text=asked["text"] or None,
            mail_id=asked["mail"] or None,
        )
        before = _before(request)
        rows = await self._store.list_sms(wanted, before, PAGE_ROWS)
        return self._page(
            "messages.html",
            rows=rows,
            asked=asked,
            searched=any(asked.values()),
            states=list(State),
            older=_query(asked, before=rows.older) if rows.older else "",
            newest=_query(asked),
            first=before is None,
            counts=await self._store.counts(),
            stopped=[(one, _why(one)) for one in await self._store.accounts() if one.stop],
            alarms=await self._alarms(),
        )

    async def _alarms(self) -> list[tuple[AlarmLine, alarms.Alarm]]:
        since = time.time() * 1000 - _ALARM_FRESH_MS
        latest = await self._store.list_alarms(_ALARMS)
        return [(one, alarms.words(dict(one.facts))) for one in latest if one.last_at > since]

    async def message(self, request: Request) -> Response:
        story = await self._store.show(request.path_params["message_id"])
        if story is None:
            return await self.not_found(request, None)
        if story.sms.message_id != request.path_params["message_id"]:
            return RedirectResponse(f"/messages/{story.sms.message_id}")
        return self._page("message.html", story=story)

    async def mails(self, request: Request) -> Response:
        before = _before(request)
        rows = await self._store.list_outbox(before, PAGE_ROWS + 1)
        older = _query({}, before=rows[PAGE_ROWS - 1].id) if len(rows) > PAGE_ROWS else ""
        return self._page("mails.html", rows=rows[:PAGE_ROWS], older=older, first=before is None)

    async def _found(self, request: Request) -> OutboxMail | None:
        mail_id = _id(request.path_params["mail_id"])
        return None if mail_id is None else await self._store.outbox_mail(mail_id)

    async def mail(self, request: Request) -> Response:
        found = await self._found(request)
        if found is None:
            return await self.not_found(request, None)
        read = mail_view.as_it_came if found.kind is MailKind.POSTMASTER else mail_view.read
        return self._page("mail.html", mail=found, shown=read(found.raw) if found.raw else None)

    async def mail_html(self, request: Request) -> Response:
        found = await self._found(request)
        if found is None or not found.raw or found.kind is MailKind.POSTMASTER:
            return await self.not_found(request, None)
        headers = {"Content-Security-Policy": _MAIL_POLICY, "X-Frame-Options": "SAMEORIGIN"}
        return HTMLResponse(mail_view.read(found.raw).html, headers=headers)

    async def mail_raw(self, request: Request) -> Response:
        found = await self._found(request)
        if found is None or not found.raw:
            return await self.not_found(request, None)
        name = f'attachment; filename="mail-{found.id}.eml"'
        return Response(found.raw, media_type="message/rfc822", headers={"Content-Disposition": name})

    async def audit(self, request: Request) -> Response:
        before = _before(request)
        rows = await self._store.privacy.acts(before=before, limit=PAGE_ROWS + 1)
        older = _query({}, before=rows[PAGE_ROWS - 1].id) if len(rows) > PAGE_ROWS else ""
        return self._page("audit.html", rows=rows[:PAGE_ROWS], older=older, first=before is None)

    async def optouts(self, request: Request) -> Response:
        before = _optout(request.query_params.get("before", ""))
        rows = await self._store.list_optouts(before, PAGE_ROWS + 1)
        older = _query({}, before=_optout_key(rows[PAGE_ROWS - 1])) if len(rows) > PAGE_ROWS else ""
        return self._page("optouts.html", rows=rows[:PAGE_ROWS], older=older, first=before is None)

    async def static(self, request: Request) -> Response:
        found = self._pages.static(request.path_params["name"])
        if found is None:
            return await self.not_found(request, None)
        content, media_type = found
        return Response(
            content, media_type=media_type, headers={"Cache-Control": "max-age=31536000, immutable"}
        )

    async def metrics(self, request: Request) -> Response:
        store = self._store
        text = metrics.exposition(
            await store.counts(),
            await store.accounts(),
            await store.nodes(),
            await store.leases(),
            await asyncio.to_thread(self._certificate_ends),
            await store.privacy.purge_figures(),
            await store.limit_counts(),
        )
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def not_found(self, request: Request, fault: Exception | None) -> Response:
        return self._page(
            "fault.html", 404, heading="Not found", say="There is no such page or message here."
        )

    async def no_database(self, request: Request, fault: Exception) -> Response:
        return self._page("fault.html", 503, heading="The database cannot be read", say=str(fault))

    async def broken(self, request: Request, fault: Exception) -> Response:
        """A fault of ours. Its text goes to the log alone; the answer passes outside `_Guard`."""
        page = self._page(
            "fault.html", 500, heading="This page is broken", say="A fault of the bridge; its log tells more."
        )
        page.headers.update(_HEADERS)
        return page

    def _page(self, template: str, status: int = 200, **values: object) -> Response:
        return HTMLResponse(self._pages.render(template, **values), status)


class _Guard:
    """Refuse foreign Host headers, and put the strict headers on every answer that brings none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                have = {name.lower() for name, _ in message["headers"]}
                more = [(k.lower().encode(), v.encode()) for k, v in _HEADERS.items()]
                message = {
                    **message,
                    "headers": [*message["headers"], *(h for h in more if h[0] not in have)],
                }
            await send(message)

        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        await (self._app if _loopback_host(host) else _ELSEWHERE)(scope, receive, send_guarded)


_ELSEWHERE: Final = PlainTextResponse("The desk answers on this machine only: use http://127.0.0.1\n", 421)


def _loopback_host(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _field(request: Request, key: str) -> str:
    return request.query_params.get(key, "").strip()[:_MAX_QUERY]


def _before(request: Request) -> int | None:
    return _id(request.query_params.get("before", ""))


def _id(given: str) -> int | None:
    """Return an id of the store; None for what cannot be one, such as what has more than 64 bits."""
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


def _optout_key(one: OptOut) -> str:
    """Return what names an opt-out in a link: its time, number and account."""
    return f"{one.at}.{one.number.removeprefix('+')}.{one.account}"


def _optout(given: str) -> OptOut | None:
    """Return an opt-out that a link names, as far as a list needs it to go on behind it; None for what names none."""
    found = _OPTOUT.fullmatch(given)
    return OptOut(f"+{found[2]}", found[3], int(found[1]), "operator", "", None, 0) if found else None


def _query(asked: Mapping[str, str], **more: object) -> str:
    """Return the query of a link, with what was not asked for left out; "" when nothing was."""
    query = urlencode({key: value for key, value in {**asked, **more}.items() if value})
    return f"?{query}" if query else ""


def _why(account: Account) -> alarms.Alarm:
    return alarms.words({"alarm": "account", "stop": account.stop})
