"""A real store in a temporary file, an SMS in it that the vendor took, and the webhook in front of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.event_in import HookSettings, app
from bridge.sms import Sms
from bridge.store import Store
from tests.event_in.given import PAIRS, SECRET
from tests.given_store import opened, submitted

Calling = Callable[..., httpx.AsyncClient]


async def ready() -> str:
    """Say that all is well."""
    return ""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store."""
    async with opened(tmp_path) as one:
        yield one


@pytest.fixture
async def sms(store: Store) -> Sms:
    """An SMS that the vendor has taken."""
    (one,) = await submitted(store)
    return one


@pytest.fixture
async def calling(store: Store) -> AsyncIterator[Calling]:
    """Make callers of the webhook, with settings and an address of their own."""
    clients: list[httpx.AsyncClient] = []

    def call(
        peer: str = "192.0.2.1", ready: Callable[[], Awaitable[str]] = ready, **settings: Any
    ) -> httpx.AsyncClient:
        chosen = HookSettings(**{"secret": SECRET, "pairs": PAIRS, **settings})
        transport: Any = httpx.ASGITransport(app(store, chosen, ready), client=(peer, 5))
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://bridge"))
        return clients[-1]

    yield call
    for client in clients:
        await client.aclose()
