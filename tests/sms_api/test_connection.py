"""One connection at a time, over real sockets: what is kept, what is not, and what may have left us."""

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.retry import Answer
from bridge.sms import Kind
from bridge.sms_api import TooLate, connection
from tests.mail_out.sink import certificate
from tests.sms_api.given import SMS, Reader, Writer, an_sms, api_to, read_request, server

GOOD = b'{"Result": "Success", "MessageID": "X"}'
BAD = b'{"Result": "Failed", "ErrorMessage": "Missing or empty message"}'


def whole(body: bytes = GOOD, *, status: str = "200 OK", more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status.encode(), len(body), more)
    return head + body


def cut(writer: Writer) -> None:
    """Reset the connection."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


class Vendor:
    """Answers each request with what ``replies`` says next, the last one for ever; counts what came."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies) or [whole()]
        self.connections = self.requests = 0
        self.hang_up = False  # after an answer

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        while True:
            await read_request(reader)
            self.requests += 1
            writer.write(self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])
            await writer.drain()
            if self.hang_up:
                return


async def test_a_connection_is_kept_for_the_next_sms() -> None:
    vendor = Vendor()
    async with server(vendor) as url, api_to(url) as api:
        for _ in range(5):
            assert (await api.send(SMS)).input.kind is Kind.SENT
    assert (vendor.connections, vendor.requests) == (1, 5)


async def test_at_once_each_sms_has_a_connection_of_its_own() -> None:
    gate = asyncio.Event()
    waiting: list[Writer] = []

    async def behave(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        waiting.append(writer)
        if len(waiting) == 7:
            gate.set()
        await gate.wait()
        writer.write(whole())
        await writer.drain()
        await reader.read()

    async with server(behave) as url, api_to(url) as api:
        got = await asyncio.gather(*(api.send(SMS) for _ in range(7)))
    assert {one.input.kind for one in got} == {Kind.SENT}


async def test_a_connection_that_stood_too_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = Vendor()
    monkeypatch.setattr(connection, "KEEPALIVE_S", 0.0)
    async with server(vendor) as url, api_to(url) as api:
        await api.send(SMS)
        await api.send(SMS)
    assert vendor.connections == 2


async def test_a_kept_connection_that_was_closed_meanwhile_is_not_used() -> None:
    vendor = Vendor()
    vendor.hang_up = True
    async with server(vendor) as url, api_to(url) as api:
        for _ in range(
            20
        ):  # the close comes with the answer, sometimes before the next send, sometimes after
            assert (await api.send(SMS)).input.kind is Kind.SENT
    assert vendor.requests == 20


async def test_a_close_that_waits_in_the_socket_is_seen_before_the_request_goes_out() -> None:
    accepted: asyncio.Queue[Writer] = asyncio.Queue()

    async def behave(reader: Reader, writer: Writer) -> None:
        accepted.put_nowait(writer)
        await read_request(reader)
        writer.write(whole())
        await writer.drain()
        await reader.read()

    async with server(behave) as url, api_to(url) as api:
        await api.send(SMS)
        fileno = os.dup((await accepted.get()).get_extra_info("socket").fileno())
        with socket.socket(fileno=fileno) as peer:
            sending = asyncio.ensure_future(api.send(SMS))
            await asyncio.sleep(0)
            peer.shutdown(socket.SHUT_WR)  # the send begins before the loop hears of it
            assert (await sending).input.kind is Kind.SENT
        assert accepted.qsize() == 1


async def test_a_kept_connection_closed_as_we_post_is_unclear_and_nothing_is_sent_again() -> None:
    requests = 0

    async def behave(reader: Reader, writer: Writer) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1
        writer.write(whole())
        await writer.drain()
        await read_request(reader)
        requests += 1

    async with server(behave) as url, api_to(url) as api:
        await api.send(SMS)
        got = await api.send(SMS)
    assert (got.input.kind, got.answer) == (Kind.UNCLEAR, Answer.UNCLEAR)
    assert requests == 2


@pytest.mark.parametrize("octets", [1, 100])
async def test_a_reset_in_the_middle_of_the_request_is_unclear(octets: int) -> None:
    async def behave(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(octets)
        cut(writer)

    async with server(behave) as url, api_to(url) as api:
        assert (await api.send(an_sms(text="x" * 200_000))).input.kind is Kind.UNCLEAR


async def test_a_server_that_speaks_first_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its greeting comes in the moment between the connection and the request; a socket cannot be made to."""
    real = connection.Connection.connection_made

    def made(self: connection.Connection, transport: asyncio.BaseTransport) -> None:
        real(self, transport)
        self.data_received(whole())

    monkeypatch.setattr(connection.Connection, "connection_made", made)
    listener = socket.create_server(("127.0.0.1", 0))
    async with api_to(f"http://127.0.0.1:{listener.getsockname()[1]}") as api:
        got = await api.send(SMS)
    peer, _ = listener.accept()
    assert peer.recv(100) == b""
    peer.close()
    listener.close()
    assert got.input.kind is Kind.NOT_SENT


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + whole(),
        b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\nContent-Length: 5\r\n\r\n" + whole(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"1\r\n%c\r\n" % octet for octet in GOOD)
        + b"0\r\nX-Trailer: yes\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD),
        b"HTTP/1.1 202 Accepted\r\nContent-Encoding: identity\r\nContent-Length: %d\r\n\r\n%s"
        % (len(GOOD), GOOD),
    ],
)
async def test_honest_ways_to_frame_an_answer_are_understood(reply: bytes) -> None:
    vendor = Vendor(reply)
    async with server(vendor) as url, api_to(url) as api:
        for _ in range(2):
            assert (await api.send(SMS)).input.kind is Kind.SENT
    assert vendor.connections == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 200 OK\r\n\r\n" + GOOD,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + GOOD,
        b"HTTP/1.1 200 OK\r\n\r\n" + GOOD,
    ],
)
async def test_an_answer_may_end_with_its_connection(reply: bytes) -> None:
    vendor = Vendor(reply)
    vendor.hang_up = True
    async with server(vendor) as url, api_to(url) as api:
        for _ in range(2):
            assert (await api.send(SMS)).input.kind is Kind.SENT
    assert vendor.connections == 2


@pytest.mark.parametrize("word", [b"close", b"Keep-Alive, CLOSE"])
async def test_a_vendor_that_says_close_is_asked_on_a_new_connection(word: bytes) -> None:
    vendor = Vendor(whole(more=b"Connection: %s\r\n" % word))
    async with server(vendor) as url, api_to(url) as api:
        for _ in range(2):
            assert (await api.send(SMS)).input.kind is Kind.SENT
    assert vendor.connections == 2


@pytest.mark.parametrize("extra", [whole(BAD, status="400 Bad Request"), b"junk", b"HTTP/1.1 200 OK\r\n"])
async def test_what_comes_behind_an_answer_is_never_taken_for_the_next_one(extra: bytes) -> None:
    vendor = Vendor(whole() + extra, whole())
    async with server(vendor) as url, api_to(url) as api:
        for _ in range(2):
            assert (await api.send(SMS)).input.kind is Kind.SENT
    assert vendor.connections == 2


async def test_what_comes_unasked_between_two_sends_is_never_taken_for_an_answer() -> None:
    vendor = Vendor()
    writers: list[Writer] = []

    async def behave(reader: Reader, writer: Writer) -> None:
        writers.append(writer)
        await vendor(reader, writer)

    async with server(behave) as url, api_to(url) as api:
        await api.send(SMS)
        writers[0].write(whole(BAD, status="400 Bad Request"))
        await writers[0].drain()
        assert (await api.send(SMS)).input.kind is Kind.SENT
    assert vendor.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(whole()[:-3], id="longer than it came"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(GOOD) - 3, GOOD),
            id="shorter than it came",
        ),
        pytest.param(whole(more=b"Content-Length: 7\r\n"), id="two lengths"),
        pytest.param(whole(more=b"Transfer-Encoding: chunked\r\n"), id="a length and chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + GOOD, id="a negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n" + GOOD, id="a length of Python's"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + GOOD, id="no chunk size"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + GOOD, id="a wrong chunk size"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s" % (len(GOOD), GOOD),
            id="no last chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + GOOD, id="an encoding we do not know"
        ),
        pytest.param(whole(more=b"X: a\0b\r\n"), id="a NUL in the header"),
        pytest.param(whole(more=b"X : a\r\n"), id="a blank before the colon"),
        pytest.param(whole(more=b"no colon\r\n"), id="a line that is no field"),
        pytest.param(whole().replace(b"\r\n", b"\n"), id="bare line feeds"),
        pytest.param(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", id="another version"),
        pytest.param(b"HTTP/1.1 99 No\r\nContent-Length: 0\r\n\r\n", id="a status of two digits"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + whole(), id="an upgrade"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="only an interim answer"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_an_answer_that_lies_about_itself_is_unclear(reply: bytes) -> None:
    vendor = Vendor(reply)
    vendor.hang_up = True
    async with server(vendor) as url, api_to(url) as api:
        assert (await api.send(SMS)).input.kind is Kind.UNCLEAR


@pytest.mark.parametrize(
    ("head", "flood"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Bomb: %s\r\n" % (b"x" * 1_000)),
        (b"HTTP/1.1 200 OK\r\nX-Bomb: ", b"x" * 4_096),
        (b"HTTP/1.1 200 ", b"x" * 4_096),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 500),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 4_096),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: x\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 4_096),
    ],
    ids=["fields", "a field", "a reason", "interim", "chunks", "an extension", "trailers", "a body"],
)
async def test_a_bomb_is_cut_off_long_before_the_deadline(head: bytes, flood: bytes) -> None:
    sent = 0

    async def behave(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(head)
        while True:
            writer.write(flood)
            sent += len(flood)
            await writer.drain()

    async with server(behave) as url, api_to(url, send_timeout_ms=30_000) as api:
        begun = time.monotonic()
        got = await api.send(SMS)
        assert time.monotonic() - begun < 15
    assert (got.input.kind, got.answer) == (Kind.UNCLEAR, Answer.UNCLEAR)
    assert sent < 30_000_000  # what the buffers of the sockets swallow, not what could be sent in the time


async def test_an_early_refusal_before_the_body_was_read_is_never_taken_for_not_sent() -> None:
    async def behave(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(b"too large", status="413 Payload Too Large"))
        await writer.drain()

    async with server(behave) as url, api_to(url) as api:
        for text in ("x", "x" * 3_000_000):
            got = await api.send(an_sms(text=text))
            assert got.input.kind in (Kind.REFUSED_UNREAD, Kind.UNCLEAR)


async def test_a_connection_with_the_rest_of_a_request_in_it_is_not_used_again() -> None:
    connections = 0

    async def behave(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(BAD, status="400 Bad Request"))
        await writer.drain()
        await asyncio.sleep(30)

    async with server(behave) as url, api_to(url) as api:
        for _ in range(2):
            # More than the buffers of both sockets hold, so that some of it is still with us.
            assert (await api.send(an_sms(text="x" * 20_000_000))).input.kind is Kind.REFUSED_SMS
    assert connections == 2


async def test_without_a_free_connection_nothing_is_sent() -> None:
    async def silence(reader: Reader, writer: Writer) -> None:
        await reader.read()

    async with server(silence) as url, api_to(url, send_timeout_ms=1_500) as api:
        got = await asyncio.gather(*(api.send(SMS) for _ in range(api.concurrency + 3)))
    kinds = [one.input.kind for one in got]
    assert kinds.count(Kind.NOT_SENT) == 3
    assert kinds.count(Kind.UNCLEAR) == api.concurrency


@pytest.fixture
def full() -> Iterator[int]:
    """A port where nobody accepts and no more can wait: a connection to it hangs."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(("127.0.0.1", port))
    yield port
    for one in (*waiting, listener):
        one.close()


async def test_a_connection_that_does_not_come_in_time_was_surely_not_sent(full: int) -> None:
    async with api_to(f"http://127.0.0.1:{full}", send_timeout_ms=800) as api:
        got = await api.send(SMS)
    assert got.input.kind is Kind.NOT_SENT
    assert "ConnectTimeout" in got.input.why


@pytest.mark.parametrize("first", ["silent", "refused", "good"])
async def test_an_address_that_is_dead_does_not_keep_us_from_the_next_one(
    full: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = Vendor()
    async with server(vendor) as url, api_to("http://vendor.example") as api:
        good = int(url.rpartition(":")[2])
        ports = {"silent": (full, 1, good), "refused": (1, good), "good": (good, full)}[first]

        async def found(*asked: Any, **kinds: Any) -> list[Any]:
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*kind, ("127.0.0.1", port)) for port in ports]

        loop = asyncio.get_running_loop()
        replaced = _Names(loop, found)
        monkeypatch.setattr("bridge.sms_api.transport.asyncio.get_running_loop", lambda: replaced)
        assert (await api.send(SMS)).input.kind is Kind.SENT
    assert vendor.connections == 1


class _Names:
    """An event loop whose names are looked up elsewhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop, getaddrinfo: Any) -> None:
        self._loop, self.getaddrinfo = loop, getaddrinfo

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


@contextlib.asynccontextmanager
async def tls_server(vendor: Vendor, context: ssl.SSLContext) -> AsyncIterator[str]:
    async def connected(reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await vendor(reader, writer)
        writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://localhost:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()


async def test_over_tls_a_connection_is_kept_too(tmp_path: Path) -> None:
    theirs, ours = certificate(tmp_path)
    vendor = Vendor()
    async with tls_server(vendor, theirs) as url, api_to(url, tls=ours) as api:
        for _ in range(3):
            assert (await api.send(SMS)).input.kind is Kind.SENT
        vendor.hang_up = True
        for _ in range(3):
            assert (await api.send(SMS)).input.kind is Kind.SENT
    assert (vendor.connections, vendor.requests) == (3, 6)


@pytest.mark.parametrize("name", ["localhost", "other.example"])
async def test_a_certificate_that_nobody_vouches_for_or_of_another_gets_nothing(
    tmp_path: Path, name: str
) -> None:
    theirs, ours = certificate(tmp_path, name)
    vendor = Vendor()
    trust = {"tls": ours} if name != "localhost" else {}
    async with tls_server(vendor, theirs) as url, api_to(url, **trust) as api:
        got = await api.send(SMS)
    assert got.input.kind is Kind.NOT_SENT
    assert vendor.requests == 0


async def test_a_cut_poll_closes_its_connection() -> None:
    """At the end polls are cut off; what one leaves behind must not be read as another one's answer."""
    asked, closed = asyncio.Event(), asyncio.Event()

    async def behave(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        asked.set()
        assert await reader.read() == b""
        closed.set()

    async with server(behave) as url:
        async with api_to(url, send_timeout_ms=20_000) as api:
            poll = asyncio.ensure_future(api.status(SMS))
            await asked.wait()
        with pytest.raises(asyncio.CancelledError):
            await poll
        async with asyncio.timeout(10):
            await closed.wait()


# --- what must not be sent any more ---


async def test_a_send_that_is_too_late_once_its_connection_stands_leaves_nothing() -> None:
    """As when we are frozen while it is made. The connection is good for the next SMS."""
    vendor, checks = Vendor(), 0

    def before() -> None:
        nonlocal checks
        checks += 1
        raise TooLate("frozen meanwhile")

    async with server(vendor) as url, api_to(url) as api:
        with pytest.raises(TooLate, match="frozen meanwhile"):
            await api.send(SMS, None, before)
        assert (checks, vendor.requests) == (1, 0)
        assert (await api.send(SMS)).input.kind is Kind.SENT
    assert (vendor.connections, vendor.requests) == (1, 1)
