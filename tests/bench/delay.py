"""How long an SMS waits inside, how long a start takes, what a signature costs."""

import asyncio
import random
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bridge.mail_out import Signer
from tests.bench.load import SENDER
from tests.bench.mailer import Mail, Session
from tests.bench.results import Goal, Line
from tests.bench.servers import Bridge, Vendor, stopping

MAILS: Final = 2_000
PER_SECOND: Final = 200
CLIENTS: Final = 20
STARTS: Final = 5
SIGNATURES: Final = 200
_P50: Final = Goal(2.5, most=True)
_P99: Final = Goal(15, most=True)
_READY: Final = Goal(1.5, most=True)
_SIGNATURE: Final = Goal(0.7, most=True)
_RSA_BITS: Final = 2048


def inside() -> list[Line]:
    """Return the time from the end of DATA to the begin of the POST, at a steady rate of mails."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        vendor = Vendor(folder)
        bridge = Bridge(folder, vendor.port)
        with stopping((bridge, vendor)):
            bridge.start()
            handed_in = asyncio.run(_steadily(bridge.smtp))
            vendor.wait_for(MAILS, 30)
            posted = vendor.times()
            waits = [(posted[serial] - at) * 1000 for serial, at in handed_in.items()]
            cuts = quantiles(waits, n=100)
            return [
                Line(f"end of DATA → POST, {PER_SECOND}/s, p50", cuts[49], "ms", _P50),
                Line(f"end of DATA → POST, {PER_SECOND}/s, p95", cuts[94], "ms"),
                Line(f"end of DATA → POST, {PER_SECOND}/s, p99", cuts[98], "ms", _P99),
            ]


async def _steadily(port: int) -> dict[str, float]:
    """Hand in mails at random moments, ``PER_SECOND`` on average; returns when each one's last dot went out."""
    chance = random.Random(1)
    due_at = time.monotonic() + 0.5
    due: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
    for serial in range(MAILS):
        due_at += chance.expovariate(PER_SECOND)
        due.put_nowait((serial, due_at))
    handed_in: dict[str, float] = {}
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(_client(port, due, handed_in))
    return handed_in


async def _client(port: int, due: "asyncio.Queue[tuple[int, float]]", handed_in: dict[str, float]) -> None:
    session = await Session.open(port)
    while not due.empty():
        serial, due_at = due.get_nowait()
        await asyncio.sleep(due_at - time.monotonic())
        ended_at, _ = await session.hand_in(Mail(SENDER, f"04210{serial:05}", serial))
        handed_in[f"serial{serial}"] = ended_at
    await session.close()


def start() -> list[Line]:
    """Return the time from the start of the process to its word that it is ready."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        bridge = Bridge(Path(name))
        with stopping((bridge,)):
            times, used = [], []
            for _ in range(STARTS):
                times.append(bridge.start())
                used.append(bridge.running.cpu_s)
                bridge.stop()
            first = f"{times[0]:.2f} s with a new database; {median(used):.2f} s CPU"
            return [Line("start to ready", median(times[1:]), "s", _READY, first)]


def signature() -> list[Line]:
    """Return what a DKIM signature of a mail of 5 kB costs."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signer = Signer("bench.test", "bridge", pem)
    head = b"From: sms@bench.test\r\nTo: ups@plant.example\r\nSubject: SMS to +61 421 000 001\r\nMIME-Version: 1.0\r\n"
    raw = head + b"Message-ID: <1@bench.test>\r\n\r\n" + b"".join([b"x" * 76 + b"\r\n"] * 64)
    times = []
    for _ in range(SIGNATURES):
        began = time.perf_counter()
        signer.sign(raw, 0)
        times.append((time.perf_counter() - began) * 1000)
    return [Line("DKIM signature of 5 kB, RSA-2048", median(times), "ms", _SIGNATURE)]
