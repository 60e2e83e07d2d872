"""A submitter at work between a real store and a vendor on a real socket."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from bridge.sms_api import SmsApi
from bridge.store import Store
from bridge.submit import Submitter
from tests.sms_api.given import Reader, Writer, api_to, read_request, server

SUCCESS = b'{"Result": "Success", "MessageID": ""}'
REFUSED = b'{"Result": "Failed", "ErrorMessage": "%s"}'


def whole(body: bytes = SUCCESS, status: str = "200 OK", headers: str = "") -> bytes:
    """Return an HTTP answer."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Vendor:
    """A vendor by hand: it notes every POST, and ``answer`` says what it writes back (it may wait)."""

    answer: Callable[[dict[str, str]], Awaitable[bytes]]
    url: str = ""
    posts: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    now: int = 0
    most: int = 0

    @property
    def numbers(self) -> list[str]:
        """The numbers posted so far, in order."""
        return [form["Number"] for _, form in self.posts]

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """Answer one connection."""
        while True:
            _, body = await read_request(reader)
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.posts.append((time.monotonic(), form))
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                writer.write(await self.answer(form))
            finally:
                self.now -= 1
            await writer.drain()


async def success(form: dict[str, str]) -> bytes:
    """Take every SMS."""
    return whole()


@asynccontextmanager
async def vendor_that(
    answer: Callable[[dict[str, str]], Awaitable[bytes]] = success, port: int = 0
) -> AsyncIterator[Vendor]:
    """Run a vendor by hand; ``port`` 0 is any free one."""
    vendor = Vendor(answer)
    async with server(vendor.serve, port) as url:
        vendor.url = url
        yield vendor


@dataclass
class Running:
    """A submitter that runs. ``stop`` ends it in good order."""

    submitter: Submitter
    stopped: asyncio.Event
    task: "asyncio.Task[None]"

    async def stop(self) -> None:
        """Stop and wait for the end."""
        self.stopped.set()
        await asyncio.wait_for(self.task, 60)


@asynccontextmanager
async def submitting(store: Store, url: str, **settings: Any) -> AsyncIterator[Running]:
    """Send what is queued in ``store`` to the vendor at ``url``."""
    ours = {
        name: settings.pop(name)
        for name in ("reply_address", "clock", "is_ours", "sweep_every_s")
        if name in settings
    }
    rate = settings.pop("rate_per_second", 200.0)
    async with (
        api_to(url, **settings) as api,
        submitting_with(store, api, rate_per_second=rate, **ours) as running,
    ):
        yield running


@asynccontextmanager
async def submitting_with(store: Store, api: SmsApi, **settings: Any) -> AsyncIterator[Running]:
    """Send what is queued in ``store`` through ``api``."""
    submitter = Submitter(store, api, node="test", **settings)
    stopped = asyncio.Event()
    running = Running(submitter, stopped, asyncio.create_task(submitter.run(stopped)))
    try:
        yield running
    finally:
        await running.stop()
