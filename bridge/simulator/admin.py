"""The admin routes: what a test judge or the phone page asks of the vendor from behind the counter."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, replace
from typing import Any, get_args, get_type_hints
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.simulator import markup
from bridge.simulator.books import Item, Received, Sms
from bridge.simulator.documents import price_text
from bridge.simulator.faults import RuleError, read_rule
from bridge.simulator.journal import Entry
from bridge.simulator.numbers import e164
from bridge.simulator.outcomes import Step
from bridge.simulator.settings import Account, ReplyMail, Settings, Webhook
from bridge.simulator.vendor import Vendor

MAX_BODY = 1_000_000
MAX_LISTED = 100_000
STATUSES = ("SUCCESS", "FAILED", "PENDING", "UPDATED")
LOG_FILTERS = ("kind", "message_id", "number", "account", "answer")
# Fixed while the vendor runs: they shape what was made at its start.
FIXED = {"address", "port", "max_records", "webhook_workers"}

Handler = Callable[[Request], Awaitable[Response]]


class BadRequest(ValueError):
    """A request that cannot be honoured; the text says why."""


def routes(vendor: Vendor) -> list[Route]:
    """Return all admin routes for a vendor."""
    desk = Desk(vendor)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/admin/log", desk.log),
        ("GET", "/admin/messages", desk.messages),
        ("GET", "/admin/rules", desk.rules),
        ("POST", "/admin/rules", desk.add_rule),
        ("DELETE", "/admin/rules", desk.clear_rules),
        ("DELETE", "/admin/rules/{rule_id}", desk.remove_rule),
        ("POST", "/admin/reply", desk.reply),
        ("POST", "/admin/event", desk.event),
        ("GET", "/admin/settings", desk.settings),
        ("POST", "/admin/settings", desk.change_settings),
        ("POST", "/admin/reset", desk.reset),
    ]
    return [Route(path, _guarded(handler), methods=[method]) for method, path, handler in table]


def item_view(item: Item) -> dict[str, Any]:
    """Return a record of the books for JSON; ``direction`` is seen from the phone."""
    if isinstance(item, Received):
        return {
            "id": item.serial,
            "direction": "out",
            "at": item.at,
            "account": item.account,
            "number": item.number,
            "text": item.text,
            "received_id": item.received_id,
            "answers": item.sms.message_id if item.sms else "",
        }
    return {
        "id": item.serial,
        "direction": "in",
        "at": item.at,
        "account": item.account,
        "number": item.number,
        "text": item.text,
        "message_id": item.message_id,
        "tracking_id": item.tracking_id,
        "job": item.job,
        "segments": item.segments,
        "encoding": item.encoding,
        "price": price_text(item.price),
        "test": item.test,
        "status": item.status,
        "result": item.result,
        "state": item.state,
        "settled_at": item.settled_at,
        "reply_mail": item.reply_mail,
    }


class Desk:
    """The handlers; each takes a request and returns JSON."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def log(self, request: Request) -> Response:
        """``?after=&limit=&kind=&message_id=&number=&account=&answer=``: the journal, oldest first."""
        wanted = {name: request.query_params[name] for name in LOG_FILTERS if name in request.query_params}
        after, limit = _whole(request, "after", 0), _whole(request, "limit", 1_000)
        entries: list[Entry] = self._vendor.journal.entries(after, limit, **wanted)
        return JSONResponse({"log": [entry.as_dict() for entry in entries]})

    async def messages(self, request: Request) -> Response:
        """``?after=&limit=&number=&direction=``: SMS made and received, oldest first."""
        after, limit = _whole(request, "after", 0), _whole(request, "limit", 1_000)
        number, direction = request.query_params.get("number"), request.query_params.get("direction")
        found: list[dict[str, Any]] = []
        for item in self._vendor.books.items.values():
            if len(found) >= limit:
                break
            if item.serial > after and number in (None, item.number):
                view = item_view(item)
                if direction in (None, view["direction"]):
                    found.append(view)
        return JSONResponse({"messages": found, "total": len(self._vendor.books.items)})

    async def rules(self, request: Request) -> Response:
        """All fault rules with their counts."""
        return JSONResponse({"rules": [rule.as_dict() for rule in self._vendor.rules.all()]})

    async def add_rule(self, request: Request) -> Response:
        """Make one rule from a JSON object."""
        try:
            rule = read_rule(await _json(request), self._vendor.clock())
            self._vendor.rules.add(rule)
        except RuleError as error:
            raise BadRequest(str(error)) from error
        return JSONResponse(rule.as_dict(), 201)

    async def clear_rules(self, request: Request) -> Response:
        """Take all rules away."""
        self._vendor.rules.clear()
        return Response(status_code=204)

    async def remove_rule(self, request: Request) -> Response:
        """Take one rule away."""
        found = self._vendor.rules.remove(request.path_params["rule_id"])
        return Response(status_code=204 if found else 404)

    async def reply(self, request: Request) -> Response:
        """``{"number", "text"}``: that phone sends an SMS."""
        given = await _object(request)
        number = e164(_text(given, "number"), self._vendor.settings.country_code)
        text = _text(given, "text")
        if number is None:
            raise BadRequest("number: a phone number, such as 0421000001 or +61421000001")
        if not text.strip():
            raise BadRequest("text: something to send")
        return JSONResponse(item_view(self._vendor.receive(number, text)), 201)

    async def event(self, request: Request) -> Response:
        """``{"id" or "message_id", "status", "result", "told", "state"}``, or ``{"raw", "content_type"}``."""
        given = await _object(request)
        if "raw" in given:
            return self._raw_event(given)
        sms = self._meant(given)
        status = given.get("status", "SUCCESS")
        if status not in STATUSES:
            raise BadRequest(f"status: one of {', '.join(STATUSES)}")
        result = _text(given, "result", "delivered" if status in ("SUCCESS", "UPDATED") else "Undelivered")
        state = _text(given, "state", "Pending" if status == "PENDING" else "Completed")
        self._vendor.record(sms, Step(0, status, result, state, told=bool(given.get("told", True))))
        return JSONResponse(item_view(sms))

    async def settings(self, request: Request) -> Response:
        """What the vendor is told now."""
        return JSONResponse(asdict(self._vendor.settings))

    async def change_settings(self, request: Request) -> Response:
        """Change any of the settings but those fixed at the start."""
        self._vendor.settings = changed(self._vendor.settings, await _object(request))
        return JSONResponse(asdict(self._vendor.settings))

    async def reset(self, request: Request) -> Response:
        """Forget messages, log, rules and whatever is under way; settings stay."""
        self._vendor.forget_all()
        return Response(status_code=204)

    def _raw_event(self, given: dict[str, Any]) -> Response:
        raw = given["raw"]
        body = raw.encode("utf-8", "replace") if isinstance(raw, str) else markup.to_json(raw)
        kind = _text(given, "content_type", markup.JSON_TYPE)
        self._vendor.poster.tell_raw(body, kind, self._vendor.settings.accounts[0].sender)
        return JSONResponse({"queued": True}, 202)

    def _meant(self, given: dict[str, Any]) -> Sms:
        if isinstance(given.get("id"), int):
            sms = self._vendor.books.sms(given["id"])
        else:
            sms = self._vendor.books.find(_text(given, "message_id"))
        if sms is None:
            raise BadRequest("no such SMS")
        return sms


def changed(settings: Settings, given: dict[str, Any]) -> Settings:
    """Return settings with the given keys replaced; raise BadRequest for an unknown, fixed or wrong one."""
    values: dict[str, Any] = {}
    hints = get_type_hints(Settings)
    for name, value in given.items():
        if name not in hints or name in FIXED:
            raise BadRequest(f"{name}: cannot be changed")
        values[name] = _setting(name, value, hints[name])
    return replace(settings, **values)


def _setting(name: str, value: Any, hint: Any) -> Any:
    if name in ("webhook", "reply_mail"):
        return None if value is None else _built(Webhook if name == "webhook" else ReplyMail, value, name)
    if name == "accounts":
        if not isinstance(value, list) or not value:
            raise BadRequest("accounts: a list of at least one")
        return tuple(_built(Account, item, name) for item in value)
    return _checked(name, value, hint)


def _built(kind: type[Any], value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        raise BadRequest(f"{name}: an object")
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind)}
    if not set(value) <= known:
        raise BadRequest(f"{name}: keys are {', '.join(sorted(known))}")
    try:
        return kind(**{key: _checked(f"{name}.{key}", item, hints[key]) for key, item in value.items()})
    except TypeError as error:
        raise BadRequest(f"{name}: {error}") from error


def _checked(name: str, value: Any, hint: Any) -> Any:
    allowed = get_args(hint)
    if allowed:
        if value not in allowed:
            raise BadRequest(f"{name}: one of {', '.join(allowed)}")
    elif type(value) is not hint or (hint is int and value < 0):
        raise BadRequest(f"{name}: {hint.__name__} expected")
    elif name == "timezone" and value not in available_timezones():
        raise BadRequest(f"timezone: there is no {value}")
    return value


def _guarded(handler: Handler) -> Handler:
    """Turn mistakes of the request into a 400 that says them, and keep other sites' pages out."""

    async def guarded(request: Request) -> Response:
        if not same_origin(request):
            return JSONResponse({"error": "not from another site"}, 403)
        try:
            return await handler(request)
        except BadRequest as error:
            return JSONResponse({"error": str(error)}, 400)

    return guarded


def same_origin(request: Request) -> bool:
    """Tell whether the request is no browser's cross-site one: browsers name the origin of every POST."""
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")


async def _json(request: Request) -> Any:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise BadRequest("body too large")
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not JSON") from error


async def _object(request: Request) -> dict[str, Any]:
    given = await _json(request)
    if not isinstance(given, dict):
        raise BadRequest("a JSON object is wanted")
    return given


def _text(given: dict[str, Any], name: str, default: str = "") -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name}: a text")
    return value


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise BadRequest(f"{name}: a whole number")
    return min(int(text), MAX_LISTED) if name == "limit" else int(text)
