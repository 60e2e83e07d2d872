"""Routes of the desk listener: the message list, one message's story, our mails as they look, health, metrics.

Without accounts the desk lives on loopback only; the Host header is checked too, so that a web page elsewhere
cannot read it through a name that resolves to 127.0.0.1 (DNS rebinding).
"""

import ipaddress
from collections.abc import Awaitable, Callable
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
from bridge.sms import State
from bridge.store import SmsFilter, Store
from bridge.web import mail_view, metrics
from bridge.web.pages import Pages

PAGE_ROWS: Final = 50
_MAX_QUERY: Final = 200  # characters of one search field
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """``timezone`` is where the operator lives; ``brands`` maps a brand's key to its name for display."""

    timezone: ZoneInfo
    version: str


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
        Route("/mails/{mail_id:int}", desk.mail),
        Route("/mails/{mail_id:int}/html", desk.mail_html),
        Route("/mails/{mail_id:int}/raw", desk.mail_raw),
        Route("/static/{name}", desk.static),
        Route("/metrics", desk.metrics),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(_Guard)],
        exception_handlers={404: desk.not_found, StoreError: desk.no_database},
    )


class _Desk:
    def __init__(self, store: Store, settings: DeskSettings) -> None:
        self._store = store
        self._pages = Pages(settings.timezone, settings.version)

    async def messages(self, request: Request) -> Response:
        asked = {key: _field(request, key) for key in ("state", "number", "sender", "text")}
        state = State(asked["state"]) if asked["state"] in set(State) else None
        wanted = SmsFilter(
            state=state,
            sender=asked["sender"] or None,
            number=asked["number"] or None,
            text=asked["text"] or None,
        )
        rows = await self._store.list_sms(wanted, _before(request), PAGE_ROWS)
        older = urlencode({**asked, "before": rows.older}) if rows.older else ""
        return self._page(
            "messages.html",
            rows=rows,
            asked=asked,
            states=list(State),
            older=older,
            first=_before(request) is None,
            counts=await self._store.counts(),
            accounts=[account for account in await self._store.accounts() if account.stop],
        )

    async def message(self, request: Request) -> Response:
        story = await self._store.show(request.path_params["message_id"])
        if story is None:
            return await self.not_found(request, None)
        if story.sms.message_id != request.path_params["message_id"]:
            return RedirectResponse(f"/messages/{story.sms.message_id}")
        return self._page("message.html", story=story)

    async def mails(self, request: Request) -> Response:
        rows = await self._store.list_outbox(_before(request), PAGE_ROWS + 1)
        older = urlencode({"before": rows[PAGE_ROWS - 1].id}) if len(rows) > PAGE_ROWS else ""
        return self._page("mails.html", rows=rows[:PAGE_ROWS], older=older)

    async def mail(self, request: Request) -> Response:
        found = await self._store.outbox_mail(request.path_params["mail_id"])
        if found is None:
            return await self.not_found(request, None)
        shown = mail_view.read(found.raw) if found.raw else None
        return self._page("mail.html", mail=found, shown=shown)

    async def mail_html(self, request: Request) -> Response:
        found = await self._store.outbox_mail(request.path_params["mail_id"])
        if found is None or not found.raw:
            return await self.not_found(request, None)
        body = mail_view.read(found.raw).html
        # The mail runs in a sandbox of its own: no script, no form, no request leaves it.
        policy = (
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
        )
        return HTMLResponse(
            body, headers={"Content-Security-Policy": policy, "X-Frame-Options": "SAMEORIGIN"}
        )

    async def mail_raw(self, request: Request) -> Response:
        found = await self._store.outbox_mail(request.path_params["mail_id"])
        if found is None or not found.raw:
            return await self.not_found(request, None)
        name = f'attachment; filename="mail-{found.id}.eml"'
        return Response(found.raw, media_type="message/rfc822", headers={"Content-Disposition": name})

    async def static(self, request: Request) -> Response:
        found = self._pages.static(request.path_params["name"])
        if found is None:
            return await self.not_found(request, None)
        content, media_type = found
        return Response(content, media_type=media_type, headers={"Cache-Control": "max-age=3600"})

    async def metrics(self, request: Request) -> Response:
        text = metrics.exposition(await self._store.counts(), await self._store.accounts())
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def not_found(self, request: Request, fault: Exception | None) -> Response:
        return self._page(
            "fault.html", 404, heading="Not found", say="There is no such page or message here."
        )

    async def no_database(self, request: Request, fault: Exception) -> Response:
        return self._page("fault.html", 503, heading="The database cannot be read", say=str(fault))

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
        if not _loopback_host(dict(scope["headers"]).get(b"host", b"").decode("latin-1")):
            answer = PlainTextResponse("The desk answers on this machine only: use http://127.0.0.1\n", 421)
            await answer(scope, receive, send)
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

        await self._app(scope, receive, send_guarded)


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
    given = request.query_params.get("before", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
