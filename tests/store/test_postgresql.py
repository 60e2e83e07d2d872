"""What PostgreSQL alone can meet: a server that goes away at the worst moment, databases of others, a standby."""

import asyncio
import signal
import threading
from collections.abc import Iterator

import psycopg
import pytest

from bridge.errors import StoreError
from bridge.retry import Answer
from bridge.sms import Input, Kind, Sms, State
from bridge.store import (
    Actor,
    SmsFilter,
    Store,
    StoreSettings,
    is_there,
    look_at_server,
    migrate,
    open_store,
    schema,
)
from bridge.store.postgresql_session import Session
from bridge.store.queries import numbered
from tests import postgres as postgresql
from tests.given_store import until
from tests.postgres import Server
from tests.store.conftest import SETTINGS, Opener, mail, takes_mail
from tests.store.test_two_nodes import Gate
from tests.store.wire import wire_to

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
_SLEEP = b"SELECT pg_sleep(60)"


@pytest.fixture
def own_server(engine: str) -> Iterator[Server]:
    """A server that a test may stop, which keeps what it has committed."""
    with postgresql.running(durable=True) as server:
        yield server


async def texts(store: Store) -> list[str]:
    return sorted(line.sms.text for line in await store.list_sms(SmsFilter(), None, 1_000))


# --- the wire ------------------------------------------------------------------------------------------


async def test_a_mail_whose_commit_was_cut_off_is_not_promised_and_taken_when_it_comes_again(
    opened: Opener, database: str
) -> None:
    async with wire_to(database) as wire:
        store = await opened(file=wire.url)
        await store.accept(mail(header="<first@x>"))
        wire.cut = "before"
        with pytest.raises(StoreError):
            await store.accept(mail())
        again = await store.accept(mail())
        assert (len(again.queued), again.duplicates) == (1, 0)
        await store.close()


async def test_a_mail_whose_commit_was_carried_out_unheard_is_a_duplicate_when_it_comes_again(
    opened: Opener, database: str
) -> None:
    async with wire_to(database) as wire:
        store = await opened(file=wire.url)
        await store.accept(mail(header="<first@x>"))
        wire.cut = "after"
        with pytest.raises(StoreError):
            await store.accept(mail())
        again = await store.accept(mail())
        assert (len(again.queued), again.duplicates) == (0, 1)
        assert len(await texts(store)) == 2
        await store.close()


async def test_a_claim_that_was_committed_unheard_is_not_claimed_twice(opened: Opener, database: str) -> None:
    async with wire_to(database) as wire:
        store = await opened(file=wire.url)
        (sms,) = (await store.accept(mail())).queued
        wire.cut = "after"
        with pytest.raises(StoreError):
            await store.claim("us", 1)
        assert not await store.claim("us", 1)
        assert await store.adopt_lost("us", set(), 0) == 1
        story = await store.show(sms.message_id)
        assert story is not None
        assert story.sms.state is State.UNKNOWN
        await store.close()


async def test_an_outcome_that_was_committed_unheard_is_stored_once_when_it_is_told_again(
    opened: Opener, database: str
) -> None:
    async with wire_to(database) as wire:
        store = await opened(file=wire.url)
        await store.accept(mail())
        (sms,) = await store.claim("us", 1)
        wire.cut = "after"
        with pytest.raises(StoreError):
            await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR, ("vendor-1",))
        new = await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR, ("vendor-1",))
        assert new is not None
        assert (new.state, new.attempts) == (State.SUBMITTED, 1)
        await store.close()


# --- the server ----------------------------------------------------------------------------------------


async def test_a_server_that_stands_still_is_not_waited_for_and_served_again_when_it_goes_on(
    own_server: Server,
) -> None:
    url = f"{own_server.database()}&connect_timeout=2"
    store = await open_store(url, settings=SETTINGS, busy_ms=200)
    await store.accept(mail())
    assert await texts(store) == ["hello"]  # a reader is connected too
    with own_server.frozen():
        asked = [store.accept(mail(text="not now")), store.list_sms(SmsFilter(), None, 10)]
        for failed in await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30):
            assert isinstance(failed, StoreError), failed
        with pytest.raises(StoreError):
            await asyncio.wait_for(store.accept(mail(text="nor now")), 30)
    assert await until(lambda: takes_mail(store, "later"), "it takes no mail")
    assert {"hello", "later"} <= set(await texts(store)) <= {"hello", "later", "not now"}
    await store.close()


async def test_an_answer_that_came_while_we_stood_still_ourselves_is_read(database: str) -> None:
    """What is late is ended at the second look, not at the first one after a pause of this process."""
    session = Session(database, lock_ms=20)
    asked = asyncio.ensure_future(asyncio.to_thread(session.execute, _SLEEP, [], prepared=False))
    await asyncio.sleep(0.2)  # longer than it waits
    session.end_if_silent()
    assert not (await asyncio.wait([asked], timeout=0.2))[0]
    session.end_if_silent()
    with pytest.raises(psycopg.Error):
        await asyncio.wait_for(asked, 20)
    assert session.lost
    session.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_nothing_is_lost_or_doubled_while_the_server_restarts_under_load(
    opened: Opener, own_server: Server, how: signal.Signals
) -> None:
    store = await opened(file=own_server.database())
    stop, refused = asyncio.Event(), 0
    taken: set[str] = set()

    async def client(name: int) -> None:
        nonlocal refused
        n = 0
        while not stop.is_set():
            text = f"{name}-{n}"
            try:
                await store.accept(mail(header=f"<{text}@x>", text=text))
            except StoreError:
                refused += 1
                await asyncio.sleep(0.05)  # and again, as a mail server does after 451
                continue
            taken.add(text)
            n += 1

    clients = [asyncio.create_task(client(name)) for name in range(8)]
    for _ in range(3):
        before = len(taken)
        while len(taken) < before + 40:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(own_server.crash if how is signal.SIGKILL else own_server.stop)
        seen = refused
        while refused == seen:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(own_server.start)
    before = len(taken)
    while len(taken) < before + 40:
        await asyncio.sleep(0.01)
    stop.set()
    await asyncio.gather(*clients)
    with psycopg.connect(own_server_url(store)) as other:
        stored = [text for (text,) in other.execute("SELECT text FROM sms ORDER BY text")]
    assert stored == sorted(taken)


def own_server_url(store: Store) -> str:
    return str(store._database.engine._url)  # type: ignore[attr-defined]


async def test_a_server_that_comes_back_between_two_mails_is_not_noticed(
    opened: Opener, own_server: Server
) -> None:
    store = await opened(file=own_server.database())
    await store.accept(mail(text="before"))
    assert await texts(store) == ["before"]
    own_server.stop()
    own_server.start()
    assert await texts(store) == ["before"]
    await store.accept(mail(text="after"))
    assert await texts(store) == ["after", "before"]


async def test_who_listens_hears_again_after_the_server_was_away(opened: Opener, own_server: Server) -> None:
    one = await opened(file=own_server.database())
    await asyncio.wait_for(one.wait("sms", 600), 60)  # what it may have missed before it listened
    own_server.stop()
    own_server.start()
    await asyncio.wait_for(one.wait("sms", 600), 60)  # and what while it could not
    two = await opened(file=own_server_url(one))
    await two.accept(mail())
    await asyncio.wait_for(one.wait("sms", 600), 60)


async def test_a_server_that_is_away_fails_us_at_once_and_is_used_again(
    opened: Opener, own_server: Server
) -> None:
    store = await opened(file=own_server.database())
    own_server.stop()
    for _ in range(3):
        assert not await takes_mail(store, "while it is away")
        with pytest.raises(StoreError):
            await store.list_sms(SmsFilter(), None, 1)
    own_server.start()
    while not await takes_mail(store, "back"):
        await asyncio.sleep(0.05)
    assert await texts(store) == ["back"]


async def test_a_node_that_is_frozen_inside_a_transaction_does_not_hold_the_others(opened: Opener) -> None:
    frozen, other = await opened(), await opened()
    (sms,) = (await frozen.accept(mail())).queued
    gate = Gate(frozen)
    late = asyncio.create_task(frozen.cancel(sms.message_id, Actor("frozen")))
    await asyncio.wait_for(gate.reached.wait(), 30)

    async def cancelled() -> Sms | None:
        try:
            return await other.cancel(sms.message_id, Actor("other"))
        except StoreError:  # the server has ended the first one late
            return None

    await until(cancelled, "it holds its row")
    gate.let_through()
    await late  # its transaction was undone; it has run again
    story = await other.show(sms.message_id)
    assert story is not None
    assert next(line.note for line in story.history if "by " in line.note).endswith("by command line, other")


async def test_a_standby_is_refused(opened: Opener, own_server: Server) -> None:
    url = own_server.database()
    store = await opened(file=url)
    await store.accept(mail(text="before"))
    own_server.run("ALTER ROLE bridge SET default_transaction_read_only = on")
    own_server.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'smsbridge'"
    )
    with pytest.raises(StoreError, match="read-only"):
        await store.accept(mail(text="now"))
    with psycopg.connect(own_server.url(), autocommit=True) as owner:
        owner.execute("SET default_transaction_read_only = off")
        owner.execute("ALTER ROLE bridge RESET default_transaction_read_only")
    while not await takes_mail(store, "back"):
        await asyncio.sleep(0.05)


async def test_an_error_tells_neither_password_nor_rows(database: str, opened: Opener) -> None:
    for wrong in ("postgresql://bridge:geheim@127.0.0.1:1/x", "postgresql://bridge:geheim@[/x"):
        with pytest.raises(StoreError) as told:
            await opened(file=wrong)
        assert "geheim" not in str(told.value)
    store = await opened()
    await store.accept(mail(text="geheim"))
    columns = numbered(locking=True)["insert_mail"].names
    with pytest.raises(StoreError) as told:
        await store._database.write(
            lambda tx: tx.run("insert_mail", **(dict.fromkeys(columns, "geheim") | NULLS))
        )
    assert "geheim" not in str(told.value)


NULLS = {"received_at": 1, "rule": 1, "size": 1, "sender": None}


# --- opening -------------------------------------------------------------------------------------------


def test_nodes_that_start_at_once_make_the_tables_once(database: str) -> None:
    assert not is_there(database)
    done: list[tuple[int, int]] = []
    nodes = [threading.Thread(target=lambda: done.append(migrate(database))) for _ in range(4)]
    for node in nodes:
        node.start()
    for node in nodes:
        node.join()
    now = schema.newest()
    assert sorted(done) == [(0, now), (now, now), (now, now), (now, now)]
    assert is_there(database)


async def test_a_database_of_a_newer_version_is_refused_in_words(database: str, opened: Opener) -> None:
    migrate(database)
    with psycopg.connect(database) as other:
        other.execute("UPDATE smsbridge SET version = 99")
    with pytest.raises(StoreError, match=r"newer version .*schema 99.*run that version"):
        await opened()


async def test_a_database_of_something_else_is_refused(database: str, opened: Opener) -> None:
    with psycopg.connect(database) as other:
        other.execute("CREATE TABLE theirs (x int)")
    with pytest.raises(StoreError, match="something else"):
        await opened()


def test_an_upgrade_goes_step_by_step_and_one_that_fails_leaves_the_old_schema(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, now = schema.migrations("postgresql"), schema.newest()
    migrate(database)
    steps = {now + 1: "CREATE TABLE later (id INTEGER PRIMARY KEY, x BLOB);\n"}
    for broken in ("nonsense;\n", ""):
        steps[now + 2] = f"ALTER TABLE later ADD y INTEGER;\n{broken}"
        monkeypatch.setattr(schema, "migrations", lambda engine: {**first, **steps})
        monkeypatch.setattr("bridge.store.postgresql_schema.migrations", lambda engine: {**first, **steps})
        if broken:
            with pytest.raises(StoreError, match="up to date"):
                migrate(database)
            assert look_at_server(database).schema == now
        else:
            assert migrate(database) == (now, now + 2)


def test_texts_in_another_encoding_are_refused(postgres: Server, engine: str) -> None:
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with pytest.raises(StoreError, match="UTF8"):
        migrate(postgres.url("latin"))


def test_a_server_that_does_not_wait_for_the_disk_is_seen(database: str, own_server: Server) -> None:
    assert look_at_server(database).risks == ("fsync = off", "full_page_writes = off")
    assert look_at_server(own_server.database()).risks == ()


async def test_commits_wait_for_the_disk_whatever_the_server_usually_does(own_server: Server) -> None:
    own_server.run("ALTER ROLE bridge SET synchronous_commit = off")
    store = await open_store(own_server.database(), settings=StoreSettings(domain="sms.local"))
    await store.accept(mail())
    session = store._database.engine._session  # type: ignore[attr-defined]
    asked = await store._database.write(
        lambda tx: session.connection.execute(
            "SHOW synchronous_commit"
        ).fetchone()  # in the thread that has it
    )
    assert asked == ("on",)
    await store.close()
