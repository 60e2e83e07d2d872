"""A long queue after an outage: sent at the configured rate, no faster, oldest first, and nobody waits behind it.

``make backpressure`` runs the same with 100,000 SMS.
"""

from bridge.sms_api.api import SEND_CONNECTIONS
from tests.backpressure import flood

MAILS = 2_000
RATE = 200
ALARMS = 3
# One on each connection, and as many claimed ahead, when five unclear answers in a row stop the account.
MOST_REFUSED = 2 * SEND_CONNECTIONS
GROWTH_MIB = 30.0


def test_a_flood_drains_at_the_rate_in_its_order_and_delays_nobody() -> None:
    found = flood.run(MAILS, RATE, ALARMS)
    print(found)
    assert (found.unmade, found.doubled) == (0, 0)
    assert 5 <= found.refused <= MOST_REFUSED, "a vendor that only answers 503 was asked on and on"
    assert found.unclear == found.refused
    # A busy machine may stand still for a moment, and then what was due goes out together.
    assert found.most_within[10.0] <= 10 * RATE * 1.05, "a burst above the rate"
    assert found.most_within[1.0] <= RATE * 1.5, "a burst above the rate"
    assert found.drained_per_s > 0.8 * RATE
    assert found.overtaken <= found.tried, "one that was never tried went out after much later ones"
    assert max(found.alarm_waits_s) < 2.0
    assert found.memory_end - found.memory_ready < GROWTH_MIB


def test_windows_and_order_are_told_from_the_moments() -> None:
    even = [place / 10 for place in range(1_000)]
    assert flood.most_within(1.0, even) in (10, 11)
    assert flood.most_within(1.0, sorted([*even, *[50.0] * 5])) in (15, 16)
    assert flood.overtaken(even) == 0
    assert flood.overtaken([99.0, *even[1:]]) == 1
    assert round(flood.bulk_rate(even), 3) == 10
