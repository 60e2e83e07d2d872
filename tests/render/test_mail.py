"""Finished mails: what stands in which header field, how they are built, and that no text can change that."""

from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import RenderError
from bridge.report.values import MailKind
from bridge.sms import State
from tests.render import reading, samples
from tests.threats import found

MAILS = samples.renderer()
REPORT = [
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
    "X-Auto-Response-Suppress", "X-SMSBridge", "MIME-Version", "Content-Type",
]  # fmt: skip
REPLY = [name for name in REPORT if name != "Auto-Submitted"]
ALONE = [name for name in REPORT if name not in ("In-Reply-To", "References")]


def made(name: str) -> bytes:
    return MAILS.render(*samples.every()[name]).raw


@pytest.mark.parametrize("name", list(samples.every()))
def test_every_mail_is_small_seven_bit_and_has_a_text_beside_its_html(name: str) -> None:
    raw = made(name)
    message = reading.parsed(raw)
    assert raw.isascii()
    assert len(raw) < 100_000
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert not [defect for part in message.walk() for defect in part.defects]
    assert message.get_content_type() == "multipart/alternative"
    text = reading.part(raw, "text/plain")
    assert text.strip()
    assert "\n\n\n" not in text, "what is not said leaves no gap"
    assert reading.part(raw, "text/html").startswith("<!DOCTYPE html>")
    assert message["X-SMSBridge"] == "i-1"
    assert message["X-Auto-Response-Suppress"] == "All"


def test_a_report_stands_in_the_thread_of_the_mail_and_comes_from_the_phone() -> None:
    raw = made("delivered")
    message = reading.parsed(raw)
    assert reading.names(raw) == REPORT
    assert raw.startswith(b'From: "+61 421 000 001 (Riverside Clinic)" <+61421000001@sms.local>\r\n')
    assert message["To"] == "alex@clinic.example"
    assert message["Subject"] == "Re: Your appointment"
    assert message["In-Reply-To"] == "<first@clinic.example>"
    assert message["References"] == "<thread@clinic.example> <first@clinic.example>"
    assert message["Message-ID"] == "<r7.q8w@sms.local>"
    assert message["Auto-Submitted"] == "auto-replied"
    sent = parsedate_to_datetime(str(message["Date"]))
    assert int(sent.timestamp()) * 1000 == samples.NOON + 95_000
    assert sent.utcoffset() == samples.local(samples.NOON).utcoffset()


def test_a_reply_from_a_phone_is_a_persons_mail() -> None:
    assert reading.names(made("reply")) == REPLY
    mail = samples.every()["reply"][0]
    assert MAILS.envelope_sender(mail) == "bounce+b7key@sms.local"


@pytest.mark.parametrize("name", ["failed", "delivered", "summary", "alarm"])
def test_reports_and_alarms_have_the_null_sender(name: str) -> None:
    assert MAILS.envelope_sender(samples.every()[name][0]) == ""


def test_summaries_and_alarms_come_from_the_brand() -> None:
    assert reading.parsed(made("summary"))["From"] == "Riverside Clinic <sms@clinic.example>"
    alarm = reading.parsed(made("alarm"))
    assert alarm["From"] == "SMS Bridge <sms@sms.local>"
    assert alarm["Auto-Submitted"] == "auto-generated"
    assert reading.names(made("alarm")) == ALONE


def test_a_mail_without_subject_or_message_id_gets_a_report_of_its_own() -> None:
    source = samples.stored(subject="", header_message_id=None)
    raw = MAILS.render(samples.outbox(MailKind.DELIVERED), source, (samples.sms(),)).raw
    assert reading.parsed(raw)["Subject"] == "SMS to +61 421 000 001"
    assert reading.names(raw) == ALONE


@pytest.mark.parametrize("subject", ["Re: hello", "RE: Re: hello", "AW: hello", "Re[2]: hello"])
def test_the_subject_has_one_re_however_many_came(subject: str) -> None:
    raw = MAILS.render(
        samples.outbox(MailKind.DELIVERED), samples.stored(subject=subject), (samples.sms(),)
    ).raw
    assert reading.parsed(raw)["Subject"] == "Re: hello"


def test_a_subject_in_any_script_comes_back_whole() -> None:
    subject = "Přílohy к встрече 会議 " * 5
    raw = MAILS.render(
        samples.outbox(MailKind.DELIVERED), samples.stored(subject=subject), (samples.sms(),)
    ).raw
    assert reading.parsed(raw)["Subject"] == f"Re: {subject.strip()}"


def test_the_logo_travels_inside_and_nothing_is_fetched() -> None:
    raw = made("delivered")
    picture = next(p for p in reading.parsed(raw).walk() if p.get_content_type() == "image/png")
    html = reading.part(raw, "text/html")
    assert picture.get_content() == samples.png()
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html


def test_the_dark_mode_and_the_narrow_window_survive_the_inlining() -> None:
    html = reading.part(made("delivered"), "text/html")
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media (max-width: 480px)" in html
    assert html.count("!important") > 20
    assert '<meta name="color-scheme" content="light dark">' in html
    assert 'class="bubble ours"' in html
    assert "background-color: #0a7d6c" in html.partition("<body")[2]


def test_the_text_of_the_sms_stands_in_both_parts_and_in_no_header() -> None:
    raw = made("delivered")
    text = samples.sms().text
    assert text in reading.part(raw, "text/plain")
    assert text in reading.seen(reading.part(raw, "text/html"))
    assert b"Medicare" not in raw.partition(b"\r\n\r\n")[0]


def test_a_test_sms_says_so_in_both_parts() -> None:
    assert "TEST" in reading.part(made("test"), "text/plain")
    assert "TEST" in reading.seen(reading.part(made("test"), "text/html"))
    assert "TEST" not in reading.part(made("delivered"), "text/plain")


def test_a_brand_nobody_knows_any_more_is_the_default_one() -> None:
    mail = samples.outbox(MailKind.DELIVERED, brand="gone")
    assert b"(SMS Bridge)" in MAILS.render(mail, samples.stored(), (samples.sms(),)).raw


def test_a_hundred_and_fifty_numbers_with_long_reasons_stay_under_a_hundred_kilobytes() -> None:
    many = tuple(replace(one, id=n, result="<&>" * 90) for n, one in enumerate([samples.group()[7]] * 150))
    raw = MAILS.render(samples.outbox(MailKind.SUMMARY, sms_id=None, group="g"), samples.stored(), many).raw
    assert len(raw) < 100_000
    assert "more" in reading.part(raw, "text/plain")


@pytest.mark.parametrize(
    "text", ["会" * 40_000, "&" * 40_000, "😀" * 20_000, "\n" * 4_000 + "x", "a b " * 9_000]
)
def test_a_very_long_text_is_shortened(text: str) -> None:
    facts = (("phone", "+61421000001"), ("text", text), ("note", text))
    ours = samples.sms(text=text)
    raw = MAILS.render(samples.outbox(MailKind.REPLY, facts=facts), samples.stored(), (ours,)).raw
    assert len(raw) < 100_000


@pytest.mark.parametrize(
    "to", ["", "no address", "a@b.example, c@d.example", "a@b\r\nBcc: x@y", "<a@b.example>"]
)
def test_an_address_that_is_none_makes_no_mail(to: str) -> None:
    with pytest.raises(RenderError):
        MAILS.render(samples.outbox(MailKind.DELIVERED, to=to), samples.stored(), (samples.sms(),))


def test_a_row_without_its_sms_makes_no_mail() -> None:
    for kind in (MailKind.DELIVERED, MailKind.SUMMARY):
        with pytest.raises(RenderError):
            MAILS.render(samples.outbox(kind), samples.stored(), ())


HOSTILE = st.one_of(
    st.text(max_size=120),
    st.text(
        st.sampled_from("\r\n\t :<>=?\"'&;%{}@,()\\-\x00\x0b\x1b\x85\u2028\u202e\u2066\ud800aB"), max_size=60
    ),
    st.sampled_from(
        [
            "=?UTF-8?Q?=0D=0ABcc:_x@y.example?=",
            "x\r\nBcc: x@y.example\r\n\r\n<script>alert(1)</script>",
            "\n\nContent-Type: text/html\n\n<b>",
            "<script>document.title='owned'</script>",
            "<img src=x onerror=alert(1)>",
            "</td></tr></table><h1>",
            "--></style><style>*{display:none}",
            "{{ 7*7 }}{% for x in y %}",
            "]]><!--[if mso]>",
            "&lt;b&gt; &#60;b&#62;",
            "+ADw-script+AD4-",
            "\u202egnp.exe\u2066",
            "--=_a0",
        ]
    ),
)


def unchanged(raw: bytes, names: list[str]) -> None:
    """Whoever reads the header finds these fields and no other: our reader, Python's, and dkimpy's."""
    read = [reading.names(raw), reading.python_names(raw), reading.signers_names(raw)]
    found(sum(one != names for one in read) > 0)
    assert read == [names] * 3


def _facts(text: str) -> tuple[tuple[str, str], ...]:
    return (("phone", "+61421000001"), ("text", "x" + text), ("note", "x" + text))


@pytest.mark.threat(16, "header lists changed", of="generated mails")
@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE, HOSTILE)
def test_no_sms_text_or_subject_changes_the_header_or_the_html(text: str, subject: str) -> None:
    mail = samples.outbox(MailKind.REPLY, facts=_facts(text))
    rendered = MAILS.render(mail, samples.stored(subject="x" + subject), (samples.sms(text="x" + text),))
    unchanged(rendered.raw, REPLY)
    assert reading.shape(rendered.html) == reading.shape(_PLAIN_REPLY)
    assert rendered.subject.startswith("Re: x")
    assert not set("\r\n\u202e\u2066") & set(rendered.subject)


_PLAIN_REPLY = MAILS.render(
    samples.outbox(MailKind.REPLY, facts=_facts("")), samples.stored(), (samples.sms(text="x"),)
).html


@pytest.mark.threat(16, "header lists changed", of="generated mails")
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE)
def test_no_result_word_or_cut_changes_the_header_or_the_html(word: str) -> None:
    failed = samples.sms(state=State.FAILED, result="q" + word, number="+61421000001")
    source = samples.stored(cut=("x" + word,), references=(word, "<" + word + ">"))
    rendered = MAILS.render(samples.outbox(MailKind.FAILED), source, (failed,))
    unchanged(rendered.raw, REPORT)
    plain = samples.every()["failed-unknown-word"]
    expected = MAILS.render(plain[0], samples.stored(cut=("x",)), plain[2]).html
    assert reading.shape(rendered.html) == reading.shape(expected)


@pytest.mark.threat(16, "header lists changed", of="generated mails")
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE, HOSTILE)
def test_no_phone_and_no_alarm_fact_changes_the_header_or_the_html(phone: str, fact: str) -> None:
    inbound = samples.outbox(
        MailKind.INBOUND, sms_id=None, mail_id=None, facts=(("phone", phone), ("text", "x"))
    )
    unchanged(MAILS.render(inbound, None, ()).raw, [name for name in ALONE if name != "Auto-Submitted"])
    alarm = samples.outbox(
        MailKind.ALARM, brand="default", facts=(("alarm", "q" + fact), ("why", "x" + phone))
    )
    plain = samples.outbox(MailKind.ALARM, brand="default", facts=(("alarm", "q"), ("why", "x")))
    rendered = MAILS.render(alarm, None, ())
    unchanged(rendered.raw, ALONE)
    assert reading.shape(rendered.html) == reading.shape(MAILS.render(plain, None, ()).html)


@pytest.mark.threat(16, "header lists changed", of="generated mails")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE, HOSTILE)
def test_no_brand_name_or_footer_changes_the_header_or_the_html(name: str, footer: str) -> None:
    brand = replace(samples.CLINIC, key="b", name="x" + name, footer="x" + footer)
    benign = replace(samples.CLINIC, key="c", name="x", footer="x")
    mails = samples.renderer(brand, benign)
    one = (samples.sms(),)
    rendered = mails.render(samples.outbox(MailKind.DELIVERED, brand="b"), samples.stored(), one)
    expected = mails.render(samples.outbox(MailKind.DELIVERED, brand="c"), samples.stored(), one)
    unchanged(rendered.raw, REPORT)
    assert reading.parsed(rendered.raw)["From"].addresses[0].addr_spec == "+61421000001@sms.local"
    assert reading.shape(rendered.html) == reading.shape(expected.html)
