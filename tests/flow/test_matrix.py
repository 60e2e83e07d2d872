"""What the vendor answers, what it really made, and what its polls say: where each SMS ends, and who is told.

The clear answers and odd polls; the unclear ends of a send have a table of their own beside the poller's tests.
The judge is the vendor's own book. Each case has an account of its own, so that one does not stop another.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.retry import Stop
from bridge.simulator import Simulator
from bridge.sms import HOUR, MINUTE, SECOND, Sms, State, Timing
from bridge.store import Actor, Store
from tests.given_store import now, opened, queued, until
from tests.poller.given import ACCOUNTS, asked, polling, rule, vendor
from tests.threats import found

FAST = 60  # the store's minutes pass in seconds
TIMING = Timing(settle_ms=2 * MINUTE, status_after_ms=30 * SECOND, give_up_after_ms=12 * MINUTE)


@dataclass(frozen=True)
class Cell:
    """A case: the rule for its first POST, for all its polls, and what is to come of it."""

    name: str
    send: dict[str, Any]
    ends: State
    posts: int
    made: int
    poll: dict[str, Any] = field(default_factory=dict)
    stop: Stop = Stop.NONE
    on_unknown: str = "hold"


def refused(status: int, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"action": "refuse", "status": status, "reason": reason, **more}


def raw(body: str, status: int = 200, created: bool = False) -> dict[str, Any]:
    return {"action": "raw", "status": status, "body": body, "created": created}


OK: dict[str, Any] = {"action": "own_id"}
NO_SUCH = {"action": "not_found"}
NEITHER = {"action": "state", "state": "Unknown"}
MISSING = '{"Result":"Failed","ErrorMessage":["Missing or empty sender"]}'

STOPPING = (401, 403, 404, 405, 410, 415)

CELLS = (
    Cell("200 with an id of its own", OK, State.DELIVERED, 1, 1),
    Cell("200 in plain words", raw("OK Thanks", created=True), State.DELIVERED, 1, 1),
    Cell("200, an octet at a time", {"action": "drip", "interval_ms": 400}, State.DELIVERED, 1, 1),
    Cell("200, made nothing once", {"action": "silent"}, State.DELIVERED, 2, 1),
    Cell("429", refused(429, retry_after="1"), State.DELIVERED, 2, 1),
    Cell("408, made", refused(408, created=True), State.DELIVERED, 1, 1),
    Cell("503, not made", refused(503), State.DELIVERED, 2, 1),
    Cell("503, made", refused(503, created=True), State.DELIVERED, 1, 1),
    Cell("400 about the number", refused(400, "Invalid Mobile Number (RP-Max)"), State.FAILED, 1, 0),
    Cell("400 for a reason not known", refused(400, "Quux"), State.HELD, 1, 0),
    *(Cell(f"{status}", refused(status), State.QUEUED, 1, 0, stop=Stop.ACCOUNT) for status in STOPPING),
    Cell("400 about the account", refused(400, "Insufficient credit"), State.QUEUED, 1, 0, stop=Stop.ACCOUNT),
    Cell("200 that failed", raw(MISSING), State.QUEUED, 1, 0, stop=Stop.ACCOUNT),
    Cell("redirect", {"action": "redirect"}, State.QUEUED, 1, 0, stop=Stop.ACCOUNT),
    Cell("junk, polls neither way", raw("<html>", created=True), State.HELD, 1, 1, NEITHER),
    Cell("junk, polls 404 in HTML", raw("<html>"), State.HELD, 1, 0, raw("<h1>Not here</h1>", 404)),
    Cell("junk, polls redirect", raw("<html>"), State.HELD, 1, 0, {"action": "redirect"}),
    Cell("junk, polls 401", raw("<html>"), State.HELD, 1, 0, refused(401, "Unauthorized")),
    Cell("junk, resend, polls neither way", raw("", created=True), State.HELD, 1, 1, NEITHER, on_unknown="resend"),
    Cell("made, polls say no", refused(500, created=True), State.HELD, 2, 2, NO_SUCH),
    Cell("ok, polls say no", OK, State.HELD, 2, 2, NO_SUCH),
)  # fmt: skip


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store whose clock runs fast."""
    start = time.time_ns() // 1_000_000

    def clock() -> int:
        return start + (time.time_ns() // 1_000_000 - start) * FAST

    with_polls = frozenset(key for key, account in ACCOUNTS.items() if account.auth_token)
    async with opened(tmp_path, timing=TIMING, clock=clock, accounts_with_polls=with_polls) as one:
        yield one


async def prepared(store: Store, one: Simulator, place: int, cell: Cell) -> Sms:
    number, account = f"+6142100{place:04d}", f"a{place}"
    times = {} if cell.stop or cell.name == "ok, polls say no" else {"times": 1}
    rule(one, on="send", number=number, **times, **cell.send)
    if cell.poll:
        rule(one, on="status", sender=f"{account}@example.com", **cell.poll)
    # Time enough to be sent under load, and over soon: some are held only then.
    expire_after_ms = 48 * HOUR if cell.stop else 20 * MINUTE
    settings = {"on_unknown": cell.on_unknown, "expire_after_ms": expire_after_ms}
    return (await queued(store, [number], account=account, **settings))[0]


@pytest.mark.threat(2, "wrong ends or POSTs", of="cells of answer × made × polls × news")
async def test_every_answer_ends_where_it_should_and_is_paid_for_no_more_than_it_must(store: Store) -> None:
    async with vendor(reject_duplicates=False) as one:
        table = [(cell, await prepared(store, one, place, cell)) for place, cell in enumerate(CELLS)]
        async with polling(store, one, sends=True, send_timeout_ms=8_000):

            async def settled() -> bool:
                return all([await as_expected(store, one, cell, sms) for cell, sms in table])

            with contextlib.suppress(AssertionError):  # what is wrong is told by name
                await until(settled, "", within_s=90)
            wrong = [
                await seen(store, one, *pair) for pair in table if not await as_expected(store, one, *pair)
            ]
            found(len(wrong), of=len(table))
            assert not wrong, "\n".join(wrong)
        stops = {account.key: account.stop for account in await store.accounts()}
        alarms = [dict(line.facts) for line in await store.list_alarms(1_000)]
        for cell, sms in table:
            assert stops.get(sms.account, Stop.NONE) is cell.stop, cell.name
            told = [facts for facts in alarms if facts.get("account") == sms.account]
            wanted = ["stopped"] if cell.stop else ["polls-refused"] if cell.name == "junk, polls 401" else []
            assert [facts["alarm"] for facts in told] == wanted, cell.name


@pytest.mark.threat(19, "until the alarm, with 2 min of settle", of="accounts", unit="s", at_most=900)
@pytest.mark.threat(19, "POSTs after it", of="SMS queued then")
async def test_accepted_and_never_made_stops_the_account_and_tells_the_admin(store: Store) -> None:
    """A wrong token may be answered with 200. Three numbers of which the vendor then knows nothing say so."""
    async with vendor() as one:
        rule(one, on="send", action="silent")
        several = await queued(store, [f"+6142100000{n}" for n in range(3)], account="a1")
        async with polling(store, one, sends=True):

            async def stopped() -> bool:
                return any(account.stop is Stop.SILENT for account in await store.accounts())

            await until(stopped, "sending never stopped")
            posts = len(asked(one, "send"))
            (later,) = await queued(store, ["+61421000009"], account="a1")
            (alarm,) = [line for line in await store.list_alarms(10) if dict(line.facts).get("stop")]
            assert dict(alarm.facts)["stop"] == "silent"
            # By the store's clock, from the first SMS on that nobody will get.
            found(
                (alarm.last_at - several[0].created_at) / 1_000, what="until the alarm, with 2 min of settle"
            )
            outbox = await store.list_outbox(None, 10)
            assert [mail.to for mail in outbox if mail.kind == "alarm"] == ["admin@example.com"]
            one.vendor.rules.clear()
            assert (await now(store, later)).state is State.QUEUED
            found(len(asked(one, "send")) - posts, what="POSTs after it")
            assert len(asked(one, "send")) == posts, "nothing is sent while it stands still"
            assert await store.resume("a1", Actor("kim", "desk")) == 1

            async def all_delivered() -> bool:
                return all([(await now(store, sms)).state is State.DELIVERED for sms in (*several, later)])

            await until(all_delivered, "not all were sent after the resume")


def posts_of(one: Simulator, sms: Sms) -> tuple[int, int]:
    """How often the vendor was asked for that SMS, and how often it made it."""
    posts = [entry for entry in asked(one, "send") if entry.number == sms.number]
    assert {entry.message_id for entry in posts} <= {sms.message_id}
    return len(posts), len([entry for entry in posts if entry.created])


async def as_expected(store: Store, one: Simulator, cell: Cell, sms: Sms) -> bool:
    """A stopped account sends one SMS as a probe every quarter of an hour: its posts go on."""
    posts, made = posts_of(one, sms)
    enough = posts >= cell.posts if cell.stop else posts == cell.posts
    return (await now(store, sms)).state is cell.ends and enough and made == cell.made


async def seen(store: Store, one: Simulator, cell: Cell, sms: Sms) -> str:
    story = await store.show(sms.message_id)
    assert story is not None
    notes = " | ".join(f"{line.state}: {line.note}" for line in story.history)
    return f"{cell.name}: {story.sms.state} {posts_of(one, sms)}, not {cell.ends} {cell.posts, cell.made}; {notes}"
