"""Two nodes on one PostgreSQL beside one node on SQLite: the CPU of an SMS, and whether one was sent twice."""

import tempfile
import threading
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench import postgresql
from tests.bench.load import burst
from tests.bench.processes import cpu_of
from tests.bench.results import Goal, Line, Run, cpu, speed
from tests.bench.servers import Bridge, Vendor, stopping

MAILS: Final = 1_500
_WITHIN_S: Final = 60.0
_CPU: Final = Goal(1.3, most=True)


def measure(rounds: int) -> list[Line]:
    """Return the figures."""
    if missing := postgresql.missing():
        return [Line("two nodes on one PostgreSQL", None, goal=_CPU, note=missing)]
    with tempfile.TemporaryDirectory(prefix="bench-") as name, postgresql.running() as server:
        folders = [Path(name) / part for part in ("alone", "one", "other")]
        for folder in folders:
            folder.mkdir()
        vendor, url = Vendor(Path(name)), server.database()
        alone = Bridge(folders[0], vendor.port)
        pair = [Bridge(folder, vendor.port, database=url) for folder in folders[1:]]
        with stopping((alone, *pair, vendor)):
            for bridge in (alone, *pair):
                bridge.start()
            assert server.process is not None
            return _compared(alone, pair, vendor, server.process.pid, rounds)


def _compared(alone: Bridge, pair: list[Bridge], vendor: Vendor, server: int, rounds: int) -> list[Line]:
    ones, twos, shares = [], [], []
    for _ in range(rounds):
        before = alone.running.cpu_s
        rate = _sent(vendor, [alone])
        ones.append(Run(rate, (alone.running.cpu_s - before) / MAILS * 1e6))
        before, before_server = sum(node.running.cpu_s for node in pair), cpu_of(server)
        rate = _sent(vendor, pair)
        nodes = sum(node.running.cpu_s for node in pair) - before
        shares.append(Run(rate, nodes / MAILS * 1e6))
        twos.append(Run(rate, (nodes + cpu_of(server) - before_server) / MAILS * 1e6))
    count, _ = vendor.stats()
    return [
        Line("one node on SQLite", speed(ones), "per s", note=cpu(ones)),
        Line("two nodes on one PostgreSQL", speed(twos), "per s", note=f"{cpu(twos)}, the server's in it"),
        Line("CPU an SMS ÷ one node on SQLite", _over(twos, ones), "", _CPU, "the server's in it"),
        Line("CPU an SMS ÷ one node on SQLite", _over(shares, ones), "", None, "the nodes' alone"),
        Line("SMS sent twice", count - vendor.different, "", Goal(0, most=True), f"of {count:,}"),
    ]


def _sent(vendor: Vendor, nodes: list[Bridge]) -> float:
    """Hand in `MAILS`, in equal parts to each of ``nodes`` at once; return how many a second reached the vendor."""
    before, _ = vendor.stats()
    bursts = []
    threads = [
        threading.Thread(
            target=lambda port=node.smtp: bursts.append(burst(port, MAILS // len(nodes), "reused"))
        )
        for node in nodes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(bursts) != len(nodes):
        raise RuntimeError("not all mails were taken")
    ended_at = vendor.wait_for(before + MAILS, _WITHIN_S)
    return MAILS / (ended_at - min(one.began_at for one in bursts))


def _over(ours: list[Run], theirs: list[Run]) -> float:
    return median((our.cpu_us or 0) / (their.cpu_us or 1) for our, their in zip(ours, theirs, strict=True))
