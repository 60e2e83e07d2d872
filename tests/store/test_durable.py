"""What a commit promises: shared by many, whole or not at all, and there after a kill or a fault of the disk."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bridge.decide.values import Accept
from bridge.errors import PartBusy, StoreError
from bridge.retry import Answer
from bridge.sms import Input, Kind
from bridge.store import SmsFilter, Store, StoreSettings, migrate, open_store, sqlite_file
from bridge.store.database import Tx
from bridge.store.sqlite import SqliteEngine
from bridge.store.threads import ThreadedDatabase
from tests.store.conftest import Opener, mail

CHILD = textwrap.dedent(
    """
    import asyncio, itertools, sys
    from bridge.store import StoreSettings, open_store
    from tests.store.conftest import mail

    async def session(store, name):
        for n in itertools.count():
            accepted = await store.accept(mail(header=f"<{name}-{n}@x>", text=f"{name} {n}"))
            print(accepted.mail_id, accepted.queued[0].message_id, flush=True)

    async def main():
        store = await open_store(sys.argv[1], settings=StoreSettings(domain="sms.local"))
        print("ready", flush=True)
        await asyncio.gather(*(session(store, f"{sys.argv[2]}-{n}") for n in range(5)))

    asyncio.run(main())
    """
)


def sqlite_of(store: Store) -> SqliteEngine:
    assert isinstance(store._database, ThreadedDatabase)
    assert isinstance(store._database.engine, SqliteEngine)
    return store._database.engine


def number(seed: int) -> random.Random:
    return random.Random(seed)


async def child(*arguments: str, code: str = CHILD) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )


async def test_what_was_promised_before_a_kill_is_there_afterwards(opened: Opener, path: Path) -> None:
    promised: list[tuple[str, str]] = []
    for n in range(10):
        process = await child(str(path), str(n))
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
        for _ in range(number(n).randrange(1, 60)):  # a kill between any two commits
            promised.append(_pair(await asyncio.wait_for(process.stdout.readline(), 60)))
        process.send_signal(signal.SIGKILL)
        rest = await process.stdout.read()
        await process.wait()
        promised += [_pair(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    store = await opened()
    for mail_id, message_id in promised:
        story = await store.show(message_id)
        assert story is not None
        assert story.mail.id == mail_id
    assert len(promised) > 50


def _pair(line: bytes) -> tuple[str, str]:
    mail_id, message_id = line.decode().split()
    return mail_id, message_id


async def test_many_sessions_share_commits(opened: Opener) -> None:
    store = await opened()
    engine = sqlite_of(store)
    before = engine.commits
    accepted = await asyncio.gather(*(store.accept(mail(text=f"text {n}")) for n in range(200)))
    assert sum(len(one.queued) for one in accepted) == 200
    assert engine.commits - before < 50


async def test_one_units_fault_undoes_neither_the_others_nor_leaves_half_of_itself(store: Store) -> None:
    database = store._database

    def half(tx: Tx) -> None:
        tx.run("set_cursor", name="half", value=1)
        raise ValueError("a fault of ours")

    def wrong(tx: Tx) -> None:
        tx.run("set_cursor", name="wrong", value=1)
        tx.run("set_cursor", name=None, value=1)
        tx.run("insert_event")

    results = await asyncio.gather(
        store.set_cursor("a", 1),
        database.write(half),
        database.write(wrong),
        store.set_cursor("b", 2),
        return_exceptions=True,
    )
    assert isinstance(results[1], ValueError)
    assert isinstance(results[2], StoreError)
    assert [await store.cursor(name) for name in ("a", "half", "wrong", "b")] == [1, None, None, 2]


async def test_a_caller_that_is_cancelled_neither_undoes_nor_doubles_the_commit(store: Store) -> None:
    for n in range(20):
        task = asyncio.create_task(store.accept(mail(text=f"text {n}")))
        for _ in range(n % 3 + 1):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await store.set_cursor("after", 1)
    rows = await store.list_sms(SmsFilter(), None, 100)
    assert sorted(line.sms.text for line in rows) == sorted(f"text {n}" for n in range(20))


async def test_closing_finishes_what_was_begun(opened: Opener) -> None:
    store = await opened()
    begun = [asyncio.create_task(store.accept(mail(text=f"text {n}"))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert sum(len(task.result().queued) for task in begun) == 50
    await store.close()
    for use in (store.accept(mail()), store.show("1")):
        with pytest.raises(StoreError, match="closed"):
            await use


# --- faults of the disk and of others ------------------------------------------------------------------


async def takes_mail(store: Store, text: str) -> bool:
    try:
        return bool((await store.accept(mail(text=text))).queued)
    except StoreError:
        return False


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
    await store.check()
    assert await takes_mail(store, "meanwhile")


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


async def test_reads_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match="readonly"):
        await store._database.read(lambda tx: tx.run("set_cursor", name="x", value=1))


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
    first, now = sqlite_file._migrations(), sqlite_file.newest()
    assert migrate(path) == (0, now)
    assert migrate(path) == (now, now)
    steps = {
        now + 1: "CREATE TABLE later (x INTEGER);\nINSERT INTO later VALUES (1);\n",
        now + 2: "ALTER TABLE later ADD y;\n",
    }
    monkeypatch.setattr(sqlite_file, "_migrations", lambda: {**first, **steps})
    assert migrate(path) == (now, now + 2)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT x, y FROM later").fetchall() == [(1, None)]


def test_an_upgrade_that_fails_leaves_the_old_schema(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, now = sqlite_file._migrations(), sqlite_file.newest()
    migrate(path)
    broken = {now + 1: "CREATE TABLE later (x);\nnonsense;\n"}
    monkeypatch.setattr(sqlite_file, "_migrations", lambda: {**first, **broken})
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
    with pytest.raises(StoreError, match="cannot open the lock"):
        async with store.part("send"):
            raise AssertionError("no lock")


async def test_two_processes_send_each_sms_once(opened: Opener, path: Path) -> None:
    store = await opened()
    await store.accept(mail(*(f"+6142100{n:04}" for n in range(40))))
    code = textwrap.dedent(
        """
        import asyncio, sys
        from bridge.store import StoreSettings, open_store

        async def main():
            store = await open_store(sys.argv[1], settings=StoreSettings(domain="sms.local"))
            while rows := await store.claim("other", 1):
                print(rows[0].id, flush=True)
            await store.close()

        asyncio.run(main())
        """
    )
    process = await child(str(path), code=code)
    ours: list[int] = []
    while rows := await store.claim("this", 1):
        ours.append(rows[0].id)
        await store.finish(rows[0].id, Input(Kind.SENT, 1), Answer.CLEAR)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    theirs = [int(line) for line in out.split()]
    assert sorted(ours + theirs) == list(range(1, 41))


async def test_the_store_opens_with_nothing_but_its_settings(path: Path) -> None:
    store = await open_store(str(path), settings=StoreSettings(domain="sms.local"))
    taken: Accept = mail()
    assert (await store.accept(taken)).queued
    await store.check()
    await store.check()
    await store.close()
