"""What the desk lets in and what it says with every answer: Host names, headers, faults, health, metrics."""

import sqlite3
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message

from bridge.event import Event, News
from bridge.retry import Answer
from bridge.sms import Input, Kind, State
from bridge.store import Node, SmsFilter
from tests.web import given
from tests.web.given import Desk

STRICT = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PATHS = ["/", "/mails", "/mails/1", "/mails/1/html", "/mails/1/raw", "/messages/1", "/metrics", "/healthz", "/readyz",
         "/static/desk.css", "/static/desk.js", "/static/nothing", "/static/..%2Fbase.html", "/nothing", "/mails/x",
         "/mails/99", "/messages/nothing", "/mails/"]  # fmt: skip


def assert_strict(answer: httpx.Response) -> None:
    for name, value in STRICT.items():
        assert answer.headers.get_list(name) == [value], (answer.url, name)
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'")
    assert "script-src 'unsafe" not in policy
    assert "*" not in policy
    assert len(answer.headers.get_list("x-frame-options")) == 1
    assert len(answer.headers.get_list("cache-control")) == 1


@pytest.mark.threat(20, "without the strict headers", of="pages")
@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_the_strict_headers(desk: Desk, path: str) -> None:
    sms = await desk.sent()
    await desk.delivered(sms)
    await desk.made_mails()
    answer = await desk.get(path)
    assert answer.status_code in (200, 307, 404), path
    assert_strict(answer)
    framed = path == "/mails/1/html"
    assert answer.headers["x-frame-options"] == ("SAMEORIGIN" if framed else "DENY")
    assert ("sandbox allow-same-origin" in answer.headers["content-security-policy"]) == framed
    assert "allow-scripts" not in answer.headers["content-security-policy"]


@pytest.mark.threat(20, "wrongly answered", of="requests")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_the_desk_only_reads(desk: Desk, method: str) -> None:
    sms = await desk.sent()
    for path in ("/", "/mails", f"/messages/{sms.message_id}"):
        answer = await desk.client.request(method, path)
        assert answer.status_code == 405
        assert_strict(answer)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "127.9.9.9:1", "localhost", "LocalHost:80", "[::1]:8080", "[::1]"]
)
async def test_names_of_this_machine_are_answered(desk: Desk, host: str) -> None:
    assert (await desk.get("/", Host=host)).status_code == 200


@pytest.mark.threat(20, "wrongly answered", of="requests")
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1:8080", "",
     "[::2]:8080", "2130706433", "0x7f.1", "0.0.0.0", "localhost:80:80", "127.0.0.1@evil.example"],
)  # fmt: skip
async def test_a_name_that_only_resolves_here_reads_nothing(desk: Desk, host: str) -> None:
    """DNS rebinding: the page of another site, whose name now leads to 127.0.0.1."""
    await desk.sent("secret words")
    for path in ("/", "/metrics", "/static/desk.js", "/nothing"):
        answer = await desk.get(path, Host=host)
        assert answer.status_code == 421
        assert "secret words" not in answer.text
        assert_strict(answer)


async def test_what_is_not_there_says_so_on_a_page(desk: Desk) -> None:
    for path in (
        "/nothing",
        "/messages/nothing",
        "/mails/99",
        "/mails/x",
        f"/mails/{'9' * 400}",
        "/mails/%D9%A1",
    ):
        answer = await desk.get(path)
        assert answer.status_code == 404
        assert "<h1>Not found</h1>" in answer.text
        assert 'href="/">← Messages' in answer.text


async def test_a_websocket_is_turned_away(desk: Desk) -> None:
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        said.append(message)

    await desk.app({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert [message["type"] for message in said] == ["websocket.close"]


async def test_static_files_are_kept_by_their_content(desk: Desk) -> None:
    page = (await desk.get("/")).text
    for name, kind in (("desk.css", "text/css"), ("desk.js", "text/javascript")):
        (link,) = {part for part in page.split('"') if part.startswith(f"/static/{name}?v=")}
        answer = await desk.get(link)
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
    assert (await desk.get("/")).headers["cache-control"] == "no-store"


async def test_a_database_that_is_gone_is_told_on_the_page_with_503(desk: Desk) -> None:
    await desk.sent("secret words")
    await desk.store.close()
    for path in ("/", "/mails", "/messages/1", "/mails/1", "/metrics"):
        answer = await desk.get(path)
        assert answer.status_code == 503, path
        assert "The database cannot be read" in answer.text
        assert_strict(answer)


async def test_a_fault_of_ours_keeps_its_words_to_the_log(tmp_path: Path) -> None:
    async def broken() -> str:
        raise RuntimeError("secret words")

    async with given.opened(tmp_path, broken) as desk:
        answer = await desk.get("/readyz")
        assert answer.status_code == 500
        assert "This page is broken" in answer.text
        assert "secret words" not in answer.text
        assert_strict(answer)


async def test_health_and_readiness(desk: Desk, tmp_path: Path) -> None:
    alive = await desk.get("/healthz")
    assert (alive.status_code, alive.text) == (200, "alive\n")
    other = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        blocked = await desk.get("/readyz")
        assert blocked.status_code == 503
        assert blocked.text.startswith("not ready: the database")
        assert_strict(blocked)
        assert (await desk.get("/")).status_code == 200  # what can be read is still shown
        assert (await desk.get("/healthz")).status_code == 200
    finally:
        other.close()
    ready = await desk.get("/readyz")
    assert (ready.status_code, ready.text) == (200, "ready\n")


async def test_metrics_are_what_prometheus_reads_and_true_to_the_store(desk: Desk) -> None:
    sms = await desk.sent()
    await desk.delivered(sms)
    await desk.mailed(["one", "two"])
    await desk.made_mails()
    await desk.store.record_event(
        Event(source="webhook", type="status", message_id="NOTOURS", phone="", raw="{}", news=News.DELIVERED)
    )
    (first,) = await desk.store.claim("node", 1)
    refused = Input(Kind.REFUSED_ACCOUNT, first.attempts, "HTTP 401")
    await desk.store.finish(first, refused, Answer.ACCOUNT)
    await desk.store.beat(Node("one", "host-a", 11, ("mail", "send"), 60_000), 15_000)
    answer = await desk.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["smsbridge_sms", "delivered"] == 1
    assert found["smsbridge_sms", "queued"] == 2
    queued = await desk.store.list_sms(SmsFilter(state=State.QUEUED), None, 10)
    assert found["smsbridge_oldest_queued_timestamp_seconds",] == queued[-1].sms.created_at / 1000
    assert found["smsbridge_outbox_mails", "kept"] == 1
    assert found["smsbridge_account_stopped", "default"] == 1
    assert (found["smsbridge_nodes", "alive"], found["smsbridge_nodes", "gone"]) == (1, 0)
    assert 0 <= found["smsbridge_node_silent_seconds", "one"] < 60
    assert found["smsbridge_lease_held", "one", "send"] == 1
    assert found["smsbridge_events_kept",] == 1
    assert found["process_resident_memory_bytes",] > 10_000_000
