"""A real store whose clock runs sixty times as fast, so that minutes of settling pass in seconds."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.sms import MINUTE, SECOND, Timing
from bridge.store import Store
from tests.given_store import opened
from tests.poller.given import ACCOUNTS

TIMING = Timing(settle_ms=2 * MINUTE, status_after_ms=30 * SECOND, give_up_after_ms=8 * MINUTE)
FAST = 60


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store."""
    start = time.time_ns() // 1_000_000

    def clock() -> int:
        return start + (time.time_ns() // 1_000_000 - start) * FAST

    with_polls = frozenset(key for key, account in ACCOUNTS.items() if account.auth_token)
    async with opened(tmp_path, timing=TIMING, clock=clock, accounts_with_polls=with_polls) as one:
        yield one
