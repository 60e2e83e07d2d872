"""Sending to the vendor over HTTP: what it answers, what it makes, and every fault of an answer."""

import asyncio
import dataclasses
import time

import httpx
import pytest
from defusedxml import ElementTree

from bridge.simulator import exchange

from .conftest import CLINIC, DEPOT, QUICK, Customer, opened


async def test_a_good_request_is_answered_with_the_callers_id(customer: Customer) -> None:
    answer = await customer.send(MessageID="BRDG1")
    assert (answer.status_code, answer.json()) == (200, {"Result": "Success", "MessageID": "BRDG1"})
    status = await customer.settled("BRDG1")
    assert (status["Success"], status["Price"]) == (1, "0.10")
    (entry,) = await customer.log("?kind=send")
    assert (entry["created"], entry["answer"], entry["http"], entry["number"]) == (
        True,
        "success",
        200,
        "+61421000001",
    )


async def test_without_an_id_the_vendor_gives_its_own(customer: Customer) -> None:
    given = (await customer.send()).json()["MessageID"]
    assert len(given) == 36
    assert given == given.upper()
    assert (await customer.settled(given.lower()))["MessageID"] == given


async def test_a_refusal_says_why_in_json_xml_or_text(customer: Customer) -> None:
    answer = await customer.send(number="12")
    reason = "Error - Could not find any valid destination(s)."
    assert (answer.status_code, answer.json()) == (400, {"Result": "Failed", "ErrorMessage": reason})
    form = {"Sender": CLINIC.sender, "Token": "wrong", "Number": "1", "Message": "x"}
    xml = await customer.http.post(
        customer.simulator.send_url, data=form, headers={"Accept": "application/xml"}
    )
    assert xml.headers["content-type"].startswith("text/xml")
    assert ElementTree.fromstring(xml.content).findtext("ErrorMessage") == "Unauthorized"
    customer.simulator.configure(errors="list")
    assert (await customer.send(number="12")).json()["ErrorMessage"] == [reason]
    customer.simulator.configure(errors="text")
    assert (await customer.send(number="12")).text == reason
    assert not await customer.messages()
    assert {entry["answer"] for entry in await customer.log()} == {"refused"}


async def test_only_a_post_sends(customer: Customer) -> None:
    assert (await customer.http.get(customer.simulator.send_url)).status_code == 405


async def test_a_request_over_the_limit_is_refused(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY", 1_000)
    assert (await customer.send(text="x" * 1_001)).status_code == 413


async def test_a_client_that_leaves_before_its_request_is_whole_makes_nothing(customer: Customer) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", customer.simulator.port)
    writer.write(
        b"POST /api/v2.04/HttpApi/SMS HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nSender="
    )
    await writer.drain()
    writer.close()
    await customer.send()
    assert len(await customer.log()) == 1


async def test_test_mode_is_taken_and_costs_nothing(customer: Customer) -> None:
    await customer.send(MessageID="T1", Mode="Test")
    assert (await customer.settled("T1"))["Price"] == "0.00"
    assert (await customer.messages())[0]["test"] is True
    answer = await customer.admin("reply", {"number": "0421000001", "text": "what?"})
    assert answer.json()["answers"] == ""


async def test_a_long_text_is_billed_by_parts_and_cut_where_the_account_ends(customer: Customer) -> None:
    customer.simulator.configure(max_segments=2)
    await customer.send(text="a" * 500, MessageID="L1")
    (made,) = await customer.messages()
    assert (made["segments"], len(made["text"]), made["price"]) == (2, 306, "0.20")


async def test_the_same_text_within_a_minute_is_rejected_as_a_duplicate(customer: Customer) -> None:
    await customer.send(MessageID="D1")
    await customer.send(MessageID="D2")
    await customer.send(MessageID="D3", Sender=DEPOT.sender, Token=DEPOT.token)
    assert (await customer.settled("D2"))["Recipients"][0]["Result"] == "Rejected-Duplicate"
    assert (await customer.settled("D1"))["Success"] == 1
    customer.simulator.configure(duplicate_window_ms=0)
    await asyncio.sleep(0.01)
    await customer.send(MessageID="D4")
    assert (await customer.settled("D4"))["Success"] == 1


async def test_a_message_id_used_twice_makes_two_sms_and_polls_tell_of_the_latest(customer: Customer) -> None:
    await customer.send(text="one", MessageID="TWICE")
    await customer.send(text="two", number="0421009901", MessageID="TWICE")
    assert (await customer.settled("TWICE"))["Recipients"][0]["Result"] == "Undelivered"
    assert len(await customer.messages()) == 2


async def test_the_vendor_may_answer_with_its_own_id(customer: Customer) -> None:
    customer.simulator.configure(message_id="own")
    given = (await customer.send(MessageID="MINE")).json()["MessageID"]
    assert given != "MINE"
    assert (await customer.settled("MINE"))["MessageID"] == given
    customer.simulator.configure(message_id="own-only")
    hidden = (await customer.send(text="2", MessageID="MINE2")).json()["MessageID"]
    assert (await customer.poll("get/status/MINE2")).status_code == 404
    assert (await customer.poll(f"get/status/{hidden}")).status_code == 200


async def test_a_wrong_token_at_a_lenient_vendor_is_answered_and_never_made() -> None:
    async with opened(dataclasses.replace(QUICK, strict=False)) as customer:
        answer = await customer.send(Token="wrong", MessageID="S1")
        assert answer.json() == {"Result": "Success", "MessageID": "S1"}
        assert not await customer.messages()
        assert (await customer.poll("get/status/S1")).json()["Result"] == "RecordNotFound"
        assert (await customer.log("?kind=send"))[0]["answer"] == "silent"


@pytest.mark.parametrize("made", [False, True])
async def test_a_timeout_can_come_before_or_after_the_sms_is_made(customer: Customer, made: bool) -> None:
    await customer.rule(action="timeout", created=made, times=1)
    with pytest.raises(httpx.ReadTimeout):
        await customer.http.post(
            customer.simulator.send_url,
            data={"Sender": CLINIC.sender, "Token": CLINIC.token, "Number": "0421000001", "Message": "x"},
            timeout=0.3,
        )
    assert bool(await customer.messages()) is made
    assert (await customer.log("?kind=send"))[0]["created"] is made


async def test_a_timeout_ends_by_hanging_up(customer: Customer) -> None:
    await customer.rule(action="timeout", hold_ms=50)
    with pytest.raises(httpx.RemoteProtocolError):
        await customer.send()


@pytest.mark.parametrize("made", [False, True])
async def test_a_reset_can_come_before_or_after_the_sms_is_made(customer: Customer, made: bool) -> None:
    await customer.rule(action="reset", created=made)
    with pytest.raises(httpx.ReadError):
        await customer.send()
    assert bool(await customer.messages()) is made


async def test_a_hang_up_is_a_connection_closed_without_an_answer(customer: Customer) -> None:
    await customer.rule(action="hangup", created=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await customer.send()
    assert len(await customer.messages()) == 1


@pytest.mark.parametrize("made", [False, True])
async def test_a_server_error_can_hide_a_made_sms(customer: Customer, made: bool) -> None:
    await customer.rule(action="refuse", status=503, reason="Busy", created=made)
    answer = await customer.send()
    assert (answer.status_code, answer.json()["ErrorMessage"]) == (503, "Busy")
    assert bool(await customer.messages()) is made


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 429, 500])
async def test_any_status_and_reason_can_be_asked_for(customer: Customer, status: int) -> None:
    await customer.rule(action="refuse", status=status, reason="Because", retry_after=7)
    answer = await customer.send()
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert answer.json() == {"Result": "Failed", "ErrorMessage": "Because"}
    assert not await customer.messages()


@pytest.mark.parametrize("body", ["", "OK Thanks", "<html>junk", '{"Result":'])
async def test_an_unreadable_200_is_made_unless_it_says_otherwise(customer: Customer, body: str) -> None:
    await customer.rule(action="raw", body=body)
    answer = await customer.send()
    assert (answer.status_code, answer.text) == (200, body)
    assert len(await customer.messages()) == 1


async def test_a_redirect_leads_away(customer: Customer) -> None:
    await customer.rule(action="redirect", location="http://127.0.0.1:9/x")
    answer = await customer.send()
    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:9/x")
    assert not await customer.messages()


async def test_a_drip_brings_the_right_answer_byte_by_byte(customer: Customer) -> None:
    await customer.rule(action="drip", interval_ms=5)
    began = time.monotonic()
    answer = await customer.send(MessageID="SLOW")
    assert answer.json()["MessageID"] == "SLOW"
    assert time.monotonic() - began > 0.1
    assert (await customer.log("?kind=send"))[0]["answer"] == "drip"


async def test_a_delay_brings_the_right_answer_late_even_a_refusal(customer: Customer) -> None:
    await customer.rule(action="delay", delay_ms=50)
    began = time.monotonic()
    assert (await customer.send(number="1")).status_code == 400
    assert time.monotonic() - began >= 0.05


async def test_rules_can_make_silence_own_ids_and_any_outcome(customer: Customer) -> None:
    await customer.rule(action="silent", text="silent")
    await customer.rule(action="own_id", text="own")
    await customer.rule(action="outcome", outcome="content", text="fails")
    assert (await customer.send(text="silent", MessageID="A1")).json()["MessageID"] == "A1"
    assert (await customer.send(text="own", MessageID="A2")).json()["MessageID"] != "A2"
    assert (await customer.send(text="fails", MessageID="A3")).json()["MessageID"] == "A3"
    assert (await customer.settled("A3"))["Recipients"][0]["Result"] == "Rejected-Message Content Issue"
    assert [entry["created"] for entry in await customer.log("?kind=send")] == [False, True, True]


async def test_magic_numbers_can_be_turned_off(customer: Customer) -> None:
    assert (await customer.send(number="0421009961")).status_code == 400
    customer.simulator.configure(magic=False)
    assert (await customer.send(number="0421009961")).status_code == 200


@pytest.mark.parametrize(
    ("ending", "state", "status", "result"),
    [
        ("9901", "Completed", "FAILED", "Undelivered"),
        ("9903", "Completed", "FAILED", "Destination is blacklisted"),
        ("9904", "Completed", "SUCCESS", "delivered-to-network"),
        ("9908", "CreditHold", "PENDING", "CreditHold"),
        ("9909", "Completed", "FAILED", "LinkNotPermitted"),
        ("9907", "Delayed", "PENDING", "Delayed"),
        ("9906", "Pending", "PENDING", "Pending"),
        ("9915", "Completed", "FAILED", "Control Deleted"),
    ],
)
async def test_a_magic_ending_chooses_the_fate(
    customer: Customer, ending: str, state: str, status: str, result: str
) -> None:
    await customer.send(number=f"042100{ending}", MessageID="M1")
    document = await customer.settled("M1", state)
    assert (document["Recipients"][0]["Status"], document["Recipients"][0]["Result"]) == (status, result)
    assert document["Price"] == (
        "0.00" if result in ("Destination is blacklisted", "Control Deleted") else "0.10"
    )


async def test_an_unknown_status_names_no_recipients(customer: Customer) -> None:
    await customer.send(number="0421009916", MessageID="U1")
    assert (await customer.settled("U1", "Unknown"))["Recipients"] == []


async def test_held_and_dripping_requests_do_not_keep_the_vendor_from_stopping() -> None:
    async with opened(QUICK) as customer:
        await customer.rule(action="timeout", text="hold")
        await customer.rule(action="drip", interval_ms=60_000, text="drip")
        waiting = [asyncio.create_task(customer.send(text=text)) for text in ("hold", "drip")]
        while len(await customer.log("?kind=send")) < 2:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        customer.simulator.vendor.close()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert time.monotonic() - began < 10
    assert isinstance(answers[0], httpx.RemoteProtocolError)
    assert isinstance(answers[1], httpx.Response)


def test_connections_break_under_uvloop_too() -> None:
    async def broken() -> list[str]:
        errors: list[str] = []
        async with opened(QUICK) as customer:
            for action in ("reset", "hangup", "timeout"):
                await customer.rule(action=action, hold_ms=20, created=True, times=1)
                with pytest.raises(httpx.TransportError) as caught:
                    await customer.send(number=f"042100000{len(errors)}")
                errors.append(type(caught.value).__name__)
            assert len(await customer.messages()) == 3
        return errors

    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(broken()) == ["ReadError", "RemoteProtocolError", "RemoteProtocolError"]
