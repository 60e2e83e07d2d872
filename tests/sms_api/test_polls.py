"""The three polls: only words say "no such message"; every other trouble is no answer."""

import json
import threading

import httpx
import pytest

from bridge.event import Fields, News
from bridge.sms import Kind
from bridge.sms_api import Credentials, Listed, Polled, reasons
from tests.sms_api.given import AUTH, SMS, an_sms, api_that

FOUND = {
    "Result": "Success",
    "MessageID": SMS.message_id,
    "Status": "Completed",
    "JobNum": "10C7B9A0",
    "Recipients": [
        {"Destination": SMS.number, "Status": "SUCCESS", "Result": "delivered", "Price": "0.20"},
    ],
}
RECORD = {"Result": "RecordNotFound", "MessageID": SMS.message_id}
ENTRY = {"Result": "Failed", "ErrorMessage": ["Unable to find entry."]}
MESSAGE = {"Result": "Failed", "Message": "Message(s) NOT found"}


def content(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


async def polled(status: int, body: object) -> Polled:
    async with api_that(lambda request: httpx.Response(status, content=content(body))) as api:
        return await api.status(SMS)


async def test_a_status_poll_asks_by_our_id_with_the_raw_token() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=FOUND)

    async with api_that(answer) as api:
        got = await api.status(SMS)
    assert got.input.kind is Kind.NEWS_DELIVERED
    assert (got.input.price, got.input.why) == (2_000, "delivered")
    assert got.event is not None
    assert (got.event.news, got.event.message_id, got.event.job) == (
        News.DELIVERED,
        SMS.message_id,
        "10C7B9A0",
    )
    (request,) = seen
    assert request.method == "GET"
    assert str(request.url) == f"https://vendor.example/rest/get/status/{SMS.message_id}"
    assert request.headers["authorization"] == f"Basic {AUTH}"
    assert request.headers["accept"] == "application/json"


async def test_a_long_answer_is_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 2 MB, made for it, takes three seconds: mails that come in meanwhile must not wait for them."""
    read_in: list[str] = []
    read = reasons.read

    def noted(body: bytes) -> Fields:
        read_in.append(threading.current_thread().name)
        return read(body)

    monkeypatch.setattr(reasons, "read", noted)
    long = b"<root><Result>Success</Result><Messages>" + b"<a/>" * 20_000 + b"</Messages></root>"
    async with api_that(lambda request: httpx.Response(200, content=long)) as api:
        for ask in (api.status, api.replies, api.send, lambda _: api.received("default", 5)):
            read_in.clear()
            await ask(SMS)
            assert {name.partition("_")[0] for name in read_in} == {"vendor-read"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, RECORD),
        (404, RECORD),
        (200, RECORD),
        (400, ENTRY),
        (404, ENTRY),
        (404, MESSAGE),
        (404, b"<root><Result>RecordNotFound</Result></root>"),
        (400, b"<root><Result>Failed</Result><ErrorMessage>Unable to find entry.</ErrorMessage></root>"),
    ],
)
async def test_only_words_say_no_such_message(status: int, body: object) -> None:
    got = await polled(status, body)
    assert got.input.kind is Kind.NO_SUCH
    assert not got.credentials_refused


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b""),
        (404, b"<html><body><h1>Not Found</h1></body></html>"),
        (404, {"Result": "Failed", "ErrorMessage": "Something else"}),
        (400, {"Result": "Failed"}),
        (400, b"junk"),
        (302, b""),
        (405, RECORD),
        (410, RECORD),
        (429, RECORD),
        (500, RECORD),
        (503, b""),
        (200, b""),
        (200, b"<html><body>Welcome to nginx!</body></html>"),
        (200, {"Result": "Success"}),
        (200, {"Status": "Completed"}),
        (200, {"Result": "Failed", "ErrorMessage": "Please try later"}),
        (200, {**FOUND, "Recipients": "x"}),
        (200, [FOUND]),
        (200, b"x" * 70_000),
    ],
)
async def test_everything_else_is_no_answer(status: int, body: object) -> None:
    got = await polled(status, body)
    assert got.input.kind is Kind.NO_ANSWER
    assert got.input.why
    assert not got.credentials_refused


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b""),
        (403, RECORD),
        (401, {"Result": "Failed", "ErrorMessage": "Unauthorized"}),
        (400, {"Result": "Failed", "ErrorMessage": "Invalid Auth Token"}),
        (200, {"Result": "Failed", "ErrorMessage": ["Unauthorized"]}),
    ],
)
async def test_refused_credentials_are_no_answer_and_said_so(status: int, body: object) -> None:
    got = await polled(status, body)
    assert (got.input.kind, got.credentials_refused) == (Kind.NO_ANSWER, True)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("Unknown", Kind.NOT_TOLD),
        ("Pending", Kind.PENDING),
        ("Delayed", Kind.PENDING),
        ("CreditHold", Kind.PENDING),
    ],
)
async def test_a_status_that_is_not_final_says_so(word: str, kind: Kind) -> None:
    got = await polled(200, {**FOUND, "Status": word})
    assert got.input.kind is kind


async def test_a_rejected_duplicate_found_by_poll_is_news_of_a_duplicate() -> None:
    one = {"Destination": SMS.number, "Status": "FAILED", "Result": "Rejected-Duplicate"}
    assert (await polled(200, {**FOUND, "Recipients": [one]})).input.kind is Kind.NEWS_DUPLICATE


async def test_xml_is_understood_as_well() -> None:
    body = b"""<?xml version="1.0" encoding="UTF-8"?><root><Result>Success</Result><Status>Completed</Status>
    <Recipients><Recipient><Status>FAILED</Status><Result>Undelivered</Result></Recipient></Recipients></root>"""
    got = await polled(200, body)
    assert (got.input.kind, got.input.why) == (Kind.NEWS_FAILED, "Undelivered")


async def test_a_broken_wire_is_no_answer() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(f"broken {AUTH}")

    async with api_that(fail) as api:
        got = await api.status(SMS)
        assert AUTH not in got.input.why
        assert (await api.replies(SMS)).why
        assert (await api.received("default", 5)).why
    assert got.input.kind is Kind.NO_ANSWER


async def test_an_account_without_auth_token_cannot_poll_and_asks_nobody() -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    accounts = {"default": Credentials("clinic@example.com", "token")}
    async with api_that(never, accounts=accounts) as api:
        assert api.accounts_with_polls == frozenset()
        assert (await api.status(SMS)).input.kind is Kind.NO_POLL
        assert (await api.status(an_sms(account="gone"))).input.kind is Kind.NO_POLL
        assert (await api.replies(SMS)).why
        assert (await api.received("default", 5)).why


async def test_a_poll_by_the_vendors_own_id_asks_for_that() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(200, json=FOUND)

    async with api_that(answer) as api:
        found = await api.status(SMS, "TH/EI RS?")
    assert found.event is not None
    assert found.event.message_id == SMS.message_id
    assert asked == ["/rest/get/status/TH%2FEI%20RS%3F"]


# --- replies and received ---

REPLY = {
    "ReceivedID": "R1",
    "From": SMS.number,
    "MessageText": "Yes",
    "ReceivedTimeUTC": "2023-10-16 02:43:00",
}


async def replies(status: int, body: object) -> Listed:
    async with api_that(lambda request: httpx.Response(status, content=content(body))) as api:
        return await api.replies(SMS)


async def test_a_reply_poll_lists_the_answers() -> None:
    got = await replies(200, {**FOUND, "Recipients": [{**FOUND, "SMSReplies": [REPLY]}]})
    assert [(one.received_id, one.text, one.message_id) for one in got.events] == [
        ("R1", "Yes", SMS.message_id)
    ]
    assert got.why == ""


async def test_a_reply_poll_of_an_unknown_sms_lists_nothing_and_is_answered() -> None:
    assert await replies(404, RECORD) == Listed()


@pytest.mark.parametrize(("status", "refused"), [(401, True), (500, False), (200, False), (302, False)])
async def test_a_reply_poll_that_is_not_answered_says_why(status: int, refused: bool) -> None:
    got = await replies(status, b"junk")
    assert got.events == ()
    assert got.why
    assert got.credentials_refused is refused


async def test_received_pages_are_asked_until_the_last() -> None:
    queries: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        queries.append(dict(request.url.params))
        page = int(request.url.params["page"])
        messages = [{**REPLY, "ReceivedID": f"R{page}"}]
        return httpx.Response(
            200, json={"Result": "Success", "PageCount": "2", "Page": page, "Messages": messages}
        )

    async with api_that(answer) as api:
        first, second = await api.received("default", 1_440, 1), await api.received("default", 1_440, 2)
    assert (first.last_page, second.last_page) == (False, True)
    assert queries[1] == {"timePeriod": "1440", "recordsPerPage": "100", "page": "2"}


@pytest.mark.parametrize(
    ("body", "last"),
    [
        ({"Result": "Success", "Messages": []}, True),
        ({"Result": "Success", "Messages": [REPLY]}, False),
        ({"Result": "Success", "Messages": [REPLY], "PageCount": "many"}, False),
        ({"Result": "Success", "Messages": [REPLY], "PageCount": ["x"]}, False),
    ],
)
async def test_without_a_page_count_an_empty_page_is_the_last(body: object, last: bool) -> None:
    async with api_that(lambda request: httpx.Response(200, content=content(body))) as api:
        assert (await api.received("default", 5)).last_page is last
