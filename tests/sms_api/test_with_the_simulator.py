"""The vendor's edge against the simulated vendor, over HTTP, in every dress the vendor may wear."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from bridge.simulator import Account, Settings, Simulator, running
from bridge.sms import Kind, Sms
from bridge.sms_api import Credentials, Polled, SmsApi
from tests.sms_api.given import an_sms, api_to

ACCOUNT = Account("clinic@example.com", "t0k3n", "auth-token")
QUICK = Settings(port=0, accounts=(ACCOUNT,), delivery_delay_ms=5)
ACCOUNTS = {"default": Credentials(ACCOUNT.sender, ACCOUNT.token, ACCOUNT.auth_token)}


def api_of(vendor: Simulator, **settings: Any) -> AbstractAsyncContextManager[SmsApi]:
    """Return the vendor's edge, led to a simulated vendor."""
    urls = {"send_url": vendor.send_url, "rest_url": vendor.rest_url}
    return api_to(vendor.url, **{"accounts": ACCOUNTS, **urls, **settings})


async def delivered(api: SmsApi, sms: Sms, message_id: str | None = None) -> Polled:
    """Poll until the vendor says delivered; until then it must say pending."""
    for _ in range(1_000):
        polled = await api.status(sms, message_id)
        if polled.input.kind is Kind.NEWS_DELIVERED:
            return polled
        assert polled.input.kind is Kind.PENDING
        await asyncio.sleep(0.02)
    raise AssertionError("it was never delivered")


@pytest.mark.parametrize(
    "settings",
    [
        QUICK,
        replace(QUICK, not_found="record-400", errors="list"),
        replace(QUICK, not_found="entry", errors="text"),
        replace(QUICK, not_found="message", message_id="own"),
    ],
)
async def test_a_send_is_found_by_poll_and_an_unknown_one_is_not(settings: Settings) -> None:
    async with running(settings) as vendor, api_of(vendor) as api:
        assert (await api.status(an_sms())).input.kind is Kind.NO_SUCH
        sent = await api.send(an_sms())
        assert sent.input.kind is Kind.SENT
        assert bool(sent.vendor_ids) is (settings.message_id == "own")
        polled = await delivered(api, an_sms())
        assert (polled.input.price, polled.input.why) == (1_000, "delivered")


async def test_an_sms_that_the_vendor_knows_under_its_own_id_alone_is_found_by_that() -> None:
    async with running(replace(QUICK, message_id="own-only")) as vendor, api_of(vendor) as api:
        sent = await api.send(an_sms())
        assert (await api.status(an_sms())).input.kind is Kind.NO_SUCH
        await delivered(api, an_sms(), sent.vendor_ids[0])


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("9951", Kind.REFUSED_SMS),
        ("9952", Kind.RATE_LIMITED),
        ("9953", Kind.UNCLEAR),
        ("9954", Kind.UNCLEAR),
        ("9955", Kind.UNCLEAR),
        ("9956", Kind.UNCLEAR),
        ("9957", Kind.UNCLEAR),
        ("9958", Kind.UNCLEAR),
        ("9959", Kind.UNCLEAR),
        ("9960", Kind.SENT),
        ("9961", Kind.REFUSED_ACCOUNT),
        ("9962", Kind.REFUSED_UNREAD),
    ],
)
async def test_each_fault_of_the_answer_is_what_it_is(ending: str, kind: Kind) -> None:
    created = ending in ("9954", "9956", "9958", "9959")
    deadline_ms = 800 if ending in ("9955", "9956") else 20_000
    sms = an_sms(number=f"+6142100{ending}")
    async with running(QUICK) as vendor, api_of(vendor, send_timeout_ms=deadline_ms) as api:
        assert (await api.send(sms)).input.kind is kind
        polled = await api.status(sms)
        assert (polled.input.kind is not Kind.NO_SUCH) is created


async def test_wrong_credentials_are_refused_for_sends_and_polls() -> None:
    wrong = {"default": Credentials(ACCOUNT.sender, "wrong", "wrong")}
    async with running(QUICK) as vendor, api_of(vendor, accounts=wrong) as api:
        assert (await api.send(an_sms())).input.kind is Kind.REFUSED_ACCOUNT
        assert (await api.status(an_sms())).credentials_refused
        assert (await api.received("default", 5)).credentials_refused


async def test_what_phones_write_is_listed_as_reply_and_as_received() -> None:
    async with running(QUICK) as vendor, api_of(vendor) as api:
        await api.send(an_sms())
        vendor.vendor.receive(an_sms().number, "Yes 👍\nthanks")
        vendor.vendor.receive("+61421000099", "Who is this?")
        replies = await api.replies(an_sms())
        assert [(one.text, one.phone) for one in replies.events] == [("Yes 👍\nthanks", an_sms().number)]
        received = await api.received("default", 60)
        assert {(one.type, one.text) for one in received.events} == {
            ("reply", "Yes 👍\nthanks"),
            ("inbound", "Who is this?"),
        }
        assert received.last_page
        assert replies.events[0].received_id in {one.received_id for one in received.events}


async def test_more_than_a_page_of_received_sms_is_listed_whole() -> None:
    async with running(QUICK) as vendor, api_of(vendor) as api:
        for count in range(120):
            vendor.vendor.receive("+61421000099", f"text {count}")
        pages = [await api.received("default", 60, page) for page in (1, 2)]
        assert [len(page.events) for page in pages] == [100, 20]
        assert [page.last_page for page in pages] == [False, True]
