"""The webhook's port with TLS of its own, in both event loops: who shakes no hands counts and is cut as others are."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from bridge.app import http
from bridge.app.http import http_server
from tests.attack.certificates import Authority, authority
from tests.attack.clients import connected
from tests.attack.test_http_connections import APP

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.param
    return found


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return authority(tmp_path)


async def asked(trusted: Authority, port: int, body: bytes = b"ok") -> bytes:
    """What a client gets, from an address of its own."""
    wire = httpx.AsyncHTTPTransport(verify=trusted.trusting(), local_address="127.0.0.2")
    async with httpx.AsyncClient(transport=wire, timeout=30) as client:
        for _ in range(3):  # over one connection
            answer = await client.post(f"https://127.0.0.1:{port}/", content=body)
    return answer.content


def cut(one: socket.socket) -> bool:
    """Whether the server hangs up without a word."""
    try:
        return one.recv(100) == b""
    except ConnectionError:
        return True


def test_requests_of_any_size_are_answered_inside_tls(run: Run, trusted: Authority) -> None:
    async def main() -> None:
        async with http_server(APP, "127.0.0.1", 0, trusted.server("good")) as port:
            answers = await asyncio.gather(*(asked(trusted, port, b"x" * size) for size in (0, 2, 300_000)))
            assert [len(one) for one in answers] == [0, 2, 300_000]

    run(main())


@pytest.mark.threat(6, "floods that kept others out", of="floods")
def test_who_begins_no_tls_counts_from_the_first_moment(
    run: Run, trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_PER_ADDRESS", 5)

    async def main() -> None:
        async with http_server(APP, "127.0.0.1", 0, trusted.server("good")) as port:
            held = [connected("127.0.0.1", port) for _ in range(5)]
            with connected("127.0.0.1", port) as sixth:
                assert await asyncio.to_thread(cut, sixth)
            assert await asked(trusted, port) == b"ok"
            for one in held:
                one.close()

    run(main())


@pytest.mark.threat(18, "requests without end that held a connection", of="requests")
@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01", b"POST / HTTP/1.1\r\n\r\n"])
def test_who_shakes_no_hands_is_cut_and_forgotten(
    run: Run, trusted: Authority, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(http, "REQUEST_S", 0.5)
    monkeypatch.setattr(http, "MAX_PER_ADDRESS", 1)

    async def main() -> None:
        async with http_server(APP, "127.0.0.1", 0, trusted.server("good")) as port:
            for _ in range(2):  # the second is let in only when the first is forgotten
                with connected("127.0.0.1", port) as one:
                    one.sendall(begun)
                    assert await asyncio.to_thread(_all_of, one) == b""
            for _ in range(100):
                with connected("127.0.0.1", port) as one:
                    one.settimeout(0.1)
                    if not await asyncio.to_thread(_at_once, one):
                        return
            raise AssertionError("those that are gone still count")

    run(main())


def _all_of(one: socket.socket) -> bytes:
    said = b""
    try:
        while piece := one.recv(100):
            said += piece
    except ConnectionError:
        pass
    return said[:0] if said.startswith(b"\x15") else said  # an alert of TLS is no answer


def _at_once(one: socket.socket) -> bool:
    try:
        return cut(one)
    except TimeoutError:
        return False
