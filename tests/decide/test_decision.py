"""After DATA: one mail becomes the SMS to store, or one refusal for all its recipients."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import decide
from bridge.decide import Accept, NewSms, Target
from bridge.rules import Limits, ReportRule, TextRule
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
    accepted,
    decided,
    mail,
    refused,
    targets,
    with_rule,
)


def test_a_rule_that_joins_says_within_what_and_how() -> None:
    rule = replace(UPS, limits=Limits(segments=2, join_same_ms=600_000), text=TextRule(more="x{{ count }}"))
    raw = mail("Power is out", "ups@plant.example")
    got = accepted(decided(raw, PLANT, targets("+61421000001"), with_rule(rule)))
    assert got.join == decide.JoinSame(within_ms=600_000, segments=2, more="x{{ count }}")
    assert accepted(decided(raw, PLANT, targets("+61421000001"))).join is None
    assert decide.taken("m1", got, 0, 0, 1) == (
        "250 2.0.0 m1: 1 joined, one SMS will say how often the same text came"
    )


def test_a_good_mail_becomes_one_sms_with_all_that_its_rule_says() -> None:
    raw = mail("Power is out", "ups@plant.example", "Subject: UPS", "Message-ID: <1@plant.example>")
    got = accepted(decided(raw, PLANT, targets("+61421000001")))
    assert got.sms == (
        NewSms(
            number="+61421000001",
            recipient="+61421000001@sms.local",
            text="Power is out",
            encoding="gsm7",
            segments=1,
            account="default",
            mode="test",
            on_unknown="resend",
            expire_after_ms=7_200_000,
        ),
    )
    assert got.mail == decide.NewMail(
        sender="ups@plant.example",
        proof="network",
        rule=2,
        client="10.20.3.4",
        subject="UPS",
        header_message_id="<1@plant.example>",
        references=("<1@plant.example>",),
        brand="default",
        reports=ReportRule(),
        size=len(raw),
    )


def test_brand_account_and_reports_are_those_of_the_rule() -> None:
    got = accepted(decided(mail(sender="bob@clinic.example"), RELAY))
    assert (got.mail.brand, got.mail.reports, got.sms[0].account) == ("clinic", CLINIC.reports, "clinic")


def test_the_thread_goes_on_with_the_mails_references_and_its_own_id() -> None:
    raw = mail("Hi", "anna@clinic.example", "References: <1@x> <2@x>", "Message-ID: <3@x>")
    assert accepted(decided(raw)).mail.references == ("<1@x>", "<2@x>", "<3@x>")
    raw = mail("Hi", "anna@clinic.example", "In-Reply-To: <1@x>")
    assert accepted(decided(raw)).mail.references == ("<1@x>",)
    assert accepted(decided(mail())).mail.references == ()


def test_a_long_thread_is_kept_to_twenty_ids_with_its_latest() -> None:
    ids = " ".join(f"<{n}@x>" for n in range(60))
    raw = mail("Hi", "anna@clinic.example", f"References: {ids}", "Message-ID: <60@x>")
    kept = accepted(decided(raw)).mail.references
    assert len(kept) == 20
    assert kept[-2:] == ("<59@x>", "<60@x>")


def test_the_same_number_twice_makes_one_sms_also_through_an_alias() -> None:
    to = (
        Target("0421000001@sms.local", ("+61421000001",)),
        Target("oncall@sms.local", ("+61421000001", "+61431000002")),
        Target("+61421000001@sms.local", ("+61421000001",)),
    )
    got = accepted(decided(mail(), OFFICE, to))
    assert [(sms.number, sms.recipient) for sms in got.sms] == [
        ("+61421000001", "0421000001@sms.local"),
        ("+61431000002", "oncall@sms.local"),
    ]


def test_a_number_that_the_chosen_rule_refuses_is_stored_as_refused_beside_good_ones() -> None:
    to = targets("+61421000001", "+61431000002")
    good, bad = accepted(decided(mail(sender="bob@clinic.example"), RELAY, to)).sms
    assert good.refused == ""
    assert bad.refused == "+61 431... is not in a number range that this sender may use"
    assert bad.text == good.text


def test_when_all_numbers_are_refused_the_mail_is_with_the_first_reason_and_the_count() -> None:
    to = targets("+61431000002", "+61441000002")
    assert str(refused(decided(mail(sender="bob@clinic.example"), RELAY, to))) == (
        "550 5.7.1 all 2 numbers are refused; "
        "the first: +61 431... is not in a number range that this sender may use"
    )


def test_a_single_refused_number_has_its_reason_alone() -> None:
    answer = refused(decided(mail(sender="bob@clinic.example"), RELAY, targets("+61431000002")))
    assert answer.text == "+61 431... is not in a number range that this sender may use"


def test_more_numbers_than_the_chosen_rule_takes_refuse_the_mail() -> None:
    to = targets("+61421000001", "+61421000002", "+61421000003")
    answer = refused(decided(mail(sender="bob@clinic.example"), RELAY, to))
    assert str(answer) == "550 5.5.3 at most 2 numbers per mail"


def test_a_mail_without_any_number_makes_nothing() -> None:
    assert refused(decided(mail(), to=())).code == 554


def test_a_name_that_was_left_open_is_told_apart_when_the_sender_is_proven() -> None:
    assert refused(decided(mail(), to=(Target("x@sms.local", ()),))).status == "5.1.1"
    taken = accepted(decided(mail(), to=(Target("OnCall@sms.local", ()),)))
    assert [sms.number for sms in taken.sms] == ["+61421000001", "+61431000002"]


def test_what_is_no_number_is_never_queued_even_if_it_came_as_a_target() -> None:
    assert refused(decided(mail(), to=targets("12345"))).code == 550


def test_an_empty_mail_is_refused() -> None:
    assert str(refused(decided(mail("")))) == "550 5.6.0 the mail has no text and no subject to send"


def test_an_empty_body_takes_the_subject() -> None:
    got = accepted(decided(mail("", "anna@clinic.example", "Subject: Call me")))
    assert got.sms[0].text == "Call me"


def test_a_text_that_is_too_long_is_refused_with_the_counts_and_the_costly_character() -> None:
    policy = with_rule(ANNA, limits=Limits(segments=1))
    assert str(refused(decided(mail("a" * 161), policy=policy))) == (
        "552 5.3.4 the text needs 2 segments, 1 is allowed (161 characters, GSM-7); send a shorter text"
    )
    answer = refused(decided(mail("Это " + "a" * 600)))
    assert answer.text == (
        "the text needs 10 segments, 3 are allowed (604 characters, UCS-2 because of "
        "CYRILLIC CAPITAL LETTER E at 1); send a shorter text"
    )


def test_a_rule_that_cuts_takes_a_long_text_and_says_what_was_cut() -> None:
    got = accepted(decided(mail("word " * 100, "ups@plant.example"), PLANT))
    assert got.sms[0].segments == 1
    assert got.sms[0].text.endswith("...")
    assert "after the limit" in got.mail.cut[0]


def test_the_template_of_the_rule_makes_the_text() -> None:
    policy = with_rule(ANNA, text=TextRule(template="{{ sender }}: {{ body }}"))
    assert accepted(decided(mail("Hi"), policy=policy)).sms[0].text == "anna@clinic.example: Hi"


LOOPS = {
    "auto-replied": ("Auto-Submitted: auto-replied",),
    "auto-replied with parameters": ("Auto-Submitted: auto-replied; owner-email=x",),
    "x-autoreply": ("X-Autoreply: yes",),
    "x-auto-reply": ("X-Auto-Reply: yes",),
    "x-autorespond": ("X-Autorespond: x",),
    "a bounce that names the failed": ("X-Failed-Recipients: x@y.example",),
    "precedence auto_reply": ("Precedence: auto_reply",),
    "our own mail": (f"X-SMSBridge: {OURS}",),
    "another bridge's mail": ("X-SMSBridge: elsewhere",),
    "an empty mark": ("X-SMSBridge: ",),
    "a report": ('Content-Type: multipart/report; report-type=delivery-status; boundary="b"',),
}


@pytest.mark.parametrize("headers", LOOPS.values(), ids=LOOPS.keys())
@pytest.mark.parametrize("client", [OFFICE, PLANT])
def test_what_answers_by_itself_makes_no_sms_whoever_hands_it_in(
    headers: tuple[str, ...], client: decide.Client
) -> None:
    sender = "ups@plant.example" if client is PLANT else "anna@clinic.example"
    answer = refused(decided(mail("Hi", sender, *headers), client))
    assert (answer.code, answer.status) == (550, "5.7.1")


def test_our_own_mail_is_told_from_another_bridges() -> None:
    own = refused(decided(mail("Hi", "anna@clinic.example", f"X-SMSBridge: {OURS}")))
    other = refused(decided(mail("Hi", "anna@clinic.example", "X-SMSBridge: b")))
    assert own.text == "mail loop: this mail is one of ours, come back"
    assert other.text == "mail loop: this mail is from another SMS bridge"


HONEST = [
    ("Auto-Submitted: auto-generated",),
    ("Auto-Submitted: no",),
    ("Precedence: bulk",),
    ("Precedence: list",),
    ("X-Auto-Response-Suppress: All",),
    ("List-Id: <cron.plant.example>",),
    ("Auto-Submitted: auto-generated", "Precedence: bulk", "X-Loop: nagios"),
]


@pytest.mark.threat(23, "not served", of="ways of honest clients")
@pytest.mark.parametrize("headers", HONEST)
@pytest.mark.parametrize("sender", ["ups@plant.example", None, ""])
def test_honest_machines_pass_also_without_envelope_sender(
    headers: tuple[str, ...], sender: str | None
) -> None:
    raw = mail("Disk full", "ups@plant.example", *headers)
    assert isinstance(decided(raw, PLANT, sender=sender), Accept)


def test_an_out_of_office_reply_marked_as_generated_is_an_answer() -> None:
    raw = mail("I am away", "anna@clinic.example", "Auto-Submitted: auto-generated", "In-Reply-To: <1@x>")
    assert "automatic reply" in refused(decided(raw, sender=None)).text
    assert isinstance(decided(raw, sender="anna@clinic.example"), Accept)


def test_mail_without_envelope_sender_from_a_stranger_is_refused() -> None:
    answer = refused(decided(mail(sender="ups@plant.example"), STRANGER, sender=None))
    assert "only from known networks and users" in answer.text


def test_the_250_says_what_was_queued() -> None:
    got = accepted(decided(mail(), to=targets("+61421000001", "+61421000002")))
    assert decide.taken("m1", got, 2, 0) == "250 2.0.0 m1: 2 SMS queued, 1 segment each"
    one = accepted(decided(mail("a" * 200)))
    assert decide.taken("m1", one, 1, 0) == "250 2.0.0 m1: 1 SMS queued, 2 segments"


def test_the_250_says_what_was_refused_cut_and_taken_before() -> None:
    to = targets("+61421000001", "+61431000002")
    some = accepted(decided(mail(sender="bob@clinic.example"), RELAY, to))
    assert decide.taken("m1", some, 1, 0) == (
        "250 2.0.0 m1: 1 of 2 SMS queued, 1 segment; "
        "1 refused: +61 431... is not in a number range that this sender may use"
    )
    both = accepted(decided(mail(), to=to))
    assert decide.taken("m1", both, 1, 1) == (
        "250 2.0.0 m1: 1 of 2 SMS queued, 1 segment; 1 SMS already taken, not sent again"
    )
    assert decide.taken("m1", both, 0, 2) == "250 2.0.0 m1: 2 SMS already taken, not sent again"
    cut = accepted(decided(mail("Hi\r\n-- \r\nAnna")))
    assert decide.taken("m1", cut, 1, 0) == "250 2.0.0 m1: 1 SMS queued, 1 segment; left out: signature"


def test_every_answer_is_one_bounded_line_of_ascii() -> None:
    got = accepted(decided(mail()))
    odd = replace(got, mail=replace(got.mail, cut=("é\r\n" * 400,)))
    line = decide.taken("m\r\n1", odd, 1, 0)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 500
    refused(decide.unreadable("é\r\n" * 400))


_NUMBERS = st.sampled_from(
    ["+61421000001", "+61431000002", "+61490000001", "+64211234567", "+611900123456", "+881612345678",
     "+61212345678", "+447400123456", "+12125550123", "+99", ""]
)  # fmt: skip
_SENDERS = st.sampled_from(
    ["anna@clinic.example", "bob@clinic.example", "ups@plant.example", "evil@x.example", None]
)
_CLIENTS = st.sampled_from([OFFICE, RELAY, PLANT, STRANGER])


@given(
    st.lists(_NUMBERS, max_size=6),
    _SENDERS,
    _SENDERS,
    _CLIENTS,
    st.text(max_size=400),
    st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60),
)
def test_no_decision_queues_a_number_outside_the_lists_or_answers_with_more_than_a_line(
    numbers: list[str],
    sender: str | None,
    envelope: str | None,
    client: decide.Client,
    body: str,
    subject: str,
) -> None:
    raw = mail(body.encode("utf-8", "replace").decode(), sender, f"Subject: {subject}")
    answer = decided(raw, client, targets(*numbers), sender=envelope)
    if not isinstance(answer, Accept):
        refused(answer)
        return
    assert client is not STRANGER
    rule = POLICY.rules[answer.mail.rule]
    sent = [sms for sms in answer.sms if not sms.refused]
    assert sent
    assert len({sms.number for sms in answer.sms}) == len(answer.sms)
    for sms in sent:
        assert sms.number.startswith(("+614", "+642"))
        assert not sms.number.startswith("+61490")
        assert not rule.prefixes or sms.number.startswith(rule.prefixes)
        assert 1 <= sms.segments <= rule.limits.segments
        assert sms.text.strip()


def test_a_rule_without_narrower_prefixes_sends_to_all_that_the_lists_allow() -> None:
    assert isinstance(decided(mail(), to=targets("+64211234567")), Accept)
    assert UPS.prefixes == ()
