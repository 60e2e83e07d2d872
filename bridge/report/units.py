"""Times and amounts as people read them. Part of the step "report mail"; the zone is an argument."""

import datetime
from collections.abc import Callable
from typing import Final

LocalTime = Callable[[int], datetime.datetime]  # ms UTC → aware time on the operator's clock

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec")


def when(at: int, local: LocalTime) -> str:
    """``at`` (ms UTC) for people: ``Sun 22 Nov 2026, 16:16 AEDT``."""
    time = local(at)
    zone = time.tzname() or ""
    day = f"{_DAYS[time.weekday()]} {time.day} {_MONTHS[time.month - 1]} {time.year}"
    return f"{day}, {time:%H:%M} {zone}".strip()


def price(ten_thousandths: int) -> str:
    """An amount in the vendor's currency: ``0.10``, more decimals only when they say something."""
    whole, rest = divmod(abs(ten_thousandths), 10_000)
    decimals = f"{rest:04d}".rstrip("0").ljust(2, "0")
    return f"{'-' if ten_thousandths < 0 else ''}{whole}.{decimals}"
