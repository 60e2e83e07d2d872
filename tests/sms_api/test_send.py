"""One send: what goes over the wire, and what each answer means for SMS and account."""

import json
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.retry import Answer
from bridge.sms import Kind
from bridge.sms_api import Outcome
from bridge.sms_api.sending import retry_after_ms
from tests.sms_api.given import AUTH, SMS, TOKEN, an_sms, api_that

SUCCESS = {"Result": "Success", "MessageID": "AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE"}


async def outcome_of(status: int, body: object = b"", **headers: str) -> Outcome:
    """Send one SMS to a vendor that answers so."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with api_that(lambda request: httpx.Response(status, content=content, headers=names)) as api:
        return await api.send(SMS)


async def form_sent(**settings: str) -> list[tuple[str, str]]:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=SUCCESS)

    sms = an_sms(mode=settings.pop("sms_mode", "live"))
    async with api_that(answer, mode=settings.get("mode", "live")) as api:
        await api.send(sms, settings.get("reply_to"))
    (request,) = seen
    assert request.method == "POST"
    assert str(request.url) == "https://vendor.example/HttpApi/SMS"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return parse_qsl(request.content.decode("ascii"), keep_blank_values=True, strict_parsing=True)


FIELDS = [
    ("Sender", "clinic@example.com"),
    ("Token", TOKEN),
    ("Number", "+61421000001"),
    ("Message", "Grüße & more=less 👍"),
    ("MessageID", "BRDG0123456789ABCDEFGHIJ"),
]


async def test_a_live_send_has_exactly_the_vendors_fields() -> None:
    assert await form_sent() == FIELDS


async def test_a_reply_address_is_sent_along() -> None:
    assert await form_sent(reply_to="reply+k@sms.local") == [*FIELDS, ("SMSEmailReply", "reply+k@sms.local")]


@pytest.mark.parametrize("settings", [{"mode": "test"}, {"sms_mode": "test"}])
async def test_test_mode_of_the_vendor_or_the_sms_asks_for_mode_test(settings: dict[str, str]) -> None:
    assert await form_sent(**settings) == [*FIELDS, ("Mode", "Test")]


async def test_success_is_sent_and_keeps_the_vendors_own_id() -> None:
    sent = await outcome_of(200, SUCCESS)
    assert (sent.input.kind, sent.answer, sent.vendor_ids) == (
        Kind.SENT,
        Answer.CLEAR,
        (SUCCESS["MessageID"],),
    )
    assert sent.input.attempt == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<root><Result>Success</Result><MessageID>X</MessageID></root>",
        b"OK Thanks",
        b"OK, OK Thanks\r\n",
        {"result": "SUCCESS", "MessageID": ["odd"]},
    ],
)
async def test_success_in_another_dress_is_sent(body: object) -> None:
    assert (await outcome_of(200, body)).input.kind is Kind.SENT


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html><body>Welcome to nginx!</body></html>"),
        (200, b'{"Result": "Succ'),
        (200, {"MessageID": "X"}),
        (200, {"Result": ["Success"]}),
        (200, [SUCCESS]),
        (204, b""),
        (200, b'{"Result": "Success", "Result": "Failed"}'),
        (200, b"x" * 70_000),
        (408, b""),
        (500, SUCCESS),
        (502, b"<html>"),
        (503, {"Result": "Failed", "ErrorMessage": "Unauthorized"}),
        (599, b""),
    ],
)
async def test_an_answer_that_says_neither_is_unclear(status: int, body: object) -> None:
    got = await outcome_of(status, body)
    assert (got.input.kind, got.answer) == (Kind.UNCLEAR, Answer.UNCLEAR)
    assert got.input.why


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 407, 410, 415])
async def test_redirects_and_refused_access_are_about_the_account(status: int) -> None:
    got = await outcome_of(status, b"whatever", location="https://elsewhere.example/")
    assert (got.input.kind, got.answer) == (Kind.REFUSED_ACCOUNT, Answer.ACCOUNT)
    assert str(status) in got.input.why


ACCOUNT_REASONS = [
    "Missing Sender",
    "Missing APIKey",
    "Invalid sender format",
    "Unauthorized",
    "Missing or empty sender",
    "Insufficient credit",
    "Account suspended",
]
SMS_REASONS = [
    "Missing or empty destinations",
    "Error - Could not find any valid destination(s).",
    "Missing or empty message",
    "Destination is blacklisted",
    "Bad Number",
    "Rejected-Country Blocked-Account Policy",
]
UNREAD_REASONS = ["Error occurred while creating job", "Missing message data", "The moon is wrong", ""]


def dressed(reason: str) -> list[object]:
    return [
        {"Result": "Failed", "ErrorMessage": reason},
        {"Result": "Failed", "ErrorMessage": [reason, ""]},
        {"Result": "Failed", "Message": reason},
        f"<root><Result>Failed</Result><ErrorMessage>{reason}</ErrorMessage></root>".encode(),
        reason.encode(),
    ]


@pytest.mark.parametrize("reason", ACCOUNT_REASONS)
async def test_known_reasons_about_the_account_stop_it_in_every_dress(reason: str) -> None:
    for body in dressed(reason):
        got = await outcome_of(400, body)
        assert (got.input.kind, got.answer, got.input.why) == (Kind.REFUSED_ACCOUNT, Answer.ACCOUNT, reason)


@pytest.mark.parametrize("reason", SMS_REASONS)
async def test_known_reasons_about_number_or_text_fail_the_sms_in_every_dress(reason: str) -> None:
    for body in dressed(reason):
        got = await outcome_of(400, body)
        assert (got.input.kind, got.answer, got.input.why) == (Kind.REFUSED_SMS, Answer.CLEAR, reason)


@pytest.mark.parametrize("reason", UNREAD_REASONS)
async def test_a_reason_we_do_not_know_holds_the_sms_in_every_dress(reason: str) -> None:
    for body in dressed(reason):
        got = await outcome_of(400, body)
        assert (got.input.kind, got.answer) == (Kind.REFUSED_UNREAD, Answer.UNREAD)
        assert reason in got.input.why


async def test_a_refusal_page_of_some_proxy_is_a_reason_we_do_not_know() -> None:
    got = await outcome_of(400, b"<html><body>Unauthorized by the firewall<br></body></html>")
    assert (got.input.kind, got.input.why) == (Kind.REFUSED_UNREAD, "HTTP 400")


async def test_failed_with_200_is_a_refusal_too() -> None:
    unread = await outcome_of(200, {"Result": "Failed", "ErrorMessage": "Error occurred while creating job"})
    assert unread.input.kind is Kind.REFUSED_UNREAD
    account = await outcome_of(200, {"Result": "Failed", "ErrorMessage": ["Unauthorized"]})
    assert account.input.kind is Kind.REFUSED_ACCOUNT


async def test_a_duplicate_is_told_as_such_since_it_proves_an_earlier_send() -> None:
    got = await outcome_of(400, {"Result": "Failed", "ErrorMessage": "Rejected-Duplicate"})
    assert (got.input.kind, got.answer) == (Kind.NEWS_DUPLICATE, Answer.CLEAR)


@pytest.mark.parametrize(
    ("header", "wait_ms"),
    [
        ("7", 7_000),
        ("0", 1_000),
        ("999999999999", 900_000),
        ("", 5_000),
        ("soon", 5_000),
        ("-3", 5_000),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 1_000),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 900_000),
    ],
)
async def test_a_429_waits_as_long_as_it_says_within_bounds(header: str, wait_ms: int) -> None:
    got = await outcome_of(429, b"slow down", **({"Retry_After": header} if header else {}))
    assert (got.input.kind, got.answer, got.input.wait_ms) == (Kind.RATE_LIMITED, None, wait_ms)


def test_a_retry_after_date_is_counted_from_now() -> None:
    assert retry_after_ms("Thu, 01 Jan 1970 00:01:00 GMT", 48_000) == 12_000


async def test_an_account_that_is_not_configured_is_not_sent_with() -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError("sent")

    async with api_that(never) as api:
        got = await api.send(an_sms(account="gone"))
    assert got.input.kind is Kind.REFUSED_ACCOUNT


@pytest.mark.parametrize("secret", [TOKEN, AUTH])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
async def test_no_secret_that_the_vendor_echoes_gets_into_a_reason(status: int, secret: str) -> None:
    from base64 import b64encode
    from urllib.parse import quote

    echoes = f"token {secret} or {quote(secret, safe='')} or {b64encode(secret.encode()).decode()}"
    for body in ({"Result": "Failed", "ErrorMessage": echoes}, echoes.encode()):
        why = (await outcome_of(status, body)).input.why
        assert "secret" not in why
        assert b64encode(secret.encode()).decode().rstrip("=") not in why


async def test_reasons_are_one_bounded_line_of_ascii() -> None:
    why = (
        await outcome_of(400, {"Result": "Failed", "ErrorMessage": "é\r\nBcc: x\x1b[2J" + "y" * 5_000})
    ).input.why
    assert why.isascii()
    assert why.isprintable()
    assert len(why) <= 220


_ANY_BODY = st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.text(max_size=20),
    lambda inner: st.dictionaries(
        st.sampled_from(["Result", "MessageID", "ErrorMessage", "Message", "JobNum"]), inner, max_size=4
    ),
    max_leaves=6,
).map(lambda value: json.dumps(value).encode())


@given(st.integers(200, 599), _ANY_BODY)
def test_any_answer_is_an_outcome(status: int, body: bytes) -> None:
    from bridge.sms_api.reasons import Scrubber
    from bridge.sms_api.sending import outcome
    from bridge.sms_api.wire import Answer as Heard

    got = outcome(SMS, Heard(status, {}, body), Scrubber([TOKEN]), 0)
    assert got.input.attempt == SMS.attempts
    if got.input.kind is Kind.SENT:
        assert status < 300
