"""What one SMS costs through its life: mail in, POST, "delivered" by webhook; no report is mailed.

CPU, what is written to disk, how often the disk is waited for, and what stays in the database: the figures that
docs/scale.md reckons with.
"""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from tests.bench import postgresql
from tests.bench.load import burst
from tests.bench.processes import WITHIN_S, cpu_of, wait_until
from tests.bench.results import Line
from tests.bench.servers import SECRET, Bridge, Vendor, rule, stopping

MAILS: Final = 4_000
TRACED: Final = 1_000
_DELIVERED: Final = "SELECT count(*) FROM sms WHERE state = 'delivered'"


def measure() -> list[Line]:
    """Return the figures on SQLite and, if it is there, on PostgreSQL."""
    lines = [*_on_sqlite(), *_traced()]
    if missing := postgresql.missing():
        return [*lines, Line("the same on PostgreSQL", None, note=missing)]
    return [*lines, *_on_postgresql()]


def _on_sqlite() -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        vendor = Vendor(folder)
        bridge = Bridge(folder, vendor.port, senders=[rule(reports="none")])
        with stopping((bridge, vendor)):
            bridge.start()
            cpu, written = bridge.running.cpu_s, bridge.running.written
            _circulate(bridge, vendor, MAILS)
            cpu, written = bridge.running.cpu_s - cpu, bridge.running.written - written
            bridge.stop()
            size = sum(file.stat().st_size for file in folder.glob("bridge.db*"))
        return [
            Line("SQLite: CPU", cpu / MAILS * 1e6, "µs", note="all of it, in one process"),
            Line("SQLite: written to disk", written / MAILS, "B"),
            Line("SQLite: database", size / MAILS, "B", note=f"{size / MAILS / 1000:.1f} GB a million"),
        ]


def _traced() -> list[Line]:
    """Count the syncs, with the writer as fast as it is under a tracer that stops it at nothing else (and that is
    beside the service, not above it: what ends the service ends both)."""
    strace = shutil.which("strace")
    if strace is None:
        return [Line("SQLite: syncs", None, note="needs strace")]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        vendor, told = Vendor(folder), folder / "strace.log"
        bridge = Bridge(folder, vendor.port, senders=[rule(reports="none")])
        options = ["-D", "-f", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync", "-o", str(told)]
        with stopping((bridge, vendor)):
            bridge.start(under=[strace, *options])
            before = _syncs(told)
            _circulate(bridge, vendor, TRACED)
            count = _syncs(told) - before
        return [Line("SQLite: syncs", count / TRACED, "", note="an SMS, in a burst of 20 sessions")]


def _syncs(told: Path) -> int:
    return len(re.findall(r"\bf(?:data)?sync\(", told.read_text()))


def _on_postgresql() -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name, postgresql.running() as server:
        vendor, url = Vendor(Path(name)), server.database()
        bridge = Bridge(Path(name), vendor.port, database=url, senders=[rule(reports="none")])
        with stopping((bridge, vendor)):
            bridge.start()
            assert server.process is not None
            pid, log = server.process.pid, "SELECT (pg_current_wal_lsn() - '0/0')::bigint"
            cpu, cpu_there, written = bridge.running.cpu_s, cpu_of(pid), bridge.count(log)
            _circulate(bridge, vendor, MAILS)
            cpu, cpu_there = bridge.running.cpu_s - cpu, cpu_of(pid) - cpu_there
            written = bridge.count(log) - written
            size = bridge.count("SELECT pg_database_size(current_database())")
        return [
            Line("PostgreSQL: CPU of the node", cpu / MAILS * 1e6, "µs"),
            Line("PostgreSQL: CPU of the server", cpu_there / MAILS * 1e6, "µs"),
            Line(
                "PostgreSQL: write-ahead log", written / MAILS, "B", note="whole pages after a checkpoint too"
            ),
            Line("PostgreSQL: database", size / MAILS, "B", note="an empty one's 8 MB in it"),
        ]


def _circulate(bridge: Bridge, vendor: Vendor, mails: int) -> None:
    vendor.tell(bridge.hook, f"/hooks/sms/{SECRET}")
    burst(bridge.smtp, mails, "reused")
    wait_until(lambda: bridge.count(_DELIVERED) == mails, 4 * WITHIN_S)
