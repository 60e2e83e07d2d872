"""Processes that write to one SQLite file at once: each gets its turn, and none waits for one that stands still."""

import asyncio
import fcntl
import os
import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from bridge.store import Store
from tests.store.conftest import mail, takes_mail
from tests.store.test_durable import child

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

NOBODY = 65534
OURS = 300
IN_BETWEEN = 100  # commits of the other while one of ours waits; it was some hundreds

WRITES_ALL_THE_TIME = textwrap.dedent(
    """
    import asyncio, itertools, sys
    from bridge.store import StoreSettings, open_store
    from tests.store.conftest import mail

    async def main():
        store = await open_store(sys.argv[1], settings=StoreSettings(domain="sms.local"))
        for n in itertools.count():
            await store.accept(mail(sender="other@clinic.example", text=f"other {n}"))
            if n == 0:
                print("began", flush=True)

    asyncio.run(main())
    """
)


async def test_who_writes_all_the_time_does_not_keep_another_process_waiting(
    store: Store, path: Path
) -> None:
    process = await child(str(path), code=WRITES_ALL_THE_TIME)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"began\n"
    with closing(sqlite3.connect(path)) as look:

        def others() -> int:
            (number,) = look.execute("SELECT count(*) FROM sms WHERE text LIKE 'other %'").fetchone()
            return int(number)

        most = 0
        before = others()
        try:
            for n in range(OURS):
                await store.accept(mail(text=f"ours {n}"))
                after = others()
                before, most = after, max(most, after - before)
        finally:
            process.kill()
            await process.wait()
    assert before > OURS // 10, "the other wrote meanwhile"
    assert most < IN_BETWEEN


async def test_a_turn_that_is_never_given_back_is_not_waited_for(store: Store, path: Path) -> None:
    assert await takes_mail(store, "before")
    with path.with_name("bridge.db.turn.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert await takes_mail(store, "meanwhile")


async def test_where_no_lock_can_be_made_sqlite_alone_keeps_order(store: Store, path: Path) -> None:
    lock = path.with_name("bridge.db.turn.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    assert await takes_mail(store, "all the same")


@pytest.mark.parametrize("there", [True, False])
async def test_a_link_in_place_of_the_lock_leads_nobody_to_another_file(
    store: Store, path: Path, tmp_path: Path, there: bool
) -> None:
    """The folder is the service's: root, who runs a command on its database, must not give away a file of root's."""
    aim = tmp_path / "elsewhere"
    if there:
        aim.write_bytes(b"root's own")
    lock = path.with_name("bridge.db.turn.lock")
    lock.unlink(missing_ok=True)
    lock.symlink_to(aim)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    assert await takes_mail(store, "all the same")
    assert aim.exists() == there
    assert not there or aim.stat().st_uid == os.geteuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that is another's")
async def test_the_locks_that_root_makes_are_for_who_owns_the_database(store: Store, path: Path) -> None:
    """Root may try the service by hand; the service's own user starts it later."""
    os.chown(path, NOBODY, NOBODY)
    assert await takes_mail(store, "by root")
    async with store.part("mail"):
        locks = {lock.name: lock.stat() for lock in path.parent.glob("*.lock")}
    assert locks.keys() == {"bridge.db.turn.lock", "bridge.db.mail.lock"}
    assert {(lock.st_uid, lock.st_mode & 0o777) for lock in locks.values()} == {(NOBODY, 0o600)}
