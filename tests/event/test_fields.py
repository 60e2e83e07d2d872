"""Webhooks of every field set, and the answers of the polls, as events."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import EventError
from bridge.event import (
    Event,
    Fields,
    News,
    from_fields,
    from_received,
    from_replies,
    from_status,
    is_ours,
    read_document,
)
from bridge.event.poll import MAX_REPLIES

SYDNEY = ZoneInfo("Australia/Sydney")
AT = int(datetime(2023, 10, 16, 2, 43, tzinfo=UTC).timestamp() * 1000)

SET_A = {
    "Sender": "app@example.com",
    "Token": "ta8wr7ymd",
    "Type": "SMS",
    "Destination": "+61421000001",
    "MessageID": "js82hn8n",
    "JobNumber": "10C7B9A0",
    "SentTime": "16/10/2023 13:43 p.m.",
    "Status": "SUCCESS",
    "Result": "delivered",
    "Message": "",
    "Price": "0.20",
    "Detail": "SMSParts:2",
}
SET_B = {
    "Version": "2.04",
    "Sender": "app@example.com",
    "APIKey": "ta8wr7ymd",
    "Type": "SMS",
    "Destination": "+61421000001",
    "ContactID": "",
    "ReceivedID": "",
    "MessageID": "js82hn8n",
    "SubAccount": "",
    "Department": "",
    "JobNumber": "10C7B9A0",
    "SentTimeLocal": "2023-10-16 13:43:00",
    "SentTimeUTC-ISO8601": "2023-10-16T02:43:00.000Z",
    "SentTimeUTC-RFC3339": "2023-10-16T02:43:00.000Z",
    "Status": "Success",
    "Result": "delivered",
    "Message": "",
    "Price": 0.2,
    "Detail": "SMSParts:2",
    "URL": "",
}
SET_V3 = {
    "Version": "v3.00",
    "Sender": "app@example.com",
    "APIKey": "ta8wr7ymd",
    "Type": "SMS",
    "Destination": "+61421000001",
    "ContactID": None,
    "ReceivedID": None,
    "MessageID": "js82hn8n",
    "JobNumber": "10C7B9A0",
    "SentTimeLocal": None,
    "SendTimeUTC": "2023-10-16 02:43:00",
    "SentTimeUTC_RFC3339": None,
    "Status": "Success",
    "Result": "delivered",
    "Message": None,
    "Price": 0.20,
}


def fields(given: object) -> Fields:
    document = read_document(json.dumps(given).encode())
    assert isinstance(document, dict)
    return document


def event(given: object) -> Event:
    return from_fields(fields(given), "webhook", SYDNEY)


@pytest.mark.parametrize("given", [SET_A, SET_B, SET_V3], ids=["A", "B", "v3"])
def test_every_field_set_tells_the_same_event(given: dict[str, object]) -> None:
    told = event(given)
    assert (told.type, told.news, told.result) == ("status", News.DELIVERED, "delivered")
    assert (told.message_id, told.job, told.phone) == ("js82hn8n", "10C7B9A0", "+61421000001")
    assert (told.price, told.vendor_at, told.received_id) == (2_000, AT, None)


def test_what_came_is_kept_without_its_credentials() -> None:
    raw = event({**SET_A, "Unheard": "of"}).raw
    assert "Unheard".lower() in raw
    assert "SMSParts:2" in raw
    assert "ta8wr7ymd" not in raw
    assert "app@example.com" not in raw


@pytest.mark.parametrize("price", ["", None])
def test_an_empty_price_is_none(price: object) -> None:
    assert event({**SET_A, "Price": price}).price is None


def test_a_reply_carries_its_text_and_the_phone_that_answered() -> None:
    told = event(
        {
            **SET_B,
            "Type": "SMSReply",
            "Status": "RECEIVED",
            "Result": "RECEIVED",
            "ReceivedID": "R1",
            "Message": "Yes,\r\nat 5",
        }
    )
    assert (told.type, told.news, told.text, told.received_id) == ("reply", None, "Yes,\nat 5", "R1")
    assert told.phone == "+61421000001"


def test_a_received_status_is_a_reply_even_under_the_type_of_a_send() -> None:
    assert event({**SET_A, "Status": "RECEIVED", "Message": "hi"}).type == "reply"


def test_an_inbound_sms_needs_no_message_id() -> None:
    told = event(
        {"Type": "smsinbound", "Destination": "+61 421 000 001", "Message": "hello", "MessageID": ""}
    )
    assert (told.type, told.message_id, told.phone, told.text) == ("inbound", None, "+61421000001", "hello")


def test_credit_hold_is_marked() -> None:
    told = event({**SET_A, "Status": "PENDING", "Result": "CreditHold"})
    assert (told.news, told.credit_hold) == (News.PENDING, True)


def test_news_of_other_kinds_of_message_is_not_ours() -> None:
    assert is_ours(fields(SET_A))
    assert not is_ours(fields({**SET_A, "Type": "Fax"}))
    with pytest.raises(EventError):
        event({**SET_A, "Type": "Fax"})


@pytest.mark.parametrize(
    "change",
    [
        {"Type": ["SMS"]},
        {"Type": {"a": "SMS"}},
        {"Type": True},
        {"MessageID": {"$ne": ""}},
        {"MessageID": ["js82hn8n"]},
        {"Status": {"x": 1}},
        {"Destination": []},
        {"Price": {"a": 1}},
        {"Status": "", "Result": None},
        {"MessageID": "", "JobNumber": None},
    ],
)
def test_a_field_of_the_wrong_shape_is_an_error(change: dict[str, object]) -> None:
    with pytest.raises(EventError):
        event({**SET_A, **change})


def test_a_missing_type_is_an_error() -> None:
    with pytest.raises(EventError):
        is_ours(fields({"Status": "SUCCESS"}))
    with pytest.raises(EventError):
        is_ours(fields({"Type": " "}))


_VALUES = (
    st.none()
    | st.booleans()
    | st.text(max_size=30)
    | st.integers()
    | st.lists(st.text(max_size=5), max_size=2)
)


@given(st.dictionaries(st.sampled_from([*SET_A, *SET_B, *SET_V3]), _VALUES))
def test_any_values_are_an_event_or_an_error(values: dict[str, object]) -> None:
    try:
        told = event(values)
    except EventError:
        return
    for text in (told.message_id or "", told.phone, told.result, told.job or ""):
        assert len(text) <= 200
        assert "\n" not in text


# --- polls ---


def status(**changes: object) -> dict[str, object]:
    one = {
        "Type": "SMS",
        "Destination": "+61421000001",
        "Status": "SUCCESS",
        "Result": "delivered",
        "SentTimeUTC_RFC3339": "2023-10-16T02:43:00Z",
        "Price": "0.20",
    }
    return {
        "Result": "Success",
        "MessageID": "X",
        "Status": "Completed",
        "JobNum": "10C7B9A0",
        "Success": 1,
        "Failed": 0,
        "Recipients": [one],
        **changes,
    }


def poll(**changes: object) -> Event | None:
    return from_status(fields(status(**changes)), "BRDG1", "+61421000001", SYDNEY)


def test_a_completed_poll_tells_the_recipients_result() -> None:
    told = poll()
    assert told is not None
    assert (told.news, told.result, told.price, told.job) == (News.DELIVERED, "delivered", 2_000, "10C7B9A0")
    assert (told.message_id, told.source, told.vendor_at) == ("BRDG1", "poll", AT)


@pytest.mark.parametrize("word", ["Pending", "Delayed", "CreditHold", "Processing"])
def test_a_status_that_is_not_final_is_a_sign_of_life(word: str) -> None:
    told = poll(Status=word, Recipients=[])
    assert told is not None
    assert (told.news, told.result, told.credit_hold) == (News.PENDING, word, word == "CreditHold")


def test_status_unknown_tells_nothing() -> None:
    assert poll(Status="Unknown") is None


def test_a_poll_without_a_status_is_an_error() -> None:
    with pytest.raises(EventError):
        poll(Status=None)


def test_of_several_recipients_ours_is_picked_by_number() -> None:
    others = [
        {"Destination": "+61421000009", "Status": "FAILED", "Result": "Undelivered"},
        {"Destination": "0421 000 001", "Status": "SUCCESS", "Result": "delivered-to-network"},
    ]
    told = poll(Recipients=others)
    assert told is not None
    assert told.news is News.NETWORK


@pytest.mark.parametrize(
    ("counts", "news"),
    [
        ({"Success": 0, "Failed": 1}, News.FAILED),
        ({"Success": "1", "Failed": "0"}, News.NETWORK),
        ({"Success": 1, "Failed": 1}, News.PENDING),
    ],
)
def test_without_our_recipient_the_counts_tell(counts: dict[str, object], news: News) -> None:
    told = poll(Recipients=[], **counts)
    assert told is not None
    assert told.news is news


@pytest.mark.parametrize("recipients", ["x", True, [1], {"a": "b"}, [["x"]]])
def test_recipients_of_the_wrong_shape_are_an_error(recipients: object) -> None:
    with pytest.raises(EventError):
        poll(Recipients=recipients)


REPLY = {
    "ReceivedID": "R1",
    "ReceivedTimeUTC_RFC3339": "2023-10-16T02:43:00Z",
    "From": "+61421000001",
    "MessageText": "Yes",
}


def test_of_answers_without_end_to_one_sms_some_are_read() -> None:
    """A list of lists, each of them short enough, may hold fifty thousand in two megabytes."""
    many = status(Recipients=[{"SMSReplies": [REPLY] * 900}] * 40)
    assert len(from_replies(fields(many), "BRDG1", SYDNEY)) == MAX_REPLIES


def test_replies_are_listed_under_their_recipient() -> None:
    told = from_replies(fields(status(Recipients=[{"SMSReplies": [REPLY, REPLY]}, {}])), "BRDG1", SYDNEY)
    assert [(one.type, one.message_id, one.received_id, one.text) for one in told] == [
        ("reply", "BRDG1", "R1", "Yes")
    ] * 2
    assert told[0].vendor_at == AT


def test_received_messages_are_replies_when_they_name_an_sms_else_inbound() -> None:
    page = {
        "Result": "Success",
        "Messages": [{**REPLY, "MessageID": "BRDG1"}, REPLY, {**REPLY, "JobNum": "J"}],
    }
    told = from_received(fields(page), SYDNEY)
    assert [one.type for one in told] == ["reply", "inbound", "reply"]


def test_no_messages_are_no_events() -> None:
    assert from_received(fields({"Messages": None}), SYDNEY) == ()
    assert from_received(fields({"Messages": ""}), SYDNEY) == ()
