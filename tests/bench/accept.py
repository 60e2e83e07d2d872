"""Durable accept: ours, with nothing behind it, against servers that store nothing, and against Postfix."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.bench.load import WAYS, Way, burst
from tests.bench.postfix import Postfix
from tests.bench.processes import Process
from tests.bench.results import Goal, Line, Run, cpu, ratio, speed
from tests.bench.servers import Bridge, Null, Sink, stopping

MAILS: Final[dict[Way, int]] = {"new": 2_000, "reused": 4_000}
_OVER_NULL: Final[dict[Way, Goal]] = {"new": Goal(1.0), "reused": Goal(1.1)}
_OVER_POSTFIX: Final[dict[Way, Goal]] = {"new": Goal(2.2), "reused": Goal(3.5)}

Runs = dict[Way, list[Run]]


def measure(rounds: int) -> list[Line]:
    """Return the figures of the step "mail in"."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        bridge, null, sink, postfix = Bridge(folder), Null(folder), Sink(folder), Postfix()
        with stopping((bridge, null, sink, postfix)):
            bridge.start("mail")
            postfix.start()
            ours, nulls, sinks, others = (_nothing() for _ in range(4))
            memory = []
            for _ in range(rounds):
                for way in WAYS:
                    ours[way].append(_stored(bridge, way))
                    nulls[way].append(_run(null.port, way, null.process))
                    sinks[way].append(_run(sink.port, way, sink.process))
                    if not postfix.missing:
                        others[way].append(_run(postfix.holding, way, None, MAILS[way] // 2))
                memory.append(bridge.running.memory_mib("VmRSS"))
            lines = [
                line for way in WAYS for line in _lines(way, ours, nulls, sinks, others, postfix.missing)
            ]
            growth = f"{memory[0]:.0f} MiB after the first round"
            mails = rounds * sum(MAILS.values())
            return [*lines, Line(f"memory after {mails:,} mails", memory[-1], "MiB", note=growth)]


def _nothing() -> Runs:
    return {"new": [], "reused": []}


def _run(port: int, way: Way, process: Process | None, mails: int = 0) -> Run:
    mails = mails or MAILS[way]
    before = process.cpu_s if process else 0.0
    per_second = burst(port, mails, way).per_second
    return Run(per_second, (process.cpu_s - before) / mails * 1e6 if process else None)


def _stored(bridge: Bridge, way: Way) -> Run:
    """A burst on ours; what was answered must be there, each as an SMS of its own."""
    before = bridge.count()
    run = _run(bridge.smtp, way, bridge.running)
    stored = bridge.count("SELECT count(*) FROM sms WHERE state = 'queued'") - before
    if stored != MAILS[way]:
        raise RuntimeError(f"{MAILS[way]} mails were answered 250, {stored} SMS are queued")
    return run


def _lines(way: Way, ours: Runs, nulls: Runs, sinks: Runs, others: Runs, missing: str) -> list[Line]:
    over: Callable[[Runs], float] = lambda theirs: ratio(ours[way], theirs[way])  # noqa: E731
    return [
        Line(f"smtp-sink, {way}", speed(sinks[way]), "per s", note=cpu(sinks[way])),
        Line(f"aiosmtpd, null handler, {way}", speed(nulls[way]), "per s", note=cpu(nulls[way])),
        Line(f"Postfix, on hold, {way}", None if missing else speed(others[way]), "per s", note=missing),
        Line(f"durable accept, {way}", speed(ours[way]), "per s", note=cpu(ours[way])),
        Line(f"  ÷ aiosmtpd's null handler, {way}", over(nulls), "", _OVER_NULL[way]),
        Line(f"  ÷ Postfix, {way}", None if missing else over(others), "", _OVER_POSTFIX[way], missing),
    ]
