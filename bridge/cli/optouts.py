"""``smsbridge optout list | add | remove``: phones that want no SMS, beside a running service."""

from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from bridge.cli.actor import actor
from bridge.cli.output import as_json, as_table, fail, iso, local, shorter
from bridge.cli.setting import on_the_store
from bridge.config import Config
from bridge.decide import numbers_of
from bridge.optout import EVERY_ACCOUNT, OptOut
from bridge.phone import display
from bridge.store import Store

_PAGE: Final = 500  # rows read at once
_MAX_NOTE: Final = 200  # characters
_COLUMNS: Final = ("number", "since", "account", "source", "note")
_EVERY: Final = "every account"


def rows(options: Namespace) -> int:
    """List who wants no SMS, the latest first."""

    async def work(config: Config, store: Store) -> int:
        found = _found(store)
        if options.json:
            async for one in found:
                as_json([_object(one)])
        else:
            cells = [
                {
                    "number": one.number,
                    "since": local(one.at, config.timezone),
                    "account": _EVERY if one.account == EVERY_ACCOUNT else one.account,
                    "source": one.source,
                    "note": one.note,
                }
                async for one in found
            ]
            as_table(cells, _COLUMNS, "nobody has opted out")
        return 0

    return on_the_store(options, work)


def add(options: Namespace) -> int:
    """Note that a phone wants no SMS."""

    async def act(config: Config, store: Store, number: str) -> int:
        account = options.account or EVERY_ACCOUNT
        if len(options.note) > _MAX_NOTE or not options.note.isprintable():
            return fail(f"the note must be one line of at most {_MAX_NOTE} characters")
        if not await store.opt_out(number, actor(), account, options.note):
            return fail(f"{display(number)} has opted out already; `smsbridge optout list` shows since when")
        print(f"{display(number)} gets no SMS any more, from {_named(options)}")
        return 0

    return _on_number(options, act)


def remove(options: Namespace) -> int:
    """Let SMS to a phone through again."""

    async def act(config: Config, store: Store, number: str) -> int:
        if not await store.opt_in(number, actor(), options.account):
            return fail(f"{display(number)} has not opted out of {_named(options)}")
        left = [one.account for one in await store.optouts_of(number)]
        print(f"{display(number)} gets SMS again, from {_named(options)}")
        if left:
            where = ", ".join(_EVERY if account == EVERY_ACCOUNT else account for account in left)
            print(f"it is still opted out of: {where}")
        return 0

    return _on_number(options, act)


Act = Callable[[Config, Store, str], Awaitable[int]]


def _on_number(options: Namespace, act: Act) -> int:
    """Do ``act`` with the one number that was named."""

    async def work(config: Config, store: Store) -> int:
        if options.account and options.account not in config.vendor.accounts:
            return fail(f"there is no account {options.account}; known: {', '.join(config.vendor.accounts)}")
        numbers = numbers_of(config.policy, options.number.strip())
        if len(numbers) != 1:
            what = f"stands for {len(numbers)} numbers" if numbers else "is no phone number"
            return fail(f"{shorter(options.number)} {what}: write one, such as +61421000001")
        return await act(config, store, numbers[0].e164)

    return on_the_store(options, work)


async def _found(store: Store) -> AsyncIterator[OptOut]:
    before: OptOut | None = None
    while page := await store.list_optouts(before, _PAGE):
        for one in page:
            yield one
        before = page[-1]


def _named(options: Namespace) -> str:
    return f"account {options.account}" if options.account else _EVERY


def _object(one: OptOut) -> dict[str, Any]:
    return {
        "number": one.number,
        "account": one.account,
        "since": iso(one.at),
        "source": one.source,
        "note": one.note,
    }
