"""`explain` tells how a decision comes about, and agrees with the decision."""

from dataclasses import replace

from bridge import decide
from bridge.decide import Client, Envelope, Explanation, Refuse, Special
from bridge.decide.decision import cost_of
from bridge.decide.sender import Proven
from bridge.message import read
from bridge.sms_text import SmsText, TooLong
from tests.decide.build import (
    ANNA,
    OFFICE,
    OURS,
    PLANT,
    POLICY,
    RELAY,
    STRANGER,
    decided,
    mail,
    with_rule,
)


def _explain(
    raw: bytes, client: Client, *recipients: str, sender: str = "anna@clinic.example"
) -> Explanation:
    return decide.explain(POLICY, read(raw), Envelope(client, sender, recipients), len(raw), OURS)


def test_a_mail_that_would_be_taken_is_explained_with_text_numbers_and_cost() -> None:
    told = _explain(mail("a" * 200), OFFICE, "0421000001@sms.local", "+64211234567@sms.local")
    assert told.identity == "anna@clinic.example"
    assert isinstance(told.proven, Proven)
    assert isinstance(told.text, SmsText)
    assert [(n.number, n.refused, n.cost) for n in told.numbers] == [
        ("+61421000001", "", 2000),
        ("+64211234567", "", 3400),
    ]
    assert told.cost == 5400
    assert told.answer == "250 2.0.0 MAIL-ID: 2 SMS queued, 2 segments each"
    targets = [one.read for one in told.recipients if isinstance(one.read, decide.Target)]
    assert told.decision == decided(mail("a" * 200), to=targets)


def test_each_rule_says_why_it_does_not_hold() -> None:
    told = _explain(mail(sender="bob@clinic.example"), OFFICE, "0421000001@sms.local")
    assert [(tried.matches, tried.why_not) for tried in told.rules] == [
        (False, "its addresses do not match"),
        (True, "auth: the login anna@clinic.example, and it wants one of its users (clinic-relay)"),
        (False, "its addresses do not match"),
    ]
    assert isinstance(told.proven, Refuse)
    assert (told.text, told.numbers) == (None, ())
    assert told.answer == str(told.proven)


def test_a_rule_proven_otherwise_says_what_each_proof_wants() -> None:
    told = _explain(mail(sender="ups@plant.example"), RELAY, "0421000001@sms.local")
    assert told.rules[2].why_not == (
        "network: 203.0.113.9 is in none of its networks (10.20.0.0/16, 2001:db8::/48)"
    )
    told = _explain(mail(), STRANGER, "0421000001@sms.local")
    assert told.rules[0].why_not == "auth: no login, and it wants the From address as login"
    assert told.rules[1].why_not == "auth: no login, and it wants one of its users (clinic-relay)"
    told = _explain(mail(sender="ups@plant.example"), PLANT, "0421000001@sms.local")
    assert (told.rules[2].why_not, told.rules[2].proof) == ("", "network")


def test_a_recipient_refused_at_rcpt_is_the_answer_when_no_other_is_left() -> None:
    told = _explain(mail(), OFFICE, "1900123456@sms.local")
    assert told.answer == "550 5.7.1 +61 190... is a premium number, which is not allowed here"
    assert isinstance(told.recipients[0].read, Refuse)
    told = _explain(mail(), OFFICE, "1900123456@sms.local", "0421000001@sms.local")
    assert told.answer.startswith("250 ")


def test_an_address_of_ours_makes_no_sms() -> None:
    told = _explain(mail(), STRANGER, "postmaster@sms.local")
    assert isinstance(told.decision, Special)
    assert told.answer == "250 2.0.0 taken as postmaster; it makes no SMS"


def test_a_text_too_long_is_shown_with_its_counts() -> None:
    told = _explain(mail("ж" * 400), OFFICE, "0421000001@sms.local")
    assert isinstance(told.text, TooLong)
    assert told.text.costly[0].name == "CYRILLIC SMALL LETTER ZHE"
    assert told.cost == 0
    assert told.answer.startswith("552 5.3.4 ")


def test_a_number_that_only_the_chosen_rule_refuses_costs_nothing() -> None:
    policy = replace(with_rule(ANNA), aliases={"two": ("+61421000001", "+33612345678")})
    raw = mail()
    told = decide.explain(policy, read(raw), Envelope(OFFICE, "", ("two@sms.local",)), len(raw), OURS)
    assert [bool(number.refused) for number in told.numbers] == [False, True]
    assert told.cost == 1000


def test_a_mail_to_nobody_is_refused() -> None:
    assert _explain(mail(), OFFICE).answer.startswith("554 5.5.1 ")


def test_the_longest_prefix_prices_a_number() -> None:
    assert cost_of(POLICY, "+61421000001", 2) == 2000
    assert cost_of(POLICY, "+6431234567", 1) == 1500
    assert cost_of(POLICY, "+64211234567", 1) == 1700
    assert cost_of(replace(POLICY, prices={}, price_per_segment=0), "+64211234567", 3) == 0
