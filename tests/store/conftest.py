"""A store on either engine, a clock that only moves when told, and short ways to make what goes in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bridge.decide.values import Accept, NewMail, NewSms
from bridge.errors import StoreError
from bridge.rules import ReportRule
from bridge.sms import Timing
from bridge.store import Store, StoreSettings, open_store
from tests.postgres import Server

START = 1_700_000_000_000
SETTINGS = StoreSettings(
    domain="sms.local",
    admin="admin@example.com",
    inbound_to="desk@example.com",
    accounts_with_polls=frozenset({"default"}),
)


@dataclass
class Clock:
    """Time in ms that stands still until somebody moves it."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def forward(self, ms: int) -> None:
        self.now += ms


USUAL = Timing()
Opener = Callable[..., Awaitable[Store]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Every test of the store runs on both; one that is about an engine names it."""
    return str(request.param)


@pytest.fixture
def path(engine: str, tmp_path: Path) -> Path:
    """Where the file of an SQLite database stands."""
    assert engine == "sqlite"
    return tmp_path / "bridge.db"


@pytest.fixture
def database(engine: str, request: pytest.FixtureRequest) -> str:
    """The address of a database that is not made yet."""
    if engine == "sqlite":
        path: Path = request.getfixturevalue("path")
        return str(path)
    server: Server = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
async def opened(engine: str, database: str, clock: Clock) -> AsyncIterator[Opener]:
    """Opens stores on one database and closes them all at the end."""
    stores: list[Store] = []
    busy = {"busy_ms": 200} if engine == "sqlite" else {}

    async def opener(timing: Timing = USUAL, file: str | Path = database, **changes: Any) -> Store:
        settings = replace(SETTINGS, **changes)
        stores.append(await open_store(file, settings=settings, timing=timing, clock=clock, **busy))
        return stores[-1]

    yield opener
    for store in stores:
        await store.close()


@pytest.fixture
async def store(opened: Opener) -> Store:
    return await opened()


ALL = ReportRule()


def mail(
    *numbers: str,
    sender: str = "ann@clinic.example",
    header: str | None = "<one@clinic.example>",
    text: str = "hello",
    reports: ReportRule = ALL,
    refused: tuple[str, ...] = (),
    account: str = "default",
    on_unknown: Any = "hold",
    proof: Any = "auth",
    expire_after_ms: int = 12 * 3_600_000,
) -> Accept:
    """A mail to ``numbers``, as it comes out of the decision."""
    numbers = numbers or ("+61421000001",)
    taken = NewMail(
        sender=sender,
        proof=proof,
        rule=0,
        client="192.0.2.1",
        subject="Lunch",
        header_message_id=header,
        references=("<before@clinic.example>",),
        brand="clinic",
        reports=reports,
        size=1234,
        cut=("signature",),
    )
    return Accept(
        taken,
        tuple(
            NewSms(
                number=number,
                recipient=f"{number}@sms.local",
                text=text,
                encoding="gsm7",
                segments=1,
                account=account,
                mode="live",
                on_unknown=on_unknown,
                expire_after_ms=expire_after_ms,
                refused="premium numbers are not allowed" if number in refused else "",
            )
            for number in numbers
        ),
    )


async def takes_mail(store: Store, text: str) -> bool:
    try:
        return bool((await store.accept(mail(text=text))).queued)
    except StoreError:
        return False
