"""Carries out a fault on an exchange: the right answer goes in, what comes out is the fault's business."""

from bridge.simulator import documents, markup
from bridge.simulator.exchange import Exchange, Reply
from bridge.simulator.faults import Action
from bridge.simulator.settings import Settings


def written(document: dict[str, object], http: int, exchange: Exchange) -> Reply:
    """Return a document as the answer the caller accepts: JSON unless it asks for XML."""
    if markup.wants_xml(exchange.header("accept")):
        return Reply(http, markup.to_xml(document), markup.XML_TYPE)
    return Reply(http, markup.to_json(document), markup.JSON_TYPE)


def refusal(http: int, reason: str, exchange: Exchange, settings: Settings) -> Reply:
    """Return a refusal in the spelling of the settings; ``text`` is the bare reason."""
    if settings.errors == "text":
        return Reply(http, reason.encode("utf-8", "replace"))
    return written(documents.failure(reason, settings.errors), http, exchange)


async def act(action: Action, right: Reply, exchange: Exchange, settings: Settings) -> tuple[int, str]:
    """Do to the client what the action says; return the HTTP status it saw (0 for none) and a word for it.

    ``right`` is what would have been answered; only ``drip`` and ``delay`` let it out.
    """
    match action.name:
        case "timeout":
            await exchange.hold(action.hold_ms)
        case "reset":
            await exchange.reset()
        case "hangup":
            await exchange.hang_up()
        case "drip":
            await exchange.drip(right, action.interval_ms)
            return right.status, "drip"
        case "delay":
            await exchange.pause(action.delay_ms)
            await exchange.answer(right)
            return right.status, "delay"
        case _:
            reply = _made_up(action, exchange, settings)
            await exchange.answer(reply)
            return reply.status, action.name
    return 0, action.name


def _made_up(action: Action, exchange: Exchange, settings: Settings) -> Reply:
    if action.name == "redirect":
        where = action.location or "http://127.0.0.1:9/elsewhere"
        return Reply(action.status or 307, b"", headers=(("Location", where),))
    if action.name == "raw":
        kind = action.content_type or "text/plain; charset=utf-8"
        return Reply(action.status or 200, action.body.encode("utf-8", "replace"), kind)
    reply = refusal(action.status or 400, action.reason or "Bad Request", exchange, settings)
    if not action.retry_after:
        return reply
    return Reply(reply.status, reply.body, reply.content_type, (("Retry-After", action.retry_after),))
