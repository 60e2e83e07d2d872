"""The loop that purges: one node at a time, through faults, until it is told to stop."""

import asyncio
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from bridge.app.heartbeat import Heartbeat, Pulse, this_node
from bridge.purger import Purger
from bridge.retry import Answer
from bridge.sms import HOUR, Input, Kind, Sms
from bridge.store import Purged, Retention, SmsFilter, Store
from tests.given_store import opened, queued, until

KEPT = Retention(text_ms=24 * HOUR)


async def an_old_one(store: Store, folder: Path, text: str = "hello") -> None:
    await queued(store, text=text)
    (sms,) = await store.claim("test", 1)
    await store.finish(sms, Input(Kind.REFUSED_SMS, 1, "bad"), Answer.CLEAR)
    for work in await store.claim_mail(9):
        await store.mail_kept(work.mail.id)
    connection = sqlite3.connect(folder / "bridge.db", timeout=30)
    with connection:
        connection.execute("UPDATE sms SET state_since = state_since - ?", (25 * HOUR,))
    connection.close()


async def only(store: Store) -> Sms:
    (line,) = await store.list_sms(SmsFilter(), None, 9)
    return line.sms


async def test_of_two_nodes_one_purges(tmp_path: Path) -> None:
    async with opened(tmp_path) as one, opened(tmp_path) as two:
        await an_old_one(one, tmp_path)
        beats = [Heartbeat(store, this_node(["send"], 30_000), Pulse()) for store in (one, two)]
        for beat in beats:
            await beat.beat()
        assert [beat.holds("send") for beat in beats] == [True, False]
        purgers = [
            Purger(store, KEPT, is_ours=partial(beat.holds, "send"), quiet=0)
            for store, beat in zip((one, two), beats, strict=True)
        ]
        stop = asyncio.Event()
        assert (await purgers[1].purge(stop)).texts == 0
        assert (await purgers[0].purge(stop)).texts == 1
        await beats[0].leave()
        await an_old_one(one, tmp_path, "again")
        await beats[1].beat()
        assert (await purgers[1].purge(stop)).texts == 1, "whoever is left takes over"


async def test_it_goes_on_after_a_fault_and_ends_when_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await an_old_one(store, tmp_path)
        lock = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        stop = asyncio.Event()
        running = asyncio.create_task(Purger(store, KEPT, every_s=0.01, quiet=0).run(stop))
        await asyncio.sleep(0.5)  # longer than a locked database is waited for
        assert (await only(store)).text
        lock.execute("ROLLBACK")
        lock.close()

        async def emptied() -> bool:
            return not (await only(store)).text

        await until(emptied, "it was never purged")
        stop.set()
        await asyncio.wait_for(running, 10)


async def test_a_purge_that_is_told_to_stop_ends_after_its_batch(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await an_old_one(store, tmp_path)
        stop = asyncio.Event()
        stop.set()
        assert (await Purger(store, KEPT).purge(stop)).texts == 0


@pytest.mark.parametrize("quiet", [0.0, 9.0])
async def test_it_empties_the_log_of_what_was_dropped(tmp_path: Path, quiet: float) -> None:
    async with opened(tmp_path) as store:
        await an_old_one(store, tmp_path)
        done = await Purger(store, KEPT, quiet=quiet).purge(asyncio.Event())
        assert done == Purged(texts=1)
        assert (tmp_path / "bridge.db-wal").stat().st_size == 0
