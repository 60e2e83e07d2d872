"""A real store in a temporary file with SMS in it, as the tests of the sending and listening loops want it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from bridge.decide.values import Accept, NewMail, NewSms
from bridge.retry import Answer
from bridge.rules import ReportRule
from bridge.sms import Input, Kind, Sms, State, Timing
from bridge.store import Store, StoreSettings, open_store

T = TypeVar("T")
WAIT_S = 60.0
BUSY_MS = 300  # a locked database is told sooner than in service
NUMBER = "+61421000001"


@asynccontextmanager
async def opened(
    folder: Path, *, timing: Timing | None = None, clock: Callable[[], int] | None = None, **settings: Any
) -> AsyncIterator[Store]:
    """Open a store in that folder, new or not."""
    defaults: dict[str, Any] = {
        "domain": "sms.local",
        "admin": "admin@example.com",
        "inbound_to": "desk@example.com",
        "accounts_with_polls": frozenset({"default"}),
    }
    chosen = StoreSettings(**(defaults | settings))
    ours = {"clock": clock} if clock else {}
    store = await open_store(
        folder / "bridge.db", timing=timing or Timing(), settings=chosen, busy_ms=BUSY_MS, **ours
    )
    try:
        yield store
    finally:
        await store.close()


async def queued(store: Store, numbers: Sequence[str] = (NUMBER,), **changes: Any) -> tuple[Sms, ...]:
    """Accept one mail to those numbers and return its SMS, queued."""
    mail = NewMail(
        sender="alex@clinic.example",
        proof="auth",
        rule=0,
        client="192.0.2.9",
        subject="Appointment",
        header_message_id=None,
        references=(),
        brand="default",
        reports=ReportRule(),
        size=100,
    )
    one: dict[str, Any] = {
        "text": "See you at 5",
        "encoding": "gsm7",
        "segments": 1,
        "account": "default",
        "mode": "live",
        "on_unknown": "hold",
        "expire_after_ms": 12 * 3_600_000,
    }
    many = tuple(
        NewSms(number=number, recipient=f"{number}@sms.local", **(one | changes)) for number in numbers
    )
    return (await store.accept(Accept(mail, many))).queued


async def submitted(store: Store, numbers: Sequence[str] = (NUMBER,), **changes: Any) -> tuple[Sms, ...]:
    """Return SMS that the vendor has taken."""
    await queued(store, numbers, **changes)
    claimed = await store.claim("test", len(numbers))
    return tuple([await ended(store, sms, Kind.SENT) for sms in claimed])


async def ended(store: Store, sms: Sms, kind: Kind) -> Sms:
    """Finish a claimed SMS with that kind of answer."""
    after = await store.finish(sms, Input(kind, sms.attempts), Answer.CLEAR)
    assert after is not None
    return after


async def now(store: Store, sms: Sms) -> Sms:
    """Return the SMS as it is stored now."""
    story = await store.show(sms.message_id)
    assert story is not None
    return story.sms


async def in_state(store: Store, sms: Sms, *states: State) -> Sms:
    """Wait until the SMS is in one of those states."""

    async def look() -> Sms | None:
        one = await now(store, sms)
        return one if one.state in states else None

    return await until(look, f"it never became {' or '.join(states)}")


async def until(look: Callable[[], Awaitable[T | None]], what: str, within_s: float = WAIT_S) -> T:
    """Return what ``look`` finds as soon as it finds something."""
    deadline = asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < deadline:
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(what)
