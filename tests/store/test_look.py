"""Lists by every filter, paged by key; and that nothing that is asked all day reads a whole table."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.retry import Answer
from bridge.sms import Input, Kind, State
from bridge.store import SmsFilter, SmsLine, Store, looking, migrate
from bridge.store.queries import statements
from tests.store.conftest import Clock, mail

NUMBERS = ("+61421000001", "+61421000002", "+6421555001", "+61733334444")


@pytest.fixture
async def filled(store: Store) -> Store:
    for n, number in enumerate(NUMBERS):
        await store.accept(mail(number, sender=f"s{n % 2}@x", text=f"Text {n} 100% a_b \\ Ünï"))
    (sms,) = await store.claim("n1", 1)
    await store.finish(sms, Input(Kind.SENT, 1), Answer.CLEAR)
    return store


async def found(store: Store, **wanted: object) -> list[str]:
    return [line.sms.number for line in await store.list_sms(SmsFilter(**wanted), None, 10)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, NUMBERS[::-1]),
        ({"state": State.SUBMITTED}, NUMBERS[:1]),
        ({"sender": "s1@x"}, [NUMBERS[3], NUMBERS[1]]),
        ({"sender": "s1@x", "state": State.SUBMITTED}, []),
        ({"sender": "s0@x", "state": State.SUBMITTED}, NUMBERS[:1]),
        ({"number": "+61421000001"}, NUMBERS[:1]),
        ({"number": "+61 421 000 001", "text": "text 0"}, NUMBERS[:1]),
        ({"number": "0061421000002"}, NUMBERS[1:2]),
        ({"number": "0421 000 002"}, NUMBERS[1:2]),
        ({"number": "0001"}, NUMBERS[:1]),
        ({"number": "1"}, [NUMBERS[2], NUMBERS[0]]),
        ({"number": "44", "sender": "s1@x"}, NUMBERS[3:]),
        ({"number": "5001", "state": State.QUEUED}, NUMBERS[2:3]),
        ({"number": "abc"}, []),
        ({"number": "+"}, []),
        ({"text": "TEXT 2"}, NUMBERS[2:3]),
        ({"text": "100%"}, NUMBERS[::-1]),
        ({"text": "1__%"}, []),
        ({"text": "a_b \\ Ü"}, NUMBERS[::-1]),
        ({"text": "aXb"}, []),
        ({"text": "text", "state": State.QUEUED}, NUMBERS[:0:-1]),
    ],
    ids=str,
)
async def test_each_filter_finds_its_rows(
    filled: Store, wanted: dict[str, object], numbers: list[str]
) -> None:
    assert await found(filled, **wanted) == list(numbers)


async def test_the_sms_of_one_mail_are_found_by_it(filled: Store) -> None:
    line = (await filled.list_sms(SmsFilter(), None, 1))[0]
    assert await found(filled, mail_id=line.sms.mail_id) == [line.sms.number]


async def test_pages_go_down_by_id_and_end(filled: Store) -> None:
    first = await filled.list_sms(SmsFilter(), None, 3)
    assert len(first) == 3
    assert first.older == first[-1].sms.id
    second = await filled.list_sms(SmsFilter(), first.older, 3)
    assert [line.sms.number for line in (*first, *second)] == list(NUMBERS[::-1])
    assert second.older is None


async def test_a_search_that_finds_little_ends_soon_and_says_where_to_go_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "MAX_READ", 10)
    for n in range(25):
        await store.accept(mail(f"+6142100{n:04}", text="needle" if n == 0 else "hay"))
    for wanted in (SmsFilter(text="needle"), SmsFilter(text="needle", sender="ann@clinic.example")):
        pages, before = 0, None
        lines: list[SmsLine] = []
        while True:
            page = await store.list_sms(wanted, before, 5)
            pages, before, lines = pages + 1, page.older, lines + list(page)
            if before is None:
                break
        assert (pages, [line.sms.text for line in lines]) == (3, ["needle"])


async def test_a_story_is_found_by_message_id_or_id_and_begins_with_the_mail(filled: Store) -> None:
    line = (await filled.list_sms(SmsFilter(), None, 1))[0]
    for name in (line.sms.message_id, line.sms.message_id.lower(), str(line.sms.id)):
        story = await filled.show(name)
        assert story is not None
        assert story.sms == line.sms
        assert story.history[0].note == "taken"
    for name in ("BRDGNONE", "99", "9" * 400, "²", ""):
        assert await filled.show(name) is None


async def test_a_refused_one_says_so_in_its_story(store: Store) -> None:
    await store.accept(mail("+1900", "+61421000001", refused=("+1900",)))
    story = await store.show("1")
    assert story is not None
    assert story.history[0].note == "refused: premium numbers are not allowed"
    assert [one.kind for one in story.outbox] == ["failed"]


async def test_counts_are_read_anew_after_a_while(filled: Store, clock: Clock) -> None:
    counts = await filled.counts()
    assert counts.by_state == {State.QUEUED: 3, State.SUBMITTED: 1}
    assert counts.oldest_queued_at == clock.now
    assert await filled.counts() is counts


async def test_counts_tell_since_when_the_oldest_waits(store: Store, clock: Clock) -> None:
    began = clock.now
    for serial in range(3):
        await store.accept(mail("+61421000001", header=f"<{serial}@x>"))
        clock.forward(60_000)
    (first,) = await store.claim("node", 1)
    await store.finish(first, Input(Kind.SENT, first.attempts), Answer.CLEAR)
    assert (await store.counts()).oldest_queued_at == began + 60_000


# --- plans -----------------------------------------------------------------------------------------------

# Small tables, and counts for metrics that go down an index and are remembered for some seconds.
MAY_SCAN = {"accounts", "list_alarms", "drop_old_alarms", "count_sms", "count_outbox", "count_rest"}
MAY_SCAN |= {"nodes", "drop_nodes", "leases", "give_leases_back"}
MAY_SCAN |= {"alarms_that_name", "drop_alarms_before"}  # a thousand at most
MAY_SCAN |= {"batches_again"}  # empty but for some seconds after two nodes met


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path: Path = tmp_path_factory.mktemp("plans") / "bridge.db"
    migrate(path)
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


def plan(connection: sqlite3.Connection, name: str) -> list[str]:
    text = statements()[name]
    values = dict.fromkeys(re.findall(r":(\w+)", text), 1)
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]


@pytest.mark.parametrize("name", sorted(set(statements()) - MAY_SCAN))
def test_no_statement_reads_a_whole_table(connection: sqlite3.Connection, name: str) -> None:
    for step in plan(connection, name):
        whole = re.match(r"SCAN (\w+)", step)
        first_only = step == "SCAN s USING INDEX sms_queued"  # ORDER BY its first column LIMIT 1
        few = re.search(r"USING (COVERING INDEX event_kept|INDEX outbox_claimed)", step)
        assert not whole or whole[1] in {"turn", "CONSTANT", "known", "numbers"} or few or first_only, step


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_whose_turn_it_is_costs_the_same_however_much_is_queued(store: Store, path: Path) -> None:
    numbers = [f"+61421{n:06}" for n in range(3_000)]
    steps: list[int] = []
    for few in (numbers[:10], numbers):
        await store.accept(mail(*few))
        connection = sqlite3.connect(path)
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        connection.set_progress_handler(step, 1)
        assert connection.execute(statements()["accounts_waiting"]).fetchall() == [("default",)]
        connection.close()
        steps.append(count)
    assert steps[1] < 2 * steps[0]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("claimable", "sms_queued (account=? AND sender=? AND due_at<?)"),
        ("senders_waiting", "sms_queued (account=? AND sender>?)"),
        ("expired", "sms_expiring"),
        ("to_poll", "sms_to_poll (due_at<?)"),
        ("settled_to_poll", "sms_settling (settle_from>? AND settle_from<?)"),
        ("doubts_due", "sms_doubted"),
        ("outbox_due", "outbox_due (due_at<?)"),
        ("replies_to_poll", "reply_poll_due"),
        ("list_by_state", "sms_by_state (state=? AND id>? AND id<?)"),
        ("list_by_sender", "sms_by_sender (sender=? AND id>? AND id<?)"),
        ("list_by_number", "sms_by_tail (tail=? AND id>? AND id<?)"),
        ("list_by_ending", "sms_by_tail (tail>? AND tail<?)"),
        ("list_by_mail", "sms_by_mail (mail_id=?)"),
        ("group_of", "mail_by_header (header_message_id=? AND sender=? AND received_at>?)"),
        ("kept_for", "event_kept_message"),
        ("same_of", "PRIMARY KEY (fingerprint=?)"),
        ("busiest_of", "PRIMARY KEY (sender=? AND hour>? AND hour<?)"),
        ("habit_of", "sms_by_tail (tail=? AND id>? AND id<?)"),
        ("answers_of", "event_by_phone (phone=? AND at>?)"),
    ],
)
def test_what_is_asked_all_day_goes_down_its_index(
    connection: sqlite3.Connection, name: str, index: str
) -> None:
    steps = plan(connection, name)
    assert any(index in step for step in steps), steps
    sorted_apart = [step for step in steps if "TEMP B-TREE" in step]
    assert not sorted_apart or name in (
        "list_by_ending",
        "list_by_mail",
        "kept_for",
        "busiest_of",
        "habit_of",
    ), steps
