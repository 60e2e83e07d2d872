"""Every way a send can end unclear, with polls that work, fail or are not possible: made once, or held.

The judge is the vendor's own book: how often it made an SMS for a MessageID.
"""

import contextlib
import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.rules import OnUnknown
from bridge.sms import HOUR, MINUTE, Sms, State
from bridge.store import Store
from tests.given_store import now, queued, until
from tests.poller.given import asked, polling, rule, vendor
from tests.threats import found

ENDS: dict[str, dict[str, Any]] = {
    "500": {"action": "refuse", "status": 500},
    "time-out": {"action": "timeout"},
    "reset": {"action": "reset"},
    "hang-up": {"action": "hangup"},
    "junk with 200": {"action": "raw", "status": 200, "body": "<html>"},
}


@dataclass(frozen=True)
class Cell:
    """One case: how the first POST ends, whether the SMS was made, what polls do, what the rule wants."""

    account: str
    number: str
    end: str
    made: bool
    polls: str
    on_unknown: OnUnknown

    @property
    def sender(self) -> str:
        return f"a{self.account[1:]}@example.com"

    @property
    def expire_after_ms(self) -> int:
        """Soon only where the end is what the test waits for: a busy machine must not expire the others."""
        return 6 * MINUTE if self.polls == "fail" and self.on_unknown == "hold" else 12 * HOUR


def cells() -> list[Cell]:
    kinds = itertools.product(ENDS, (True, False), ("work", "fail", "none"), ("hold", "resend"))
    return [
        Cell(f"{'x' if polls == 'none' else 'a'}{n}", f"+614210{n:05d}", end, made, polls, on_unknown)
        for n, (end, made, polls, on_unknown) in enumerate(kinds)
    ]


def expected(cell: Cell) -> tuple[State, int]:
    """Return where the SMS ends up and how many POSTs there are."""
    if cell.polls == "work":
        return State.DELIVERED, 1 if cell.made else 2  # "no such message" all the time proves it: sent again
    if cell.on_unknown == "hold":
        return State.HELD, 1
    return State.UNCONFIRMED, 2  # the rule says that twice is better than never; nobody can tell its end


@pytest.mark.threat(2, "wrong ends or POSTs", of="cells of answer × made × polls × news")
async def test_every_cell_of_the_fault_table_ends_where_it_should(store: Store) -> None:
    table: list[tuple[Cell, Sms]] = []
    async with vendor(reject_duplicates=False) as one:
        for cell in cells():
            rule(one, on="send", number=cell.number, times=1, created=cell.made, **ENDS[cell.end])
            if cell.polls == "fail":
                rule(one, on="status", sender=cell.sender, action="refuse", status=500)
            (sms,) = await queued(
                store,
                [cell.number],
                account=cell.account,
                on_unknown=cell.on_unknown,
                expire_after_ms=cell.expire_after_ms,
            )
            table.append((cell, sms))
        async with polling(store, one, sends=True, send_timeout_ms=1_500):

            async def settled() -> bool:
                states = [(await now(store, sms)).state is expected(cell)[0] for cell, sms in table]
                return all(states)

            with contextlib.suppress(AssertionError):  # what is wrong is told by name
                await until(settled, "")
            left = [(cell, (await now(store, sms)).state) for cell, sms in table]
        sends = asked(one, "send")
    wrong = [str(line) for line in left if line[1] is not expected(line[0])[0]]
    twice = [cell for cell, _ in table if sum(e.number == cell.number for e in sends) != expected(cell)[1]]
    found(len(wrong) + len(twice), of=len(table))
    assert not wrong, "\n".join(wrong)
    for cell, sms in table:
        posts = [entry for entry in sends if entry.number == cell.number]
        assert len(posts) == expected(cell)[1], cell
        assert {entry.message_id for entry in posts} == {sms.message_id}
        if cell.polls == "work":
            assert len([entry for entry in posts if entry.created]) == 1, cell
