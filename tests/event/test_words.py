"""The vendor's result words: their meaning, and a sentence for the person who sent the SMS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.event import News, classify, sentence

GOOD = {
    "delivered": News.DELIVERED,
    "SentOK": News.DELIVERED,
    "Sent OK": News.DELIVERED,
    "delivered-to-network": News.NETWORK,
}
BAD = [
    "Undelivered",
    "Bad Number",
    "Destination is blacklisted",
    "Rejected-Country Blocked-Account Policy",
    "Rejected-Invalid Sender ID",
    "Rejected-Message Content Issue",
    "LinkNotPermitted",
    "No Permit Record",
    "Invalid Mobile Number (RP-Max)",
    "Invalid Mobile Number (RP-Min)",
    "Rejected-06-Invalid Mobile Number",
    "Rejected-07-Invalid Number",
]
OTHER = {"Control Deleted": News.CANCELLED, "Rejected-Duplicate": News.DUPLICATE}
WAITING = ["Pending", "Delayed", "CreditHold"]


@pytest.mark.parametrize(("word", "news"), GOOD.items())
@pytest.mark.parametrize("status", ["SUCCESS", "Success", "UPDATED", ""])
def test_good_words_are_good_news(word: str, news: News, status: str) -> None:
    assert classify(status, word) is news


@pytest.mark.parametrize("word", BAD)
@pytest.mark.parametrize("status", ["FAILED", "failed", "UPDATED", "", "SUCCESS"])
def test_bad_words_are_a_failure_whatever_the_status(word: str, status: str) -> None:
    assert classify(status, word) is News.FAILED


@pytest.mark.parametrize(("word", "news"), OTHER.items())
def test_taken_back_and_duplicate_are_told_from_plain_failures(word: str, news: News) -> None:
    assert classify("FAILED", word) is news
    assert classify("", word) is news


@pytest.mark.parametrize("word", WAITING)
def test_waiting_words_are_pending(word: str) -> None:
    assert classify("PENDING", word) is News.PENDING
    assert classify("", word) is News.PENDING


@pytest.mark.parametrize(
    ("status", "word", "news"),
    [
        ("FAILED", "delivered", News.FAILED),  # never told as a delivery
        ("PENDING", "delivered", News.PENDING),
        ("PENDING", "delivered-to-network", News.NETWORK),
        ("SUCCESS", "Handset-Eaten-By-Dog", News.NETWORK),
        ("FAILED", "Handset-Eaten-By-Dog", News.FAILED),
        ("UPDATED", "Link clicked", News.PENDING),
        ("", "Rejected-08-Something New", News.FAILED),
        ("", "", News.PENDING),
    ],
)
def test_unknown_words_and_contradictions_are_read_darkly(status: str, word: str, news: News) -> None:
    assert classify(status, word) is news


@pytest.mark.parametrize(
    "word",
    [
        *GOOD,
        *BAD,
        *OTHER,
        *WAITING,
        "Missing or empty message",
        "Error - Could not find any valid destination(s).",
    ],
)
def test_every_known_word_has_a_plain_sentence(word: str) -> None:
    said = sentence(word)
    assert said.endswith(".")
    assert said[0].isupper()
    assert word not in said or word in ("delivered", "Pending")


@given(st.text(), st.text())
def test_any_two_words_are_some_news_and_unknown_ones_have_no_sentence(status: str, word: str) -> None:
    assert isinstance(classify(status, word), News)
    assert sentence("zz" + word) == ""
