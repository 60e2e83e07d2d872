"""The sender is who was proven: address and proof of one rule, and nobody else."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import decide
from bridge.decide import Accept, Client, Refuse
from bridge.errors import MailError
from bridge.message import read
from tests.decide.build import (
    ANNA,
    CLINIC,
    OFFICE,
    PLANT,
    POLICY,
    RELAY,
    STRANGER,
    UPS,
    accepted,
    decided,
    mail,
    refused,
    with_rule,
)


@pytest.mark.parametrize(
    ("client", "rules"),
    [
        (STRANGER, ()),
        (OFFICE, (ANNA,)),
        (Client("203.0.113.9", "ANNA@clinic.example"), (ANNA,)),
        (Client("203.0.113.9", "bob@clinic.example"), ()),
        (RELAY, (CLINIC,)),
        (PLANT, (UPS,)),
        (Client("::ffff:10.20.3.4"), (UPS,)),
        (Client("2001:db8::7"), (UPS,)),
        (Client("2001:db8:1::7"), ()),
        (Client("fe80::1%eth0"), ()),
        (Client("10.21.0.1"), ()),
        (Client(""), ()),
        (Client("unix"), ()),
        (Client("10.20.3.4", "anna@clinic.example"), (ANNA, UPS)),
        (Client("203.0.113.9", ""), ()),
    ],
)
def test_the_rules_a_client_could_meet_are_those_of_its_network_and_login(
    client: Client, rules: tuple[object, ...]
) -> None:
    assert decide.candidates(POLICY, client) == rules


def test_a_network_with_auth_alone_as_proof_proves_nothing() -> None:
    policy = with_rule(UPS, proof=frozenset({"auth"}))
    assert decide.candidates(policy, PLANT) == ()
    assert isinstance(decided(mail(sender="ups@plant.example"), PLANT, policy=policy), Refuse)


@pytest.mark.parametrize(
    ("sender", "client", "rule", "proof"),
    [
        ("anna@clinic.example", OFFICE, 0, "auth"),
        ("Anna <ANNA@Clinic.Example>", OFFICE, 0, "auth"),
        ("anna@clinic.example", RELAY, 1, "auth"),
        ("bob@clinic.example", RELAY, 1, "auth"),
        ("bob@ward.clinic.example", RELAY, 1, "auth"),
        ("bob@a.b.clinic.example", RELAY, 1, "auth"),
        ("ups@plant.example", PLANT, 2, "network"),
        ("UPS <ups@plant.example>", Client("::ffff:10.20.3.4"), 2, "network"),
    ],
)
def test_the_first_rule_whose_address_and_proof_hold_is_chosen(
    sender: str, client: Client, rule: int, proof: str
) -> None:
    got = accepted(decided(mail(sender=sender), client)).mail
    assert (got.rule, got.proof) == (rule, proof)


def test_a_pattern_for_all_below_a_domain_does_not_hold_for_the_domain() -> None:
    policy = with_rule(CLINIC, match=("*@*.clinic.example",))
    assert isinstance(decided(mail(sender="a@x.clinic.example"), RELAY, policy=policy), Accept)
    for sender in ("a@clinic.example", "a@evilclinic.example"):
        assert isinstance(decided(mail(sender=sender), RELAY, policy=policy), Refuse)


def test_a_login_proves_its_own_address_and_no_other() -> None:
    answer = refused(decided(mail(sender="bob@clinic.example"), OFFICE))
    assert str(answer) == (
        "550 5.7.1 bob@clinic.example is not proven (you are logged in as anna@clinic.example): "
        "log in (SMTP AUTH) as a user who may send for it"
    )


def test_an_address_that_no_rule_knows_is_told_so() -> None:
    answer = refused(decided(mail(sender="who@else.example"), RELAY))
    assert str(answer) == (
        "550 5.7.1 who@else.example is not a sender of this server; the operator can add it to the list"
    )


@pytest.mark.parametrize(
    ("sender", "client", "ways"),
    [
        ("ups@plant.example", RELAY, "send from a network listed for it (network)"),
        ("ups@plant.example", STRANGER, "send from a network listed for it (network)"),
        ("bob@clinic.example", PLANT, "log in (SMTP AUTH) as a user who may send for it"),
    ],
)
def test_the_refusal_names_the_proofs_of_the_rules_whose_address_matched(
    sender: str, client: Client, ways: str
) -> None:
    answer = refused(decided(mail(sender=sender), client))
    assert (answer.code, answer.status) == (550, "5.7.1")
    assert answer.text.endswith(f": {ways}")


def test_the_refusal_names_every_proof_that_would_do() -> None:
    policy = with_rule(UPS, proof=frozenset({"auth", "network"}))
    answer = refused(decided(mail(sender="ups@plant.example"), STRANGER, policy=policy))
    assert answer.text == (
        "ups@plant.example is not proven: log in (SMTP AUTH) under that address, "
        "or send from a network listed for it (network)"
    )


@pytest.mark.threat(24, "answers that tell of others", of="answers")
def test_the_refusal_tells_no_user_and_no_network() -> None:
    for sender in ("ups@plant.example", "bob@clinic.example"):
        text = refused(decided(mail(sender=sender), STRANGER)).text
        assert "clinic-relay" not in text
        assert "10.20" not in text


FORGED = [
    "admin@else.example <evil@attack.example>",
    "anna@clinic.example <evil@attack.example>",
    '"anna@clinic.example" <evil@attack.example>',
    "anna@clinic.example, evil@attack.example",
    "evil@attack.example, anna@clinic.example",
    "<anna@clinic.example> <evil@attack.example>",
    "anna@clinic.example (evil@attack.example) x@y.example",
    "friends: anna@clinic.example, evil@attack.example;",
    "anna@clinic.example\x00@attack.example",
    "anna@clinic.example@attack.example",
    '"anna@clinic.example"@attack.example',
    "anna@clinic.example.attack.example",
    "anna@сlinic.example",  # a Cyrillic letter
    "anna@clіnic.example",
    "аnna@clinic.example",
    "anna@ｃlinic.example",
    "anna@clinic。example",
    "anna@xn--linic-uye.example",
    "anna@clinic.example\u200b",
    "=?utf-8?q?anna=40clinic=2Eexample?= <evil@attack.example>",
    "=?utf-8?q?anna=40clinic=2Eexample?=",
    "anna@[clinic.example]",
    "",
    "<>",
    "anna",
    "anna@.clinic.example",
]


@pytest.mark.threat(10, "forgeries accepted", of="forgeries")
@pytest.mark.parametrize("sender", FORGED)
def test_no_forged_from_becomes_a_sender_that_was_not_proven(sender: str) -> None:
    raw = mail(sender=sender)
    try:
        answer = decided(raw, RELAY)
    except MailError as error:
        answer = decide.unreadable(str(error))
    assert refused(answer).code == 550


@pytest.mark.threat(10, "forgeries accepted", of="forgeries")
@pytest.mark.parametrize(
    "fields",
    [
        ("From: evil@attack.example",),
        ("from: evil@attack.example",),
        ("From : evil@attack.example",),
    ],
)
def test_a_second_from_is_refused_whatever_its_spelling(fields: tuple[str, ...]) -> None:
    with pytest.raises(MailError):
        read(mail("Hi", "anna@clinic.example", *fields))


@pytest.mark.threat(10, "forgeries accepted", of="forgeries")
def test_other_fields_and_the_envelope_are_no_identity() -> None:
    raw = mail("Hi", "evil@attack.example", "Sender: anna@clinic.example", "Reply-To: anna@clinic.example")
    assert isinstance(decided(raw, RELAY, sender="anna@clinic.example"), Refuse)


@pytest.mark.threat(10, "forgeries accepted", of="forgeries")
def test_a_forged_authentication_result_proves_nothing() -> None:
    raw = mail(
        "Hi", "ups@plant.example", "Authentication-Results: mx.example; dkim=pass header.d=plant.example"
    )
    assert isinstance(decided(raw, STRANGER, sender="ups@plant.example"), Refuse)


def test_without_from_the_envelope_sender_stands_for_a_known_client() -> None:
    got = accepted(decided(mail(sender=None), PLANT, sender="UPS@plant.example"))
    assert got.mail.sender == "ups@plant.example"


def test_without_from_and_envelope_sender_the_user_stands() -> None:
    assert accepted(decided(mail(sender=None), OFFICE, sender=None)).mail.sender == "anna@clinic.example"


@pytest.mark.parametrize("sender", [None, "", "no address", "a b@plant.example", "ups@plant.example\r\nX: y"])
def test_a_mail_without_any_sender_is_unclear(sender: str | None) -> None:
    answer = refused(decided(mail(sender=None), PLANT, sender=sender))
    assert (answer.code, answer.status) == (550, "5.6.0")


def test_without_from_a_strangers_envelope_sender_counts_for_nothing() -> None:
    assert refused(decided(mail(sender=None), STRANGER, sender="ups@plant.example")).status == "5.6.0"


def test_the_identity_is_kept_in_one_spelling_so_that_limits_hold() -> None:
    senders = {
        accepted(decided(mail(sender=s), RELAY)).mail.sender
        for s in ("bob@clinic.example", "BOB@clinic.example", "Bob <bob@CLINIC.EXAMPLE>")
    }
    assert senders == {"bob@clinic.example"}


_LABELS = st.from_regex(r"\A[a-z0-9]{1,8}\Z")


@given(st.lists(_LABELS, min_size=1, max_size=3), _LABELS)
def test_nobody_outside_the_patterns_is_a_sender(labels: list[str], local: str) -> None:
    address = f"{local}@{'.'.join(labels)}"
    assert isinstance(decided(mail(sender=address), RELAY), Refuse)


@given(st.ip_addresses())
def test_only_addresses_inside_a_listed_network_are_proven_by_network(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    inside = any(address in network for network in UPS.networks)
    assert bool(decide.candidates(POLICY, Client(str(address)))) is inside


def test_a_rule_may_be_met_by_either_of_its_proofs() -> None:
    policy = with_rule(UPS, proof=frozenset({"auth", "network"}))
    raw = mail(sender="ups@plant.example")
    assert accepted(decided(raw, PLANT, policy=policy)).mail.proof == "network"
    login = replace(PLANT, user="ups@plant.example")
    assert accepted(decided(raw, login, policy=policy)).mail.proof == "auth"
