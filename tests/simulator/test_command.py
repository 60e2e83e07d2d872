"""The vendor as a program of its own, and as a guest in someone else's loop."""

import asyncio
import signal
import socket
import sys
from contextlib import suppress

import httpx
import pytest

from bridge.simulator import Settings, Simulator, Webhook, serve
from bridge.simulator.command import main
from bridge.simulator.server import end, is_loopback, running

from .conftest import WAIT_S

pytestmark = pytest.mark.traced

PROGRAM = (sys.executable, "-m", "bridge.simulator", "--port", "0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_program_says_where_it_is_and_ends_at_a_signal(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        "--account",
        "a@b.example:tok:auth",
        "--webhook",
        "http://127.0.0.1:9/h",
        "--delay",
        "0",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    said: dict[str, str] = {}
    async with asyncio.timeout(WAIT_S):
        while (line := (await process.stdout.readline()).decode().strip()) != "ready":
            name, _, value = line.partition(" ")
            said[name] = value.strip()
    form = {
        "Sender": "a@b.example",
        "Token": "tok",
        "Number": "0421000001",
        "Message": "x",
        "MessageID": "A1",
    }
    async with httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as http:
        assert (await http.post(said["send"], data=form)).status_code == 200
        poll = await http.get(f"{said['polls']}/get/status/A1", headers={"Authorization": "Basic auth"})
        assert poll.json()["Result"] == "Success"
        assert (await http.get(said["phones"])).status_code == 200
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
    assert said["webhook"] == "http://127.0.0.1:9/h"
    assert "Token=tok" in said["try"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--address", "0.0.0.0"], "--public"),
        (["--account", "x"], "SENDER:TOKEN"),
        (["--webhook", "ftp://x"], "http://"),
        (["--smtp", "host"], "HOST:PORT"),
        (["--timezone", "Mars/Base"], "Mars/Base"),
        (["--port", "70000"], "--port: a port is 0 (any free one) to 65535"),
        (["--port", "x"], "--port: a port is 0"),
        (["--price", "free"], "--price: an amount, 0 to 1000"),
        (["--price", "-1"], "--price"),
        (["--delay", "-1"], "--delay: seconds, 0 to 86400"),
        (["--max-segments", "0"], "--max-segments: a whole number from 1 up"),
        (["--max-segments", "1.5"], "--max-segments"),
        (["--delay", "nan"], "--delay"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_wrong_use_is_explained(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options) == 2
    assert said in capsys.readouterr().err


def test_help_is_not_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--webhook" in capsys.readouterr().out


def test_a_port_in_use_is_a_failure_that_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--smtp", "[::1]:25", "--price", "0.25"]) == 1
    assert f"port {port}" in capsys.readouterr().err


async def test_a_guest_says_when_it_is_ready_and_stops_when_asked() -> None:
    stop, ready = asyncio.Event(), asyncio.Queue[Simulator]()
    task = asyncio.create_task(serve(Settings(port=0), ready.put_nowait, stop))
    simulator = await asyncio.wait_for(ready.get(), WAIT_S)
    simulator.configure(webhook=Webhook("http://127.0.0.1:9/"))
    async with httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as http:
        assert (await http.get(simulator.url)).status_code == 200
    stop.set()
    await asyncio.wait_for(task, WAIT_S)
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(simulator.url)


async def test_a_guest_that_is_cancelled_stops_too() -> None:
    ready = asyncio.Queue[Simulator]()
    task = asyncio.create_task(serve(Settings(port=0), ready.put_nowait))
    simulator = await asyncio.wait_for(ready.get(), WAIT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, WAIT_S)
    with socket.socket() as again:
        again.bind(("127.0.0.1", simulator.port))


async def test_the_vendor_listens_on_ipv6_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        async with running(Settings(address="::1", port=0)) as simulator:
            assert simulator.url.startswith("http://[::1]:")
            async with httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as http:
                assert (await http.get(simulator.url)).status_code == 200
    except OSError as error:
        pytest.skip(f"no IPv6 loopback here: {error}")


async def test_a_loop_that_swallows_a_cancellation_is_ended_all_the_same() -> None:
    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(end(task), WAIT_S)
    assert task.cancelled()


def test_only_loopback_is_loopback() -> None:
    assert all(is_loopback(name) for name in ("127.0.0.1", "127.9.9.9", "::1", "localhost"))
    assert not any(is_loopback(name) for name in ("0.0.0.0", "::", "10.0.0.1", "example.com", ""))
