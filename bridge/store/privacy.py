"""The verbs of privacy: what is kept no longer, a person forgotten, and the record of who did what."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final

from bridge.log import mask
from bridge.phone import Number
from bridge.store import audit, forgetting, purging
from bridge.store.database import Database, Tx
from bridge.store.forgetting import Person
from bridge.store.terms import Terms
from bridge.store.values import Act, Actor, Purged, PurgeFigures, PurgePlace, Retention, Trace

Pause = Callable[[], Awaitable[None]]
_FIRST: Final = PurgePlace()


class Privacy:
    """Part of `Store`. Each verb raises StoreError as those do."""

    def __init__(self, database: Database, terms: Terms) -> None:
        self._database = database
        self._terms = terms

    async def purge(self, retention: Retention, place: PurgePlace = _FIRST) -> Purged:
        """Do away with the few next rows that were kept for long enough; return how many, and where to go on.

        An SMS that is not final keeps its text, and so does what a mail of ours still has to tell.
        """
        return await self._database.write(lambda tx: purging.step(tx, retention, place))

    async def would_purge(self, retention: Retention) -> Purged:
        """Return what a purge would do away with now, or a little more: what is still needed is not left out."""
        return await self._database.read(lambda tx: purging.would(tx, retention))

    async def purge_figures(self) -> PurgeFigures:
        """Return when a purge last came to its end, and what all of them did away with."""
        return await self._database.read(purging.figures)

    async def trace(self, number: Number) -> Trace:
        """Return how much is known of the person with that number, and what of it is under way."""
        person = Person.of(number)

        def unit(tx: Tx) -> Trace:
            return forgetting.trace(tx, self._terms, person, forgetting.rows_of(tx, person))

        return await self._database.read(unit)

    async def forget(self, number: Number, actor: Actor, pause: Pause) -> Trace:
        """Do away with all that is known of the person with that number; return what was there.

        Nothing is done while some of it is under way: the answer says what. So does it of what came under way
        meanwhile, which stays. ``pause`` is awaited between batches.
        """
        person = Person.of(number)
        rows = await self._database.read(lambda tx: forgetting.rows_of(tx, person))

        def begin(tx: Tx) -> Trace:
            found = forgetting.trace(tx, self._terms, person, rows)
            if not found.under_way and not found.mails_due:
                counts = {"sms": found.sms, "events": found.events, "mails": found.mails}
                audit.note(tx, actor, "forget", mask(number.e164), **counts)
                forgetting.forget_in_accounts(tx, person)
                forgetting.forget_optouts(tx, person)
            return found

        found = await self._database.write(begin)
        if found.under_way or found.mails_due:
            return found
        for part in rows.parts():
            await self._database.write(partial(forgetting.forget_rows, rows=part, person=person))
            await pause()
        while True:
            after: int | None = 0
            while after is not None:
                _, after = await self._database.write(
                    partial(forgetting.forget_sms, person=person, after=after)
                )
                await pause()
            left = await self._database.read(lambda tx: forgetting.trace(tx, self._terms, person, rows))
            if left.under_way or left.mails_due:
                return replace(
                    left, sms=found.sms, events=found.events, mails=found.mails, alarms=found.alarms
                )
            if not left.sms:  # else what was under way is over by now
                return found

    async def wipe(self, *, rewrite: bool = False) -> bool:
        """Have the database let go of what was dropped; False: somebody still reads what was before.

        Without ``rewrite`` as far as that holds nobody up: remains may lie in unused parts of its files. With it all
        is written anew, and nobody else can write meanwhile.
        """
        return await self._database.wipe(rewrite=rewrite)

    async def acts(self, since: int = 0, before: int | None = None, limit: int = 100) -> tuple[Act, ...]:
        """Return what was done since then (ms UTC), newest first, with ids under ``before``."""
        return await self._database.read(lambda tx: audit.listed(tx, since, before, limit))

    async def note(self, actor: Actor, what: str, about: object = "", **details: object) -> None:
        """Add to the audit record what was done elsewhere than in the database."""
        await self._database.write(lambda tx: audit.note(tx, actor, what, about, **details))
