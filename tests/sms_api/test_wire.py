"""Faults of the wire itself, over real sockets: what surely did not leave, and what nobody can know."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Iterator

import httpx
import pytest

from bridge.retry import Answer
from bridge.sms import Kind
from bridge.sms_api import SmsApi
from tests.sms_api.given import (
    AUTH,
    CLINIC,
    SMS,
    TOKEN,
    Behave,
    Reader,
    Writer,
    api_that,
    api_to,
    read_request,
    server,
)
from tests.threats import found

GOOD = b'{"Result": "Success", "MessageID": "X"}'


def whole(body: bytes = GOOD, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


async def test_a_refused_connection_was_surely_not_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with api_to(f"http://127.0.0.1:{port}") as api:
        got = await api.send(SMS)
    assert (got.input.kind, got.answer) == (Kind.NOT_SENT, None)
    assert 1_000 <= got.input.wait_ms <= 2_000


async def test_a_name_that_does_not_exist_was_surely_not_sent() -> None:
    async with api_to("http://no-such-host.invalid") as api:
        assert (await api.send(SMS)).input.kind is Kind.NOT_SENT


async def test_a_server_without_tls_or_trust_was_surely_not_sent() -> None:
    async def plain(reader: Reader, writer: Writer) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with server(plain) as url, api_to(url.replace("http:", "https:")) as api:
        assert (await api.send(SMS)).input.kind is Kind.NOT_SENT


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_the_three_errors_before_the_request_are_not_sent(error: type[httpx.TransportError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("before")

    async with api_that(fail) as api:
        assert (await api.send(SMS)).input.kind is Kind.NOT_SENT


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.WriteError,
        httpx.CloseError,
        httpx.ProxyError,
        httpx.RemoteProtocolError,
        httpx.LocalProtocolError,
        httpx.DecodingError,
        httpx.UnsupportedProtocol,
        ValueError,
        RuntimeError,
        OSError,
        ssl.SSLError,
    ],
)
async def test_every_other_error_is_unclear(error: type[Exception]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error(f"after {TOKEN}")

    async with api_that(fail) as api:
        got = await api.send(SMS)
    assert (got.input.kind, got.answer) == (Kind.UNCLEAR, Answer.UNCLEAR)
    assert TOKEN not in got.input.why


async def hang_up(reader: Reader, writer: Writer) -> None:
    await read_request(reader)


async def reset(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def half_an_answer(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(whole()[:-10])
    await writer.drain()


async def junk(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"\x00\xff not http at all\r\n\r\n")
    await writer.drain()


async def silence(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    await reader.read()


async def drip_the_body(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_the_head(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def endless(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def bomb(reader: Reader, writer: Writer) -> None:
    import gzip

    await read_request(reader)
    body = gzip.compress(b" " * 10_000_000)
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    await writer.drain()


@pytest.mark.parametrize(
    "behave",
    [hang_up, reset, half_an_answer, junk, silence, drip_the_body, drip_the_head, endless, bomb],
)
async def test_whatever_breaks_after_the_request_is_unclear_within_the_deadline(
    behave: Behave,
) -> None:
    async with server(behave) as url, api_to(url, send_timeout_ms=600) as api:
        begun = time.monotonic()
        got = await api.send(SMS)
        assert time.monotonic() - begun < 10
    assert (got.input.kind, got.answer) == (Kind.UNCLEAR, Answer.UNCLEAR)


async def test_after_requests_were_cut_off_the_next_ones_go_through() -> None:
    slow = True

    async def behave(reader: Reader, writer: Writer) -> None:
        while True:
            await read_request(reader)
            if slow:
                await reader.read()
                return
            writer.write(whole())
            await writer.drain()

    async with server(behave) as url, api_to(url, send_timeout_ms=4_000) as api:
        cut = await asyncio.gather(*(api.send(SMS) for _ in range(api.concurrency)))
        assert {got.input.kind for got in cut} == {Kind.UNCLEAR}
        slow = False
        fine = await asyncio.gather(*(api.send(SMS) for _ in range(api.concurrency)))
        assert {got.input.kind for got in fine} == {Kind.SENT}


async def test_a_cancelled_caller_does_not_cut_the_send_and_close_waits_for_it() -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def behave(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        asked.set()
        await answered.wait()
        writer.write(whole())
        await writer.drain()
        assert await reader.read() == b""

    async with server(behave) as url:
        api = SmsApi({"default": CLINIC}, url, url, send_timeout_ms=20_000)
        caller = asyncio.create_task(api.send(SMS))
        await asked.wait()
        caller.cancel()
        await asyncio.wait({caller})
        assert caller.cancelled()
        closing = asyncio.create_task(api.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        answered.set()
        await asyncio.wait_for(closing, 20)


@pytest.mark.threat(21, "connections to elsewhere", of="calls")
async def test_redirects_are_not_followed_and_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = 0

    async def other(reader: Reader, writer: Writer) -> None:
        nonlocal elsewhere
        elsewhere += 1

    async with server(other) as trap:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, trap)

        async def behave(reader: Reader, writer: Writer) -> None:
            await read_request(reader)
            writer.write(
                b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n"
                % trap.encode()
            )
            await writer.drain()

        async with server(behave) as url, api_to(url) as api:
            assert (await api.send(SMS)).input.kind is Kind.REFUSED_ACCOUNT
            assert (await api.status(SMS)).input.kind is Kind.NO_ANSWER
    found(elsewhere, of=2)
    assert elsewhere == 0


@pytest.fixture
def everything_logged() -> Iterator[list[str]]:
    lines: list[str] = []

    class Catch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage() + repr(vars(record)))

    root, catch = logging.getLogger(), Catch()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(catch)
    yield lines
    root.removeHandler(catch)
    root.setLevel(before)


@pytest.mark.threat(8, "canaries found", of="log lines")
async def test_no_secret_reaches_any_log_at_debug(everything_logged: list[str]) -> None:
    async def behave(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(whole(f"bad {TOKEN} {AUTH}".encode(), "400 Bad Request"))
        await writer.drain()

    async with server(behave) as url, api_to(url) as api:
        await api.send(SMS)
        await api.status(SMS)
        await api.replies(SMS)
        await api.received("default", 10)
    telling = [line for line in everything_logged if "t0k3n" in line or "AuTh" in line]
    found(len(telling), of=len(everything_logged))
    assert not telling


def test_credentials_do_not_show_their_secrets() -> None:
    assert TOKEN not in repr(CLINIC)
    assert AUTH not in repr(CLINIC)
