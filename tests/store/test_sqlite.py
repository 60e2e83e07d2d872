"""What SQLite alone can meet: faults of its file and disk, files of others, one process for each part."""

import asyncio
import os
import signal
import sqlite3
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bridge.errors import PartBusy, StoreError
from bridge.store import SmsFilter, Store, migrate, schema
from bridge.store.database import Tx
from bridge.store.sqlite import SqliteEngine
from bridge.store.threads import ThreadedDatabase
from tests.store.conftest import Opener, mail, takes_mail
from tests.store.test_durable import child

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def sqlite_of(store: Store) -> SqliteEngine:
    assert isinstance(store._database, ThreadedDatabase)
    assert isinstance(store._database.engine, SqliteEngine)
    return store._database.engine


# --- faults of the disk and of others ------------------------------------------------------------------


async def test_a_full_disk_fails_whole_and_is_forgotten_when_there_is_room(store: Store) -> None:
    assert await takes_mail(store, "before")
    database, engine = store._database, sqlite_of(store)

    def pages(most: int) -> Callable[[Tx], None]:
        def unit(tx: Tx) -> None:
            assert engine._connection is not None
            engine._connection.execute(f"PRAGMA max_page_count = {most}")

        return unit

    await database.write(pages(1))  # no further page than there are
    big = [mail(text=f"{n} " + "x" * 20_000) for n in range(5)]
    results = await asyncio.gather(*(store.accept(one) for one in big), return_exceptions=True)
    assert any(isinstance(one, StoreError) and "full" in str(one) for one in results)
    taken = sum(not isinstance(one, BaseException) for one in results)
    assert len(await store.list_sms(SmsFilter(), None, 100)) == 1 + taken
    await database.write(pages(1_000_000))
    assert sum([await takes_mail(store, one.sms[0].text) for one in big]) == 5 - taken
    assert len(await store.list_sms(SmsFilter(), None, 100)) == 6


LIMITED = textwrap.dedent(
    """
    import asyncio, resource, signal, sys
    from bridge.errors import StoreError
    from bridge.store import SmsFilter, StoreSettings, open_store
    from tests.store.conftest import mail

    async def main():
        store = await open_store(sys.argv[1], settings=StoreSettings(domain="sms.local"))
        await store.accept(mail(text="before"))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        taken, failed = 1, 0
        for n in range(40):
            try:
                await store.accept(mail(text=f"{n} " + "x" * 20_000))
                taken += 1
            except StoreError:
                failed += 1
        assert failed, "the disk was never full"
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await store.accept(mail(text="after"))
        rows = await store.list_sms(SmsFilter(), None, 100)
        print(len(rows) == taken + 1, rows[0].sms.text)
        await store.close()

    asyncio.run(main())
    """
)


async def test_a_disk_that_takes_no_more_bytes_fails_and_heals(path: Path) -> None:
    process = await child(str(path), code=LIMITED)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert out == b"True after\n"


async def test_another_process_that_holds_the_lock_fails_us_until_it_lets_go(
    store: Store, path: Path
) -> None:
    assert await takes_mail(store, "before")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            await store.accept(mail(text="meanwhile"))
        with pytest.raises(StoreError):
            await store.check()
        other.execute("ROLLBACK")
    assert await takes_mail(store, "meanwhile")
    await store.check()


async def test_a_file_that_is_gone_fails_us_and_is_used_again_when_it_is_back(
    store: Store, path: Path
) -> None:
    assert await takes_mail(store, "before")
    await store.list_sms(SmsFilter(), None, 1)
    away = path.with_name("away")
    away.mkdir()
    files = [file for file in path.parent.iterdir() if file.name.startswith("bridge.db")]
    for file in files:
        os.rename(file, away / file.name)
    for _ in range(3):
        assert not await takes_mail(store, "while it is gone")
        with pytest.raises(StoreError):
            await store.list_sms(SmsFilter(), None, 1)
    assert not path.exists(), "an empty one in its place would lose what was promised"
    for file in away.iterdir():
        os.rename(file, path.parent / file.name)
    assert await takes_mail(store, "back")
    texts = {line.sms.text for line in await store.list_sms(SmsFilter(), None, 10)}
    assert {"before", "back"} <= texts


async def test_a_file_that_was_replaced_is_noticed_before_anything_is_promised(
    store: Store, path: Path, tmp_path: Path
) -> None:
    assert await takes_mail(store, "into the old file")
    new = tmp_path / "new.db"
    migrate(new)
    os.replace(new, path)
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink()
    assert not await takes_mail(store, "into a file without a name")
    assert await takes_mail(store, "into the new file")
    texts = [line.sms.text for line in await store.list_sms(SmsFilter(), None, 10)]
    assert texts == ["into the new file"]


async def test_a_file_of_an_older_schema_in_its_place_is_not_written_to(store: Store, path: Path) -> None:
    assert await takes_mail(store, "before")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA user_version = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert not await takes_mail(store, "meanwhile")
        other.execute("ROLLBACK")
    assert await takes_mail(store, "a lock alone does not reopen")
    path.rename(path.with_name("x.db"))
    assert not await takes_mail(store, "gone")
    path.with_name("x.db").rename(path)
    with pytest.raises(StoreError, match="schema 0"):
        await store.accept(mail(text="old"))


async def test_a_file_that_may_not_be_written_fails_us(store: Store, path: Path) -> None:
    accepted = await store.accept(mail(text="before"))
    database, engine = store._database, sqlite_of(store)

    def query_only(tx: Tx) -> None:
        assert engine._connection is not None
        engine._connection.execute("PRAGMA query_only = ON")

    await database.write(query_only)
    with pytest.raises(StoreError, match="readonly"):
        await store.accept(mail(text="now"))
    story = await store.show(accepted.queued[0].message_id)
    assert story is not None


# --- opening -------------------------------------------------------------------------------------------


async def test_a_database_of_a_newer_version_is_refused_in_words(path: Path, opened: Opener) -> None:
    migrate(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"newer version .*schema 99.*run that version"):
        await opened()


async def test_a_database_of_something_else_is_refused(path: Path, opened: Opener) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="something else"):
        await opened()


async def test_a_file_that_is_no_database_is_refused(path: Path, opened: Opener) -> None:
    path.write_bytes(b"hello" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        await opened()


async def test_a_folder_that_cannot_be_made_is_told(path: Path, opened: Opener) -> None:
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="folder"):
        await opened(file=path / "below" / "bridge.db")
    with pytest.raises(StoreError, match="cannot open"):
        await opened(file=path.parent)


def test_an_old_database_is_upgraded_one_step_after_the_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, now = schema.migrations("sqlite"), schema.newest()
    assert migrate(path) == (0, now)
    assert migrate(path) == (now, now)
    steps = {
        now + 1: "CREATE TABLE later (x INTEGER);\nINSERT INTO later VALUES (1);\n",
        now + 2: "ALTER TABLE later ADD y;\n",
    }
    monkeypatch.setattr(schema, "migrations", lambda engine: {**first, **steps})
    assert migrate(path) == (now, now + 2)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT x, y FROM later").fetchall() == [(1, None)]


def test_an_upgrade_that_fails_leaves_the_old_schema(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, now = schema.migrations("sqlite"), schema.newest()
    migrate(path)
    broken = {now + 1: "CREATE TABLE later (x);\nnonsense;\n"}
    monkeypatch.setattr(schema, "migrations", lambda engine: {**first, **broken})
    with pytest.raises(StoreError, match="up to date"):
        migrate(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (now,)
        assert other.execute("SELECT count(*) FROM sqlite_master WHERE name = 'later'").fetchone() == (0,)


def test_an_sqlite_that_is_too_old_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreError, match="too old"):
        migrate(path)


async def test_commits_wait_for_the_disk(store: Store) -> None:
    database, engine = store._database, sqlite_of(store)

    def pragmas(tx: Tx) -> list[object]:
        assert engine._connection is not None
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [engine._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await database.write(pragmas) == ["wal", 2, 1]


# --- parts ---------------------------------------------------------------------------------------------


async def test_a_part_runs_once_and_is_free_again_after_a_kill(
    store: Store, opened: Opener, path: Path
) -> None:
    code = textwrap.dedent(
        """
        import asyncio, sys
        from bridge.store import StoreSettings, open_store

        async def main():
            store = await open_store(sys.argv[1], settings=StoreSettings(domain="sms.local"))
            async with store.part("send"):
                print("held", flush=True)
                await asyncio.sleep(600)

        asyncio.run(main())
        """
    )
    await store.accept(mail())
    assert await store.claim("gone", 1)
    process = await child(str(path), code=code)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"held\n"
    with pytest.raises(PartBusy, match=r"“send” already runs .*bridge\.db\.send\.lock"):
        async with store.part("send"):
            raise AssertionError("two senders")
    async with store.part("web"):
        pass
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with store.part("send"):
        with pytest.raises(PartBusy):
            async with (await opened()).part("send"):
                raise AssertionError("two senders")


async def test_a_lock_that_cannot_be_made_is_told(store: Store, path: Path) -> None:
    path.with_name("bridge.db.send.lock").mkdir()
    with pytest.raises(StoreError, match=r"cannot open .*bridge\.db\.send\.lock"):
        async with store.part("send"):
            raise AssertionError("no lock")
