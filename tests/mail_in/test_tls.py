"""TLS where the moment counts, in both event loops: handshakes that come early, late or never."""

import asyncio
import socket
import ssl
import struct
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bridge.mail_in import Timeouts
from bridge.mail_in.connection import Connection
from tests.mail_in.client import Client
from tests.mail_in.conftest import Starter, servers, until

Runner = Callable[[Coroutine[Any, Any, None]], None]
Loop = Callable[[Callable[[Starter], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def loop(
    request: pytest.FixtureRequest, tmp_path: Path, certificate: tuple[str, str], users: dict[str, str]
) -> Loop:
    """Runs a coroutine function of ``start`` in one of the loops."""
    run: Runner = request.param

    def in_loop(test: Callable[[Starter], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with servers(tmp_path, certificate, users) as start:
                await test(start)

        run(main())

    return in_loop


def test_a_handshake_that_comes_before_ours_has_begun_is_not_lost(
    loop: Loop, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Connection.begin_tls

    async def late(self: Connection) -> None:
        await asyncio.sleep(0.1)
        await real(self)

    async def test(start: Starter) -> None:
        monkeypatch.setattr(Connection, "begin_tls", late)
        server = await start("implicit")

        def talk() -> str:
            with Client(server.port, trusting) as client:
                return client.answer()

        assert (await asyncio.to_thread(talk)).startswith("220 ")

    loop(test)


@pytest.mark.parametrize("beginning", [b"", b"\x16\x03\x01"])
def test_stop_does_not_wait_for_a_handshake_that_never_ends(loop: Loop, beginning: bytes) -> None:
    async def test(start: Starter) -> None:
        server = await start("implicit")
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(beginning)
            await until(lambda: server.mail_in.open_connections == 1)
            await asyncio.wait_for(server.mail_in.drain(0.1), 10)
            await asyncio.wait_for(server.mail_in.stop(), 10)
        assert server.mail_in.open_connections == 0

    loop(test)


def test_a_handshake_that_never_ends_is_given_up(loop: Loop) -> None:
    async def test(start: Starter) -> None:
        server = await start("implicit", timeouts=Timeouts(handshake_ms=200))
        with socket.create_connection(("127.0.0.1", server.port)):
            await until(lambda: server.mail_in.open_connections == 1)
            await until(lambda: server.mail_in.open_connections == 0)

    loop(test)


def test_stop_cuts_a_client_inside_tls(loop: Loop, trusting: ssl.SSLContext) -> None:
    async def test(start: Starter) -> None:
        server = await start("starttls")

        def begin() -> Client:
            client = Client(server.port)
            client.answer()
            client.say("EHLO c")
            client.say("STARTTLS")
            client.start_tls(trusting)
            assert client.say("NOOP").startswith("250")
            return client

        with await asyncio.to_thread(begin):
            await asyncio.wait_for(server.mail_in.stop(), 10)
        assert server.mail_in.open_connections == 0

    loop(test)


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("beginning", [b"", b"\x16\x03\x01", b"EHLO plain text\r\n"])
def test_who_leaves_within_the_handshake_is_counted_no_more(loop: Loop, beginning: bytes, how: str) -> None:
    async def test(start: Starter) -> None:
        server = await start("implicit")
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(beginning)
                if _ % 2:
                    await asyncio.sleep(0.005)
                if how == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await until(lambda: server.mail_in.open_connections == 0)
        house = server.mail_in._house
        assert house is not None
        await until(lambda: not house.conversations)

    loop(test)


def test_a_hello_in_many_pieces_is_put_together(loop: Loop, trusting: ssl.SSLContext) -> None:
    async def test(start: Starter) -> None:
        server = await start("implicit")
        for size in (1, 7, 100, 300):
            assert await asyncio.to_thread(_handshake_in_pieces, server.port, trusting, size) == "220 "

    loop(test)


def _handshake_in_pieces(port: int, context: ssl.SSLContext, size: int) -> str:
    """Shake hands with our octets in pieces of ``size``; the first of what the server says then."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", port), 30) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for step in (tls.do_handshake, lambda: tls.read(4)):
            while True:
                try:
                    said = step()
                except ssl.SSLWantReadError:
                    octets = outgoing.read()
                    for start in range(0, len(octets), size):
                        wire.sendall(octets[start : start + size])
                    incoming.write(wire.recv(65_536))
                else:
                    break
            octets = outgoing.read()
            for start in range(0, len(octets), size):
                wire.sendall(octets[start : start + size])
    return (said or b"").decode()


def _shakes_hands(port: int, context: ssl.SSLContext) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as wire, context.wrap_socket(wire) as tls:
            return bool(tls.read(4))
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.parametrize(
    ("newest", "ciphers", "taken"),
    [
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_2, "ALL:@SECLEVEL=0", True),
        (ssl.TLSVersion.TLSv1_3, "ALL", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_2, "kRSA:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_2, "aNULL:@SECLEVEL=0", False),
    ],
)
async def test_tls_is_1_2_or_newer_and_always_with_forward_secrecy(
    start: Starter, newest: ssl.TLSVersion, ciphers: str, taken: bool
) -> None:
    server = await start("implicit")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
    context.set_ciphers(ciphers)
    assert await asyncio.to_thread(_shakes_hands, server.ports[0], context) is taken


def _of_old_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _of_others_trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


@pytest.mark.parametrize(
    ("client", "fault"),
    [
        (_of_old_tls(), "unsupported protocol"),
        (_of_others_trust(), "tlsv1 alert unknown ca"),
        (None, "wrong version number"),
    ],
    ids=["old", "trusts others", "plain"],
)
def test_the_log_says_why_a_handshake_failed(
    loop: Loop, caplog: pytest.LogCaptureFixture, client: ssl.SSLContext | None, fault: str
) -> None:
    async def test(start: Starter) -> None:
        server = await start("implicit")
        if client is None:
            await asyncio.to_thread(_speaks_plainly, server.port)
        else:
            assert not await asyncio.to_thread(_shakes_hands, server.port, client)
        await until(lambda: "TLS failed" in caplog.messages)

    with caplog.at_level("INFO", "bridge.mail_in"):
        loop(test)
    (said,) = [one for one in caplog.records if one.message == "TLS failed"]
    assert said.__dict__["fault"] == fault


def _speaks_plainly(port: int) -> None:
    with Client(port) as client:
        client.send(b"EHLO plain.example\r\n")
        assert client.answer() == ""
