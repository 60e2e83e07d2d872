"""A vendor out of reach is told to the admin once, and only when it lasts."""

import socket

import pytest

from bridge.sms import State
from bridge.store import Store
from tests.given_store import NUMBER, in_state, now, queued, until
from tests.submit.given import submitting, vendor_that, whole

RETRY = "Retry-After: 1\r\n"


def nobody_there() -> str:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def alarms(store: Store) -> list[dict[str, str]]:
    return [dict(line.facts) for line in await store.list_alarms(10)]


async def test_nothing_getting_through_for_minutes_is_one_alarm(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.submit.STUCK_ALARM_S", 0.0)
    many = await queued(store, [NUMBER, "+61421000002"])
    async with submitting(store, nobody_there()):

        async def tried_again() -> bool:
            return all([(await now(store, sms)).attempts >= 2 for sms in many])

        await until(tried_again, "they were not tried twice")
    (alarm,) = await alarms(store)
    assert alarm["alarm"] == "vendor-unreachable"
    assert "no connection" in alarm["why"]
    assert len(await store.list_outbox(None, 10)) == 1


async def test_a_short_outage_is_no_alarm(store: Store) -> None:
    answers = iter([whole(b"slow", "429 Too Many", RETRY), whole()])

    async def answer(form: dict[str, str]) -> bytes:
        return next(answers)

    async with vendor_that(answer) as vendor:
        (sms,) = await queued(store)
        async with submitting(store, vendor.url):
            await in_state(store, sms, State.SUBMITTED)
    assert await alarms(store) == []
