"""An ASGI app on a socket of ours, inside our event loop: uvicorn without its hold on signals and logs.

And with an end to its patience: it waits for ever for a request, of any length, and takes connections until no file
is left. Its protocol over llhttp costs 80 µs of CPU a request less than that over h11, which bounds a header and
takes one request at a time; so that is done here.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.errors import ConfigError
from bridge.mail_in.handshake import shake_hands
from bridge.mail_in.room import normal_address, place_of

_BACKLOG: Final = 256
STOP_S: Final = 5  # a page or webhook still being answered when we stop
REQUEST_S: Final = 20.0  # for a whole request to come, its body included
MAX_HEAD: Final = 32 * 1024  # octets of a request line with its header, and of trailers
MAX_WAITING: Final = 8  # requests of one connection that came before the answer to the first
MAX_CONNECTIONS: Final = 200  # with SMTP's and our own, below the 1,024 files that a process may often have
MAX_PER_ADDRESS: Final = 100
_UNREADABLE: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
    b"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nCache-Control: no-store\r\n"
    b"Content-Length: 11\r\nConnection: close\r\n\r\nbad request"
)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the app, which drains all parts in order."""
        yield


class _Connection(HttpToolsProtocol):
    """A connection whose every request must be whole in time and bounded, one of a bounded number."""

    _late: asyncio.TimerHandle | None = None
    _place = ""
    _coming = True  # a request is awaited or has begun
    _since = 0.0  # when that was, by the loop's clock
    _in_head = True
    _uncounted = 0  # octets since the last header that ended or the last octet of a body

    def __init__(self, *args: Any, tls: ssl.SSLContext | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._tls = tls
        self._early: bytearray | None = (
            None if tls is None else bytearray()
        )  # what comes while hands are shaken
        self._shaking: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        peer = transport.get_extra_info("peername")  # None when it was reset before we came to look at it
        self._place = place_of(normal_address(peer[0])) if peer else ""
        alike = sum(isinstance(one, _Connection) and one._place == self._place for one in self.connections)
        if not peer or alike > MAX_PER_ADDRESS or not self._has_room():
            transport.abort()
        elif self._tls:
            self._shaking = self.loop.create_task(self._shake_hands(transport, self._tls))
        else:
            self._watch()

    def _has_room(self) -> bool:
        """Whether this one may stay: when all places are taken, whoever has kept us waiting longest for a request has
        to go. A request that comes at once is answered before it is the oldest."""
        if len(self.connections) <= MAX_CONNECTIONS:
            return True
        others = (one for one in self.connections if isinstance(one, _Connection) and one is not self)
        waiting = [one for one in others if one._coming and not one.transport.is_closing()]
        if not waiting:
            return False
        min(waiting, key=lambda one: one._since).transport.abort()
        return True

    async def _shake_hands(self, wire: asyncio.Transport, tls: ssl.SSLContext) -> None:
        """Go on inside TLS. This connection counts already: who says nothing must not take the last file."""
        inside = None
        try:
            inside = await shake_hands(wire, self, tls, self._take_early, REQUEST_S)
        except OSError:
            pass  # a scanner, or somebody who believes another authority
        if inside is None or inside.is_closing():
            wire.abort()
            self.connection_lost(None)  # nobody else says so
            return
        super().connection_made(inside)
        early, self._early = self._take_early(), None
        if early:
            self.data_received(early)
        else:
            self._watch()

    def _take_early(self) -> bytes:
        early = bytes(self._early or b"")
        self._early = bytearray()
        return early

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early += data
            return
        self._coming = True  # whatever it is: empty lines before a request are no message of the parser's
        self._uncounted += len(data)
        super().data_received(data)
        if self._uncounted > MAX_HEAD:
            self.transport.abort()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Run the clock from a request's first octet (the first one's, from the beginning) to its last."""
        if not self._coming or self.transport.is_closing():
            self._forget()
        elif self._late is None:
            self._late = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def send_400_response(self, msg: str) -> None:
        self.transport.write(_UNREADABLE)
        self.transport.close()

    # --- called by the parser ---

    def on_message_begin(self) -> None:
        self._coming = self._in_head = True
        self._since = self.loop.time()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
            # RFC 9112, 6.1: nobody undoes another one, and llhttp looks at the last alone.
            raise ValueError("an unknown transfer encoding")
        if self._in_head:  # a trailer is no header: the app would take it for one
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MAX_WAITING:
            raise ValueError("too many requests at once")
        self._in_head, self._uncounted = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._uncounted = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._coming, self._uncounted = False, 0
        super().on_message_complete()


@contextlib.asynccontextmanager
async def http_server(
    app: ASGIApp, address: str, port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve ``app`` while the context lasts; yields the port it really got. Raises `ConfigError`."""
    listener = _bind(address, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        http=partial(_Connection, tls=tls),  # type: ignore[arg-type]  # all that it does with it is to call it
        ws="none",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=STOP_S,
    )
    config.load()
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name=f"http {address}:{port}")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110  (uvicorn sets a plain flag)
            await asyncio.sleep(0.01)
        if task.done():
            await task
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=2 * STOP_S)


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol is named because asyncio turns Nagle off only for sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as fault:
        listener.close()
        reason = fault.strerror or "cannot listen"
        raise ConfigError(f"cannot listen on {address}:{port} (HTTP): {reason.lower()}") from fault
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener
