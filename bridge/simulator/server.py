"""Runs the vendor: builds the application, listens, and stops without leaving a held connection behind.

`running` embeds it in a loop that someone else owns; `serve` is the whole program.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge.simulator import admin, page
from bridge.simulator.exchange import TRANSPORT
from bridge.simulator.polls import ReceivedPoll, ReplyPoll, StatusPoll
from bridge.simulator.send import SendEndpoint
from bridge.simulator.settings import Settings
from bridge.simulator.vendor import Vendor

API = "/api/v2.04"
KEEP_ALIVE_S = 5
BACKLOG = 1_024
STOP_WITHIN_S = 3
# On all that is not the vendor's API: a browser may show it.
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PORT = re.compile(r":[0-9]*$")


def application(vendor: Vendor) -> ASGIApp:
    """Return the vendor's web application: its API, the admin routes and the phone page."""
    api: list[tuple[str, ASGIApp]] = [
        ("/HttpApi/SMS", SendEndpoint(vendor)),
        ("/get/status/{message_id}", StatusPoll(vendor)),
        ("/get/sms/received", ReceivedPoll(vendor)),
        ("/get/sms/reply/{message_id}", ReplyPoll(vendor)),
    ]
    routes = [Route(API + path, endpoint) for path, endpoint in api]
    starlette = Starlette(routes=[*routes, *admin.routes(vendor), *page.routes(vendor)])
    send = api[0][1]

    async def front(scope: Scope, receive: Receive, send_message: Send) -> None:
        # The hot path of benchmarks goes straight to its endpoint.
        if scope["path"] == API + "/HttpApi/SMS":
            await send(scope, receive, send_message)
        elif scope["path"].startswith(API):
            await starlette(scope, receive, send_message)
        elif _named_well(scope, vendor.settings):
            await starlette(scope, receive, _strictly(send_message))
        else:
            await PlainTextResponse("unknown host name", 421)(scope, receive, _strictly(send_message))

    return front


class Connection(H11Protocol):
    """uvicorn's HTTP protocol, which lends the application its transport, so that faults can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the application for this one connection."""
        super().connection_made(transport)
        app: Any = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = with_transport


class Server(uvicorn.Server):
    """uvicorn's server without its hold on signals, told to stop by an event."""

    def __init__(self, config: uvicorn.Config, vendor: Vendor) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._vendor = vendor

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever owns the loop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen and say so."""
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        """Wait for the end."""
        await self._vendor.closing.wait()


class Simulator:
    """A vendor that is running. ``vendor`` is open to those who embed it."""

    def __init__(self, vendor: Vendor, host: str, port: int) -> None:
        self.vendor = vendor
        self.port = port
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def send_url(self) -> str:
        """Where SMS are sent."""
        return f"{self.url}{API}/HttpApi/SMS"

    @property
    def rest_url(self) -> str:
        """Below which polls are."""
        return self.url + API

    def configure(self, **changes: Any) -> None:
        """Replace settings by name while running, such as ``webhook`` once its address is known."""
        self.vendor.settings = replace(self.vendor.settings, **changes)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Simulator]:
    """Run a vendor for the time of the block, in this loop. Raises OSError when it cannot listen."""
    vendor = Vendor(settings)
    listener = _listen(settings.address, settings.port)
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        application(vendor),
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        backlog=BACKLOG,
    )
    server = Server(config, vendor)
    tasks = [asyncio.create_task(server.serve([listener]))]
    tasks += [asyncio.create_task(loop) for loop in (vendor.poster.run(), vendor.mailer.run())]
    try:
        await server.listening.wait()
        yield Simulator(vendor, host, port)
    finally:
        vendor.close()
        await tasks[0]
        for task in tasks[1:]:
            await end(task)


async def serve(
    settings: Settings,
    ready: Callable[[Simulator], object] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run a vendor until ``stop`` is set or the task is cancelled; ``ready`` is called once it listens."""
    async with running(settings) as simulator:
        if ready is not None:
            ready(simulator)
        await (stop or asyncio.Event()).wait()


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is over: `asyncio.wait_for` of Python 3.11 can swallow a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)


def _strictly(send: Send) -> Send:
    """Return ``send`` with the strict headers put on every answer."""
    more = [(name.lower().encode(), value.encode()) for name, value in SECURITY.items()]

    async def send_strictly(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return send_strictly


def is_loopback(address: str) -> bool:
    """Tell whether only this machine can reach that address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _named_well(scope: Scope, settings: Settings) -> bool:
    """On loopback only loopback's own names are good: a web page may not lead its own name here."""
    if not is_loopback(settings.address):
        return True
    host = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), "")
    return is_loopback(_PORT.sub("", host).strip("[]"))


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named; without it an answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
