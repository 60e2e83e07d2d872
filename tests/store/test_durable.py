"""What a commit promises: shared by many, whole or not at all, and there after a kill or a fault of the disk."""

import asyncio
import random
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from bridge.decide.values import Accept
from bridge.errors import StoreError
from bridge.retry import Answer
from bridge.sms import Input, Kind
from bridge.store import SmsFilter, Store, StoreSettings, open_store
from bridge.store.database import Tx
from bridge.store.postgresql import PostgresEngine
from bridge.store.sqlite import SqliteEngine
from bridge.store.threads import ThreadedDatabase
from tests.store.conftest import Opener, mail
from tests.threats import found

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


def commits(store: Store) -> int:
    assert isinstance(store._database, ThreadedDatabase)
    assert isinstance(store._database.engine, SqliteEngine | PostgresEngine)
    return store._database.engine.commits


def number(seed: int) -> random.Random:
    return random.Random(seed)


async def child(*arguments: str, code: str = CHILD) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )


async def test_what_was_promised_before_a_kill_is_there_afterwards(opened: Opener, database: str) -> None:
    promised: list[tuple[str, str]] = []
    for n in range(10):
        process = await child(database, str(n))
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
    before = commits(store)
    accepted = await asyncio.gather(*(store.accept(mail(text=f"text {n}")) for n in range(200)))
    assert sum(len(one.queued) for one in accepted) == 200
    assert commits(store) - before < 50


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


async def test_reads_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match=r"read-?only"):
        await store._database.read(lambda tx: tx.run("set_cursor", name="x", value=1))


@pytest.mark.threat(22, "sent twice", of="SMS")
async def test_two_processes_send_each_sms_once(database: str) -> None:
    store = await open_store(database, settings=StoreSettings(domain="sms.local"))
    await store.accept(mail(*(f"+6142100{n:04}" for n in range(400))))
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
    process = await child(database, code=code)
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readline(), 60)  # from here on both claim
    ours: list[int] = []
    while rows := await store.claim("this", 1):
        ours.append(rows[0].id)
        await store.finish(rows[0], Input(Kind.SENT, 1), Answer.CLEAR)
    rest, _ = await asyncio.wait_for(process.communicate(), 60)
    await store.close()
    assert process.returncode == 0
    theirs = [int(line) for line in (first + rest).split()]
    assert ours
    found(len(ours + theirs) - len({*ours, *theirs}), of=len(ours + theirs))
    assert sorted(ours + theirs) == list(range(1, 401))


async def test_the_store_opens_with_nothing_but_its_settings(database: str) -> None:
    store = await open_store(database, settings=StoreSettings(domain="sms.local"))
    taken: Accept = mail()
    assert (await store.accept(taken)).queued
    await store.check()
    await store.check()
    await store.close()
