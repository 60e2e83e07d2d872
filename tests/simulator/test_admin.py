"""The admin routes: journal, books, rules, settings, and what they refuse."""

import pytest

from .conftest import CLINIC, Customer


async def test_the_log_can_be_read_in_pages_and_filtered(customer: Customer) -> None:
    for index in range(4):
        await customer.send(number=f"042100000{index}", MessageID=f"A{index}")
    await customer.status("A1")
    assert [entry["message_id"] for entry in await customer.log("?after=1&limit=2")] == ["A1", "A2"]
    assert [entry["kind"] for entry in await customer.log("?message_id=A1")] == ["send", "status"]
    assert len(await customer.log("?number=%2B61421000003")) == 1
    assert (await customer.admin("log?limit=many")).json() == {"error": "limit: a whole number"}


async def test_messages_can_be_read_in_pages_and_filtered(customer: Customer) -> None:
    for index in range(3):
        await customer.send(number=f"042100000{index}", MessageID=f"A{index}")
    await customer.admin("reply", {"number": "0421000001", "text": "hi"})
    assert [m["id"] for m in await customer.messages("?after=1&limit=2")] == [2, 3]
    assert [m["direction"] for m in await customer.messages("?number=%2B61421000001")] == ["in", "out"]
    (answer,) = await customer.messages("?direction=out")
    assert (answer["text"], answer["answers"]) == ("hi", "A1")


async def test_rules_can_be_made_listed_and_taken_away(customer: Customer) -> None:
    first = await customer.rule(action="refuse", status=500, times=3)
    second = await customer.rule(action="reset", number="+61421000009")
    await customer.send()
    listed = (await customer.admin("rules")).json()["rules"]
    assert [(rule["id"], rule["hits"]) for rule in listed] == [(first, 1), (second, 0)]
    assert (await customer.admin(f"rules/{first}", method="DELETE")).status_code == 204
    assert (await customer.admin(f"rules/{first}", method="DELETE")).status_code == 404
    assert (await customer.send()).status_code == 200
    assert (await customer.admin("rules", method="DELETE")).status_code == 204
    assert (await customer.admin("rules")).json() == {"rules": []}
    bad = await customer.admin("rules", {"action": "dance"})
    assert bad.status_code == 400
    assert "action on send" in bad.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("reply", {"number": "1", "text": "x"}, "number"),
        ("reply", {"number": "0421000001", "text": " "}, "text"),
        ("reply", {"number": 1, "text": "x"}, "number: a text"),
        ("reply", [], "object"),
        ("event", {"message_id": "NONE"}, "no such SMS"),
        ("event", {"id": 7}, "no such SMS"),
        ("settings", {"port": 1}, "port: cannot be changed"),
        ("settings", {"nonsense": 1}, "nonsense"),
        ("settings", {"strict": 1}, "strict: bool expected"),
        ("settings", {"message_id": "x"}, "message_id: one of"),
        ("settings", {"delivery_delay_ms": -1}, "delivery_delay_ms: int"),
        ("settings", {"accounts": []}, "accounts"),
        ("settings", {"accounts": ["x"]}, "accounts: an object"),
        ("settings", {"webhook": {}}, "webhook"),
        ("settings", {"webhook": {"link": ""}}, "webhook: keys"),
        ("settings", {"timezone": "Mars"}, "timezone"),
        ("settings", {"webhook": {"url": 1}}, "webhook.url: str"),
    ],
)
async def test_what_cannot_be_honoured_is_refused(
    customer: Customer, path: str, body: object, error: str
) -> None:
    answer = await customer.admin(path, body)
    assert answer.status_code == 400
    assert error in answer.json()["error"]


async def test_an_event_with_an_unknown_status_is_refused(customer: Customer) -> None:
    await customer.send(MessageID="A1")
    answer = await customer.admin("event", {"message_id": "A1", "status": "MAYBE"})
    assert (answer.status_code, "status: one of" in answer.text) == (400, True)


async def test_settings_change_while_running(customer: Customer) -> None:
    changes = {
        "webhook": {"url": "http://127.0.0.1:9/", "format": "xml"},
        "reply_mail": {"host": "127.0.0.1", "port": 9},
        "accounts": [{"sender": "new@example.com", "token": "t", "auth_token": "a"}],
        "delivery_delay_ms": 5,
    }
    shown = (await customer.admin("settings", changes)).json()
    assert (shown["webhook"]["format"], shown["reply_mail"]["port"]) == ("xml", 9)
    assert (await customer.admin("settings")).json() == shown
    assert (await customer.send()).json()["ErrorMessage"] == "Unauthorized"
    assert (await customer.send(Sender="new@example.com", Token="t")).status_code == 200
    assert (await customer.admin("settings", {"webhook": None})).json()["webhook"] is None
    assert CLINIC.token not in (await customer.admin("settings")).text


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff", b"x" * 1_000_001])
async def test_a_body_that_is_not_json_or_too_large_is_refused(customer: Customer, body: bytes) -> None:
    answer = await customer.http.post(f"{customer.simulator.url}/admin/rules", content=body)
    assert answer.status_code == 400


async def test_other_sites_pages_are_kept_out(customer: Customer) -> None:
    url, evil = f"{customer.simulator.url}/admin/reset", {"Origin": "http://evil.example"}
    assert (await customer.http.post(url, headers=evil)).status_code == 403
    assert (await customer.http.get(f"{customer.simulator.url}/phone/live", headers=evil)).status_code == 403
    assert (await customer.http.post(url, headers={"Origin": customer.simulator.url})).status_code == 204
    for path in ("/", "/admin/log", "/phone/thread"):
        answer = await customer.http.get(customer.simulator.url + path, headers={"Host": "evil.example:80"})
        assert answer.status_code == 421
    named = await customer.http.get(customer.simulator.url + "/", headers={"Host": "localhost:8081"})
    assert named.status_code == 200
    assert (
        await customer.http.get(customer.simulator.url + "/", headers={"Host": "[::1]"})
    ).status_code == 200
