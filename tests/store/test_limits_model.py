"""The counts of limits against a model that keeps a list of what was taken and what each came to cost."""

import asyncio
import datetime
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from bridge.event import Event, News
from bridge.rules import Limits
from bridge.sms import HOUR, MINUTE, SECOND, Input, Kind
from bridge.store import Actor, Store, open_store
from tests.postgres import Server
from tests.store.conftest import SETTINGS, Clock, mail

T = TypeVar("T")
ZONE: Final = ZoneInfo("Australia/Sydney")
LIMITS: Final = Limits(
    per_minute=3, per_hour=6, per_day=10, spend_per_day=1_000, spend_per_month=1_800, over="refuse"
)
CAP: Final = 1_500
LONG: Final = 400 * 24 * HOUR
PAUSES: Final = (0, SECOND, 20 * SECOND, MINUTE, 20 * MINUTE, HOUR, 5 * HOUR, 24 * HOUR, 9 * 24 * HOUR)


@dataclass
class Taken:
    """One SMS as the model sees it: when it was taken, and what it costs now."""

    sender: str
    at: int
    reserved: int
    cost: int
    open: bool = True


def there(at: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at / 1000, ZONE)


# Which window a moment lies in, said in another way than the bridge does.
WINDOW_OF: Final[dict[str, Callable[[int], object]]] = {
    "per_minute": lambda at: at // MINUTE,
    "per_hour": lambda at: at // HOUR,
    "per_day": lambda at: there(at).date(),
    "spend_per_day": lambda at: there(at).date(),
    "spend_cap": lambda at: there(at).date(),
    "spend_per_month": lambda at: (there(at).year, there(at).month),
}
MOST: Final = {
    "per_minute": 3,
    "per_hour": 6,
    "per_day": 10,
    "spend_per_day": 1_000,
    "spend_cap": CAP,
    "spend_per_month": 1_800,
}


class Limited(RuleBasedStateMachine):
    """Mails of two senders, what becomes of their SMS, and a clock that goes over a change of summer time, over
    midnights and ends of months."""

    runner: ClassVar[asyncio.Runner]
    store: ClassVar[Store]
    clock: ClassVar[Clock]
    serials: ClassVar[Iterator[int]]

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize(spring=st.booleans())
    def begin(self, spring: bool) -> None:
        """On the day before a change of the clock, later than all that was before."""
        year = there(self.clock.now).year + 1
        first = datetime.date(year, 4 if spring else 10, 1)
        sunday = first + datetime.timedelta(days=(6 - first.weekday()) % 7)
        eve = datetime.datetime.combine(sunday, datetime.time(20), ZONE) - datetime.timedelta(days=1)
        self.clock.now = round(eve.timestamp() * 1000)
        while self.do(self.store.claim("node", 100)):
            pass  # of examples before: they must not take the turns of this one's, or it is another each time
        self.senders = [f"{next(self.serials)}@x" for _ in range(2)]
        self.taken: dict[str, Taken] = {}
        self.ended: list[str] = []

    def used(self, name: str, sender: str) -> int:
        window = WINDOW_OF[name](self.clock.now)
        counted = [
            one
            for one in self.taken.values()
            if WINDOW_OF[name](one.at) == window and (name == "spend_cap" or one.sender == sender)
        ]
        return sum(one.cost for one in counted) if name.startswith("spend") else len(counted)

    @rule(who=st.integers(0, 1), costs=st.lists(st.sampled_from([0, 50, 100, 250]), min_size=1, max_size=3))
    def accept(self, who: int, costs: list[int]) -> None:
        sender = self.senders[who]
        asked = mail(
            *(f"+6142100000{n}" for n in range(len(costs))),
            sender=sender,
            header=f"<{next(self.serials)}@x>",
            expire_after_ms=LONG,
        )
        sms = tuple(replace(new, cost=cost) for new, cost in zip(asked.sms, costs, strict=True))
        more = {name: sum(costs) if name.startswith("spend") else len(costs) for name in MOST}
        fits = all(not more[name] or self.used(name, sender) + more[name] <= MOST[name] for name in MOST)
        accepted = self.do(self.store.accept(replace(asked, sms=sms, limits=LIMITS)))
        assert (accepted.over is None) == fits, accepted.over
        assert len(accepted.queued) == (len(costs) if fits else 0)
        for new, cost in zip(accepted.queued, costs, strict=False):
            self.taken[new.message_id] = Taken(sender, self.clock.now, cost, cost)
        self.agree(sender)

    @rule(
        how=st.sampled_from(["delivered", "refused", "not sent", "unclear"]),
        price=st.sampled_from([0, 40, 300]),
    )
    def send(self, how: str, price: int) -> None:
        for sms in self.do(self.store.claim("node", 1)):
            mine = self.taken.get(sms.message_id)
            kinds = {"refused": Kind.REFUSED_SMS, "not sent": Kind.NOT_SENT, "unclear": Kind.UNCLEAR}
            given = Input(kinds.get(how, Kind.SENT), sms.attempts, wait_ms=MINUTE)
            self.do(self.store.finish(sms, given, None))
            if mine is None:
                continue  # of an example before
            if how == "delivered":
                event = Event(
                    "webhook", "status", sms.message_id, sms.number, "{}", news=News.DELIVERED, price=price
                )
                self.do(self.store.record_event(event))
                mine.cost, mine.open = price, False
                self.ended.append(sms.message_id)
            elif how == "refused":
                mine.cost, mine.open = 0, False
            elif how == "unclear":
                mine.open = False

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        waiting = [name for name, one in self.taken.items() if one.open]
        if waiting:
            name = data.draw(st.sampled_from(waiting))
            self.do(self.store.cancel(name, Actor("test")))
            self.taken[name].cost, self.taken[name].open = 0, False

    @rule(data=st.data(), price=st.sampled_from([10, 70, 400]))
    def price_told_later(self, data: st.DataObject, price: int) -> None:
        if self.ended:
            name = data.draw(st.sampled_from(self.ended))
            event = Event(
                "webhook", "status", name, "", "{}", news=News.DELIVERED, result="late", price=price
            )
            if self.do(self.store.record_event(event)) != "known":
                self.taken[name].cost = price

    @rule(pause=st.sampled_from(PAUSES))
    def wait(self, pause: int) -> None:
        self.clock.forward(pause)

    @rule()
    def sweep(self) -> None:
        self.do(self.store.expire())

    def agree(self, sender: str) -> None:
        """What the operator is shown is what the model counts."""
        for line in self.do(self.store.limits(1_000)):
            if line.sender in (sender, "") and line.begins <= self.clock.now:
                assert line.used == self.used(line.name, sender), line


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_counts_are_those_of_the_model(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    database = str(tmp_path / "bridge.db")
    if engine == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        database = server.database()
    clock = Clock()
    with asyncio.Runner() as runner:
        chosen = replace(SETTINGS, spend_cap=CAP, timezone=ZONE)
        store = runner.run(open_store(database, settings=chosen, clock=clock))
        machine = type(
            "Machine", (Limited,), {"runner": runner, "store": store, "clock": clock, "serials": count()}
        )
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=15,
                    stateful_step_count=40,
                    deadline=None,
                    derandomize=False,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(store.close())
