"""A poller, and a submitter where one is wanted, between a real store and the simulated vendor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from bridge.poller import Poller
from bridge.simulator import Account, Settings, Simulator, running
from bridge.simulator.faults import read_rule
from bridge.simulator.journal import Entry
from bridge.sms_api import Credentials, SmsApi
from bridge.store import Store
from tests.sms_api.given import api_to
from tests.submit.given import submitting_with

# An account of its own for each case, so that one case's faults do not stop another's sending.
COUNT = 60
VENDORS = tuple(Account(f"a{n}@example.com", f"t0k3n{n}", f"auth{n}") for n in range(COUNT))
ACCOUNTS = {f"a{n}": Credentials(one.sender, one.token, one.auth_token) for n, one in enumerate(VENDORS)}
ACCOUNTS |= {f"x{n}": Credentials(one.sender, one.token) for n, one in enumerate(VENDORS)}  # cannot poll
QUICK = Settings(port=0, accounts=VENDORS, delivery_delay_ms=10, magic=False)


@asynccontextmanager
async def vendor(**changes: Any) -> AsyncIterator[Simulator]:
    """Run a simulated vendor."""
    async with running(replace(QUICK, **changes)) as one:
        yield one


def rule(one: Simulator, **given: Any) -> None:
    """Let the vendor do something wrong."""
    one.vendor.rules.add(read_rule(given, 0))


def asked(one: Simulator, kind: str) -> list[Entry]:
    """Return what the vendor's journal holds of one kind of request."""
    return one.vendor.journal.entries(limit=1_000_000, kind=kind)


@asynccontextmanager
async def polling(
    store: Store, one: Simulator, *, sends: bool = False, **settings: Any
) -> AsyncIterator[SmsApi]:
    """Poll that vendor, and send to it too if asked."""
    api_settings = {"accounts": ACCOUNTS, "send_timeout_ms": 20_000}
    api_settings |= {
        name: settings.pop(name) for name in list(settings) if name in ("accounts", "send_timeout_ms")
    }
    chosen = {"polls_per_second": 500.0, "received_every_ms": 200, "idle_s": 0.05, **settings}
    async with AsyncExitStack() as stack:
        urls = {"send_url": one.send_url, "rest_url": one.rest_url}
        api = await stack.enter_async_context(api_to(one.url, **urls, **api_settings))
        if sends:
            await stack.enter_async_context(submitting_with(store, api, rate_per_second=500))
        stopped = asyncio.Event()
        task = asyncio.create_task(Poller(store, api, **chosen).run(stopped))
        try:
            yield api
        finally:
            stopped.set()
            await asyncio.wait_for(task, 60)
