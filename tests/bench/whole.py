"""The whole way, in one process: mail in to the vendor's answer, and on to the report at the smarthost."""

import tempfile
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.bench.accept import Server
from tests.bench.load import WAYS, Way, burst
from tests.bench.mailrise import Mailrise
from tests.bench.postfix import Postfix
from tests.bench.results import Goal, Line, Run, cheaper, cpu, ratio, speed
from tests.bench.servers import SECRET, Bridge, Sink, Vendor, rule, stopping

MAILS: Final = 1_500
POSTFIX_MAILS: Final = 150
MAILRISE_MAILS: Final = 250
CIRCLES: Final = 800
WITHIN_S: Final = 60.0
OURS: Final = "end to end"
CURL: Final = "Postfix + pipe + curl"
MAILRISE: Final = "mailrise (not durable)"
_OVER: Final[dict[str, dict[Way, Goal]]] = {
    CURL: {"new": Goal(6), "reused": Goal(10)},
    MAILRISE: {"new": Goal(2.5), "reused": Goal(2.5)},
}
_CIRCLE: Final = Goal(250)
_MEMORY: Final = Goal(150, most=True)
_RSA_BITS: Final = 2048


def end_to_end(rounds: int) -> list[Line]:
    """Return the figures from the first mail handed in to the last POST answered."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        vendor = Vendor(folder)
        bridge, postfix = Bridge(folder, vendor.port), Postfix(f"http://127.0.0.1:{vendor.port}/send")
        mailrise = Mailrise(folder, vendor.port)
        with stopping((bridge, vendor, postfix, mailrise)):
            bridge.start()
            postfix.start()
            mailrise.start()
            runs: dict[tuple[str, Way], list[Run]] = {}
            for _ in range(rounds):
                for way in WAYS:
                    found = {OURS: posted(vendor, bridge.running, bridge.smtp, way, MAILS)}
                    if not postfix.missing:
                        found[CURL] = posted(vendor, postfix, postfix.sending, way, POSTFIX_MAILS)
                    if not mailrise.missing:
                        found[MAILRISE] = posted(vendor, mailrise, mailrise.port, way, MAILRISE_MAILS)
                    for who, run in found.items():
                        runs.setdefault((who, way), []).append(run)
            check_settled(bridge, rounds * MAILS * len(WAYS))
            missing = {CURL: postfix.missing, MAILRISE: mailrise.missing}
            lines = [line for way in WAYS for line in _lines(way, runs, missing)]
            return [*lines, Line("memory, the most", bridge.running.memory_mib("VmHWM"), "MiB", _MEMORY)]


def _lines(way: Way, runs: dict[tuple[str, Way], list[Run]], missing: dict[str, str]) -> list[Line]:
    ours = runs[OURS, way]
    lines = [Line(f"{OURS}, {way}", speed(ours), "per s", note=cpu(ours))]
    for who, why in missing.items():
        theirs = runs.get((who, way))
        goal = _OVER[who][way]
        if theirs is None:
            lines += [
                Line(f"{who}, {way}", None, note=why),
                Line(f"  ÷ {who}, {way}", None, goal=goal, note=why),
            ]
        else:
            lines.insert(0, Line(f"{who}, {way}", speed(theirs), "per s", note=cpu(theirs)))
            lines.append(Line(f"  ÷ {who}, {way}", ratio(ours, theirs), "", goal, cheaper(ours, theirs)))
    return lines


def full_circle(rounds: int) -> list[Line]:
    """Return the figures of mail → SMS → webhook → signed report, with the smarthost's last 250 as the end."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        vendor, sink = Vendor(folder), Sink(folder)
        bridge = reporting(folder, vendor, sink)
        with stopping((bridge, vendor, sink)):
            bridge.start()
            vendor.tell(bridge.hook, f"/hooks/sms/{SECRET}")
            runs = [circle(bridge.running, bridge.smtp, sink) for _ in range(rounds)]
            check_delivered(bridge, rounds * CIRCLES)
            return [
                Line("full circle", speed(runs), "per s", _CIRCLE, cpu(runs)),
                Line("memory, the most", bridge.running.memory_mib("VmHWM"), "MiB", _MEMORY),
            ]


def circle(server: Server, port: int, sink: Sink) -> Run:
    """Let `CIRCLES` mails go round, from ``port`` of ``server`` to the smarthost."""
    before, arrived = server.cpu_s, sink.mails
    began_at = burst(port, CIRCLES, "reused").began_at
    ended_at = sink.wait_for(arrived + CIRCLES, WITHIN_S)
    return Run(CIRCLES / (ended_at - began_at), (server.cpu_s - before) / CIRCLES * 1e6)


def check_delivered(bridge: Bridge, mails: int) -> None:
    """Raise unless each mail that went round is a delivered SMS."""
    delivered = bridge.count("SELECT count(*) FROM sms WHERE state = 'delivered'")
    if delivered != mails:
        raise RuntimeError(f"{mails} went round, {delivered} are delivered")


def posted(vendor: Vendor, server: Server, port: int, way: Way, mails: int) -> Run:
    """Hand in ``mails``; the rate is that at which they reached the vendor, to the last one."""
    before, cpu_before = vendor.stats()[0], server.cpu_s
    began_at = burst(port, mails, way).began_at
    rate = mails / (vendor.wait_for(before + mails, WITHIN_S) - began_at)
    return Run(rate, (server.cpu_s - cpu_before) / mails * 1e6)


def check_settled(bridge: Bridge, mails: int) -> None:
    """Every mail must be an SMS of its own (its POST was counted by the vendor)."""
    if (stored := bridge.count()) != mails:
        raise RuntimeError(f"{mails} mails were answered 250, {stored} SMS are stored")


def reporting(folder: Path, vendor: Vendor, sink: Sink) -> Bridge:
    """Return a bridge, not started, that signs a report of each SMS and hands it to ``sink``."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    pem = folder / "dkim.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    pem.chmod(0o600)
    reports = {"when": ["failed", "delivered"], "to": "sender"}
    senders = [rule("ups@plant.example", brand="plant", reports=reports)]
    outbox = {
        "smarthost": f"smtp://127.0.0.1:{sink.port}",
        "dkim": {"domain": "plant.example", "selector": "bridge", "key": str(pem)},
    }
    brands = {"plant": {"name": "The Plant", "from": "sms@plant.example", "accent": "#0a7d6c"}}
    return Bridge(folder, vendor.port, senders=senders, outbox=outbox, brands=brands)
