"""Several that send from one database: each SMS once, one rate over all, nobody's work left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bridge.sms import State
from bridge.store import Node, Store
from tests.given_store import in_state, opened, queued, until
from tests.submit.given import Running, Vendor, submitting, vendor_that
from tests.threats import found

GONE = Node("gone", "host-a", 11, ("send",), 1)


@asynccontextmanager
async def nodes(folder: Path, url: str, count: int, **settings: Any) -> AsyncIterator[list[Running]]:
    """Run that many, each with a store of its own on the database in ``folder``."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(folder)) for _ in range(count)]
        yield [await stack.enter_async_context(submitting(store, url, **settings)) for store in stores]


async def posted(vendor: Vendor, count: int) -> None:
    async def look() -> bool:
        return len(vendor.posts) >= count

    await until(look, f"only {len(vendor.posts)} of {count} were posted")


@pytest.mark.threat(22, "sent twice", of="SMS")
@pytest.mark.parametrize(("rate", "count"), [(20, 50), (500, 900)])
async def test_the_rate_holds_over_all_of_them(store: Store, tmp_path: Path, rate: int, count: int) -> None:
    for begin in range(0, count, 50):
        await queued(store, [f"+614210{n:05d}" for n in range(begin, begin + 50)])
    async with vendor_that() as vendor, nodes(tmp_path, vendor.url, 3, rate_per_second=rate):
        await posted(vendor, count)
    found(len(vendor.posts) - len(set(vendor.numbers)), of=count)
    assert len(set(vendor.numbers)) == len(vendor.posts) == count
    times = sorted(at for at, _ in vendor.posts)
    # What comes while all stands still, as on a busy machine, comes late and together.
    still_s = max(after - before for before, after in pairwise(times))
    assert times[-1] - times[0] >= (count - 1) / rate * 0.95 - still_s
    for begun in times:  # in no second more than its share, but for what the wire shifted
        assert len([at for at in times if begun <= at < begun + 1]) <= rate * (1.25 + still_s) + 2


@pytest.mark.threat(
    22, "busiest second", of="jumps of the clock and restarts", unit="of the rate", at_most=1.25
)
async def test_one_that_starts_again_makes_no_burst(store: Store, tmp_path: Path) -> None:
    await queued(store, [f"+614210{n:05d}" for n in range(30)])
    async with vendor_that() as vendor:
        for done in (10, 20, 30):
            async with nodes(tmp_path, vendor.url, 1, rate_per_second=20):
                await posted(vendor, done)
    times = sorted(at for at, _ in vendor.posts)
    found(max(sum(begun <= at < begun + 1 for at in times) for begun in times) / 20)
    assert len(set(vendor.numbers)) == 30
    assert times[-1] - times[0] >= 29 / 20 * 0.95


async def test_what_a_gone_node_was_sending_is_adopted_by_the_one_that_sweeps(store: Store) -> None:
    await store.beat(GONE, 15_000)
    (left,) = await queued(store)
    await store.claim("gone", 1)
    async with vendor_that() as vendor, submitting(store, vendor.url, sweep_every_s=0.05):
        await in_state(store, left, State.UNKNOWN)
    assert vendor.posts == []


async def test_one_that_does_not_sweep_leaves_it(store: Store) -> None:
    await store.beat(GONE, 15_000)
    (left,) = await queued(store)
    await store.claim("gone", 1)
    asked = asyncio.Event()

    def not_ours() -> bool:
        asked.set()
        return False

    async with vendor_that() as vendor, submitting(store, vendor.url, is_ours=not_ours, sweep_every_s=0.01):
        await asyncio.wait_for(asked.wait(), 20)
        asked.clear()
        await asyncio.wait_for(asked.wait(), 20)
        assert (await in_state(store, left, State.SENDING)).node == "gone"
