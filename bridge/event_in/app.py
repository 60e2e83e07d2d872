"""The ASGI application on `http.listen`: `POST /hooks/sms/<secret>`, `/healthz`, `/readyz`, and nothing else.

Answers are constants. Nothing of a body ever stands in an answer or a log line.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.errors import EventError, StoreError
from bridge.event import Event, Fields, from_fields, is_ours, read_document, read_form
from bridge.event_in import caller
from bridge.rules import Network
from bridge.store import Store

log = logging.getLogger(__name__)

HOOK_PATH: Final = "/hooks/sms/"
MAX_BODY: Final = 64 * 1024
MAX_EVENTS: Final = 200  # in one body; the vendor posts one
BODY_S: Final = 15.0  # for the whole body to arrive

# No browser has any business here; one that is led here anyway must make nothing of an answer.
_STRICT: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)

Ready = Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class HookSettings:
    """Who may post what where. ``pairs`` are (sender, token); empty ``networks`` are any.

    X-Forwarded-For counts when it comes from ``proxies``. ``timezone`` is that of the vendor's local times.
    """

    secret: str = field(repr=False)
    pairs: tuple[tuple[str, str], ...] = field(repr=False)
    networks: tuple[Network, ...] = ()
    proxies: tuple[Network, ...] = ()
    timezone: str = "Australia/Sydney"


def app(store: Store, settings: HookSettings, ready: Ready) -> ASGIApp:
    """Return the application. ``ready`` returns "" when the service is ready, else what is missing.

    It has no router: a framework's way to the one route that is ever used costs twice what the webhook does.
    """
    hook = Hook(store, settings)

    async def answer(request: Request) -> Response:
        path, method = request.scope["path"], request.method
        secret = path.removeprefix(HOOK_PATH)
        if path.startswith(HOOK_PATH) and secret and "/" not in secret:
            return await hook.post(request, secret) if method == "POST" else _not_allowed("POST")
        if path not in ("/healthz", "/readyz"):
            return PlainTextResponse("not found\n", 404)
        if method not in ("GET", "HEAD"):
            return _not_allowed("GET, HEAD")
        missing = await ready() if path == "/readyz" else ""
        said = "alive" if path == "/healthz" else "not ready" if missing else "ready"
        return PlainTextResponse(f"{said}\n", 503 if missing else 200)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        response = await answer(Request(scope, receive))
        response.raw_headers.extend(_STRICT)
        await response(scope, receive, send)

    return serve


def _not_allowed(methods: str) -> Response:
    return PlainTextResponse("method not allowed\n", 405, {"Allow": methods})


class _Answer(Exception):
    """Ends a request early with a status and a constant text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Hook:
    """Takes webhooks for a store."""

    def __init__(self, store: Store, settings: HookSettings) -> None:
        self._store, self._settings = store, settings
        self._zone = ZoneInfo(settings.timezone)

    async def post(self, request: Request, secret: str) -> Response:
        """Answer one webhook that came to the path with ``secret``; 200 only when every event in it is stored."""
        try:
            self._admit(request, secret)
            events = self._events(await _body(request), request)
            await self._keep(events)
        except _Answer as answer:
            log.warning("a webhook was not taken", extra={"status": answer.status, "why": answer.text})
            return PlainTextResponse(answer.text + "\n", answer.status)
        except ClientDisconnect:
            return PlainTextResponse("gone\n", 400)
        return PlainTextResponse("OK\n")

    def _admit(self, request: Request, secret: str) -> None:
        """Let in who knows the secret and calls from where it may; the path's secret is never told apart."""
        if not caller.same(secret, self._settings.secret):
            raise _Answer(404, "not found")
        if self._settings.networks:
            peer = request.client.host if request.client else ""
            forwarded = request.headers.getlist("x-forwarded-for")
            address = caller.caller(peer, forwarded, self._settings.proxies)
            if address is None or not caller.within(address, self._settings.networks):
                raise _Answer(401, "not allowed")
        if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise _Answer(415, "send it without a content encoding")

    def _events(self, body: bytes, request: Request) -> tuple[Event, ...]:
        """Return the events of a body. All are good or none is taken."""
        try:
            given = _read(body)
            if not all(caller.proven(fields, request.headers, self._settings.pairs) for fields in given):
                raise _Answer(401, "not allowed")
            ours = [fields for fields in given if is_ours(fields)]
            if len(ours) < len(given):
                log.info("news of another kind than SMS came", extra={"count": len(given) - len(ours)})
            return tuple(from_fields(fields, "webhook", self._zone) for fields in ours)
        except EventError as error:
            raise _Answer(400, str(error)) from error

    async def _keep(self, events: Sequence[Event]) -> None:
        """Store all events; a client that hangs up meanwhile does not undo it."""
        try:
            if len(events) == 1:
                kept = [await asyncio.shield(self._store.record_event(events[0]))]
            else:
                kept = await asyncio.shield(asyncio.gather(*map(self._store.record_event, events)))
        except StoreError as error:
            raise _Answer(503, "cannot store it now, try again") from error
        for event, how in zip(events, kept, strict=True):
            log.info(
                "an event came",
                extra={"id": event.message_id, "type": event.type, "result": event.result, "how": how},
            )


async def _body(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:12]) > MAX_BODY:
        raise _Answer(413, "too large")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BODY:
                    raise _Answer(413, "too large")
    except TimeoutError as error:
        raise _Answer(408, "too slow") from error
    return bytes(body)


def _read(body: bytes) -> tuple[Fields, ...]:
    """Return the field sets of a body: one, or those of a list. Raises EventError."""
    stripped = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not stripped.startswith((b"{", b"[", b"<")) and b"=" in stripped:
        return (read_form(stripped),)
    document = read_document(stripped)
    if isinstance(document, dict):
        return (document,)
    if not document or len(document) > MAX_EVENTS:
        raise EventError("the list of events is empty or too long")
    if not all(isinstance(one, dict) for one in document):
        raise EventError("the list holds something else than events")
    return tuple(one for one in document if isinstance(one, dict))
