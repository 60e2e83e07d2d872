"""The phone page: static files, the list of phones, one phone's thread, live news by Server-Sent Events."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from importlib import resources
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bridge.simulator.admin import item_view, same_origin
from bridge.simulator.books import Item, Sms
from bridge.simulator.changes import TooManyWatchers, Watcher
from bridge.simulator.magic import AFTER_SENDING, AT_THE_ANSWER, Magic
from bridge.simulator.vendor import Vendor

MAX_THREADS = 200
MAX_ITEMS = 300
MAX_PREVIEW = 120
PING_S = 15.0

FILES = {"/": ("phone.html", "text/html"), "/phone.css": ("phone.css", "text/css"),
         "/phone.js": ("phone.js", "text/javascript")}  # fmt: skip


def routes(vendor: Vendor) -> list[Route]:
    """Return the routes of the page."""
    page = Page(vendor)
    static = [Route(path, page.file, methods=["GET"]) for path in FILES]
    return [
        *static,
        Route("/phone/live", page.live, methods=["GET"]),
        Route("/phone/thread", page.thread, methods=["GET"]),
        Route("/phone/about", page.about, methods=["GET"]),
    ]


class Page:
    """The handlers of the page."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        folder = resources.files("bridge.simulator") / "static"
        self._files = {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}

    async def file(self, request: Request) -> Response:
        """One of the page's own three files; there are no others."""
        body, kind = self._files[request.url.path]
        return Response(body, media_type=kind)

    async def about(self, request: Request) -> Response:
        """What the page says beside the phones: the table of magic numbers and how to send a first SMS."""
        settings = self._vendor.settings
        return JSONResponse(
            {
                "hint": settings.hint,
                "own_number": settings.own_number,
                "country_code": settings.country_code,
                "magic": settings.magic,
                "after_sending": [_magic_view(magic) for magic in AFTER_SENDING],
                "at_the_answer": [_magic_view(magic) for magic in AT_THE_ANSWER],
                "sender": settings.accounts[0].sender,
                "token": settings.accounts[0].token,
            }
        )

    async def thread(self, request: Request) -> Response:
        """``?number=``: the last items of one phone, oldest first."""
        items = self._vendor.books.threads.get(request.query_params.get("number", ""), deque())
        last = list(islice(reversed(items), MAX_ITEMS))[::-1]
        views = [item_view(item) for item in last]
        return JSONResponse({"items": views, "total": len(items)})

    async def live(self, request: Request) -> Response:
        """The stream of changes: first all phones, then those that changed."""
        if not same_origin(request):
            return Response(status_code=403)
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            with self._vendor.changes.watch() as watcher:
                async for message in self._messages(watcher):
                    yield message
        except TooManyWatchers:
            yield b"retry: 30000\n\n"

    async def _messages(self, watcher: Watcher) -> AsyncIterator[bytes]:
        while True:
            try:
                await asyncio.wait_for(watcher.changed.wait(), PING_S)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if self._vendor.closing.is_set():
                return
            yield self._news(await watcher.take())

    def _news(self, numbers: list[str] | None) -> bytes:
        threads = self._vendor.books.threads
        known = reversed(threads) if numbers is None else reversed([n for n in numbers if n in threads])
        summaries = [_summary(number, threads[number]) for number in islice(known, MAX_THREADS)]
        name = "all" if numbers is None else "changed"
        data = json.dumps({"threads": summaries, "total": len(threads)}, separators=(",", ":"))
        return f"event: {name}\ndata: {data}\n\n".encode()


def _summary(number: str, items: deque[Item]) -> dict[str, Any]:
    last = items[-1]
    return {
        "number": number,
        "at": last.at,
        "id": last.serial,
        "count": len(items),
        "text": last.text[:MAX_PREVIEW],
        "direction": "in" if isinstance(last, Sms) else "out",
        "status": last.status if isinstance(last, Sms) else "",
    }


def _magic_view(magic: Magic) -> dict[str, str]:
    return {"ending": magic.ending, "about": magic.about}
