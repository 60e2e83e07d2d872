"""A process as a node: it shows that it lives, and knows by its own clock when what it does alone is another's."""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.app.heartbeat import Heartbeat, Pulse, alive, this_node
from bridge.store import Node, Store
from tests.given_store import opened, until

PULSE = Pulse(beat_s=0.02)
PARTS = ("send", "events")


@dataclass
class Clock:
    """Seconds since boot that stand still until somebody moves them."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path) as one:
        yield one


def node() -> Node:
    return this_node(PARTS, 60_000)


def test_two_starts_are_two_nodes() -> None:
    one, two = node(), node()
    assert one.id != two.id
    assert (one.host, one.pid) == (two.host, two.pid)


async def test_while_it_lives_it_beats_and_at_its_end_it_is_gone(store: Store) -> None:
    async with alive(store, node(), PULSE) as here:
        assert here.holds("send")
        assert not here.holds("reports")

        async def beaten() -> bool:
            (line,) = await store.nodes()
            age_ms = time.time_ns() // 1_000_000 - line.started_at
            return age_ms > 200 and line.silent_ms < age_ms / 2

        await until(beaten, "it did not beat")
    assert await store.nodes() == ()
    assert await store.leases() == ()


async def test_a_frozen_node_knows_that_its_leases_may_be_anothers(store: Store) -> None:
    clock = Clock()
    here = Heartbeat(store, node(), Pulse(lease_ms=15_000), clock)
    assert not here.holds("send")
    await here.beat()
    clock.now += 14.9
    assert here.holds("send")
    clock.now += 0.2
    assert not here.holds("send")
    await here.beat()
    assert here.holds("send")


async def test_a_node_that_was_silent_for_too_long_says_so(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    here = Heartbeat(store, node(), Pulse(), clock)
    await here.beat()
    clock.now += 59
    await here.beat()
    assert "silent" not in caplog.text
    clock.now += 60
    await here.beat()
    assert "silent for so long" in caplog.text


async def test_a_lease_that_another_holds_is_not_ours_until_it_is_free(store: Store) -> None:
    one, two = Heartbeat(store, node(), Pulse()), Heartbeat(store, node(), Pulse())
    await one.beat()
    await two.beat()
    assert (one.holds("events"), two.holds("events")) == (True, False)
    await one.drain()
    await two.beat()
    assert (one.holds("events"), two.holds("events")) == (False, True)
    await one.leave()
    assert [line.node.id for line in await store.nodes()] == [two.node.id]


async def test_without_the_database_it_complains_and_beats_again_when_it_is_back(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    async with alive(store, node(), PULSE) as here:
        with contextlib.closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")

            async def complained() -> bool:
                return "no heartbeat could be stored" in caplog.text

            await until(complained, "nobody noticed that the database is locked")
            await here.drain()
            assert "others learn only from our silence that we end" in caplog.text
            other.execute("ROLLBACK")

        async def draining() -> bool:
            return [line.draining for line in await store.nodes()] == [True]

        await until(draining, "it did not beat again")
        with contextlib.closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await asyncio.wait_for(here.leave(), 20)
            assert "others learn only from our silence that we are gone" in caplog.text
            other.execute("ROLLBACK")
