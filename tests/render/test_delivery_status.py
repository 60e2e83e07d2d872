"""A report for a client that asked for it, read by two parsers that are not ours: email's and flufl.bounce's."""

from dataclasses import replace
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest
from flufl.bounce import all_failures
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.dsn import Wish, Wishes
from bridge.render import Renderer
from bridge.report import MailKind
from bridge.sms import State
from tests.render import reading, samples

NUMBER = "+61421000001"
RENDERER = Renderer(
    {"default": samples.PLAIN, "clinic": samples.CLINIC},
    domain="sms.local",
    instance="this",
    local=samples.local,
)


def rendered(kind: MailKind, envelope_id: str, original: str, *several: Any, **source: Any) -> bytes:
    asked = frozenset({"SUCCESS", "FAILURE", "DELAY"})
    numbers = [one.number for one in several]
    dsn = Wishes(envelope_id, tuple((number, Wish(asked, original)) for number in numbers))  # type: ignore[arg-type]
    return RENDERER.render(samples.outbox(kind), samples.stored(dsn=dsn, **source), several).raw


def status(raw: bytes) -> list[dict[str, str]]:
    """The groups of fields of the delivery status, as Python's parser reads them."""
    mail = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(mail, EmailMessage)
    assert mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "delivery-status"
    people, programs, header = mail.iter_parts()
    assert people.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in people.walk() if one.get_content_maintype() == "text"] == [
        "text/plain",
        "text/html",
    ]
    assert programs.get_content_type() == "message/delivery-status"
    assert header.get_content_type() == "text/rfc822-headers"
    assert not [one.defects for one in mail.walk() if one.defects]
    groups = programs.get_payload()
    assert isinstance(groups, list)
    return [{name: str(value) for name, value in group.items()} for group in groups]  # type: ignore[union-attr]


def failures(raw: bytes) -> tuple[list[str], list[str]]:
    """Whom a program that handles bounces takes for failing for now, and for good."""
    for_now, for_good = all_failures(BytesParser().parsebytes(raw))
    return [one.decode() for one in for_now], [one.decode() for one in for_good]


def test_a_failure_says_it_to_people_and_programs() -> None:
    failed = samples.sms(state=State.FAILED, result="Bad Number", claimed_at=samples.NOON + 2_000)
    raw = rendered(MailKind.FAILED, "QQ314159", "rfc822;kim@x.example", failed)
    of_mail, of_number = status(raw)
    assert of_mail.keys() == {"Reporting-MTA", "Original-Envelope-Id", "Arrival-Date"}
    assert (of_mail["Reporting-MTA"], of_mail["Original-Envelope-Id"]) == ("dns; sms.local", "QQ314159")
    assert of_number.pop("Last-Attempt-Date").endswith((" +1100", " +0000", " +1000"))
    assert of_number == {
        "Original-Recipient": "rfc822; kim@x.example",
        "Final-Recipient": f"rfc822; {NUMBER}@sms.local",
        "Action": "failed",
        "Status": "5.0.0",
        "Diagnostic-Code": "x-sms; Bad Number",
    }
    assert failures(raw) == ([], ["kim@x.example"])
    head = reading.part(raw, "text/rfc822-headers")
    assert head.splitlines() == [
        "From: alex@clinic.example",
        "Subject: Your appointment",
        "Message-ID: <first@clinic.example>",
    ]


def test_a_delay_and_a_success_are_no_failures() -> None:
    delayed = rendered(MailKind.FAILED, "", "", samples.sms(state=State.HELD))
    assert failures(delayed) == ([f"{NUMBER}@sms.local"], [])
    delivered = rendered(MailKind.DELIVERED, "", "", samples.sms())
    assert [group.get("Action") for group in status(delivered)] == [None, "delivered"]
    assert failures(delivered) == ([], [])


def test_a_summary_of_hundreds_of_numbers_tells_programs_of_each() -> None:
    group = [samples.sms(number=f"+614210{n:05d}", state=State.FAILED) for n in range(400)]
    raw = rendered(MailKind.SUMMARY, "", "rfc822;" + "x" * 480, *group)
    assert len(status(raw)) == 401
    assert len(raw) < 400_000


def test_who_did_not_ask_gets_the_mail_as_ever() -> None:
    raw = RENDERER.render(samples.outbox(MailKind.DELIVERED), samples.stored(), [samples.sms()]).raw
    assert BytesParser().parsebytes(raw).get_content_type() == "multipart/alternative"


ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100)


@settings(max_examples=60)
@given(ASCII, ASCII, st.text(max_size=60), st.text(max_size=60))
def test_no_word_of_others_adds_a_field(envelope_id: str, address: str, result: str, subject: str) -> None:
    original = f"rfc822;{address}" if address else ""
    failed = samples.sms(state=State.FAILED, result=result)
    raw = rendered(MailKind.FAILED, envelope_id, original, failed, subject=subject)
    groups = status(raw)
    assert len(groups) == 2
    known = {"Reporting-MTA", "Original-Envelope-Id", "Arrival-Date", "Original-Recipient", "Final-Recipient",
             "Action", "Status", "Diagnostic-Code", "Last-Attempt-Date"}  # fmt: skip
    assert set().union(*groups) <= known
    assert groups[1]["Action"] == "failed"


@pytest.mark.parametrize("sender", ["operator", "odd sender@x", "a@x\r\nBcc: b@x"])
def test_a_sender_that_cannot_stand_in_a_header_is_left_out(sender: str) -> None:
    source = samples.stored(sender=sender, dsn=Wishes("", ((NUMBER, Wish(frozenset({"FAILURE"}))),)))
    failed = replace(samples.sms(), state=State.FAILED)
    raw = RENDERER.render(samples.outbox(MailKind.FAILED), source, [failed]).raw
    assert not reading.part(raw, "text/rfc822-headers").startswith("From")
