"""A vendor that is never the bottleneck: ``python -m tests.bench.vendor PORT``.

It answers every POST with Success, notes when it began to arrive, and posts a "delivered" webhook when it was
told where to (``PUT /hook``, the body ``PORT PATH``). ``GET /stats``, ``/times`` and ``/times/<text>`` tell what
came. ``PUT /answer`` with the body ``503`` lets it answer so, and make nothing, until it is told ``200``.
"""

import asyncio
import json
import re
import sys
import time
from typing import Final

import uvloop

HOOK_CONNECTIONS: Final = 4
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MESSAGE_ID: Final = re.compile(rb"MessageID=(\w+)")
_NUMBER: Final = re.compile(rb"Number=%2B(\d+)")
_SERIAL: Final = re.compile(rb"Message=(serial\d+)")


class Books:
    """What came, and the webhooks that are to go out."""

    def __init__(self) -> None:
        self.count = 0
        self.last_at = 0.0
        self.times: dict[str, float] = {}
        self.ids: set[str] = set()
        self.refused = 0
        self.refusing = False
        self.webhooks: asyncio.Queue[bytes] = asyncio.Queue()
        self.hook: tuple[int, str] | None = None
        self.posters: list[asyncio.Task[None]] = []

    def take(self, body: bytes, began_at: float) -> bytes:
        """Note one send; returns the answer's body."""
        self.count += 1
        self.last_at = time.monotonic()
        found = _MESSAGE_ID.search(body)
        message_id = found[1].decode() if found else ""
        self.ids.add(message_id)
        if serial := _SERIAL.search(body):
            self.times[serial[1].decode()] = began_at
        if self.hook is not None:
            number = _NUMBER.search(body)
            self.webhooks.put_nowait(_event(message_id, number[1].decode() if number else ""))
        return b'{"Result":"Success","MessageID":"%s"}' % message_id.encode()

    def tell(self, port: int, path: str) -> None:
        """Post webhooks to ``path`` from now on."""
        self.hook = (port, path)
        loop = asyncio.get_running_loop()
        self.posters = [loop.create_task(self._post()) for _ in range(HOOK_CONNECTIONS)]

    async def _post(self) -> None:
        assert self.hook is not None
        port, path = self.hook
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            body = await self.webhooks.get()
            head = f"POST {path} HTTP/1.1\r\nHost: hook\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"the webhook was answered {answer!r}")
            await reader.readexactly(_length(answer))


class Exchange(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._unread = bytearray()
        self._began_at = 0.0
        self._wire: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if not self._unread:
            self._began_at = time.monotonic()
        self._unread += data
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._unread[: end + 4])
        whole = end + 4 + _length(head)
        if len(self._unread) < whole:
            return
        body = bytes(self._unread[end + 4 : whole])
        del self._unread[:whole]
        self._answer(self._reply(head, body))

    def _reply(self, head: bytes, body: bytes) -> bytes:
        books = self._books
        if head.startswith(b"POST "):
            if books.refusing:
                books.refused += 1
                return b""
            return books.take(body, self._began_at)
        if head.startswith(b"PUT /answer"):
            books.refusing = body == b"503"
            return b"{}"
        if head.startswith(b"PUT /hook"):
            port, path = body.decode().split()
            books.tell(int(port), path)
            return b"{}"
        if head.startswith(b"GET /times/"):
            return json.dumps(books.times.get(head.split()[1].decode().removeprefix("/times/"))).encode()
        if head.startswith(b"GET /times"):
            return json.dumps(books.times).encode()
        told = {"count": books.count, "last_at": books.last_at, "refused": books.refused}
        return json.dumps(told | {"different": len(books.ids)}).encode()

    def _answer(self, body: bytes) -> None:
        assert self._wire is not None
        self._wire.write(
            b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (b"200 OK" if body else b"503 Service Unavailable", len(body), body)
        )


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


def _event(message_id: str, number: str) -> bytes:
    return json.dumps(
        {
            "Sender": "application@example.com",
            "Token": "bench-token",
            "Type": "SMS",
            "Destination": f"+{number}",
            "MessageID": message_id,
            "JobNumber": f"J{message_id[-8:]}",
            "SentTime": "16/10/2023 13:43 p.m.",
            "Status": "SUCCESS",
            "Result": "Delivered",
            "Message": "",
            "Price": "0.10",
            "Detail": "SMSParts:1",
        }
    ).encode()


async def main(port: int) -> None:
    books = Books()
    server = await asyncio.get_running_loop().create_server(lambda: Exchange(books), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
