"""RCPT: what is a number, an alias, an address of ours, or a way to somewhere else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import decide
from bridge.decide import Client, Refuse, Special, Target
from bridge.rules import Policy
from tests.decide.build import CLINIC, OFFICE, PLANT, POLICY, RELAY, STRANGER, UPS, refused, targets


def _rcpt(
    address: str, client: Client = OFFICE, taken: tuple[Target, ...] = (), policy: Policy = POLICY
) -> Target | Special | Refuse:
    return decide.at_rcpt(policy, client, decide.candidates(policy, client), address, taken)


@pytest.mark.parametrize(
    "address",
    [
        "0421000001@sms.local",
        "+61421000001@sms.local",
        "0061421000001@sms.local",
        "001161421000001@sms.local",
        "61421000001@sms.local",
        "0421.000.001@SMS.Local",
        "0421-000-001@text.example",
    ],
)
def test_a_number_at_a_domain_of_ours_is_a_target(address: str) -> None:
    assert _rcpt(address) == Target(address, ("+61421000001",))


def test_an_alias_is_all_its_numbers_in_any_case() -> None:
    assert _rcpt("OnCall@sms.local") == Target("OnCall@sms.local", ("+61421000001", "+61431000002"))


def test_an_alias_of_which_no_number_is_allowed_is_refused_with_the_count() -> None:
    policy = replace(POLICY, aliases={"far": ("+442071838750", "+33612345678")})
    assert str(refused(_rcpt("far@sms.local", policy=policy))) == (
        "550 5.7.1 all 2 numbers are refused; "
        "the first: +44 207... is a fixed line, which is not allowed here"
    )


RELAYS = [
    "victim@elsewhere.example",
    "0421000001@elsewhere.example",
    "0421000001@sub.sms.local",
    "0421000001@sms.local.evil.example",
    "0421000001@evilsms.local",
    "0421000001@sms.local.",
    "0421000001@.sms.local",
    "0421000001@[127.0.0.1]",
    "0421000001@[IPv6:::1]",
    "victim%elsewhere.example@sms.local",
    "0421000001%elsewhere.example@sms.local",
    "elsewhere.example!victim@sms.local",
    "sms.local!0421000001@elsewhere.example",
    "victim@elsewhere.example@sms.local",
    "0421000001@sms.local@elsewhere.example",
    "@elsewhere.example:0421000001@sms.local",
    "@sms.local,@elsewhere.example:victim@elsewhere.example",
    "@sms.local:victim@elsewhere.example",
    '"victim@elsewhere.example"@sms.local',
    '"0421000001@elsewhere.example"@sms.local',
    "smtp:0421000001@sms.local",
    "tel:+61421000001@sms.local",
    "0421000001",
    "victim",
    "@sms.local:",
    "0421000001@",
    "0421000001@sms.local\r\nRCPT TO:<x@y>",
    "0421000001@sms.local\x00.evil.example",
    "0421000001@sms。local",
    "0421000001@ѕms.local",
]
UNREAD = [
    '"0421000001;ext=1"@sms.local',
    '"0421000001" @sms.local',
    '""@sms.local',
    "(x)0421000001@sms.local",
    "0421000001(x)@sms.local",
    "0421000001 @sms.local",
    "<0421000001>@sms.local",
    "0421000001,0431000002@sms.local",
    "0421000001;0431000002@sms.local",
    "0421000001\\@sms.local",
    "0421/000/001@sms.local",
    "٠٤٢١٠٠٠٠٠١@sms.local",
    "０４２１０００００１@sms.local",
    "@sms.local",
    "0421\x00000001@sms.local",
    "0421000001\n@sms.local",
    "9" * 100 + "@sms.local",
]
NO_NUMBER = [
    "nobody@sms.local",
    "000@sms.local",
    "042100000@sms.local",
    "04210000011@sms.local",
    "421000001@sms.local",
    "64211234567@sms.local",
    "0421000001x5@sms.local",
    "reply@sms.local",
    "reply+@sms.local",
    "reply+short@sms.local",
    "reply+" + "a" * 41 + "@sms.local",
    "bounce+abc_defgh@sms.local",
    "postmaster+x@sms.local",
    "oncall+x@sms.local",
]


@pytest.mark.threat(9, "wrongly accepted", of="forms of a recipient")
@pytest.mark.parametrize("address", RELAYS)
def test_what_leads_elsewhere_is_no_relaying(address: str) -> None:
    answer = "550 5.7.1 relaying denied: we take <number>@sms.local"
    assert str(refused(_rcpt(address))) == answer
    assert str(refused(_rcpt(address, STRANGER))) == answer


@pytest.mark.parametrize(
    "written", ["0421000001", "04 2100 0001", "+61 (0)421-000-001", " 0421000001 ", "oncall"]
)
def test_quotes_around_a_number_or_alias_say_nothing(written: str) -> None:
    found = _rcpt(f'"{written}"@sms.local')
    assert isinstance(found, Target)
    assert found.numbers[0] == "+61421000001"


@pytest.mark.threat(9, "wrongly accepted", of="forms of a recipient")
@pytest.mark.parametrize("address", UNREAD + NO_NUMBER)
def test_what_is_no_number_or_alias_is_told_with_an_example_that_would_work(address: str) -> None:
    answer = refused(_rcpt(address))
    assert (answer.code, answer.status) == (550, "5.1.1")
    example = answer.text.rpartition("like ")[2]
    assert example == "0412345678@sms.local"
    assert isinstance(_rcpt(example), Target)


def test_the_answer_says_what_was_read_when_it_is_harmless() -> None:
    assert refused(_rcpt("nobody@sms.local")).text.startswith("nobody is no phone number or alias here")
    assert refused(_rcpt('"<b>x"@sms.local')).text.startswith("that is no phone number or alias;")


def test_the_example_is_one_that_the_prefix_check_lets_pass() -> None:
    new_zealand = replace(POLICY, allow=("+642",))
    assert refused(_rcpt("x@sms.local", policy=new_zealand)).text.endswith("like +64211234567@sms.local")
    nowhere = replace(POLICY, allow=("+999",))
    assert refused(_rcpt("x@sms.local", policy=nowhere)).text.endswith("<+, country code, number>@sms.local")


@pytest.mark.threat(24, "answers that tell of others", of="answers")
@pytest.mark.parametrize("address", ["0421000001@sms.local", "oncall@sms.local", "nobody@sms.local"])
def test_a_stranger_is_told_how_to_become_known_and_learns_no_alias(address: str) -> None:
    assert str(refused(_rcpt(address, STRANGER))) == (
        "550 5.7.1 no sender rule fits 198.51.100.7: "
        "log in (SMTP AUTH), or ask the operator to list your network"
    )


@pytest.mark.threat(24, "answers that tell of others", of="answers")
def test_a_stranger_with_an_unreadable_local_part_learns_no_more() -> None:
    assert "no sender rule fits" in refused(_rcpt('"x"@sms.local', STRANGER)).text


def test_a_login_without_a_rule_is_told_so() -> None:
    client = Client("198.51.100.7", "ghost@clinic.example")
    assert str(refused(_rcpt("0421000001@sms.local", client))) == (
        "550 5.7.1 no sender rule fits the login ghost@clinic.example; "
        "the operator of this server can add one"
    )


@pytest.mark.parametrize(
    ("address", "special"),
    [
        ("postmaster@sms.local", Special("postmaster", "postmaster@sms.local")),
        ("PostMaster@text.example", Special("postmaster", "PostMaster@text.example")),
        ("postmaster", Special("postmaster", "postmaster")),
        ("reply+abcd1234@sms.local", Special("reply", "reply+abcd1234@sms.local", "abcd1234")),
        ("REPLY+ABCD1234@sms.local", Special("reply", "REPLY+ABCD1234@sms.local", "abcd1234")),
        ("bounce+abcd1234@text.example", Special("bounce", "bounce+abcd1234@text.example", "abcd1234")),
    ],
)
@pytest.mark.parametrize("client", [STRANGER, OFFICE])
def test_addresses_of_ours_are_taken_from_anybody(address: str, special: Special, client: Client) -> None:
    assert _rcpt(address, client) == special


@pytest.mark.threat(9, "wrongly accepted", of="forms of a recipient")
@pytest.mark.parametrize(
    "address",
    ["postmaster@elsewhere.example", "reply+abcd1234@elsewhere.example", "bounce+abcd1234@x.sms.local"],
)
def test_addresses_of_ours_elsewhere_are_not_ours(address: str) -> None:
    assert refused(_rcpt(address)).status == "5.7.1"


def test_a_number_that_may_not_be_sent_to_is_refused_with_the_reason() -> None:
    assert str(refused(_rcpt("1900123456@sms.local"))) == (
        "550 5.7.1 +61 190... is a premium number, which is not allowed here"
    )
    assert "satellite" in refused(_rcpt("+881612345678@sms.local")).text
    assert "blocked" in refused(_rcpt("0490123456@sms.local")).text


def test_a_number_is_refused_only_if_every_rule_the_client_could_meet_refuses_it() -> None:
    assert refused(_rcpt("0431000002@sms.local", RELAY)).text.endswith("this sender may use")
    both = replace(POLICY, rules=(CLINIC, replace(CLINIC, index=1, prefixes=("+6143",))))
    assert isinstance(_rcpt("0431000002@sms.local", RELAY, policy=both), Target)


def test_more_numbers_than_the_largest_limit_are_refused() -> None:
    taken = targets("+61421000001", "+61421000002")
    assert str(refused(_rcpt("0421000003@sms.local", RELAY, taken))) == (
        "550 5.5.3 at most 2 numbers per mail"
    )
    wider = replace(POLICY, rules=(CLINIC, replace(CLINIC, limits=UPS.limits)))
    assert isinstance(_rcpt("0421000003@sms.local", RELAY, taken, wider), Target)


def test_the_same_number_again_counts_once() -> None:
    taken = targets("+61421000001", "+61421000002")
    assert isinstance(_rcpt("0421.000.002@sms.local", RELAY, taken), Target)


def test_every_number_of_an_alias_counts() -> None:
    policy = replace(POLICY, aliases={"team": ("+61421000001", "+61421000002", "+61421000003")})
    assert refused(_rcpt("team@sms.local", RELAY, policy=policy)).status == "5.5.3"


@given(st.text(max_size=80), st.sampled_from(["", "@sms.local", "@elsewhere.example", "%x@sms.local"]))
def test_no_recipient_makes_rcpt_raise_or_reach_outside_the_allowed_ranges(local: str, rest: str) -> None:
    answer = _rcpt(local + rest, PLANT)
    if isinstance(answer, Target):
        assert all(number.startswith(("+614", "+642")) for number in answer.numbers) or local == "oncall"
    elif isinstance(answer, Refuse):
        refused(answer)


@given(st.from_regex(r"\A[+0-9.-]{6,18}\Z"))
def test_only_allowed_ranges_become_targets(local: str) -> None:
    answer = _rcpt(f"{local}@sms.local", PLANT)
    if isinstance(answer, Target):
        assert answer.numbers[0].startswith(("+614", "+642"))
        assert not answer.numbers[0].startswith("+61490")
