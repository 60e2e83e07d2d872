"""What the app is made of besides the loops: the service manager, supervision, HTTP listeners."""

import asyncio
import logging
import socket
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bridge.app.http import http_server
from bridge.app.notify import notify
from bridge.app.supervise import supervise
from bridge.app.tls import ServedCertificate
from bridge.errors import ConfigError


def test_the_service_manager_hears_that_we_are_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_an_abstract_socket_hears_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0smsbridge-notify-test")
        monkeypatch.setenv("NOTIFY_SOCKET", "@smsbridge-notify-test")
        notify("STOPPING=1")
        assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("named", ["", "/nowhere/at/all", "vsock:1:2"])
def test_without_a_manager_that_listens_nothing_happens(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", named)
    assert notify("READY=1") is None  # type: ignore[func-returns-value]


async def test_a_loop_that_fails_is_started_again_and_the_fault_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = 0

    async def loop(stop: asyncio.Event) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("unforeseen")
        await stop.wait()

    stop = asyncio.Event()
    with caplog.at_level(logging.ERROR):
        task = asyncio.create_task(supervise("send", loop, stop))
        async with asyncio.timeout(20):
            while runs < 2:
                await asyncio.sleep(0.02)
            stop.set()
            await task
    assert "part failed" in caplog.text
    assert "unforeseen" in caplog.text


async def test_a_loop_that_fails_while_we_stop_is_not_started_again() -> None:
    stop = asyncio.Event()

    async def loop(stop: asyncio.Event) -> None:
        stop.set()
        raise RuntimeError("late")

    async with asyncio.timeout(20):
        await supervise("send", loop, stop)
    assert stop.is_set()


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello)])


async def test_an_app_is_served_on_a_free_port_without_telling_its_software() -> None:
    async with http_server(APP, "127.0.0.1", 0) as port, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/")
    assert answer.text == "hello"
    assert "server" not in answer.headers


async def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    async with http_server(APP, "127.0.0.1", 0) as port:
        with pytest.raises(
            ConfigError, match=f"cannot listen on 127.0.0.1:{port} .HTTP.: address already in use"
        ):
            async with http_server(APP, "127.0.0.1", port):
                pass


def test_a_certificate_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_text("no certificate")
    (tmp_path / "tls.key").write_text("no key")
    with pytest.raises(ConfigError, match=r"tls\.crt"):
        ServedCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")
