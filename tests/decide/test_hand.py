"""What an operator sends by hand goes through the same policy as a mail."""

import pytest

from bridge import decide
from tests.decide.build import CLINIC, POLICY, accepted, refused


def test_an_sms_by_hand_goes_over_the_default_account_and_nobody_is_told() -> None:
    got = accepted(decide.by_hand(POLICY, " 0421 000 001 ", "Hello"))
    (sms,) = got.sms
    assert (sms.number, sms.text, sms.account, sms.mode, sms.on_unknown) == (
        "+61421000001", "Hello", "default", "live", "hold",
    )  # fmt: skip
    assert (got.mail.proof, got.mail.sender, got.mail.rule) == ("operator", "operator", -1)
    assert got.mail.reports.when == frozenset()
    assert got.mail.header_message_id is None


def test_a_resubmit_goes_by_the_rule_of_its_sender_who_is_told() -> None:
    got = accepted(
        decide.by_hand(
            POLICY,
            "0421000001",
            "Hello",
            rule_sender="bob@clinic.example",
            resubmit_of="BRDG1",
            subject="Hi",
            references=("<1@x>",),
        )
    )
    assert (got.mail.sender, got.mail.rule, got.mail.brand) == ("bob@clinic.example", 1, "clinic")
    assert (got.mail.reports, got.mail.subject, got.mail.references) == (CLINIC.reports, "Hi", ("<1@x>",))
    assert (got.sms[0].account, got.sms[0].resubmit_of) == ("clinic", "BRDG1")


def test_the_prefixes_of_the_senders_rule_hold_for_a_forward() -> None:
    answer = decide.by_hand(POLICY, "0431000002", "Hello", rule_sender="bob@clinic.example")
    assert refused(answer).text.endswith("this sender may use")


def test_a_sender_who_is_on_the_list_no_more_is_not_told() -> None:
    got = accepted(decide.by_hand(POLICY, "0421000001", "Hello", rule_sender="gone@else.example"))
    assert (got.mail.rule, got.mail.sender) == (-1, "gone@else.example")
    assert got.mail.reports.when == frozenset()


@pytest.mark.parametrize(
    ("number", "text", "answer"),
    [
        ("1900123456", "Hi", "550 5.7.1 +61 190... is a premium number, which is not allowed here"),
        ("nobody\r\n", "Hi", "550 5.1.1 nobody is no phone number or alias here; write it like 0412345678"),
        ("0421000001", " ", "550 5.6.0 the mail has no text and no subject to send"),
        (
            "0421000001",
            "a" * 161,
            "552 5.3.4 the text needs 2 segments, 1 is allowed (161 characters, GSM-7); send a shorter text",
        ),
    ],
)
def test_policy_refuses_an_operator_as_it_refuses_a_mail(number: str, text: str, answer: str) -> None:
    assert str(refused(decide.by_hand(POLICY, number, text))) == answer


def test_an_alias_by_hand_is_all_its_numbers() -> None:
    assert len(accepted(decide.by_hand(POLICY, "oncall", "Hi")).sms) == 2


def test_nothing_is_cut_from_a_text_by_hand() -> None:
    text = "Hi ## there\n--\nAnna\n> and that"
    assert accepted(decide.by_hand(POLICY, "0421000001", text)).sms[0].text == text
