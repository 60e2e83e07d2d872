"""Durable accept: ours against servers that store nothing, and against Postfix.

Postfix is measured twice. On hold, a mail is stored and nothing more happens to it, as in ours when the part
``mail`` runs alone: accepting against accepting. Delivering, each mail is also taken from the queue and given
to `discard(8)`, the least that a Postfix in service does; beside it stands ours with every part running, which
also sends each SMS to the vendor.
"""

import tempfile
from pathlib import Path
from typing import Final, Protocol

from tests.bench.load import WAYS, Way, burst
from tests.bench.postfix import Postfix
from tests.bench.results import Goal, Line, Run, cheaper, cpu, ratio, speed
from tests.bench.servers import Bridge, Null, Sink, Vendor, stopping

MAILS: Final[dict[Way, int]] = {"new": 2_000, "reused": 4_000}
FEWER: Final = 1_000  # of the slower ones
_OVER_NULL: Final[dict[Way, Goal]] = {"new": Goal(1.0), "reused": Goal(1.1)}
_OVER_POSTFIX: Final[dict[Way, Goal]] = {"new": Goal(2.2), "reused": Goal(3.5)}
_WITHIN_S: Final = 60.0

OURS: Final = "durable accept"
SENDING: Final = "durable accept, sending meanwhile"
NULL: Final = "aiosmtpd, null handler"
SINK: Final = "smtp-sink"
HOLDING: Final = "Postfix, on hold"
DELIVERING: Final = "Postfix, delivering to discard"

Runs = dict[tuple[str, Way], list[Run]]


class Server(Protocol):
    @property
    def cpu_s(self) -> float: ...


def measure(rounds: int) -> list[Line]:
    """Return the figures of the step "mail in"."""
    with tempfile.TemporaryDirectory(prefix="bench-") as alone, tempfile.TemporaryDirectory() as whole:
        null, sink, vendor, postfix = (
            Null(Path(alone)),
            Sink(Path(alone)),
            Vendor(Path(whole)),
            Postfix(),
        )
        bridge, sending = Bridge(Path(alone)), Bridge(Path(whole), vendor.port)
        with stopping((bridge, sending, null, sink, vendor, postfix)):
            bridge.start("mail")
            sending.start()
            postfix.start()
            runs: Runs = {}
            for _ in range(rounds):
                for way in WAYS:
                    found = {
                        OURS: _stored(bridge, way),
                        NULL: _run(null.process, null.port, way, MAILS[way]),
                        SINK: _run(sink.process, sink.port, way, MAILS[way]),
                        SENDING: _sent(sending, vendor, way),
                    }
                    if not postfix.missing:
                        found[HOLDING] = _run(postfix, postfix.holding, way, FEWER)
                        found[DELIVERING] = _run(postfix, postfix.delivering, way, FEWER)
                    for name, run in found.items():
                        runs.setdefault((name, way), []).append(run)
            return [line for way in WAYS for line in _lines(way, runs, postfix.missing)]


def _run(server: Server, port: int, way: Way, mails: int) -> Run:
    """A burst; the CPU is that of all that the mails caused, what was done after the last 250 too."""
    before = server.cpu_s
    per_second = burst(port, mails, way).per_second
    if isinstance(server, Postfix):
        server.wait_until_delivered()
    return Run(per_second, (server.cpu_s - before) / mails * 1e6)


def _stored(bridge: Bridge, way: Way) -> Run:
    """A burst on ours; what was answered must be there, each as an SMS of its own."""
    before = bridge.count()
    run = _run(bridge.running, bridge.smtp, way, MAILS[way])
    stored = bridge.count("SELECT count(*) FROM sms WHERE state = 'queued'") - before
    if stored != MAILS[way]:
        raise RuntimeError(f"{MAILS[way]} mails were answered 250, {stored} SMS are queued")
    return run


def _sent(bridge: Bridge, vendor: Vendor, way: Way) -> Run:
    before, cpu_before = vendor.stats()[0], bridge.running.cpu_s
    per_second = burst(bridge.smtp, FEWER, way).per_second
    vendor.wait_for(before + FEWER, _WITHIN_S)
    return Run(per_second, (bridge.running.cpu_s - cpu_before) / FEWER * 1e6)


def _lines(way: Way, runs: Runs, missing: str) -> list[Line]:
    def measured(name: str) -> Line:
        found = runs.get((name, way))
        if found is None:
            return Line(f"{name}, {way}", None, note=missing)
        return Line(f"{name}, {way}", speed(found), "per s", note=cpu(found))

    def over(ours: str, theirs: str, goal: Goal | None) -> Line:
        found = runs.get((theirs, way))
        title = "  ÷ " if ours == OURS else "  sending meanwhile ÷ "
        if found is None:
            return Line(f"{title}{theirs}, {way}", None, "", goal, missing)
        mine = runs[ours, way]
        return Line(f"{title}{theirs}, {way}", ratio(mine, found), "", goal, cheaper(mine, found))

    return [
        *(measured(name) for name in (SINK, NULL, HOLDING, DELIVERING, SENDING, OURS)),
        over(OURS, NULL, _OVER_NULL[way]),
        over(OURS, HOLDING, _OVER_POSTFIX[way]),
        over(OURS, DELIVERING, _OVER_POSTFIX[way]),
        over(SENDING, DELIVERING, None),
    ]
