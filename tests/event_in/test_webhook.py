"""What webhooks do, and what each wrong one is answered."""

import asyncio
import contextlib
import gzip
import json
import logging
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.event_in import HookSettings, app
from bridge.sms import Sms, State
from bridge.store import Store
from tests.event_in.conftest import Calling, ready
from tests.event_in.given import PAIRS, PATH, SECRET, a_reply, as_xml, post, set_a, set_b, set_v3
from tests.given_store import now, opened, submitted
from tests.threats import found


async def events_of(store: Store, sms: Sms) -> int:
    story = await store.show(sms.message_id)
    assert story is not None
    return len(story.events)


# --- taken ---


@pytest.mark.parametrize("fields", [set_a, set_b, set_v3])
async def test_every_field_set_as_json_delivers(
    calling: Calling, store: Store, sms: Sms, fields: Any
) -> None:
    assert await post(calling(), fields(sms)) == 200
    after = await now(store, sms)
    assert (after.state, after.price, after.result) == (State.DELIVERED, 2_000, "delivered")


@pytest.mark.parametrize("fields", [set_a, set_b])
async def test_every_field_set_as_xml_delivers(calling: Calling, store: Store, sms: Sms, fields: Any) -> None:
    assert await post(calling(), as_xml(fields(sms)), content_type="text/xml; charset=utf-8") == 200
    assert (await now(store, sms)).state is State.DELIVERED


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "junk", "image/png"]
)
async def test_a_readable_body_is_taken_whatever_its_type_says(
    calling: Calling, store: Store, sms: Sms, content_type: str
) -> None:
    assert await post(calling(), json.dumps(set_a(sms)).encode(), content_type=content_type) == 200
    assert (await now(store, sms)).state is State.DELIVERED


async def test_a_form_is_taken_too(calling: Calling, store: Store, sms: Sms) -> None:
    assert await post(calling(), urlencode(set_a(sms)).encode()) == 200
    assert (await now(store, sms)).state is State.DELIVERED


async def test_a_list_of_events_is_taken_whole(calling: Calling, store: Store, sms: Sms) -> None:
    assert await post(calling(), [set_a(sms), a_reply(sms)]) == 200
    assert await events_of(store, sms) == 2


async def test_the_vendors_ids_match_in_any_case(calling: Calling, store: Store, sms: Sms) -> None:
    assert await post(calling(), set_a(sms, MessageID=sms.message_id.lower(), Status="success")) == 200
    assert (await now(store, sms)).state is State.DELIVERED


async def test_the_same_webhook_twice_is_known_and_answered_200(
    calling: Calling, store: Store, sms: Sms
) -> None:
    client = calling()
    assert [await post(client, a_reply(sms)) for _ in range(3)] == [200] * 3
    assert await events_of(store, sms) == 1


async def test_news_of_nothing_of_ours_is_answered_200(calling: Calling, sms: Sms) -> None:
    assert await post(calling(), set_a(sms, MessageID="SOMEBODYELSES", JobNumber="")) == 200


async def test_news_of_another_kind_of_message_is_answered_200_logged_and_not_kept(
    calling: Calling, store: Store, sms: Sms, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge.event_in")
    assert await post(calling(), set_a(sms, Type="Fax")) == 200
    assert await events_of(store, sms) == 0
    assert "news of another kind than SMS came" in caplog.text


async def test_what_is_kept_holds_no_credentials(calling: Calling, store: Store, sms: Sms) -> None:
    assert await post(calling(), set_b(sms)) == 200
    story = await store.show(sms.message_id)
    assert story is not None
    assert "t0k3n" not in story.events[0].raw
    assert "smsparts:2" in story.events[0].raw.lower()


async def test_a_hostile_text_is_stored_harmless(calling: Calling, store: Store, sms: Sms) -> None:
    body = json.dumps(a_reply(sms)).replace("Yes", "a\\u0000b\\ud800c\\u202ed\\r\\nBcc: x").encode()
    assert await post(calling(), body) == 200
    story = await store.show(sms.message_id)
    assert story is not None
    assert story.events[0].text.startswith("ab\ufffdc")


# --- who may ---


@pytest.mark.parametrize(
    ("sender", "token"),
    [("app@example.com", "t0k3n"), ("APP@EXAMPLE.COM", "new-t0k3n"), ("other@example.com", "0ther")],
)
async def test_every_configured_pair_is_good(calling: Calling, sms: Sms, sender: str, token: str) -> None:
    assert await post(calling(), set_a(sms, Sender=sender, Token=token)) == 200
    assert await post(calling(), set_b(sms, Sender=sender, APIKey=token)) == 200


@pytest.mark.threat(18, "forged or replayed news taken", of="requests")
@pytest.mark.parametrize(
    "change",
    [
        {"Token": "wrong"},
        {"Token": ""},
        {"Token": None},
        {"Token": "T0K3N"},
        {"Sender": ""},
        {"Sender": "other@example.com"},
        {"Sender": "", "Token": ""},
        {"Token": "wrong", "APIKey": "t0k3n"},
        {"Token": "t0k3n\x00"},
        {"Token": "töken"},
    ],
)
async def test_wrong_credentials_are_401_and_change_nothing(
    calling: Calling, store: Store, sms: Sms, change: dict[str, Any]
) -> None:
    assert await post(calling(), set_a(sms, **change)) == 401
    assert await events_of(store, sms) == 0
    assert (await now(store, sms)).state is State.SUBMITTED


@pytest.mark.threat(18, "forged or replayed news taken", of="requests")
async def test_one_forged_event_in_a_list_spoils_the_list(calling: Calling, store: Store, sms: Sms) -> None:
    assert await post(calling(), [set_a(sms), a_reply(sms, APIKey="wrong")]) == 401
    assert await events_of(store, sms) == 0


@pytest.mark.threat(18, "forged or replayed news taken", of="requests")
async def test_headers_prove_a_body_without_credentials_but_not_one_with_wrong_ones(
    calling: Calling, store: Store, sms: Sms
) -> None:
    good = {"x_sender": "app@example.com", "authorization": "t0k3n"}
    bare = {name: value for name, value in set_b(sms).items() if name not in ("Sender", "APIKey")}
    assert await post(calling(), bare) == 401
    assert await post(calling(), bare, x_sender="app@example.com", authorization="wrong") == 401
    assert await post(calling(), {**bare, "Sender": "app@example.com", "APIKey": "wrong"}, **good) == 401
    assert await events_of(store, sms) == 0
    assert await post(calling(), bare, **good) == 200
    assert await events_of(store, sms) == 1


@pytest.mark.threat(18, "forged or replayed news taken", of="requests")
@pytest.mark.parametrize(
    "path", ["wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), "%00", "%F0%9F%98%80", "%ff"]
)
async def test_a_wrong_secret_is_404_like_any_other_path(
    calling: Calling, store: Store, sms: Sms, path: str
) -> None:
    assert await post(calling(), set_a(sms), f"/hooks/sms/{path}") == 404
    assert await events_of(store, sms) == 0


async def test_other_paths_and_methods_are_not_served(calling: Calling) -> None:
    client = calling()
    assert (await client.get("/")).status_code == 404
    assert (await client.get("/hooks/sms/")).status_code == 404
    assert (await client.get(PATH)).status_code == 405
    assert (await client.put(PATH, content=b"{}")).status_code == 405


async def test_only_the_named_networks_may_call(calling: Calling, sms: Sms) -> None:
    networks = (ip_network("203.0.113.0/24"), ip_network("2001:db8::/32"))
    assert await post(calling("198.51.100.1", networks=networks), set_a(sms)) == 401
    assert await post(calling("203.0.113.9", networks=networks), set_a(sms)) == 200
    assert await post(calling("::ffff:203.0.113.9", networks=networks), set_a(sms)) == 200
    assert await post(calling("2001:db8::1", networks=networks), set_a(sms)) == 200
    assert await post(calling("junk", networks=networks), set_a(sms)) == 401


@pytest.mark.threat(18, "forged or replayed news taken", of="requests")
@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("10.0.0.1", "203.0.113.9", 200),
        ("10.0.0.1", "1.2.3.4, 203.0.113.9", 200),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", 200),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", 401),  # the caller wrote the first one himself
        ("10.0.0.1", "203.0.113.9, junk", 401),
        ("10.0.0.1", "", 401),
        ("198.51.100.1", "203.0.113.9", 401),  # not a proxy of ours
        ("203.0.113.9", "198.51.100.1", 200),
    ],
)
async def test_forwarded_addresses_count_from_the_right_and_only_behind_proxies(
    calling: Calling, sms: Sms, peer: str, forwarded: str, status: int
) -> None:
    client = calling(peer, networks=(ip_network("203.0.113.0/24"),), proxies=(ip_network("10.0.0.0/8"),))
    assert await post(client, set_a(sms), x_forwarded_for=forwarded) == status


# --- hostile bodies ---


def hostile(sms: Sms) -> dict[str, bytes]:
    good = json.dumps(set_a(sms))
    return {
        "nothing": b"",
        "junk": b"\x00\xff\xfe",
        "no object": b'"x"',
        "no events": b"[]",
        "events that are none": b"[1, 2]",
        "lists of lists": b"[[[]]]",
        "too many events": b"[" + b",".join([b"{}"] * 201) + b"]",
        "NaN": good.replace('"0.20"', "NaN").encode(),
        "a doubled key": good.replace('{"Sender"', '{"Token": "t0k3n", "Sender"').encode(),
        "a doubled key in another case": good.replace('{"Sender"', '{"token": "t0k3n", "Sender"').encode(),
        "depth": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "list depth": b"[" * 60_000,
        "a huge number": good.replace('"0.20"', "9" * 5_000).encode(),
        "a type that is a list": good.replace('"SMS"', '["SMS"]').encode(),
        "an id that is an object": good.replace(f'"{sms.message_id}"', '{"$ne": ""}').encode(),
        "a status that is a number and no result": json.dumps(set_a(sms, Status=None, Result=None)).encode(),
        "no type": json.dumps(set_a(sms, Type=None)).encode(),
        "XXE": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        + as_xml(set_a(sms, Result="&x;"))[38:],
        "billion laughs": b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><root><Type>&b;</Type></root>',
        "XML depth": b"<a>" * 10_000,
        "broken XML": as_xml(set_a(sms))[:-3],
        "doubled elements": as_xml(set_a(sms)).replace(b"<Type>", b"<Type>x</Type><Type>"),
    }


NAMES = tuple(hostile(Sms(*[""] * 16)))  # type: ignore[arg-type]


@pytest.mark.threat(18, "CPU until the answer", of="hostile bodies and requests", unit="ms", at_most=100)
@pytest.mark.threat(18, "not 4xx, or changed something", of="hostile bodies and requests")
@pytest.mark.parametrize("name", NAMES)
async def test_a_hostile_body_is_4xx_changes_nothing_and_is_quick(
    calling: Calling, store: Store, sms: Sms, name: str
) -> None:
    body = hostile(sms)[name]
    client = calling()
    taken_ms = []
    for _ in range(3):  # a collection of this whole process's garbage may fall into one of them
        begun = time.process_time()
        status = await post(client, body)
        taken_ms.append((time.process_time() - begun) * 1_000)
    took_ms = min(taken_ms)
    changed = await events_of(store, sms) > 0 or (await now(store, sms)).state is not State.SUBMITTED
    found(changed or status not in (400, 401), what="not 4xx, or changed something")
    found(took_ms, what="CPU until the answer")
    assert status in (400, 401)
    assert not changed
    assert took_ms < 100


async def test_a_body_over_64_kib_is_413_with_and_without_a_length(calling: Calling, sms: Sms) -> None:
    client = calling()
    fits = json.dumps(set_a(sms, Unheard="x" * 60_000)).encode()
    big = json.dumps(set_a(sms, Unheard="x" * 70_000)).encode()

    async def chunks(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1_000):
            yield body[start : start + 1_000]

    assert (await client.post(PATH, content=fits)).status_code == 200
    assert (await client.post(PATH, content=big)).status_code == 413
    assert (await client.post(PATH, content=chunks(fits))).status_code == 200
    assert (await client.post(PATH, content=chunks(big))).status_code == 413
    lying = {"Content-Length": "10"}
    assert (await client.post(PATH, content=chunks(big), headers=lying)).status_code == 413
    endless = {"Content-Length": "9" * 400}
    assert (await client.post(PATH, content=chunks(fits), headers=endless)).status_code == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_compressed_body_is_415(calling: Calling, sms: Sms, encoding: str) -> None:
    body = gzip.compress(json.dumps(set_a(sms)).encode())
    assert await post(calling(), body, content_encoding=encoding) == 415


_SCALARS = st.none() | st.booleans() | st.text(max_size=20) | st.integers() | st.floats()
_FIELDS = st.dictionaries(
    st.sampled_from(list(set_b(Sms(*[""] * 16)))) | st.text(max_size=8),  # type: ignore[arg-type]
    _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), _SCALARS, max_size=2),
    max_size=12,
)
_BODIES = (
    st.binary(max_size=300)
    | _FIELDS.map(
        lambda fields: json.dumps({**fields, "Sender": "app@example.com", "Token": "t0k3n"}).encode()
    )
    | st.lists(_FIELDS, max_size=3).map(lambda many: json.dumps(many).encode())
    | st.text(max_size=100).map(lambda text: f"<root>{text}</root>".encode("utf-8", "replace"))
)


@pytest.mark.threat(18, "500s", of="generated bodies")
async def test_no_body_ever_is_a_fault_of_ours(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with opened(tmp_path) as store:
        transport: Any = httpx.ASGITransport(app(store, HookSettings(SECRET, PAIRS), ready))
        async with httpx.AsyncClient(transport=transport, base_url="http://bridge") as client:

            @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
            @given(_BODIES)
            def no_fault(body: bytes) -> None:
                asked = asyncio.run_coroutine_threadsafe(client.post(PATH, content=body), loop)
                status = asked.result(60).status_code
                found(status >= 500)
                assert status in (200, 400, 401)

            await asyncio.to_thread(no_fault)


# --- the database, the health ---


async def test_a_database_that_cannot_take_it_is_503_and_takes_the_retry(
    calling: Calling, store: Store, sms: Sms, tmp_path: Path
) -> None:
    client = calling()
    with contextlib.closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert await post(client, set_a(sms)) == 503
        other.execute("ROLLBACK")
    assert await post(client, set_a(sms)) == 200
    assert (await now(store, sms)).state is State.DELIVERED


async def test_a_caller_that_hangs_up_after_the_body_does_not_undo_the_event(store: Store, sms: Sms) -> None:
    application = app(store, HookSettings(SECRET, PAIRS), ready)
    body = json.dumps(set_a(sms)).encode()
    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [],
        "client": ("192.0.2.1", 5),
    }
    taken = asyncio.Event()

    async def receive() -> Any:
        taken.set()
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        pass

    request = asyncio.ensure_future(application(scope, receive, send))
    await taken.wait()
    await asyncio.sleep(0)
    request.cancel()
    await asyncio.wait({request})
    for _ in range(1_000):
        if (await now(store, sms)).state is State.DELIVERED:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the event was lost")


async def test_a_caller_that_hangs_up_within_the_body_is_no_fault(store: Store) -> None:
    application = app(store, HookSettings(SECRET, PAIRS), ready)
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    scope: Any = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": []}
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    assert sent[0]["status"] == 400


async def test_health_is_alive_and_ready_only_when_nothing_is_missing(calling: Calling) -> None:
    async def not_ready() -> str:
        return "the database"

    assert (await calling().get("/healthz")).status_code == 200
    assert (await calling().get("/readyz")).status_code == 200
    draining = calling(ready=not_ready)
    assert (await draining.get("/healthz")).status_code == 200
    answer = await draining.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready\n")


async def test_two_hundred_events_in_one_body_are_all_stored(calling: Calling, store: Store) -> None:
    (sms,) = await submitted(store)
    replies = [a_reply(sms, ReceivedID=f"R{n}", Message=f"answer {n}", Detail="") for n in range(150)]
    assert len(json.dumps(replies)) < 64 * 1024
    assert await post(calling(), replies) == 200
    assert await events_of(store, sms) == 150


async def test_a_body_that_never_ends_is_408(
    calling: Calling, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["bridge.event_in.app"], "BODY_S", 0.1)

    async def drip() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    assert (await calling().post(PATH, content=drip())).status_code == 408
