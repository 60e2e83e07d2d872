"""A flood behind a vendor that is out of order: mails come in, the service starts again, the queue drains.

The vendor answers 503 first, then cannot be reached at all. All of the flood is one sender's; while it drains,
another's single SMS comes in now and then. What is returned was measured at the vendor, from the process and,
where it says so, in the database.
"""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from bridge.store import StoreSettings, open_store
from tests.bench.filling import taken
from tests.bench.mailer import Mail, Session, hand_in_all
from tests.bench.processes import python
from tests.bench.servers import Bridge, Vendor, rule, stopping

FLOODING: Final = "ups@plant.example"
OTHER: Final = "nurse@clinic.example"
FIRST_ALARM: Final = 1_000_000  # serial
WINDOWS_S: Final = (0.1, 1.0, 10.0)
# Mails of the flood that come by SMTP; a longer one is brought to its length in the store.
BY_SMTP: Final = 10_000
_LOT: Final = 500
_SESSIONS: Final = 20
# SMS of one sender that are claimed together, or accepted at once, are so far apart at most.
_BEHIND: Final = 100
_COMMAND_S: Final = 60
_IDLE_S: Final = 0.2
_UNSENT: Final = "SELECT count(*) FROM (SELECT 1 FROM sms WHERE state IN ('queued', 'sending') LIMIT 1) AS a"
_SLACK: Final = 3  # the drain may take so many times as long as the rate says, and a minute


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of ``mails`` of the flood at ``rate`` SMS a second. Memory is VmRSS in MiB."""

    mails: int
    rate: int
    accepted_per_s: float
    refused: int  # POSTs that were answered 503
    ready_s: float
    memory_down: float  # when all came that come by SMTP
    memory_ready: float  # after it
    memory_half: float  # when half of the time of the drain was over
    memory_drain: float  # the most while it drains
    memory_end: float
    cpu_us: float  # of the drain, an SMS
    drained_per_s: float  # without the first and last tenth
    most_within: dict[float, int]  # the most POSTs in any stretch of so many seconds
    alarm_waits_s: tuple[float, ...]
    overtaken: int  # SMS of the flood that came after `_BEHIND` or more which were accepted later
    tried: int  # by the database: tried in vain before, so that they had to wait for their next try
    unmade: int  # neither made at the vendor nor known to be unclear
    doubled: int
    unclear: int  # by the database: answered 503, so that nobody may send them again at once


def run(mails: int, rate: int, alarms: int, database: str = "") -> Findings:
    """Run it; ``alarms`` single SMS of the other sender are handed in while the flood drains. ``database`` is the
    URL of an empty one on PostgreSQL; without it a file is made."""
    with tempfile.TemporaryDirectory(prefix="flood-") as name:
        folder = Path(name)
        vendor = Vendor(folder)
        senders = [rule(sender, reports="none") for sender in (FLOODING, OTHER)]
        bridge = Bridge(folder, vendor.port, rate=rate, database=database, senders=senders)
        with stopping((bridge, vendor)):
            return _run(bridge, vendor, folder, mails, rate, alarms)


def _run(bridge: Bridge, vendor: Vendor, folder: Path, mails: int, rate: int, alarms: int) -> Findings:
    bridge.start()
    vendor.answer(503)
    by_smtp = min(mails, BY_SMTP)
    began_at = time.monotonic()
    _flood(bridge, range(by_smtp // 2))
    refused = vendor.refused
    vendor.stop()
    _resume(bridge)  # what was not answered clearly has stopped sending; now the connection is refused
    _flood(bridge, range(by_smtp // 2, by_smtp))
    accepted_per_s = by_smtp / (time.monotonic() - began_at)
    memory_down = bridge.running.memory_mib("VmRSS")
    bridge.stop()
    asyncio.run(_store(bridge, range(by_smtp, mails)))

    ready_s = bridge.start()
    memory_ready = bridge.running.memory_mib("VmRSS")
    again = Vendor(folder, vendor.port)
    with stopping((again,)):
        _resume(bridge)  # or the next probe would do it, within a minute
        cpu_before = bridge.running.cpu_s
        memory, waits = asyncio.run(_drain(bridge, again, mails, rate, alarms))
        cpu_us = (bridge.running.cpu_s - cpu_before) / mails * 1e6
        tried = bridge.count("SELECT count(*) FROM sms WHERE attempts > 1")
        unclear = bridge.count("SELECT count(*) FROM sms WHERE state IN ('unknown', 'held')")
        times, made = again.times(), again.stats()[0]
    moments = sorted(times.values())
    flood = [times[f"serial{serial}"] for serial in range(mails) if f"serial{serial}" in times]
    return Findings(
        mails=mails,
        rate=rate,
        accepted_per_s=accepted_per_s,
        refused=refused,
        ready_s=ready_s,
        memory_down=memory_down,
        memory_ready=memory_ready,
        memory_half=memory[len(memory) // 2],
        memory_drain=max(memory),
        memory_end=memory[-1],
        cpu_us=cpu_us,
        drained_per_s=bulk_rate(moments),
        most_within={window: most_within(window, moments) for window in WINDOWS_S},
        alarm_waits_s=waits,
        overtaken=overtaken(flood),
        tried=tried,
        unmade=mails + alarms - len(times) - unclear,
        doubled=made - len(times),
        unclear=unclear,
    )


def _flood(bridge: Bridge, serials: range) -> None:
    mails = (Mail(FLOODING, f"04210{serial:05}", serial) for serial in serials)
    asyncio.run(hand_in_all(bridge.smtp, mails, _SESSIONS))


async def _store(bridge: Bridge, serials: range) -> None:
    """Queue the rest of the flood without SMTP, by the same verb."""
    store = await open_store(bridge.database, settings=StoreSettings(domain="sms.local"))
    for begin in range(serials.start, serials.stop, _LOT):
        lot = range(begin, min(begin + _LOT, serials.stop))
        await asyncio.gather(
            *(store.accept(taken(FLOODING, f"+614210{n:05}", f"serial{n} of the flood", n)) for n in lot)
        )
    await store.close()


def _resume(bridge: Bridge) -> None:
    command = python("bridge", "resume", "-c", str(bridge.config))
    subprocess.run(command, check=True, capture_output=True, timeout=_COMMAND_S)


async def _drain(
    bridge: Bridge, vendor: Vendor, mails: int, rate: int, alarms: int
) -> tuple[list[float], tuple[float, ...]]:
    """Wait until nothing is queued. Returns the memory, read again and again, and how long each alarm took from
    its 250 to the vendor."""
    session = await Session.open(bridge.smtp)
    deadline = time.monotonic() + mails / rate * _SLACK + 60
    due = [mails * place // (alarms + 1) for place in range(1, alarms + 1)]  # POSTs before each alarm
    memory, waits = [], []
    while due or bridge.count(_UNSENT):
        bridge.running.check()
        memory.append(bridge.running.memory_mib("VmRSS"))
        if due and vendor.stats()[0] >= due[0]:
            waits.append(await _alarm(session, vendor, FIRST_ALARM + len(due)))
            del due[0]
        elif time.monotonic() > deadline:
            raise RuntimeError(f"not drained in time, {vendor.stats()[0]} of {mails} were sent")
        else:
            await asyncio.sleep(_IDLE_S)
    await session.close()
    return memory, tuple(waits)


async def _alarm(session: Session, vendor: Vendor, serial: int) -> float:
    _, accepted_at = await session.hand_in(Mail(OTHER, f"0422{serial % 1_000_000:06}", serial))
    deadline = accepted_at + _COMMAND_S
    while (posted_at := vendor.time_of(serial)) is None:
        if time.monotonic() > deadline:
            raise RuntimeError("an alarm was not sent within a minute")
        await asyncio.sleep(0.02)
    return posted_at - accepted_at


def bulk_rate(moments: Sequence[float]) -> float:
    """Return how many of the sorted ``moments`` there are in a second, the first and the last tenth left out."""
    cut = len(moments) // 10
    bulk = moments[cut : len(moments) - cut]
    return (len(bulk) - 1) / (bulk[-1] - bulk[0])


def most_within(seconds: float, moments: Sequence[float]) -> int:
    """Return the most of the sorted ``moments`` that lie within any stretch of so many seconds."""
    first = most = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def overtaken(flood: Sequence[float]) -> int:
    """Return how many of ``flood`` (moments of sending, in the order in which they were accepted) went out later
    than one which is `_BEHIND` or more further back."""
    earliest_behind = list(accumulate(reversed(flood), min))[::-1]
    return sum(at > later for at, later in zip(flood, earliest_behind[_BEHIND:], strict=False))
