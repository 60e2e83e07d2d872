"""Connections to the webhook and the desk that never become a request: cut in time, and bounded in number."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bridge.app import http
from bridge.app.http import http_server
from tests.attack.clients import connected

HEAD = b"POST / HTTP/1.1\r\nHost: bridge\r\n"


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def early(request: Request) -> Response:
    return PlainTextResponse("not read")


APP = Starlette(routes=[Route("/", echo, methods=["GET", "POST"]), Route("/early", early, methods=["POST"])])


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(http, "REQUEST_S", 0.5)
    async with http_server(APP, "127.0.0.1", 0) as found:
        yield found


def _rest(one: socket.socket) -> bytes:
    found = b""
    try:
        while piece := one.recv(65_536):
            found += piece
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        HEAD,
        HEAD + b"Content-Length: 10\r\n\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
    ids=["nothing", "half a header", "half a body", "a body without end"],
)
async def test_a_request_that_does_not_end_is_cut(port: int, begun: bytes) -> None:
    with connected("127.0.0.1", port) as one:
        one.sendall(begun)
        assert await asyncio.to_thread(_rest, one) == b""  # what is said until the server hangs up


async def test_a_second_request_that_does_not_end_is_cut_too(port: int) -> None:
    with connected("127.0.0.1", port) as one:
        one.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")
        assert (await asyncio.to_thread(one.recv, 65_536)).startswith(b"HTTP/1.1 200")
        one.sendall(HEAD)
        await asyncio.to_thread(_rest, one)


async def test_octets_that_drip_do_not_hold_a_connection(port: int) -> None:
    def drip() -> int:
        with connected("127.0.0.1", port) as one:
            one.sendall(HEAD)
            one.settimeout(0.05)
            for sent in range(600):
                try:
                    one.sendall(b"X-Slow: yes\r\n")
                    if not one.recv(1):
                        return sent
                except TimeoutError:
                    continue
                except ConnectionError:
                    return sent
        return 600

    assert await asyncio.to_thread(drip) < 600


async def test_a_body_that_goes_on_behind_an_early_answer_is_cut(port: int) -> None:
    with connected("127.0.0.1", port) as one:
        one.sendall(HEAD.replace(b" / ", b" /early ") + b"Content-Length: 1000\r\n\r\nhalf")
        assert b"not read" in await asyncio.to_thread(_rest, one)


async def test_who_sends_whole_requests_keeps_the_connection(port: int) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + 3 * http.REQUEST_S
    with connected("127.0.0.1", port) as one:
        while loop.time() < end:
            one.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")
            said = b""
            while not said.endswith(b"ok"):
                piece = await asyncio.to_thread(one.recv, 65_536)
                assert piece, "the connection was cut between whole requests"
                said += piece


async def test_one_address_cannot_take_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_PER_ADDRESS", 5)
    async with http_server(APP, "127.0.0.1", 0) as port:
        held = [connected("127.0.0.1", port) for _ in range(5)]
        for one in held:
            one.sendall(HEAD)
        with connected("127.0.0.1", port) as sixth:
            assert await asyncio.to_thread(_rest, sixth) == b""
        other = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(transport=other, timeout=30) as client:
            assert (await client.post(f"http://127.0.0.1:{port}/", content=b"ok")).text == "ok"
        for one in held:
            one.close()


async def test_all_addresses_together_cannot_take_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 6)
    async with http_server(APP, "127.0.0.1", 0) as port:
        held = [connected(f"127.0.0.{2 + index}", port) for index in range(6)]
        for one in held:
            one.sendall(HEAD)
        with connected("127.0.0.1", port) as seventh:
            assert await asyncio.to_thread(_rest, seventh) == b""
        for one in held:
            one.close()
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            assert (await _served(client, port)) == "ok"


async def _served(client: httpx.AsyncClient, port: int) -> str:
    """The answer, once the server has seen that the others are gone."""
    for _ in range(300):
        try:
            return (await client.post(f"http://127.0.0.1:{port}/", content=b"ok")).text
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    return ""
