"""Memory stays bounded whatever a client sends. The server runs in a process of its own, so that what is
measured is its own peak."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mail_in.client import Client
from tests.threats import found

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

MIB = 1024 * 1024
NUMBER = "0421000001@sms.local"
MIXED = b"Content-Type: multipart/mixed; boundary=b%d\r\nX: %d\r\n\r\n"


@dataclass
class Process:
    pid: int
    port: int

    def peak(self) -> int:
        """The highest resident size so far, in octets."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.mail_in.server_process", str(tmp_path / "bridge.db"),
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert child.stdout is not None
    port = int(await asyncio.wait_for(child.stdout.readline(), 60))
    yield Process(child.pid, port)
    child.terminate()
    await child.wait()


def send_mail(port: int, body: list[bytes]) -> str:
    """One mail whose body is these chunks; its answer, or nothing when the server hangs up."""
    with Client(port, timeout=120) as client:
        client.envelope(NUMBER)
        client.say("DATA")
        with contextlib.suppress(OSError):
            client.send(b"From: ups@plant.example\r\n" + (b"" if body[0][:1] in b"XC" else b"\r\n"))
            for chunk in body:
                client.send(chunk)
            client.send(b"\r\n.\r\n")
        return client.answer()


def normal_mail(port: int) -> float:
    """Send a normal mail; the seconds it took."""
    began = time.monotonic()
    assert send_mail(port, [b"hello"]).startswith("250 ")
    return time.monotonic() - began


@pytest.mark.threat(6, "a normal mail meanwhile", of="floods", unit="s", at_most=2)
@pytest.mark.threat(6, "peak RSS growth", of="floods", unit="MiB", at_most=100)
@pytest.mark.parametrize(
    "body",
    [
        [b"x" * MIB] * 100,
        [b"\r\n" * (MIB // 2)] * 8,
        [b"\n" * MIB] * 8,
        [b"\r" * MIB] * 20,
        [b".\r\n" * (MIB // 3)] * 8,
        [b"\r\n--q" * (MIB // 5)] * 20,
        [b"words of a text that goes on to the end of its line\r\n" * (MIB // 54)] * 22,
        [b"X-Bomb: " + b"x" * 900 + b"\r\n", *[b"X-Bomb: x\r\n" * (MIB // 11)] * 8],
        [MIXED % (0, 0) + b"".join(b"--b%d\r\n" % n + MIXED % (n + 1, n + 1) for n in range(20_000))],
        [MIXED % (0, 0) + b"--b0\r\nContent-Type: text/html\r\n\r\n<b>x\r\n" * 20_000],
    ],
    ids=[
        "endless line",
        "8 MB of CRLF",
        "LF only",
        "CR only",
        "dots",
        "boundary-like lines",
        "22 MB of text",
        "700,000 header fields",
        "20,000 parts in each other",
        "20,000 parts",
    ],
)
async def test_one_hostile_mail_costs_little_and_others_are_served(
    process: Process, body: list[bytes]
) -> None:
    await asyncio.to_thread(normal_mail, process.port)
    before = process.peak()
    hostile = asyncio.create_task(asyncio.to_thread(send_mail, process.port, body))
    took = await asyncio.to_thread(normal_mail, process.port)
    await hostile
    found((process.peak() - before) / MIB, what="peak RSS growth")
    found(took, what="a normal mail meanwhile")
    assert process.peak() - before < 100 * MIB
    assert took < 2
    await asyncio.to_thread(normal_mail, process.port)


@pytest.mark.threat(6, "peak RSS growth", of="floods", unit="MiB", at_most=100)
async def test_many_big_mails_at_once_stay_within_the_bound(process: Process) -> None:
    await asyncio.to_thread(normal_mail, process.port)
    before = process.peak()
    body = [b"words of a text that goes on to the end of its line\r\n" * (MIB // 54)] * 12
    answers = await asyncio.gather(
        *(asyncio.to_thread(send_mail, process.port, body) for _ in range(20)), return_exceptions=True
    )
    found((process.peak() - before) / MIB)
    assert process.peak() - before < 100 * MIB
    assert all(str(answer).startswith(("250 ", "452 4.3.1 ")) for answer in answers), answers


@pytest.mark.threat(6, "peak RSS growth", of="floods", unit="MiB", at_most=100)
async def test_a_thousand_idle_connections_cost_little_and_network_senders_get_in(process: Process) -> None:
    await asyncio.to_thread(normal_mail, process.port)
    before = process.peak()
    idle = []
    for _ in range(1_000):
        _, writer = await asyncio.open_connection("127.0.0.1", process.port)
        idle.append(writer)
    found((process.peak() - before) / MIB)
    assert process.peak() - before < 100 * MIB
    for writer in idle:
        writer.close()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(AssertionError, OSError):
            await asyncio.to_thread(normal_mail, process.port)
            return
    pytest.fail("no room after the idle connections had gone")


@pytest.mark.threat(6, "a normal mail meanwhile", of="floods", unit="s", at_most=2)
@pytest.mark.threat(6, "peak RSS growth", of="floods", unit="MiB", at_most=100)
async def test_hundreds_who_send_an_octet_at_a_time_hold_nobody_up(process: Process) -> None:
    await asyncio.to_thread(normal_mail, process.port)
    before, over, dripping = process.peak(), asyncio.Event(), asyncio.Semaphore(0)

    async def drip(begun: bytes) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", process.port)
        writer.write(begun)
        dripping.release()
        while not over.is_set():
            writer.write(b"x")
            await asyncio.sleep(0.05)
        writer.transport.abort()

    envelope = f"EHLO c\r\nMAIL FROM:<ups@plant.example>\r\nRCPT TO:<{NUMBER}>\r\nDATA\r\n".encode()
    slow = [asyncio.create_task(drip(begun)) for begun in [b"", b"EHLO ", envelope] * 130]
    for _ in slow:
        await dripping.acquire()
    took = [await asyncio.to_thread(normal_mail, process.port) for _ in range(10)]
    over.set()
    await asyncio.gather(*slow)
    found((process.peak() - before) / MIB, what="peak RSS growth")
    found(max(took), what="a normal mail meanwhile")
    assert process.peak() - before < 100 * MIB
    assert max(took) < 2
