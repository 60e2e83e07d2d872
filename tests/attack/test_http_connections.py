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


async def names(request: Request) -> Response:
    await request.body()
    return PlainTextResponse(",".join(request.headers))


APP = Starlette(
    routes=[
        Route("/", echo, methods=["GET", "POST"]),
        Route("/early", early, methods=["POST"]),
        Route("/names", names, methods=["POST"]),
    ]
)


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


@pytest.mark.threat(18, "requests without end that held a connection", of="requests")
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


@pytest.mark.threat(18, "requests without end that held a connection", of="requests")
async def test_empty_lines_do_not_hold_a_connection(port: int) -> None:
    def drip() -> int:
        with connected("127.0.0.1", port) as one:
            one.settimeout(0.05)
            for sent in range(600):
                try:
                    one.sendall(b"\r\n")
                    if not one.recv(1):
                        return sent
                except TimeoutError:
                    continue
                except ConnectionError:
                    return sent
        return 600

    assert await asyncio.to_thread(drip) < 600


@pytest.mark.threat(18, "requests without end that held a connection", of="requests")
@pytest.mark.parametrize(
    ("begun", "flood"),
    [
        (HEAD, b"X-Bomb: x\r\n"),
        (HEAD + b"X-Bomb: ", b"x" * 16),
        (b"GET /", b"x" * 16),
        (b"", b"\r\n" * 8),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 16),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: x\r\n"),
    ],
    ids=["fields", "a field", "a path", "empty lines", "an extension", "trailers"],
)
async def test_a_header_without_end_is_cut_long_before_its_time(begun: bytes, flood: bytes) -> None:
    def pour(port: int) -> int:
        with connected("127.0.0.1", port) as one:
            one.sendall(begun)
            for sent in range(1_000):
                try:
                    one.sendall(flood * (http.MAX_HEAD // len(flood)))
                except ConnectionError:
                    return sent
        return 1_000

    async with http_server(APP, "127.0.0.1", 0) as port:
        assert await asyncio.to_thread(pour, port) < 1_000


@pytest.mark.threat(18, "requests without end that held a connection", of="requests")
async def test_requests_may_come_before_the_answer_to_the_first_but_not_without_end(port: int) -> None:
    one_request = HEAD + b"Content-Length: 2\r\n\r\nok"
    the_last = HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok"

    def asked(count: int) -> bytes:
        with connected("127.0.0.1", port) as one:
            one.sendall(one_request * (count - 1) + the_last)
            return _rest(one)

    assert (await asyncio.to_thread(asked, http.MAX_WAITING)).count(b"HTTP/1.1 200 OK") == http.MAX_WAITING
    assert b"400 Bad Request" in await asyncio.to_thread(asked, 10_000)


@pytest.mark.threat(18, "requests smuggled", of="requests")
@pytest.mark.parametrize(
    "lie",
    [
        b"Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
        b"Content-Length: +0\r\n\r\n",
        b"Content-Length: 0x0\r\n\r\n",
        b"Content-Length : 0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
        b"X: a\nContent-Length: 0\r\n\r\n",
        b"X: a\rContent-Length: 0\r\n\r\n",
        b"X\0: a\r\nContent-Length: 0\r\n\r\n",
        b"\r\n",  # no length at all: a POST without a body, and what follows is a request of its own
    ],
)
async def test_no_request_is_smuggled_behind_one_that_lies_about_its_length(port: int, lie: bytes) -> None:
    """Two servers that see different ends see different requests; so an unclear end is no request."""
    second = b"POST /names HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
    second += b"Connection: close\r\n\r\n" if lie == b"\r\n" else b"\r\n"
    with connected("127.0.0.1", port) as one:
        one.sendall(HEAD + lie + second)
        said = await asyncio.to_thread(_rest, one)
    if lie == b"\r\n":
        assert said.count(b"HTTP/1.1 200 OK") == 2
    else:
        assert b"host,content-length" not in said
        assert said.count(b"HTTP/1.1 400 Bad Request") == 1


@pytest.mark.threat(18, "requests smuggled", of="requests")
async def test_a_trailer_is_no_header(port: int) -> None:
    body = b"2\r\nok\r\n0\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"
    with connected("127.0.0.1", port) as one:
        head = b"Host: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        one.sendall(b"POST /names HTTP/1.1\r\n" + head + body)
        said = await asyncio.to_thread(_rest, one)
    assert said.endswith(b"host,transfer-encoding,connection")


@pytest.mark.threat(18, "requests without end that held a connection", of="requests")
async def test_a_second_request_that_does_not_end_is_cut_too(port: int) -> None:
    with connected("127.0.0.1", port) as one:
        one.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")
        assert (await asyncio.to_thread(one.recv, 65_536)).startswith(b"HTTP/1.1 200")
        one.sendall(HEAD)
        await asyncio.to_thread(_rest, one)


@pytest.mark.threat(18, "requests without end that held a connection", of="requests")
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


@pytest.mark.threat(18, "requests without end that held a connection", of="requests")
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


@pytest.mark.threat(6, "floods that kept others out", of="floods")
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


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_who_keeps_us_waiting_longest_makes_room_when_all_places_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No more files are taken than may be, and a request that comes at once is answered all the same."""
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 6)
    monkeypatch.setattr(http, "REQUEST_S", 600.0)
    async with http_server(APP, "127.0.0.1", 0) as port:
        held = [connected("127.0.0.1", port) for _ in range(6)]
        for one in held:
            one.sendall(HEAD)
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            assert (await client.post(f"http://127.0.0.1:{port}/", content=b"ok")).text == "ok"
        answers = [await asyncio.to_thread(_finished, one) for one in held]
        assert sum(answer.endswith(b"hi") for answer in answers) == 5, "one had to go"
        for one in held:
            one.close()


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_all_addresses_together_cannot_take_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose request is being answered keep their places: then there is room for nobody else."""
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 6)
    go_on = asyncio.Event()

    inside = asyncio.Semaphore(0)

    async def slow(request: Request) -> Response:
        inside.release()
        await go_on.wait()
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/", slow, methods=["POST"])])
    async with http_server(app, "127.0.0.1", 0) as port:
        held = [connected("127.0.0.1", port) for _ in range(6)]
        for one in held:
            one.sendall(HEAD + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            await inside.acquire()
        with connected("127.0.0.1", port) as seventh:
            assert await asyncio.to_thread(_rest, seventh) == b""
        go_on.set()
        for one in held:
            assert (await asyncio.to_thread(_rest, one)).endswith(b"done")
            one.close()
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            assert (await _served(client, port)) == "done"


def _finished(one: socket.socket) -> bytes:
    """What is answered to the begun request when it is brought to its end, nothing if the server hung up."""
    try:
        one.sendall(b"Content-Length: 2\r\nConnection: close\r\n\r\nhi")
    except ConnectionError:
        return b""
    return _rest(one)


async def _served(client: httpx.AsyncClient, port: int) -> str:
    """The answer, once the server has seen that the others are gone."""
    for _ in range(300):
        try:
            return (await client.post(f"http://127.0.0.1:{port}/", content=b"ok")).text
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    return ""
