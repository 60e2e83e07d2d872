"""Webhooks as they arrive at a real HTTP server: dress, repetition, faults, answers of phones."""

import dataclasses
import time
from typing import Any

import pytest

from bridge.simulator import Webhook

from .conftest import CLINIC, DEPOT, QUICK, Customer, Receiver, opened, until


def hooked(customer: Customer, receiver: Receiver, **more: Any) -> None:
    customer.simulator.configure(webhook=Webhook(receiver.url, **{"retry_ms": 20, **more}))


async def test_a_delivery_is_told_in_the_fields_of_the_vendors_page(
    customer: Customer, receiver: Receiver
) -> None:
    hooked(customer, receiver)
    await customer.send(MessageID="W1", text="x" * 200)
    (fields,) = await until(lambda: receiver.of("SMS"))
    assert (fields["Sender"], fields["Token"]) == (CLINIC.sender, CLINIC.token)
    assert (fields["MessageID"], fields["Status"], fields["Result"]) == ("W1", "SUCCESS", "delivered")
    assert (fields["Price"], fields["Detail"], fields["Destination"]) == (
        "0.20",
        "SMSParts:2",
        "+61421000001",
    )
    assert "authorization" not in receiver.hooks[0].headers


async def test_field_set_b_brings_headers_and_xml_if_wanted(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver, fields="B", format="xml", sender="hook@example.com", token="hook-secret")
    await customer.send(MessageID="W1")
    hook = (await until(lambda: receiver.hooks))[0]
    assert hook.headers["authorization"] == "hook-secret"
    assert hook.headers["x-sender"] == "hook@example.com"
    assert hook.headers["x-timestamp"].endswith("Z")
    assert hook.headers["content-type"].startswith("text/xml")
    assert (hook.fields["APIKey"], hook.fields["Version"]) == ("hook-secret", "2.04")
    assert "SentTimeUTC-RFC3339" in hook.fields


async def test_news_of_another_account_carries_its_credentials(
    customer: Customer, receiver: Receiver
) -> None:
    hooked(customer, receiver)
    await customer.send(Sender=DEPOT.sender, Token=DEPOT.token)
    (fields,) = await until(lambda: receiver.of("SMS"))
    assert fields["Token"] == DEPOT.token


async def test_a_webhook_is_repeated_until_it_is_answered_200(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver)
    receiver.answers = [500, 204, 302]
    await customer.send(MessageID="W1")
    await until(lambda: len(receiver.hooks) == 4)
    await until(lambda: customer.simulator.vendor.journal.entries(answer="taken"))
    assert [entry["http"] for entry in await customer.log("?kind=webhook")] == [500, 204, 302, 200]
    assert len({hook.body for hook in receiver.hooks}) == 1


async def test_the_vendor_gives_up_in_the_end(customer: Customer, receiver: Receiver) -> None:
    """However slow the machine: after the last try within ``give_up_ms`` there is no other."""
    hooked(customer, receiver, retry_ms=50, give_up_ms=60)
    receiver.answers = [500] * 100
    await customer.send(MessageID="W1")
    journal = customer.simulator.vendor.journal
    await until(lambda: journal.entries(answer="refused"))
    long_ago = time.monotonic()
    await until(lambda: time.monotonic() > long_ago + 0.5)
    receiver.answers.clear()
    await customer.send(number="0421000002", MessageID="W2")
    (taken,) = await until(lambda: journal.entries(answer="taken"))
    assert taken.message_id == "W2"
    assert len(journal.entries(answer="refused")) <= 2


async def test_a_webhook_that_cannot_connect_is_noted(customer: Customer) -> None:
    customer.simulator.configure(webhook=Webhook("http://127.0.0.1:9/", retry_ms=10_000))
    await customer.send()
    journal = customer.simulator.vendor.journal
    (entry,) = await until(lambda: journal.entries(answer="failed"))
    assert entry.reason == "ConnectError"
    customer.simulator.configure(webhook=Webhook("https://127.0.0.1:9/", retry_ms=10_000))
    await customer.send(text="2")
    await until(lambda: len(journal.entries(answer="failed")) == 2)


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ("9905", [("SUCCESS", "delivered-to-network"), ("UPDATED", "delivered")]),
        ("9913", [("SUCCESS", "delivered-to-network"), ("UPDATED", "Undelivered")]),
        ("9914", [("FAILED", "Undelivered"), ("UPDATED", "delivered")]),
        ("9917", [("PENDING", "Pending"), ("SUCCESS", "delivered")]),
    ],
)
async def test_later_news_follows(
    customer: Customer, receiver: Receiver, ending: str, told: list[tuple[str, str]]
) -> None:
    hooked(customer, receiver)
    await customer.send(number=f"042100{ending}")
    await until(lambda: len(receiver.hooks) == 2)
    assert [(fields["Status"], fields["Result"]) for fields in receiver.of("SMS")] == told


async def test_silent_fates_send_no_webhook(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver)
    for ending in ("9908", "9909", "9916", "9921"):
        await customer.send(number=f"042100{ending}", MessageID=f"M{ending}")
    await customer.settled("M9921")
    await customer.settled("M9909")
    await customer.send(MessageID="LAST")
    await until(lambda: receiver.hooks)
    assert [fields["MessageID"] for fields in receiver.of("SMS")] == ["LAST"]


async def test_a_phones_answer_is_matched_to_the_last_sms_it_got(
    customer: Customer, receiver: Receiver
) -> None:
    hooked(customer, receiver)
    await customer.send(MessageID="W1")
    await customer.send(MessageID="W2", text="second")
    await until(lambda: len(receiver.hooks) == 2)
    await customer.admin("reply", {"number": "+61421000001", "text": "Yes 👍\n<b>"})
    (fields,) = await until(lambda: receiver.of("SMSReply"))
    assert (fields["MessageID"], fields["Message"], fields["Status"]) == ("W2", "Yes 👍\n<b>", "RECEIVED")
    assert fields["Destination"] == "+61421000001"
    await customer.admin("reply", {"number": "0421000002", "text": "Hello?"})
    (fields,) = await until(lambda: receiver.of("SMSInbound"))
    assert (fields["MessageID"], fields["Message"]) == ("", "Hello?")


async def test_an_answer_after_the_window_is_inbound(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver)
    customer.simulator.configure(reply_window_ms=0)
    await customer.send(MessageID="W1")
    await until(lambda: receiver.hooks)
    await customer.admin("reply", {"number": "0421000001", "text": "late"})
    assert await until(lambda: receiver.of("SMSInbound"))


async def test_a_phone_can_answer_by_itself(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver)
    await customer.send(number="0421009918", MessageID="W1")
    (fields,) = await until(lambda: receiver.of("SMSReply"))
    assert fields["MessageID"] == "W1"


async def test_webhooks_can_be_lost_late_and_doubled(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver)
    await customer.rule(on="webhook", action="lose", message_id="LOST")
    await customer.rule(on="webhook", action="double", copies=3, message_id="MANY")
    await customer.rule(on="webhook", action="late", delay_ms=200, message_id="LATE", type="SMS")
    for index, message_id in enumerate(("LATE", "LOST", "MANY")):
        await customer.send(number=f"042100000{index}", MessageID=message_id)
    await until(lambda: len(receiver.hooks) == 4)
    assert [fields["MessageID"] for fields in receiver.of("SMS")] == ["MANY", "MANY", "MANY", "LATE"]
    assert len(await customer.log("?answer=lost")) == 1


async def test_two_webhooks_can_swap_places(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver)
    customer.simulator.configure(webhook_workers=1)
    await customer.rule(on="webhook", action="swap", times=1, delay_ms=20_000)
    await customer.send(number="0421009905", MessageID="W1")
    await until(lambda: len(receiver.hooks) == 2)
    assert {fields["Status"] for fields in receiver.of("SMS")} == {"UPDATED", "SUCCESS"}
    posted = [entry["text"].split()[1] for entry in await customer.log("?kind=webhook")]
    assert posted == ["UPDATED", "SUCCESS"]


async def test_a_webhook_held_back_goes_out_alone_in_the_end(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver)
    await customer.rule(on="webhook", action="swap", delay_ms=30)
    await customer.send(MessageID="W1")
    assert await until(lambda: receiver.of("SMS"))


async def test_an_event_can_be_made_by_hand(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver)
    await customer.send(number="0421009906", MessageID="W1")
    answer = await customer.admin("event", {"message_id": "W1", "status": "FAILED", "result": "Bad Number"})
    assert (answer.json()["status"], answer.json()["result"]) == ("FAILED", "Bad Number")
    (fields,) = await until(lambda: receiver.of("SMS"))
    assert (fields["Status"], fields["Result"]) == ("FAILED", "Bad Number")
    await customer.admin("event", {"id": answer.json()["id"], "status": "PENDING", "told": False})
    assert (await customer.status("W1"))["Status"] == "Pending"


async def test_any_body_can_be_posted_by_hand(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver, fields="B")
    assert (await customer.admin("event", {"raw": "<junk", "content_type": "text/xml"})).status_code == 202
    assert (await customer.admin("event", {"raw": {"Type": "SMS", "Price": None}})).status_code == 202
    await until(lambda: len(receiver.hooks) == 2)
    assert {hook.body for hook in receiver.hooks} == {b"<junk", b'{"Type":"SMS","Price":null}'}


async def test_nothing_is_posted_after_a_reset(customer: Customer, receiver: Receiver) -> None:
    hooked(customer, receiver)
    await customer.rule(on="webhook", action="late", delay_ms=1_000, message_id="OLD1")
    await customer.rule(on="webhook", action="swap", delay_ms=1_000, message_id="OLD2")
    for index in (1, 2):
        await customer.send(number=f"042100000{index}", MessageID=f"OLD{index}")
        await customer.settled(f"OLD{index}")
    customer.simulator.configure(delivery_delay_ms=1_000)
    await customer.send(number="0421000003", MessageID="OLD3")
    assert (await customer.admin("reset", {})).status_code == 204
    assert (await customer.messages(), await customer.log()) == ([], [])
    customer.simulator.configure(delivery_delay_ms=1_300)
    await customer.send(MessageID="NEW")
    await until(lambda: receiver.hooks)
    assert [fields["MessageID"] for fields in receiver.of("SMS")] == ["NEW"]


async def test_waiting_webhooks_are_bounded(receiver: Receiver) -> None:
    async with opened(dataclasses.replace(QUICK, max_records=3, delivery_delay_ms=0)) as customer:
        hooked(customer, receiver)
        await customer.rule(on="webhook", action="double", copies=100)
        await customer.send()
        journal = customer.simulator.vendor.journal
        await until(lambda: len(receiver.hooks) >= 3)
        assert len(journal.entries()) <= 3
        assert len(receiver.hooks) < 20


async def test_webhooks_stop_when_there_is_no_customer_any_more(
    customer: Customer, receiver: Receiver
) -> None:
    hooked(customer, receiver)
    receiver.answers = [500]
    await customer.send(MessageID="W1")
    await until(lambda: receiver.hooks)
    customer.simulator.configure(webhook=None)
    await customer.send(number="0421000002", MessageID="W2")
    await customer.settled("W2")
    assert [fields["MessageID"] for fields in receiver.of("SMS")] == ["W1"]
