"""Polls over HTTP: the token, the shapes in JSON and XML, the ways of saying no, and faults."""

import httpx
import pytest
from defusedxml import ElementTree

from .conftest import DEPOT, Customer


@pytest.mark.parametrize(
    "authorization", ["", "Basic", "Basic wrong", "Bearer clinic-auth", "clinic-auth", "Basic Y2xpbmlj"]
)
async def test_a_poll_without_the_raw_token_is_refused(customer: Customer, authorization: str) -> None:
    headers = {"Authorization": authorization}
    answer = await customer.http.get(f"{customer.simulator.rest_url}/get/status/X", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"Result": "Failed", "ErrorMessage": "Unauthorized"})


async def test_only_get_polls(customer: Customer) -> None:
    assert (await customer.http.post(f"{customer.simulator.rest_url}/get/status/X")).status_code == 405


@pytest.mark.parametrize(
    ("shape", "http", "body"),
    [
        ("record-404", 404, '{"Result":"RecordNotFound","MessageID":"NONE"}'),
        ("record-400", 400, '{"Result":"RecordNotFound","MessageID":"NONE"}'),
        ("entry", 400, '{"Result":"Failed","MessageID":"NONE","ErrorMessage":["Unable to find entry."]}'),
        ("message", 404, '{"Result":"Failed","MessageID":"NONE","Message":"Message(s) NOT found"}'),
    ],
)
async def test_no_such_message_is_said_in_several_shapes(
    customer: Customer, shape: str, http: int, body: str
) -> None:
    customer.simulator.configure(not_found=shape)
    answer = await customer.poll("get/status/NONE")
    assert (answer.status_code, answer.text) == (http, body)


async def test_a_bare_404_says_nothing_of_a_message(customer: Customer) -> None:
    customer.simulator.configure(not_found="bare")
    answer = await customer.poll("get/status/NONE")
    assert (answer.status_code, "RecordNotFound" in answer.text) == (404, False)
    assert (await customer.log())[0]["answer"] == "not_found"


async def test_the_sms_of_another_account_does_not_exist(customer: Customer) -> None:
    await customer.send(MessageID="A1")
    assert (await customer.poll("get/status/A1", DEPOT.auth_token)).status_code == 404
    assert (await customer.poll("get/status/A1")).status_code == 200


async def test_a_status_in_xml_has_singular_children(customer: Customer) -> None:
    await customer.send(MessageID="X1")
    await customer.settled("X1")
    answer = await customer.poll("get/status/X1", Accept="application/xml")
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "root"
    assert root.findtext("Status") == "Completed"
    assert root.findtext("Recipients/Recipient/Result") == "delivered"


async def test_the_reply_poll_lists_the_answers_of_the_phone(customer: Customer) -> None:
    await customer.send(MessageID="R1")
    await customer.settled("R1")
    await customer.admin("reply", {"number": "0421000001", "text": "Ja, größer ✓"})
    document = (await customer.poll("get/sms/reply/R1")).json()
    (reply,) = document["Recipients"][0]["SMSReplies"]
    assert (reply["From"], reply["MessageText"]) == ("+61421000001", "Ja, größer ✓")
    assert reply["ReceivedTimeUTC_RFC3339"].endswith("Z")
    assert "SMSReplies" not in (await customer.status("R1"))["Recipients"][0]
    assert (await customer.poll("get/sms/reply/NONE")).status_code == 404


async def test_the_received_poll_pages_newest_first(customer: Customer) -> None:
    await customer.send(MessageID="R1")
    for index in range(5):
        await customer.admin("reply", {"number": "0421000001", "text": f"answer {index}"})
    await customer.admin("reply", {"number": "0421000002", "text": "nobody asked"})
    first = (await customer.poll("get/sms/received?recordsPerPage=4")).json()
    assert (first["TotalRecords"], first["PageCount"], first["Page"]) == (6, 2, 1)
    assert [m["MessageID"] for m in first["Messages"]] == ["", "R1", "R1", "R1"]
    second = (await customer.poll("get/sms/received?recordsPerPage=4&page=2")).json()
    assert [m["MessageText"] for m in second["Messages"]] == ["answer 1", "answer 0"]
    assert (await customer.poll("get/sms/received", DEPOT.auth_token)).json()["Messages"] == []
    old = (await customer.poll("get/sms/received?dateFrom=2020-01-01&dateTo=2020-01-02T00:00:00Z")).json()
    assert old["TotalRecords"] == 0
    recent = (await customer.poll("get/sms/received?dateFrom=2020-01-01")).json()
    assert recent["TotalRecords"] == 6
    future = (await customer.poll("get/sms/received?dateFrom=2999-01-01")).json()
    assert future["TotalRecords"] == 0
    assert (await customer.poll("get/sms/received?page=x")).json()["ErrorMessage"] == "Invalid page"
    many = "&".join(f"f{n}=1" for n in range(30))
    assert (await customer.poll(f"get/sms/received?{many}")).json()["TotalRecords"] == 6


async def test_polls_go_wrong_by_rule_for_a_while(customer: Customer) -> None:
    await customer.send(MessageID="P1")
    await customer.settled("P1")
    await customer.rule(on="status", action="not_found", times=1, number="+61421000001")
    await customer.rule(on="poll", action="state", state="Delayed", times=1)
    await customer.rule(on="status", action="refuse", status=500, reason="Oops", times=1)
    await customer.rule(on="status", action="raw", body="junk", times=1)
    await customer.rule(on="status", action="reset", times=1)
    assert (await customer.status("P1"))["Result"] == "RecordNotFound"
    delayed = await customer.status("P1")
    assert (delayed["Status"], delayed["Complete"], delayed["Recipients"][0]["Result"]) == (
        "Delayed",
        0,
        "Delayed",
    )
    assert (await customer.poll("get/status/P1")).status_code == 500
    assert (await customer.poll("get/status/P1")).text == "junk"
    with pytest.raises(httpx.ReadError):
        await customer.poll("get/status/P1")
    assert (await customer.status("P1"))["Status"] == "Completed"
    answers = [entry["answer"] for entry in await customer.log("?kind=status")][-6:]
    assert answers == ["not_found", "Delayed", "refuse", "raw", "reset", "Completed"]


async def test_a_state_rule_says_nothing_about_an_sms_that_is_not_there(customer: Customer) -> None:
    await customer.rule(on="status", action="state", state="Unknown")
    assert (await customer.poll("get/status/NONE")).status_code == 404
    await customer.send(MessageID="P1")
    assert (await customer.status("P1"))["Recipients"] == []
