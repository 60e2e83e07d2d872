"""Looking at messages and acting on them, on a real database."""

import datetime
import sqlite3
from collections.abc import Awaitable, Callable

import pytest

from bridge.decide.values import Accept, NewMail, NewSms
from bridge.event import Event, News
from bridge.retry import Answer
from bridge.rules import ReportRule
from bridge.sms import Input, Kind, Sms
from bridge.store import Store
from tests.cli.given import Bench
from tests.given_store import NUMBER, ended, queued, submitted

MUST_HAVE = {
    "id", "message_id", "mail_id", "sender", "number", "state", "text", "segments", "attempts", "created_at",
    "updated_at", "price", "result",
}  # fmt: skip
HOSTILE = "pay \x1b[2J\x9b31m now\u202etxt.exe\u2066"


async def held(store: Store) -> Sms:
    await queued(store)
    [sms] = await store.claim("test", 1)
    return await ended(store, sms, Kind.REFUSED_UNREAD)


async def delivered(store: Store) -> Sms:
    [sms] = await submitted(store)
    event = Event(
        "webhook", "status", sms.message_id, sms.number, "{}", news=News.DELIVERED, result="Success", price=1_025,
        vendor_at=1_700_000_000_000,
    )  # fmt: skip
    assert await store.record_event(event) == "applied"
    await store.record_event(Event("webhook", "reply", sms.message_id, sms.number, "{}", text="YES\x1b[0m"))
    return sms


def test_an_empty_list_says_so_and_as_json_says_nothing(bench: Bench) -> None:
    bench("migrate")
    done = bench("messages", "list")
    assert (done.code, done.out, done.err) == (0, "", "no messages\n")
    assert bench("messages", "list", "--json").out == ""


def test_a_list_is_a_table_newest_first_in_the_operators_time(bench: Bench) -> None:
    bench.store(lambda store: queued(store, (NUMBER, "+61421000002"), text="first line\nsecond " + "x" * 80))
    head, *lines = bench("messages", "list").out.splitlines()
    assert head.split() == ["ID", "CREATED", "AT", "STATE", "NUMBER", "SENDER", "SEGMENTS", "TEXT"]
    assert [line.split()[0] for line in lines] == ["2", "1"]
    assert all("first line second x" in line and line.endswith("…") for line in lines)
    assert all(line.split()[3] in ("AEST", "AEDT") for line in lines)


def test_as_json_each_message_is_an_object_with_the_promised_keys(bench: Bench) -> None:
    bench.store(delivered)
    [row] = bench("messages", "list", "--json").objects
    assert set(row) >= MUST_HAVE
    assert (row["state"], row["sender"], row["number"]) == ("delivered", "alex@clinic.example", NUMBER)
    assert (row["price"], row["attempts"], row["segments"]) == (0.1025, 1, 1)
    assert datetime.datetime.fromisoformat(row["created_at"]).tzinfo is datetime.UTC


def test_lists_can_be_narrowed(bench: Bench) -> None:
    async def fill(store: Store) -> None:
        await held(store)
        await queued(store, ("+61421000002",), text="Other words")

    bench.store(fill)

    def found(*options: str) -> list[str]:
        return [row["number"] for row in bench("messages", "list", "--json", *options).objects]

    assert found("--state", "held") == [NUMBER]
    assert found("--state", "failed") == []
    assert found("--number", "0421000002") == ["+61421000002"]
    assert found("--number", "0002") == ["+61421000002"]
    assert found("--number", "+61 421 000 001") == [NUMBER]
    assert found("--text", "WORDS") == ["+61421000002"]
    assert found("--sender", "alex@clinic.example") == ["+61421000002", NUMBER]
    assert found("--sender", "nobody@clinic.example") == []
    assert found("--limit", "1") == ["+61421000002"]


def test_a_search_finds_what_lies_far_back(bench: Bench) -> None:
    """One page of the store reads a bounded stretch of rows: the command goes on until the end."""

    async def fill(store: Store) -> None:
        await queued(store, text="needle")
        for _ in range(3):
            await store.accept(_many(7_000))

    bench.store(fill)
    [row] = bench("messages", "list", "--text", "needle", "--json").objects
    assert row["id"] == 1
    assert len(bench("messages", "list", "--json", "--limit", "600").objects) == 600


def test_show_tells_the_whole_story(bench: Bench) -> None:
    sms = bench.store(delivered)
    for name in (str(sms.id), sms.message_id, sms.message_id.lower()):
        shown = bench("messages", "show", name).out
        assert f"message id   {sms.message_id}\n" in shown
        assert "sender       alex@clinic.example (proven by auth, from 192.0.2.9)\n" in shown
        assert "    | See you at 5\n" in shown
        assert "price        0.1025\n" in shown
        said = [line.split("  ", 1)[1] for line in shown.rpartition("\n\n")[2].splitlines()]
        assert [line.split()[0] for line in said][:3] == ["queued", "sending", "submitted"]
        assert any(line.startswith("webhook") and "reply: YES" in line for line in said)
        assert any(line.startswith("mail") and "to alex@clinic.example: due" in line for line in said), said


def test_show_as_json_is_one_line_with_history_events_and_mails(bench: Bench) -> None:
    sms = bench.store(delivered)
    [story] = bench("messages", "show", sms.message_id, "--json").objects
    assert set(story) >= MUST_HAVE | {"history", "events", "mails", "subject", "proof", "client", "cut"}
    assert [line["state"] for line in story["history"]][:3] == ["queued", "sending", "submitted"]
    assert [(event["type"], event["price"]) for event in story["events"]] == [
        ("status", 0.1025),
        ("reply", None),
    ]
    assert story["events"][0]["vendor_at"] == "2023-11-14T22:13:20.000+00:00"
    assert {mail["kind"] for mail in story["mails"]} >= {"reply"}


def test_news_that_came_again_is_counted(bench: Bench) -> None:
    async def fill(store: Store) -> Sms:
        [sms] = await submitted(store)
        for _ in range(3):
            await store.polled(sms, Input(Kind.NO_ANSWER, why="HTTP 500"))
        return sms

    sms = bench.store(fill)
    assert "times)" in bench("messages", "show", sms.message_id).out


@pytest.mark.parametrize("verb", ["show", "resubmit", "release", "cancel"])
def test_a_message_that_is_not_there_is_told(bench: Bench, verb: str) -> None:
    bench("migrate")
    for name in ("NOPE", "7", "-", "9" * 30, "x\x1b[2J"):
        done = bench("messages", verb, name)
        assert done.code == 1
        assert done.err.startswith("smsbridge: there is no message ")
        assert "\x1b" not in done.err
    assert bench("messages", "forward", "7", NUMBER).code == 1


def test_hostile_texts_cannot_steer_the_terminal(bench: Bench) -> None:
    bench.store(lambda store: queued(store, text=HOSTILE))
    for arguments in (
        ("list",),
        ("show", "1"),
        ("list", "--json"),
        ("show", "1", "--json"),
        ("resubmit", "1"),
    ):
        out = bench("messages", *arguments).out
        assert "pay" in out
        assert not set(HOSTILE) & set(out) & set("\x1b\x9b\u202e\u2066")
    assert bench("messages", "list", "--json").objects[-1]["text"] == HOSTILE


def test_resubmit_is_a_new_message_through_the_policy(bench: Bench) -> None:
    sms = bench.store(delivered)
    done = bench("messages", "resubmit", sms.message_id)
    assert done.code == 0
    assert "to +61 421 000 001, 1 segment: See you at 5" in done.out
    assert done.out.startswith("queued 2, ")
    [second] = bench("messages", "resubmit", "1", "--json").objects
    assert set(second) >= MUST_HAVE
    assert (second["id"], second["state"], second["resubmit_of"]) == (3, "queued", sms.message_id)
    assert second["sender"] == "alex@clinic.example"
    shown = bench("messages", "show", "3").out
    assert f"resubmit of  {sms.message_id}\n" in shown
    assert "alex@clinic.example (by an operator)" in shown


def test_what_policy_refuses_is_not_resubmitted(bench: Bench) -> None:
    bench.store(lambda store: queued(store, ("+33612345678",)))
    bench.store(lambda store: queued(store, text="x" * 400))
    done = bench("messages", "resubmit", "1")
    assert (done.code, done.out) == (1, "")
    assert "not in a number range that is allowed" in done.err
    done = bench("messages", "resubmit", "2", "--json")
    assert (done.code, done.out) == (1, "")
    assert "3 segments" in done.err
    assert len(bench("messages", "list", "--json").objects) == 2


def test_forward_goes_to_a_number_or_an_alias_and_tells_who_is_refused(bench: Bench) -> None:
    bench.store(delivered)
    assert "to +61 421 000 009" in bench("messages", "forward", "1", "0421 000 009").out
    assert [row["number"] for row in bench("messages", "forward", "1", "oncall", "--json").objects] == [
        "+61421000001",
        "+61421000002",
    ]
    assert "no phone number or alias" in bench("messages", "forward", "1", "nobody").err
    rule = {"match": ["*@clinic.example"], "proof": ["network"], "networks": ["10.20.0.0/16"]}
    bench.configure(senders=[rule | {"prefixes": ["+61421000001"]}])
    done = bench("messages", "forward", "1", "oncall")
    assert done.code == 0
    assert "queued" in done.out.splitlines()[0]
    assert done.out.splitlines()[1].startswith("refused +61 421 000 002: ")
    _, refused = bench("messages", "forward", "1", "oncall", "--json").objects
    assert (refused["number"], refused["state"]) == ("+61421000002", "refused")


def test_a_forwarded_mail_stays_in_its_thread(bench: Bench) -> None:
    async def fill(store: Store) -> None:
        accept = _many(1)
        await store.accept(Accept(_mail(header_message_id="<1@a>", references=("<0@a>",)), accept.sms))

    bench.store(fill)
    assert bench("messages", "forward", "1", "0421000009").code == 0
    story = bench.store(lambda store: store.show("2"))
    assert story is not None
    assert story.mail.references == ("<0@a>", "<1@a>")


def test_release_sends_a_held_message_and_says_what_it_was(bench: Bench) -> None:
    sms = bench.store(held)
    done = bench("messages", "release", str(sms.id))
    assert (done.code, done.out) == (0, "message 1 to +61 421 000 001 was held and is queued\n")
    assert "release: by command line" in bench("messages", "show", "1").out


def test_release_as_json_tells_the_message(bench: Bench) -> None:
    sms = bench.store(held)
    [row] = bench("messages", "release", sms.message_id, "--json").objects
    assert (row["state"], row["sender"]) == ("queued", "alex@clinic.example")


@pytest.mark.parametrize(
    ("fill", "verb", "says"),
    [
        (queued, "release", "message 1 is queued: only a held message can be released"),
        (delivered, "release", "message 1 is delivered: only a held message can be released"),
        (
            delivered,
            "cancel",
            "message 1 is delivered: only a queued, held or unknown message can be cancelled",
        ),
        (
            submitted,
            "cancel",
            "message 1 is submitted: only a queued, held or unknown message can be cancelled",
        ),
    ],
)
def test_a_decision_that_is_not_open_any_more_is_refused(
    bench: Bench, fill: Callable[[Store], Awaitable[object]], verb: str, says: str
) -> None:
    bench.store(fill)
    done = bench("messages", verb, "1")
    assert (done.code, done.out, done.err) == (1, "", f"smsbridge: {says}\n")


def test_cancel_ends_a_message_once(bench: Bench) -> None:
    async def fill(store: Store) -> None:
        await held(store)
        await queued(store, ("+61421000002",))
        [sms] = await store.claim("test", 1)
        await ended(store, sms, Kind.UNCLEAR)
        await queued(store, ("+61421000003",))

    bench.store(fill)
    for number, was in (("1", "held"), ("2", "unknown"), ("3", "queued")):
        assert f"was {was} and is cancelled" in bench("messages", "cancel", number).out
        done = bench("messages", "cancel", number)
        assert (done.code, done.out) == (1, "")
        assert f"message {number} is cancelled" in done.err


def test_send_queues_by_hand_through_the_policy(bench: Bench) -> None:
    bench("migrate")
    done = bench("send", "0421000009", "Don’t wait")
    assert done.code == 0
    assert done.out.startswith("queued 1, ")
    assert done.out.endswith("to +61 421 000 009, 1 segment: Don't wait\n")
    assert bench("send", "0421000009", "Don’t wait").code == 0, "what an operator asks for twice is two SMS"
    [row] = bench("send", "oncall", "now", "--json").objects[:1]
    assert (row["sender"], row["number"]) == ("operator", "+61421000001")


@pytest.mark.parametrize(
    ("number", "text", "says"),
    [
        ("+33612345678", "x", "not in a number range"),
        ("1900123456", "x", ""),
        ("911", "x", ""),
        ("\x1b[2J", "x", "no phone number or alias"),
        ("0421000009", " \n", "the text is empty"),
        ("0421000009", "x" * 400, "3 segments"),
    ],
)
def test_send_refuses_what_policy_refuses(bench: Bench, number: str, text: str, says: str) -> None:
    bench("migrate")
    done = bench("send", number, text)
    assert (done.code, done.out) == (1, "")
    assert says in done.err
    assert "\x1b" not in done.err
    assert bench("messages", "list", "--json").out == ""


def test_resume_starts_what_stands_still(bench: Bench) -> None:
    bench("migrate")
    assert bench("resume").out == "nothing was stopped\n"
    assert "there is no account nope; known: default" in bench("resume", "nope").err

    async def stop(store: Store) -> None:
        await queued(store)
        [sms] = await store.claim("test", 1)
        await store.finish(sms, Input(Kind.REFUSED_ACCOUNT, sms.attempts, "no credit"), Answer.ACCOUNT)

    bench.store(stop)
    assert bench("resume", "default").out == "resumed 1 account\n"
    assert bench("resume").out == "nothing was stopped\n"


def test_a_database_that_is_not_there_is_told_and_not_made(bench: Bench) -> None:
    for arguments in (("messages", "list"), ("send", "0421000009", "x"), ("resume",)):
        done = bench(*arguments)
        assert done.code == 1
        assert f"there is no database at {bench.folder / 'bridge.db'} yet" in done.err
    assert not (bench.folder / "bridge.db").exists()


def test_looking_does_not_wait_for_a_writer_and_acting_says_that_it_did(bench: Bench) -> None:
    bench("migrate")
    other = sqlite3.connect(bench.folder / "bridge.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert bench("messages", "list").code == 0
        done = bench("resume")
    finally:
        other.close()
    assert done.code == 1
    assert "locked" in done.err
    assert done.err.count("\n") == 1


def test_a_user_without_a_name_can_still_decide(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the user may have no entry in passwd."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    bench.store(held)
    assert bench("messages", "release", "1").code == 0
    assert "by command line" in bench("messages", "show", "1").out


def _mail(**changes: object) -> NewMail:
    values: dict[str, object] = {
        "sender": "alex@clinic.example", "proof": "auth", "rule": 0, "client": "192.0.2.9", "subject": "Hay",
        "header_message_id": None, "references": (), "brand": "default", "reports": ReportRule(), "size": 100,
    }  # fmt: skip
    return NewMail(**(values | changes))  # type: ignore[arg-type]


def _many(count: int) -> Accept:
    numbers = [f"+61421{number:06}" for number in range(count)]
    return Accept(
        _mail(),
        tuple(NewSms(n, n, "hay", "gsm7", 1, "default", "live", "hold", 3_600_000) for n in numbers),
    )
