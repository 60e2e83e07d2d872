"""One HTTP request and the many ways to treat it: answer, drip, hold, reset. The only place that touches ASGI
messages and the transport of the vendor's own API.
"""

import asyncio
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

MAX_BODY = 20_000_000  # the vendor's page: 20 MB at most a request
TRANSPORT = "simulator.transport"  # where `server` leaves the connection in the scope's extensions
_LINGER_NONE = struct.pack("ii", 1, 0)


class ClientGone(Exception):
    """The client hung up before its request was whole."""


class TooLarge(Exception):
    """The body is larger than the vendor takes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer that is ready to go out."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class Exchange:
    """A request on the vendor's API, with its connection at hand."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, closing: asyncio.Event) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._scope, self._receive, self._send = scope, receive, send
        self._closing = closing

    def header(self, name: str) -> str:
        """Return the first header of that lower-case name, or an empty text."""
        wanted = name.encode("ascii")
        return next((value.decode("latin-1") for key, value in self._scope["headers"] if key == wanted), "")

    def query(self) -> dict[str, str]:
        """Return the query's fields; too many are none."""
        try:
            return dict(parse_qsl(self._scope["query_string"].decode("latin-1"), max_num_fields=20))
        except ValueError:
            return {}

    async def body(self) -> bytes:
        """Return the whole body. Raises TooLarge, or ClientGone when the client left before its end."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY:
                raise TooLarge
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    async def answer(self, reply: Reply) -> None:
        """Send the answer in one go."""
        await self._start(reply)
        await self._send({"type": "http.response.body", "body": reply.body})

    async def drip(self, reply: Reply, interval_ms: int) -> None:
        """Send the answer a byte at a time, so that no read time-out ever fires."""
        await self._start(reply)
        for index in range(len(reply.body)):
            await self.pause(interval_ms)
            chunk = reply.body[index : index + 1]
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def pause(self, delay_ms: int) -> None:
        """Wait so long, less if the server closes."""
        try:
            await asyncio.wait_for(self._closing.wait(), delay_ms / 1000)
        except TimeoutError:
            pass

    async def hold(self, hold_ms: int) -> None:
        """Say nothing until the client leaves, the time is over or the server closes; then hang up."""
        gone = asyncio.ensure_future(self._gone())
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((gone, closing), timeout=hold_ms / 1000, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            closing.cancel()
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close the connection without an answer, as a proxy does that lost its backend (a FIN)."""
        self._transport().close()
        await self._gone()

    async def reset(self) -> None:
        """Break the connection (an RST)."""
        transport = self._transport()
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        transport.abort()
        await self._gone()

    async def _start(self, reply: Reply) -> None:
        headers = [
            (b"content-type", reply.content_type.encode("latin-1", "replace")),
            (b"content-length", str(len(reply.body)).encode("ascii")),
            *_encoded(reply.headers),
        ]
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _transport(self) -> Any:
        return self._scope["extensions"][TRANSPORT]


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in headers
    ]
