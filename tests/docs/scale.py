"""The models of docs/scale.md: ``python -m tests.docs.scale`` prints its tables.

Pure arithmetic and two small simulations, with what the benchmark and ``make backpressure`` measured as input.
They know of the service what a reader of scale.md is told, nothing of its code.
"""

import math
import random
from collections import deque
from functools import cache
from statistics import mean
from typing import Final

CONNECTIONS: Final = 40  # to the vendor; as many rows again are claimed ahead of them
CLAIMED: Final = 2 * CONNECTIONS
AHEAD_S: Final = 1.0  # moments are given away for so long
ENOUGH_S: Final = 0.5  # and no more are asked for while so much is left

DOMAINS: Final = 10_000
SEEDS: Final = 20


@cache
def single_sms_wait_s(rate: float, flooding: int, latency_s: float = 0.005, alarms: int = 50) -> float:
    """Return how long, on average, a single SMS of another sender waits from its commit to its POST.

    ``flooding`` senders have endless queues; ``rate`` is in SMS a second. Claims go round the senders, a row each;
    a claimed row is sent at its moment, moments are ``1 / rate`` apart.
    """
    step_s = 1 / rate
    senders: deque[float | None] = deque([None] * flooding)  # None floods; a single SMS is when it came
    under_way: deque[float] = deque()  # when each claimed row is done
    free_at = now = 0.0
    waits: list[float] = []
    chance = random.Random(1)
    coming = _moments(chance, rate, flooding, alarms)
    while len(waits) < alarms:
        while under_way and under_way[0] <= now:
            under_way.popleft()
        while coming and coming[0] <= now:
            # Its place in the round is anywhere.
            senders.insert(chance.randrange(len(senders) + 1), coming.popleft())
        first = max(free_at, now)
        places = CLAIMED - len(under_way)
        if places > 0 and first - now <= ENOUGH_S:
            for _ in range(min(places, int((AHEAD_S - (first - now)) / step_s) + 1)):
                came_at = senders.popleft()
                if came_at is None:
                    senders.append(None)
                else:
                    waits.append(first - came_at)
                under_way.append(first + latency_s)
                first += step_s
            free_at = first
        # The next thing to happen: a row is done, or enough of what was given away is used up.
        now = min(
            under_way[0] if places <= 0 else now + step_s / 4, max(free_at - ENOUGH_S, now + step_s / 4)
        )
    return mean(waits)


def _moments(chance: random.Random, rate: float, flooding: int, alarms: int) -> deque[float]:
    """Single SMS come far apart, each in a queue that has long been drained evenly."""
    apart_s = 2 + 2 * flooding / rate
    return deque(apart_s * (place + 1) + chance.uniform(0, 1) for place in range(alarms))


def hottest_share(clusters: int, skew: float) -> float:
    """Return the share of all SMS that the busiest of ``clusters`` gets when each sender domain has one.

    The domain of rank n sends in proportion to ``n ** -skew`` (Zipf); the mean over some ways to spread them.
    """
    volumes = [math.pow(rank, -skew) for rank in range(1, DOMAINS + 1)]
    total = sum(volumes)
    shares = []
    for seed in range(SEEDS):
        chance = random.Random(seed)
        loads = [0.0] * clusters
        for volume in volumes:
            loads[chance.randrange(clusters)] += volume
        shares.append(max(loads) / total)
    return mean(shares)


def waits_table() -> str:
    """Return the table of what a single SMS waits behind a flood."""
    lines = ["| rate | 1 sender floods | 10 | 100 |", "|---|---|---|---|"]
    for rate in (20, 100, 200, 500):
        waits = " | ".join(f"{single_sms_wait_s(rate, flooding):.2f} s" for flooding in (1, 10, 100))
        lines.append(f"| {rate}/s | {waits} |")
    return "\n".join(lines)


def clusters_table() -> str:
    """Return the table of what partition by sender domain brings: the whole in units of one cluster."""
    lines = ["| clusters | skew 0.6 | skew 0.8 | skew 1.0 |", "|---|---|---|---|"]
    for clusters in (2, 4, 8, 16, 32):
        gains = " | ".join(f"{1 / hottest_share(clusters, skew):.1f}" for skew in (0.6, 0.8, 1.0))
        lines.append(f"| {clusters} | {gains} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(waits_table(), clusters_table(), sep="\n\n")
