"""What the tests of the vendor's edge share: an SMS, an account, and a small server that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from bridge.sms import NEVER, Sms, State
from bridge.sms_api import Credentials, SmsApi

TOKEN = "t0k3n/secret+1"
AUTH = "AuTh&secret=2"
CLINIC = Credentials("clinic@example.com", TOKEN, AUTH)
SMS = Sms(
    id=1,
    message_id="BRDG0123456789ABCDEFGHIJ",
    mail_id="m1",
    number="+61421000001",
    text="Grüße & more=less 👍",
    encoding="ucs2",
    segments=1,
    account="default",
    mode="live",
    on_unknown="hold",
    reply_key="k",
    state=State.SENDING,
    created_at=0,
    updated_at=0,
    due_at=NEVER,
    expires_at=1 << 50,
    attempts=1,
    reached=1,
)


def an_sms(**changes: Any) -> Sms:
    """Return an SMS in ``sending``, first attempt."""
    return replace(SMS, **changes)


Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Behave = Callable[[Reader, Writer], Awaitable[None]]


@asynccontextmanager
async def server(behave: Behave, port: int = 0) -> AsyncIterator[str]:
    """Listen on loopback (``port`` 0: any free one) and let ``behave`` do what it likes with each connection."""

    async def connected(reader: Reader, writer: Writer) -> None:
        try:
            await behave(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", port)
    host, port = listener.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        listener.close()


async def read_request(reader: Reader) -> tuple[bytes, bytes]:
    """Return head and body of one request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ),
        0,
    )
    return head, await reader.readexactly(length)


@asynccontextmanager
async def api_to(url: str, **settings: Any) -> AsyncIterator[SmsApi]:
    """Return the vendor's API at that address."""
    accounts = settings.pop("accounts", {"default": CLINIC})
    send_url, rest_url = (
        settings.pop("send_url", f"{url}/HttpApi/SMS"),
        settings.pop("rest_url", f"{url}/rest"),
    )
    api = SmsApi(accounts, send_url, rest_url, **{"send_timeout_ms": 5_000, **settings})
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def api_that(
    answers: Callable[[httpx.Request], httpx.Response], **settings: Any
) -> AsyncIterator[SmsApi]:
    """Return the vendor's API on a wire that answers what ``answers`` returns or raises."""
    async with api_to(
        "https://vendor.example", transport=lambda: httpx.MockTransport(answers), **settings
    ) as api:
        yield api
