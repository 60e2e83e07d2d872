"""The whole flood: ``python -m tests.backpressure [--mails N] [--rate N] [--postgresql]``.

Prints what was measured; fails when a promise was not kept.
"""

import argparse
import sys
from typing import Final

from bridge.sms_api.api import SEND_CONNECTIONS
from tests.backpressure import flood
from tests.backpressure.flood import Findings
from tests.bench import postgresql
from tests.bench.results import Goal, Line, show

MAILS: Final = 100_000
RATE: Final = 500
ALARMS: Final = 20


def main() -> int:
    reader = argparse.ArgumentParser(prog="make backpressure", description=__doc__)
    reader.add_argument("--mails", type=int, default=MAILS, help=f"default: {MAILS}")
    reader.add_argument("--rate", type=int, default=RATE, help=f"SMS a second, default: {RATE}")
    reader.add_argument("--postgresql", action="store_true", help="in place of SQLite")
    options = reader.parse_args()
    title = f"{options.mails:,} queued, then drained at {options.rate}/s"
    if options.postgresql:
        with postgresql.running() as server:
            lines = told(flood.run(options.mails, options.rate, ALARMS, server.database()))
    else:
        lines = told(flood.run(options.mails, options.rate, ALARMS))
    show(title, lines)
    return any(line.missed for line in lines)


def told(found: Findings) -> list[Line]:
    """Return the lines of the table, what must hold with its bound."""
    rate, most = found.rate, found.most_within
    return [
        Line("accepted while the vendor is down", found.accepted_per_s, "per s"),
        Line(
            "POSTs answered 503 before sending stopped",
            found.refused,
            "",
            Goal(2 * SEND_CONNECTIONS, most=True),
        ),
        Line(
            f"memory after {min(found.mails, flood.BY_SMTP):,} by SMTP",
            found.memory_down,
            "MiB",
            Goal(150, most=True),
        ),
        Line("start to ready with all queued", found.ready_s, "s", Goal(1.5, most=True)),
        Line("memory, ready", found.memory_ready, "MiB"),
        Line("memory, half of it drained", found.memory_half, "MiB"),
        Line("memory, the most while draining", found.memory_drain, "MiB", Goal(150, most=True)),
        Line("memory, drained", found.memory_end, "MiB"),
        Line(
            "drained", found.drained_per_s, "per s", Goal(0.95 * rate), f"{found.cpu_us:,.0f} µs CPU an SMS"
        ),
        Line("most POSTs in 0.1 s", most[0.1], "", None, f"{rate / 10:g} is the rate"),
        Line("most POSTs in 1 s", most[1.0], "", Goal(round(1.1 * rate), most=True)),
        Line("most POSTs in 10 s", most[10.0], "", Goal(round(10.1 * rate), most=True)),
        Line("another sender's SMS, the longest wait", max(found.alarm_waits_s), "s", Goal(2, most=True)),
        Line(
            "sent after much later ones of its sender",
            found.overtaken,
            "",
            Goal(found.tried, most=True),
            _TRIED,
        ),
        Line("not sent", found.unmade, "", Goal(0, most=True)),
        Line("sent twice", found.doubled, "", Goal(0, most=True)),
        Line("answered 503: not sent again at once", found.unclear, "", Goal(found.refused, most=True)),
    ]


_TRIED: Final = "the goal: those tried in vain before, which wait for their next try"

if __name__ == "__main__":
    sys.exit(main())
