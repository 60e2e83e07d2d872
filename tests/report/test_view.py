"""What our mails say, in words: each end has a sentence of its own and tells what to do."""

import datetime
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.report import plain, sentences, shortened, view
from bridge.report.sentences import Tone
from bridge.report.units import price, when
from bridge.report.values import MailKind
from bridge.report.view import View
from bridge.sms import FINAL, State
from tests.render import samples

local = samples.local


def seen(name: str) -> View:
    mail, source, sms = samples.every()[name]
    return view(mail, source, sms, samples.CLINIC, local)


def test_every_state_has_words_of_its_own() -> None:
    told = {state: sentences.outcome(samples.sms(rank=0), state, "") for state in State}
    assert len({outcome.sentence for outcome in told.values()}) == len(State)
    assert all(outcome.icon and outcome.word for outcome in told.values())


@pytest.mark.parametrize("state", sorted((FINAL - {State.DELIVERED}) | {State.UNKNOWN, State.HELD}))
def test_whoever_hears_bad_news_is_told_what_to_do(state: State) -> None:
    assert sentences.outcome(samples.sms(rank=0), state, "").advice


@pytest.mark.parametrize("state", [State.UNKNOWN, State.HELD])
def test_nobody_in_doubt_is_told_to_send_again(state: State) -> None:
    told = sentences.outcome(samples.sms(rank=0), state, "read time-out")
    assert told.tone is Tone.WAIT
    assert "do not send it again" in told.advice
    assert "cannot tell" in told.sentence


def test_a_held_one_that_never_left_says_so() -> None:
    told = sentences.outcome(samples.sms(reached=0), State.HELD, "some reason")
    assert "was not sent" in told.sentence


def test_one_that_may_have_been_sent_before_it_expired_is_not_told_as_unsent() -> None:
    assert "Nothing was charged" in seen("expired").advice
    told = seen("expired-in-doubt")
    assert told.word == "Not confirmed"
    assert "cannot tell" in told.sentence
    assert "charged" not in told.advice


def test_a_known_result_word_becomes_a_sentence_and_an_unknown_one_is_quoted() -> None:
    assert seen("failed").sentence == "There is no phone with this number. Check the number and send again."
    assert "“Error 0x17 at gateway”" in seen("failed-unknown-word").sentence


def test_delivered_to_the_network_is_not_told_as_delivered() -> None:
    assert seen("delivered").word == "Delivered"
    assert seen("network").word == "Sent to the network"
    assert "not confirmed" in seen("network").sentence


def test_the_state_at_the_time_of_the_decision_is_told_not_what_came_later() -> None:
    mail = samples.outbox(MailKind.FAILED, facts=(("state", "unknown"), ("result", "reset")))
    assert view(mail, None, (samples.sms(),), samples.CLINIC, local).word == "Cannot tell yet"
    odd = replace(mail, facts=(("state", "no such state"),))
    assert view(odd, None, (samples.sms(),), samples.CLINIC, local).word == "Delivered"


def test_a_correction_says_that_it_is_one() -> None:
    assert seen("corrected").correction
    assert seen("corrected").sentence.startswith("Good news, and a correction")
    failed = samples.outbox(MailKind.FAILED, correction=True)
    told = view(failed, None, (samples.sms(state=State.FAILED),), samples.CLINIC, local)
    assert told.sentence.startswith("This corrects our earlier mail")


def test_a_refused_number_gives_its_reason_and_no_hint_to_write_there_again() -> None:
    told = seen("refused")
    assert told.sentence == "+61 190... is a premium number, which is not allowed here."
    assert told.hint == ""


def test_refused_numbers_of_one_mail_are_told_together_and_the_others_left_alone() -> None:
    good, bad = samples.group()[0], replace(samples.group()[9], id=20)
    mail = samples.outbox(MailKind.FAILED, sms_id=None)
    told = view(mail, None, (good, bad, replace(bad, id=21)), samples.CLINIC, local)
    assert told.heading == "Not sent to 2 numbers"
    assert "The other 1 number of your mail is not affected." in told.sentence
    assert len(told.rows) == 2
    alone = view(mail, None, (good, bad), samples.CLINIC, local)
    assert alone.e164 == bad.number


def test_a_summary_puts_what_needs_a_person_first_and_counts_the_rest() -> None:
    told = seen("summary")
    assert told.heading == "7 of 12 delivered"
    assert (
        told.sentence
        == "3 numbers did not work and 2 numbers are still open. We write again if an open one fails."
    )
    assert [row.outcome.tone for row in told.rows] == [Tone.BAD] * 3 + [Tone.WAIT] * 2 + [Tone.GOOD] * 7
    assert seen("summary-good").sentence == "Your SMS has reached everyone."
    assert seen("summary-good").advice == ""
    waiting = tuple(replace(one, state=State.SUBMITTED, price=None) for one in samples.group()[:6])
    told = view(
        samples.outbox(MailKind.SUMMARY), samples.stored(cut=("disclaimer",)), waiting, samples.CLINIC, local
    )
    assert (told.tone, told.word) == (Tone.WAIT, "Some still open")
    assert [detail.label for detail in told.details] == ["In all", "Left out"]


def test_a_price_that_is_not_known_for_all_is_told_as_so_far() -> None:
    some = (*samples.group()[:6], replace(samples.group()[6], price=None))
    told = view(samples.outbox(MailKind.SUMMARY), None, some, samples.CLINIC, local)
    assert [(d.label, d.value) for d in told.details][1] == ("Price so far", "0.60")


def test_a_reply_shows_the_answer_our_sms_and_the_doubt_whose_it_is() -> None:
    told = seen("reply-shared")
    assert told.text == "Thanks! Can I come at 10 instead?\nKim"
    assert told.quoted == samples.sms().text
    assert told.note
    assert told.hint == "Answer this mail to send an SMS back to +61 421 000 001."
    assert told.at == "Sun 22 Nov 2026, 16:17 AEDT"


@pytest.mark.parametrize("at", ["", "soon", "-5", "9" * 14, "9" * 40, str(samples.NOON * 2), "٣"])
def test_a_time_the_vendor_cannot_mean_is_not_believed(at: str) -> None:
    mail = samples.outbox(MailKind.REPLY, facts=(("text", "x"), ("at", at)))
    assert view(mail, None, (samples.sms(),), samples.CLINIC, local).at == when(mail.created_at, local)


@pytest.mark.parametrize("phone", ["Telstra", "", "1234", "+61 4x", "+123"])
def test_a_sender_that_is_no_number_is_shown_and_not_answered(phone: str) -> None:
    mail = samples.outbox(MailKind.INBOUND, facts=(("phone", phone), ("text", "x")))
    told = view(mail, None, (), samples.CLINIC, local)
    assert told.heading == f"SMS from {phone or 'an unknown number'}".replace(
        "+61 4x", "+61\u00a04x"
    ).replace("an unknown number", "an\u00a0unknown\u00a0number")
    assert told.e164 == ""
    assert told.hint == ""


def test_what_was_cut_the_price_and_the_resubmitted_one_stand_in_the_details() -> None:
    mail = samples.outbox(MailKind.DELIVERED)
    sms = samples.sms(price=1_050, segments=2, resubmit_of="BRDGOLD", joined=57)
    told = view(mail, samples.stored(cut=("signature", "disclaimer")), (sms,), samples.CLINIC, local)
    assert [(d.label, d.value) for d in told.details] == [
        ("Length", "90 characters, 2 segments"),
        ("Price", "0.105"),
        ("Left out", "signature, disclaimer"),
        ("Stands for", "57 mails with the same text"),
        ("Sent again for", "BRDGOLD"),
        ("Message ID", "BRDGQ7X2M4K9PLZT"),
    ]


def test_a_known_alarm_tells_what_to_do_and_an_unknown_one_shows_its_facts() -> None:
    assert "Token" in seen("alarm").advice
    assert [(d.label, d.value) for d in seen("alarm").details] == [
        ("Account", "default"),
        ("Reason", "401 Missing or empty sender"),
    ]
    for facts in (
        (("alarm", "strange-thing"), ("disk_free", "3 MB"), ("empty", "")),
        (("key", "strange-thing"),),
    ):
        told = view(samples.outbox(MailKind.ALARM, facts=facts), None, (), samples.PLAIN, local)
        assert told.heading == "The bridge needs a look: strange-thing"
    silent = samples.outbox(MailKind.ALARM, facts=(("disk_free", "3 MB"),))
    told = view(silent, None, (), samples.PLAIN, local)
    assert [(d.label, d.value) for d in told.details] == [("Disk free", "3 MB")]


@pytest.mark.parametrize("stop", ["circuit", "account", "unread", "silent"])
def test_every_stop_of_sending_has_words_of_its_own(stop: str) -> None:
    mail = samples.outbox(MailKind.ALARM, facts=(("alarm", "stopped"), ("stop", stop)))
    told = view(mail, None, (), samples.PLAIN, local)
    assert "needs a look" not in told.heading
    assert told.advice


def test_test_mode_shows() -> None:
    assert seen("test").test
    assert not seen("delivered").test


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00"), (1_000, "0.10"), (1_050, "0.105"), (123_456, "12.3456"), (-500, "-0.05")],
)
def test_prices_have_two_decimals_or_as_many_as_say_something(amount: int, text: str) -> None:
    assert price(amount) == text


def test_times_are_on_the_operators_clock() -> None:
    summer = int(datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.UTC).timestamp() * 1000)
    assert when(summer, local) == "Thu 1 Jan 2026, 11:00 AEDT"


def test_a_shortened_view_counts_what_it_dropped() -> None:
    told = seen("summary")
    half = shortened(told)
    assert len(half.rows) == 6
    assert half.more == 6
    assert half.rows == told.rows[:6]


@given(st.text())
def test_cleaned_text_cannot_steer_the_page_it_stands_on(text: str) -> None:
    clean = plain.several_lines(text)
    assert not set(clean) & set("\x00\x08\x1b\x7f\x85\r\u202a\u202e\u2066\u2069\u2028\ufeff")
    assert "\n" not in plain.one_line(text)
    clean.encode()
    assert len(clean) <= plain.MAX_TEXT
    assert plain.several_lines(clean) == clean


@given(
    st.text(
        st.characters(min_codepoint=33, max_codepoint=0x2000, exclude_categories=["Cc", "Cf", "Z"]),
        max_size=200,
    )
)
def test_harmless_text_comes_through_unchanged(text: str) -> None:
    assert plain.several_lines(text) == text
    assert plain.one_line(text) == text
