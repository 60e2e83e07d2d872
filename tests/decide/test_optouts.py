"""Who opted out, at RCPT and after DATA: told to clients that are known, kept from those that only probe."""

from dataclasses import replace

import pytest

from bridge import decide
from bridge.decide import Accept, Target, by_hand, candidates, explain
from bridge.message import read
from bridge.optout import OptOuts, reason, since, told_day
from tests.decide.build import (
    ANNA,
    CLINIC,
    OFFICE,
    OURS,
    PLANT,
    POLICY,
    RELAY,
    STRANGER,
    UPS,
    envelope,
    mail,
    refused,
    targets,
)

A, B = "+61421000001", "+61431000002"
DAY = "22 Nov 2026"
OUT = {A: {"clinic": DAY}}
EVERYWHERE = {A: {"*": DAY}}
SAID = f"550 5.7.1 +61 421... opted out of SMS on {DAY}"


def at_rcpt(client: decide.Client, known: OptOuts, to: str = A, policy=POLICY) -> str | Target:  # type: ignore[no-untyped-def]
    found = decide.at_rcpt(policy, client, candidates(policy, client), f"{to}@sms.local", (), known)
    return found if isinstance(found, Target) else str(found)


def test_a_known_client_hears_the_date_at_rcpt() -> None:
    assert at_rcpt(RELAY, OUT) == SAID
    assert at_rcpt(PLANT, EVERYWHERE) == SAID
    assert isinstance(at_rcpt(PLANT, OUT), Target), "its SMS come from another number"
    assert isinstance(at_rcpt(RELAY, {}), Target)


def test_an_alias_is_refused_when_all_of_it_opted_out() -> None:
    assert isinstance(at_rcpt(PLANT, EVERYWHERE, "oncall"), Target)
    answer = at_rcpt(PLANT, {**EVERYWHERE, B: {"*": DAY}}, "oncall")
    assert str(answer).startswith("550 5.7.1 all 2 numbers are refused; the first: +61 421... opted out")


def test_a_rule_that_may_send_yet_lets_the_number_pass() -> None:
    other = replace(UPS, index=3, account="other")
    policy = replace(POLICY, rules=(UPS, other))
    assert isinstance(at_rcpt(PLANT, {A: {"default": DAY}}, policy=policy), Target)
    assert at_rcpt(PLANT, {A: {"default": DAY, "other": DAY}}, policy=policy) == SAID


def test_nobody_may_probe_who_opted_out() -> None:
    """A client that no rule knows by network or login hears the same of both numbers."""
    policy = replace(POLICY, rules=(ANNA, CLINIC, UPS))
    rules = (ANNA, UPS)  # what a stranger may still meet, once a mail can prove by itself who sent it
    answers = [
        decide.at_rcpt(policy, STRANGER, rules, f"{number}@sms.local", (), EVERYWHERE) for number in (A, B)
    ]
    assert all(isinstance(answer, Target) for answer in answers)


@pytest.mark.parametrize("client", [RELAY, OFFICE])
def test_after_data_the_rule_that_was_chosen_counts(client: decide.Client) -> None:
    raw = mail(sender="anna@clinic.example" if client is OFFICE else "desk@clinic.example")
    known = {A: {"clinic": DAY}}
    answer = decide.decide(POLICY, read(raw), envelope(client), targets(A), len(raw), OURS, optouts=known)
    if client is OFFICE:
        assert isinstance(answer, Accept)
        assert [sms.refused for sms in answer.sms] == [""]
    else:
        assert str(refused(answer)) == SAID


def test_one_of_two_is_stored_as_refused_with_its_reason() -> None:
    raw = mail()
    answer = decide.decide(POLICY, read(raw), envelope(), targets(A, B), len(raw), OURS, optouts=EVERYWHERE)
    assert isinstance(answer, Accept)
    assert [sms.refused for sms in answer.sms] == [f"+61 421... opted out of SMS on {DAY}", ""]


def test_an_operators_own_sms_obeys_too() -> None:
    assert str(by_hand(POLICY, A, "x", optouts={A: {"default": DAY}})) == SAID
    again = by_hand(POLICY, A, "x", rule_sender="desk@clinic.example", optouts=OUT)
    assert str(again) == SAID
    assert isinstance(by_hand(POLICY, A, "x", optouts=OUT), Accept)


def test_explain_tells_it() -> None:
    raw = mail()
    told = explain(
        POLICY,
        read(raw),
        replace(envelope(), recipients=(f"{A}@sms.local",)),
        len(raw),
        OURS,
        optouts=EVERYWHERE,
    )
    assert told.answer == SAID


def test_a_reason_tells_its_day_and_no_other_reason_does() -> None:
    assert told_day(reason("+61 421...", DAY)) == DAY
    assert told_day(reason("", DAY)) == DAY
    assert told_day("premium numbers are not allowed") is None
    assert since(OUT, A, "clinic") == DAY
    assert since(OUT, A, "default") is since(OUT, B, "clinic") is None
