"""The webhook's port, octet by octet: requests that two readers would read differently change nothing, and at once.

Each carries good credentials and good news, so that whatever is read leniently would be believed.
"""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.app import http
from bridge.app.http import http_server
from bridge.event_in import HookSettings, app
from bridge.sms import Sms, State
from bridge.store import Store
from tests.attack.clients import connected
from tests.event_in.conftest import ready
from tests.event_in.given import PAIRS, PATH, SECRET, set_a
from tests.given_store import now, opened, submitted
from tests.threats import found

FIRST = f"POST {PATH} HTTP/1.1\r\nHost: sms.example.com\r\n".encode()

QUIET_S = 0.2  # behind an answer: then no second one comes
BOMB = gzip.compress(b" " * 30_000_000)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path) as one:
        yield one


@pytest.fixture
async def port(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(http, "REQUEST_S", 0.5)
    async with http_server(app(store, HookSettings(SECRET, PAIRS), ready), "127.0.0.1", 0) as found_port:
        yield found_port


def requests(sms: Sms) -> dict[str, bytes]:
    """Each odd request by name."""
    good = json.dumps(set_a(sms)).encode()
    length = b"Content-Length: %d\r\n" % len(good)
    chunked = b"Transfer-Encoding: chunked\r\n"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(good), good)
    zipped = gzip.compress(good)
    return {
        "length and chunks": FIRST + length + chunked + b"\r\n" + chunks,
        "chunks and length": FIRST + chunked + length + b"\r\n" + chunks,
        "two lengths": FIRST + length + b"Content-Length: 0\r\n\r\n" + good,
        "two lengths in one": FIRST + b"Content-Length: %d, 0\r\n\r\n" % len(good) + good,
        "a signed length": FIRST + length.replace(b": ", b": +") + b"\r\n" + good,
        "a length in hex": FIRST + b"Content-Length: 0x%x\r\n\r\n" % len(good) + good,
        "a length without end": FIRST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n" + good,
        "a negative length": FIRST + b"Content-Length: -1\r\n\r\n" + good,
        "line feeds alone": (FIRST + length + b"\r\n").replace(b"\r\n", b"\n") + good,
        "one line feed alone": FIRST + b"X: y\n" + length + b"\r\n" + good,
        "carriage returns alone": FIRST + b"X: y\r" + length + b"\r\n" + good,
        "a folded length": FIRST + length.replace(b": ", b":\r\n ") + b"\r\n" + good,
        "a folded encoding": FIRST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks,
        "a blank before the colon": FIRST + length.replace(b":", b" :") + b"\r\n" + good,
        "a blank before the name": FIRST + b" " + length + b"\r\n" + good,
        "NUL in a name": FIRST + b"X\0: y\r\n" + length + b"\r\n" + good,
        "NUL in a value": FIRST + b"X: y\0\r\n" + length + b"\r\n" + good,
        "an encoding hidden by a tab": FIRST + b"Transfer-Encoding:\x0bchunked\r\n" + length + b"\r\n" + good,
        "another encoding too": FIRST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks,
        "chunks that are not last": FIRST + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + chunks,
        "a negative chunk": FIRST + chunked + b"\r\n-1\r\n" + good,
        "a chunk of 2^64 and one": FIRST + chunked + b"\r\n10000000000000001\r\n" + good,
        "a chunk in octal clothes": FIRST + chunked + b"\r\n0x%x\r\n%s\r\n0\r\n\r\n" % (len(good), good),
        "an extension of 60 kB": FIRST + chunked + b"\r\n1;" + b"x" * 60_000 + b"\r\n{\r\n0\r\n\r\n",
        "a thousand empty extensions": FIRST + chunked + b"\r\n1" + b";" * 1_000 + b"\r\n{\r\n0\r\n\r\n",
        "a chunk longer than it says": FIRST + chunked + b"\r\n1\r\n%s\r\n0\r\n\r\n" % good,
        "gzip": FIRST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(zipped) + zipped,
        "a bomb of gzip": FIRST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB,
        "too much": FIRST + b"Content-Length: 70000\r\n\r\n" + good + b" " * (70_000 - len(good)),
        "expected, with a wrong secret": (FIRST + b"Expect: 100-continue\r\n" + length + b"\r\n").replace(
            SECRET.encode(), b"guess"
        ),
        "expected, and too much": FIRST + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n",
        "HTTP 0.9": f"POST {PATH}\r\n\r\n".encode() + good,
        "HTTP 9": (FIRST + length + b"\r\n").replace(b"HTTP/1.1", b"HTTP/9.9") + good,
        "HTTP 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + FIRST + length + b"\r\n" + good,
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        "GET with news in it": (FIRST + length + b"\r\n").replace(b"POST", b"GET") + good,
        "a method that hides a POST": (FIRST + b"X-HTTP-Method-Override: POST\r\n" + length + b"\r\n").replace(
            b"POST /", b"PUT /"
        )
        + good,
        "a method in small letters": (FIRST + length + b"\r\n").replace(b"POST /", b"post /") + good,
        "a path up and down": (FIRST + length + b"\r\n").replace(b"/hooks/", b"/x/../hooks/") + good,
        "a path with two slashes": (FIRST + length + b"\r\n").replace(b"/hooks/", b"//hooks/") + good,
        "a path with more behind it": (FIRST + length + b"\r\n").replace(b" HTTP/1", b"/x HTTP/1") + good,
        "a path with NUL": (FIRST + length + b"\r\n").replace(b" HTTP/1", b"%00 HTTP/1") + good,
        "wrong credentials in the header": FIRST
        + b"X-Sender: app@example.com\r\nAuthorization: guess\r\nContent-Length: 2\r\n\r\n{}",
        "no body at all": FIRST + b"\r\n",
    }  # fmt: skip


NAMES = tuple(requests(Sms(*[""] * 16)))  # type: ignore[arg-type]


def asked(port: int, request: bytes) -> bytes:
    """All that the server says to the request, until it hangs up or has said all."""
    said = b""
    with connected("127.0.0.1", port) as client:
        try:
            client.sendall(request)
            while piece := client.recv(65_536):
                said += piece
                client.settimeout(QUIET_S)
        except (ConnectionError, TimeoutError):
            pass  # it need not listen to the end, and may keep the connection
    return said


@pytest.mark.threat(18, "not 4xx, or changed something", of="hostile bodies and requests")
@pytest.mark.threat(18, "CPU until the answer", of="hostile bodies and requests", unit="ms", at_most=100)
@pytest.mark.parametrize("name", NAMES)
async def test_a_request_that_can_be_read_in_two_ways_is_refused_at_once(
    store: Store, port: int, name: str
) -> None:
    (sms,) = await submitted(store)
    request = requests(sms)[name]
    begun = time.process_time()
    said = await asyncio.to_thread(asked, port, request)
    took_ms = (time.process_time() - begun) * 1_000
    story = await store.show(sms.message_id)
    assert story is not None
    changed = bool(story.events) or (await now(store, sms)).state is not State.SUBMITTED
    # Where the connection is cut instead, nothing is said at all.
    answers = [line[9:12] for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    wrong = [one for one in answers if not one.startswith(b"4") and one != b"100"]
    found(bool(wrong) or changed, what="not 4xx, or changed something")
    found(took_ms, what="CPU until the answer")
    assert not changed
    assert not wrong, said
    assert took_ms < 100
    assert not answers or b"x-content-type-options: nosniff" in said.lower()


@pytest.mark.threat(20, "without the strict headers", of="pages")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", PATH, 405), ("POST", "/hooks/sms/x", 404), ("POST", "/healthz", 405),
     ("GET", "/healthz", 200), ("GET", "/readyz", 200), ("POST", PATH, 400)],
)  # fmt: skip
async def test_a_browser_can_do_nothing_with_any_answer(
    port: int, method: str, path: str, status: int
) -> None:
    request = (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n"
    )
    head, _, body = (await asyncio.to_thread(asked, port, request.encode())).lower().partition(b"\r\n\r\n")
    assert head.startswith(b"http/1.1 %d " % status)
    for field in (
        b"x-content-type-options: nosniff",
        b"content-security-policy: default-src 'none'; frame-ancestors 'none'",
        b"cache-control: no-store",
        b"referrer-policy: no-referrer",
        b"x-frame-options: deny",
        b"cross-origin-resource-policy: same-origin",
        b"content-type: text/plain",
    ):
        assert head.count(field) == 1, field
    assert b"access-control" not in head
    assert b"evil" not in head + body


async def test_the_same_news_in_a_plain_request_is_believed(store: Store, port: int) -> None:
    (sms,) = await submitted(store)
    good = json.dumps(set_a(sms)).encode()
    request = FIRST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(good) + good
    assert (await asyncio.to_thread(asked, port, request)).startswith(b"HTTP/1.1 200 ")
    assert (await now(store, sms)).state is State.DELIVERED
