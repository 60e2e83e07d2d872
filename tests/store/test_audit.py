"""The audit record: only added to, by whatever hand."""

import sqlite3
from pathlib import Path

import psycopg
import pytest

from bridge.store import Actor, Store
from tests.store.conftest import Clock


async def test_an_act_is_told_without_numbers_and_within_bounds(store: Store, clock: Clock) -> None:
    await store.privacy.note(Actor("kim"), "send", 7, number="+61421000001", none=None, long="x" * 999)
    (act,) = await store.privacy.acts()
    assert (act.at, act.who, act.via, act.what, act.about) == (clock.now, "kim", "command line", "send", "7")
    assert act.details == (("number", "+61421•••001"), ("long", "x" * 200))


async def test_acts_are_paged_newest_first_from_a_moment_on(store: Store, clock: Clock) -> None:
    for about in range(5):
        clock.forward(1)
        await store.privacy.note(Actor("kim"), "send", about)
    acts = await store.privacy.acts(limit=2)
    assert [act.about for act in acts] == ["4", "3"]
    assert [act.about for act in await store.privacy.acts(clock.now - 3, acts[-1].id)] == ["2", "1"]


ACTS = (
    "UPDATE audit SET who = 'nobody'",
    "DELETE FROM audit",
)


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    "act",
    [*ACTS, "INSERT OR REPLACE INTO audit SELECT id, at, 'nobody', via, what, about, details FROM audit"],
)
async def test_nothing_recorded_can_be_changed_in_a_file(store: Store, path: Path, act: str) -> None:
    await store.privacy.note(Actor("kim"), "send")
    with sqlite3.connect(path) as connection, pytest.raises(sqlite3.IntegrityError, match="only added to"):
        connection.execute(act)
    connection.close()


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize("act", [*ACTS, "TRUNCATE audit"])
async def test_nothing_recorded_can_be_changed_on_a_server(store: Store, database: str, act: str) -> None:
    await store.privacy.note(Actor("kim"), "send")
    with psycopg.connect(database) as connection, pytest.raises(psycopg.Error, match="only added to"):
        connection.execute(act.encode())
