"""The rate towards the vendor as one process keeps it: even spacing, no burst after a pause."""

import time


def boot_clock() -> float:
    """Return seconds since boot, the time asleep included: a frozen process sees that it was frozen."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Pace:
    """Hands out moments (seconds of a monotonic clock) at which one request each may begin."""

    def __init__(self, per_second: float) -> None:
        self._step_s = 1 / per_second
        self._next = float("-inf")

    def take(self, now: float) -> float:
        """Return the moment for one more request, at or after ``now``."""
        moment = max(self._next, now)
        self._next = moment + self._step_s
        return moment

    def free(self, now: float, within_s: float) -> int:
        """Return how many moments are left between ``now`` and ``within_s`` later."""
        ahead = max(self._next, now)
        return max(0, int((now + within_s - ahead) / self._step_s) + 1) if ahead <= now + within_s else 0

    def busy_for(self, now: float) -> float:
        """Return for how many seconds from ``now`` the moments are given away."""
        return max(0.0, self._next - now)
