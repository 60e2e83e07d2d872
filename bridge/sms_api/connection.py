"""One connection to the vendor: a request goes out in one piece, its whole answer comes back, and it is kept.

Speaks HTTP/1.1 (RFC 9112) over llhttp in its strict form. Its errors are httpx's; all but ConnectError mean
that the request may have arrived.
"""

import asyncio
import select
import time
from typing import Final, cast

import httptools
import httpx

KEEPALIVE_S: Final = 3.0  # shorter than the server's (5 s is common): it must not close as we send
MAX_HEAD: Final = 32 * 1024  # octets of an answer's status line and header
_FRAMED: Final = (b"content-length", b"transfer-encoding")


class Connection(asyncio.Protocol):
    """Asks one thing at a time. An answer's body, framing included, has at most ``max_bytes``."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._ready = select.poll()
        self._used_at = time.monotonic()
        self._answered: asyncio.Future[httpx.Response] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._octets = 0  # as they came, chunk sizes and interim answers included: those bound the work
        self._in_body = False  # the header of the answer proper has been read
        self._framed = False  # the answer tells where it ends
        self._whole = False
        self._again = False  # the vendor keeps the connection open

    async def ask(self, octets: bytes) -> httpx.Response:
        """Send a request and return its answer, complete. Raises an `httpx.TransportError`.

        A caller that is cancelled must `abort` the connection: the answer may still come.
        """
        if self._wire.is_closing():
            raise httpx.ConnectError("the vendor closed the connection before the request")
        self._begin()
        self._answered = asyncio.get_running_loop().create_future()
        self._wire.write(octets)
        try:
            return await self._answered
        finally:
            self._answered = None
            self._used_at = time.monotonic()

    @property
    def reusable(self) -> bool:
        """Whether another request may go out after this answer."""
        # An answer that came before its request was out leaves the rest of that request in the way.
        return self._again and not self._wire.is_closing() and not self._wire.get_write_buffer_size()

    def fresh(self) -> bool:
        """Whether a kept connection can be used now: not old, not closed, and nothing unasked has come.

        The socket is looked at too: a close that waits there would make the fate of the next SMS unknown.
        """
        idle_s = time.monotonic() - self._used_at
        return idle_s < KEEPALIVE_S and not self._wire.is_closing() and not self._ready.poll(0)

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._wire.abort()

    # --- called by the event loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        self._ready.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        if self._answered is None or self._answered.done():
            self.abort()  # nobody asked: the next answer would be taken for another one's
            return
        self._octets += len(data)
        fault = ""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            fault = str(error) or type(error).__name__
        if self._whole:
            self._again &= not fault
            self._answer()
        elif fault:
            self._fail(httpx.RemoteProtocolError(f"the answer is no HTTP: {fault}"))
        elif self._octets > MAX_HEAD + (self._max_bytes if self._in_body else 0):
            self._fail(httpx.RemoteProtocolError("the answer is too long"))

    def eof_received(self) -> None:
        if self._in_body and not self._framed and not self._whole:
            self._answer()  # its end is that of the connection (RFC 9112, 6.3)
        else:
            self._fail(httpx.RemoteProtocolError("the vendor closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(
            httpx.ReadError(str(exc)) if exc else httpx.RemoteProtocolError("the connection is closed")
        )

    def _answer(self) -> None:
        if self._answered is not None and not self._answered.done():
            body = httpx.ByteStream(bytes(self._body))
            status = self._parser.get_status_code()
            self._answered.set_result(httpx.Response(status, headers=self._headers, stream=body))

    def _fail(self, error: httpx.TransportError) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)
        self.abort()

    # --- called by the parser ---

    def on_message_begin(self) -> None:
        if self._whole:
            raise ValueError("a second answer")
        self._headers, self._framed = [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._framed |= name.lower() in _FRAMED
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_body = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._whole = self._in_body  # 1xx are interim (RFC 9110, 15.2): the answer is still to come
        self._again = self._whole and self._parser.should_keep_alive()  # which the parser knows only now
