"""What the verbs of the store need of a database: named statements in a transaction, and somewhere to run it.

The verbs are written once, as plain functions over `Tx`; a `Database` runs them. Nothing here knows which
database it is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

Topic = Literal["sms", "outbox", "poll", "optouts"]
Row = tuple[Any, ...]
Values = Mapping[str, Any]
Clock = Callable[[], int]  # ms UTC
A = TypeVar("A")
T = TypeVar("T")


class Tx(Protocol):
    """One transaction, or one unit inside a shared one. Statements are those of ``sql/``, by name."""

    @property
    def now(self) -> int:
        """The database's clock when the unit began, in ms UTC."""
        ...

    def one(self, name: str, /, **values: object) -> Row | None:
        """Return the first row, or None."""
        ...

    def all(self, name: str, /, **values: object) -> list[Row]:
        """Return all rows."""
        ...

    def run(self, name: str, /, **values: object) -> int:
        """Return how many rows were written."""
        ...

    def add(self, name: str, rows: Sequence[Values]) -> int:
        """Run an INSERT of one row for all ``rows`` at once; return how many were written."""
        ...

    def add_numbered(self, name: str, rows: Sequence[Values]) -> Sequence[int]:
        """Run an INSERT that returns an id for all ``rows`` at once; return the ids in order."""
        ...

    def each(self, name: str, rows: Sequence[Values]) -> list[Row]:
        """Return what a query finds for each of ``rows``, all in one list."""
        ...

    def alone(self, *marks: str) -> None:
        """Wait until no other unit that asked for one of ``marks`` is on its way; then see what it has stored."""
        ...

    def tell(self, topic: Topic) -> None:
        """Wake those who wait for ``topic``, once this unit is committed."""
        ...


Together = Callable[[Tx, Sequence[A]], Sequence[T]]


class Database(Protocol):
    """Runs units: each whole or not at all, and durable when `write` returns.

    A unit may run more than once before one of its runs is committed: it must not change anything but rows.
    """

    async def write(self, unit: Callable[[Tx], T]) -> T:
        """Return what ``unit`` returned, after its commit. A caller that is cancelled undoes nothing."""
        ...

    async def write_together(
        self, units: Together[A, T], one: A, *, turn: int = 0, wakes: Topic | None = None
    ) -> T:
        """Return what ``units`` returned for ``one``: it runs once for all that are asked for at the same time,
        unless that fails for one of them. In a commit it runs before what `write` is given, and after what has a lower
        ``turn``. Else as `write`.

        ``wakes``: what it will tell of; a unit that stands by for that runs in the same commit, after it.
        """
        ...

    async def write_when(self, topic: Topic, unit: Callable[[Tx], T], within_s: float) -> T | None:
        """Return what ``unit`` returned, as `write` does; it stands by for news of ``topic``, so that what is queued
        needs no second commit to be claimed. At the latest it runs ``within_s``; None: it was withdrawn before.

        One unit at a time may stand by for a topic.
        """
        ...

    def withdraw(self, topic: Topic) -> None:
        """Let the unit that stands by for ``topic`` not run, if it has not begun."""
        ...

    async def read(self, unit: Callable[[Tx], T]) -> T:
        """Return what ``unit`` returned; it sees one moment and may not write."""
        ...

    async def wipe(self, *, rewrite: bool) -> bool:
        """Take what was dropped out of the log beside the database; False: somebody still reads what was before.

        With ``rewrite`` all of the database is written anew, without remains. Nobody else can write meanwhile.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun, and close."""
        ...
