"""`smsbridge optout` on a real database, and what the other commands make of it."""

import pytest

from tests.cli.given import Bench
from tests.cli.test_explain import INSIDE, mail
from tests.cli.test_messages import held
from tests.given_store import NUMBER, submitted


def test_add_list_remove(bench: Bench) -> None:
    bench("migrate")
    assert bench("optout", "list").err == "nobody has opted out\n"
    done = bench("optout", "add", "0421 000 001", "--note", "asked at the desk\u202e")
    assert (done.code, done.out) == (1, "")
    done = bench("optout", "add", "0421 000 001", "--note", "asked at the desk")
    assert done.out == "+61 421 000 001 gets no SMS any more, from every account\n"
    again = bench("optout", "add", NUMBER)
    assert (again.code, "opted out already" in again.err) == (1, True)
    [row] = bench("optout", "list", "--json").objects
    assert row.pop("since").endswith("+00:00")
    assert row == {
        "number": NUMBER,
        "account": "*",
        "source": "operator",
        "note": "asked at the desk",
    }
    head, line = bench("optout", "list").out.splitlines()
    assert head.split() == ["NUMBER", "SINCE", "ACCOUNT", "SOURCE", "NOTE"]
    assert line.startswith(NUMBER)
    assert "every account" in line
    assert bench("optout", "remove", NUMBER).out == "+61 421 000 001 gets SMS again, from every account\n"
    done = bench("optout", "remove", NUMBER)
    assert (done.code, "has not opted out of every account" in done.err) == (1, True)
    assert bench("optout", "list", "--json").out == ""


def test_one_account_alone_and_what_is_left_is_said(bench: Bench) -> None:
    bench("migrate")
    assert bench("optout", "add", NUMBER, "--account", "default").code == 0
    assert bench("optout", "add", NUMBER).code == 0
    done = bench("optout", "remove", NUMBER, "--account", "default")
    assert done.out.splitlines()[1] == "it is still opted out of: every account"
    done = bench("optout", "add", NUMBER, "--account", "nope")
    assert (done.code, "there is no account nope" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("written", "says"), [("hello", "is no phone number"), ("oncall", "stands for 2 numbers")]
)
def test_only_one_number_is_taken(bench: Bench, written: str, says: str) -> None:
    bench("migrate")
    done = bench("optout", "add", written)
    assert (done.code, says in done.err) == (1, True)


def test_all_that_an_operator_sends_obeys(bench: Bench) -> None:
    [sms] = bench.store(submitted)
    bench("optout", "add", NUMBER)
    for words in (
        ("send", NUMBER, "x"),
        ("messages", "resubmit", str(sms.id)),
        ("messages", "forward", str(sms.id), NUMBER),
    ):
        done = bench(*words)
        assert (done.code, "opted out of SMS on" in done.err) == (1, True), words
    assert bench("messages", "forward", str(sms.id), "0421000002").code == 0


def test_a_held_one_stays_held(bench: Bench) -> None:
    sms = bench.store(held)
    bench("optout", "add", NUMBER)
    done = bench("messages", "release", str(sms.id))
    assert (done.code, "has opted out of SMS" in done.err) == (1, True)
    [row] = bench("messages", "show", str(sms.id), "--json").objects
    assert row["state"] == "held"
    bench("optout", "remove", NUMBER)
    assert bench("messages", "release", str(sms.id)).code == 0


def test_explain_tells_it_and_says_when_it_could_not_look(bench: Bench) -> None:
    path = mail(bench)
    assert "opt-outs    not looked at: there is no database" in bench("explain", path, *INSIDE).out
    bench("migrate")
    bench("optout", "add", NUMBER)
    done = bench("explain", path, *INSIDE)
    assert "number      +61 421 000 001: refused: +61 421... opted out of SMS on" in done.out
    assert "not looked at" not in done.out
    [told] = bench("explain", path, *INSIDE, "--json").objects
    assert told["optouts_unseen"] == ""
    assert told["answer"].startswith("250")
