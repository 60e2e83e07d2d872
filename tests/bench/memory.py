"""Memory over 100,000 mails: one process takes them, sends each SMS and hears of its delivery."""

import tempfile
from pathlib import Path
from typing import Final

from tests.bench.load import burst
from tests.bench.results import Goal, Line
from tests.bench.servers import SECRET, Bridge, Vendor, rule, stopping

MAILS: Final = 100_000
LOT: Final = 5_000
WARM: Final = 20_000  # by then every cache is as full as it gets
_WITHIN_S: Final = 120.0
_MOST: Final = Goal(150, most=True)
_FLAT: Final = Goal(5, most=True)


def measure() -> list[Line]:
    """Return the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        vendor = Vendor(folder)
        bridge = Bridge(folder, vendor.port, senders=[rule(reports="none")])
        with stopping((bridge, vendor)):
            bridge.start()
            vendor.tell(bridge.hook, f"/hooks/sms/{SECRET}")
            memory: list[float] = []
            for done in range(LOT, MAILS + 1, LOT):
                burst(bridge.smtp, LOT, "reused")
                vendor.wait_for(done, _WITHIN_S)
                memory.append(bridge.running.memory_mib("VmRSS"))
            warm = memory[WARM // LOT - 1]
            course = ", ".join(f"{memory[place]:.0f}" for place in range(1, len(memory), 2))
            return [
                Line("memory, the most", bridge.running.memory_mib("VmHWM"), "MiB", _MOST),
                Line(f"growth from {WARM:,} to {MAILS:,} mails", memory[-1] - warm, "MiB", _FLAT),
                Line(f"after {MAILS:,} mails", memory[-1], "MiB", note=f"every {2 * LOT:,}: {course} MiB"),
            ]
