"""What `explain` says of a mail: the decision and why, the exact text, its cost, what made it expensive."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.decide.values import Accept
from bridge.rules import Limits
from tests.cli.given import Bench
from tests.cli.test_limits import sent_by, sms_to

MAIL = (
    "From: Jo <jo@clinic.example>\nTo: 0421000001@sms.local, oncall@sms.local, friend@else.example\n"
    "Subject: Hi\n\nDon’t be late ☃ café\n\n-- \nJo\nClinic\n"
)
INSIDE = ("--client", "10.20.1.5")


def mail(bench: Bench, text: str = MAIL) -> str:
    path = bench.folder / "mail.eml"
    path.write_bytes(text.encode())
    return str(path)


def test_a_mail_that_would_be_taken_is_explained_line_by_line(bench: Bench) -> None:
    done = bench("explain", mail(bench), *INSIDE)
    assert done.code == 0
    said = done.out.splitlines()
    assert said[0].startswith("answer      250 2.0.0 MAIL-ID: 2 SMS queued, 1 segment each")
    for line in (
        "sender      jo@clinic.example",
        "rule        senders[0] *@clinic.example: holds, proven by network",
        "recipient   0421000001@sms.local: +61421000001",
        "recipient   oncall@sms.local: +61421000001, +61421000002",
        "number      +61 421 000 002: costs 0.10",
        "text        1 segment of UCS-2; left out: signature",
        "    | Don't be late ☃ café",
        "costly      ☃ SNOWMAN, character 15",
        "cost        0.20",
    ):
        assert line in said
    assert "else.example" not in done.out


def test_as_json_it_is_one_object(bench: Bench) -> None:
    [told] = bench("explain", mail(bench), *INSIDE, "--json").objects
    assert told["accepted"] is True
    assert (told["text"], told["encoding"], told["segments"]) == ("Don't be late ☃ café", "ucs2", 1)
    assert told["costly"] == [{"character": "☃", "name": "SNOWMAN", "position": 14}]
    assert told["rules"] == [
        {"rule": "senders[0]", "match": ["*@clinic.example"], "proof": "network", "why_not": ""}
    ]
    assert [one["number"] for one in told["numbers"]] == ["+61421000001", "+61421000002"]
    assert (told["cost"], told["cut"]) == (0.2, ["signature"])


def test_nothing_is_written(bench: Bench) -> None:
    path = mail(bench)
    before = sorted(one.name for one in bench.folder.iterdir())
    bench("explain", path, *INSIDE)
    assert sorted(one.name for one in bench.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--client", "203.0.113.7"), "network: 203.0.113.7 is in none of its networks (10.20.0.0/16)"),
        (("--client", "10.20.1.5", "--to", "friend@else.example"), "550 5.7.1 relaying denied"),
        (("--client", "10.20.1.5", "--to", "+33612345678@sms.local"), "not in a number range"),
        (("--client", "2001:db8::1", "--user", "JO"), "no sender rule fits the login jo"),
    ],
)
def test_a_mail_that_would_be_refused_says_why(bench: Bench, options: tuple[str, ...], says: str) -> None:
    done = bench("explain", mail(bench), *options)
    assert done.code == 1
    assert says in done.out
    assert done.out.startswith("answer      550 ")
    [told] = bench("explain", mail(bench), *options, "--json").objects
    assert told["accepted"] is False
    assert told["answer"].startswith("550 ")


def test_a_stranger_is_told_that_the_address_does_not_match(bench: Bench) -> None:
    done = bench("explain", mail(bench, MAIL.replace("jo@clinic", "jo@other")), *INSIDE)
    assert done.code == 1
    assert "rule        senders[0] *@clinic.example: no: its addresses do not match" in done.out


def test_a_text_that_is_too_long_is_counted(bench: Bench) -> None:
    path = mail(bench, f"From: jo@clinic.example\nTo: 0421000001@sms.local\n\n{'☃' * 200}\n")
    done = bench("explain", path, *INSIDE)
    assert done.code == 1
    assert "answer      552 5.3.4 " in done.out
    assert "text        too long: 3 segments of UCS-2, 2 allowed" in done.out
    assert "costly      and more" in done.out
    [told] = bench("explain", path, *INSIDE, "--json").objects
    assert (told["segments"], told["accepted"]) == (3, False)


def test_a_number_that_one_rule_refuses_is_told_beside_a_good_one(bench: Bench) -> None:
    rule = {"match": ["*@clinic.example"], "proof": ["network"], "networks": ["10.20.0.0/16"]}
    bench.configure(senders=[{"match": ["x@y.example"], "proof": ["network"], "networks": ["10.9.0.0/16"]},
                             rule | {"prefixes": ["+61421000001"]}])  # fmt: skip
    done = bench("explain", mail(bench), *INSIDE)
    assert done.code == 0
    assert "senders[0] x@y.example: no: its addresses do not match" in done.out
    assert "number      +61 421 000 002: refused: " in done.out
    assert "cost        0.10" in done.out


def test_mail_for_postmaster_makes_no_sms(bench: Bench) -> None:
    done = bench("explain", mail(bench), "--to", "postmaster@sms.local", *INSIDE)
    assert done.code == 0
    assert "taken as postmaster" in done.out
    assert "recipient   postmaster@sms.local: postmaster" in done.out


def test_without_recipients_it_says_how_to_name_one(bench: Bench) -> None:
    done = bench("explain", mail(bench, "From: jo@clinic.example\n\nhi\n"), *INSIDE)
    assert done.code == 1
    assert "name one with --to" in done.out
    assert bench("explain", mail(bench), *INSIDE, "--to", "0421000001@sms.local").code == 0


def test_a_mail_that_cannot_be_read_is_an_answer_too(bench: Bench) -> None:
    path = mail(bench, "From: a@clinic.example\nFrom: b@clinic.example\n\nhi")
    assert bench("explain", path).out == "answer      550 5.6.0 the mail has more than one From field\n"
    [told] = bench("explain", path, "--json").objects
    assert told == {"answer": "550 5.6.0 the mail has more than one From field", "accepted": False}


def test_a_mail_without_from_has_the_envelope_sender(bench: Bench) -> None:
    path = mail(bench, "To: 0421000001@sms.local\n\nhi")
    done = bench("explain", path, *INSIDE, "--from", "ups@clinic.example")
    assert done.code == 0
    assert "sender      ups@clinic.example" in done.out


def test_a_mail_over_the_size_is_not_read_whole(bench: Bench) -> None:
    bench.configure(smtp={"listen": [{"address": "127.0.0.1", "port": 0, "tls": "none"}], "max_size": "1MB"})
    done = bench("explain", "/dev/zero", *INSIDE)
    assert (done.code, done.out) == (1, "answer      552 5.3.4 the mail is too big\n")


@pytest.mark.parametrize("name", ["nowhere.eml", "."])
def test_a_file_that_cannot_be_read_is_told(bench: Bench, name: str) -> None:
    done = bench("explain", name)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"smsbridge: cannot read {name}: ")


def test_a_dash_is_standard_input(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(MAIL.encode())))
    assert bench("explain", "-", *INSIDE).code == 0


def test_hostile_mails_cannot_steer_the_terminal(bench: Bench, tmp_path: Path) -> None:
    text = 'From: jo@clinic.example\nTo: "\x1b[2J"@sms.local, 0421000001@sms.local\n\npay \x9b31m\u202e\n'
    for options in ((), ("--json",)):
        out = bench("explain", mail(bench, text), *INSIDE, "--to", "\x1b[2J\u202e@sms.local", *options).out
        assert "sms.local" in out
        assert not set("\x1b\x9b\u202e") & set(out)


LIMITED = {
    "match": ["*@clinic.example"],
    "proof": ["network"],
    "networks": ["10.20.0.0/16"],
    "limits": {"per_hour": 3, "spend_per_day": 0.25, "over": "refuse"},
}


def test_what_is_used_of_limits_is_told_and_whether_the_mail_fits(bench: Bench) -> None:
    bench.configure(senders=[LIMITED], spend_cap={"per_day": 1})
    path = mail(bench)
    fresh = bench("explain", path, *INSIDE)
    assert fresh.code == 0
    assert "limit       at most 3 SMS an hour: 0 used until " in fresh.out
    assert not (bench.folder / "bridge.db").exists()
    assert bench("migrate").code == 0
    limits = Limits(per_hour=3, spend_per_day=2_500)
    for _ in range(2):
        accept = Accept(sent_by("jo@clinic.example"), (sms_to("+61421000009", cost=1_000),), limits=limits)
        bench.store(lambda store, one=accept: store.accept(one))  # type: ignore[misc]
    full = bench("explain", path, *INSIDE)
    assert full.code == 1
    assert (
        "answer      550 5.7.1 at most 0.25 may be spent a day: 0.20 used so far, this mail needs 0.20;"
        in full.out
    )
    assert "limit       at most 3 SMS an hour: 2 used until " in full.out
    [told] = bench("explain", path, *INSIDE, "--json").objects
    assert [(one["limit"], one["most"], one["used"]) for one in told["limits"]] == [
        ("spend_per_day", 0.25, 0.2),
        ("spend_cap", 1.0, 0.0),
        ("per_hour", 3, 2),
    ]


def test_a_database_that_cannot_be_read_is_told_and_the_rest_explained(bench: Bench) -> None:
    bench.configure(senders=[LIMITED])
    (bench.folder / "bridge.db").write_text("this is no database")
    done = bench("explain", mail(bench), *INSIDE)
    assert done.code == 0
    assert "limits      what is used of them is not known: " in done.out
    [told] = bench("explain", mail(bench), *INSIDE, "--json").objects
    assert told["limits"] is None
