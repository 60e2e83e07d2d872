"""``smsbridge limits``: what each sender has used of their limits, now."""

import asyncio
from argparse import Namespace
from collections.abc import Mapping
from typing import Any, Final

from bridge.cli.output import as_json, as_table, iso, local
from bridge.cli.setting import configured, opened
from bridge.rules import money
from bridge.store import UseLine

_MONEY: Final = 10_000
_COLUMNS: Final = ("sender", "limit", "used", "most", "refused", "resets")


def run(options: Namespace) -> int:
    """List what is used of limits in the minute, hour, day and month that is running."""

    async def work() -> int:
        config = configured(options)
        async with opened(config) as store:
            lines = await store.limits(options.limit)
        if options.json:
            as_json(map(_object, lines))
            return 0
        rows = [_row(line) | {"resets": local(line.ends, config.timezone)} for line in lines]
        as_table(rows, _COLUMNS, "nothing is counted: no sender with a limit has sent lately")
        return 0

    return asyncio.run(work())


def _of_money(line: UseLine) -> bool:
    return line.name.startswith("spend")


def _object(line: UseLine) -> Mapping[str, Any]:
    share = _MONEY if _of_money(line) else 1
    return {
        "sender": line.sender or None,
        "limit": line.name,
        "used": line.used / share if share > 1 else line.used,
        "most": line.most if line.most is None or share == 1 else line.most / share,
        "refused": line.refused,
        "begins": iso(line.begins),
        "resets": iso(line.ends),
    }


def _row(line: UseLine) -> dict[str, Any]:
    shown = money if _of_money(line) else str
    return {
        "sender": line.sender or "all together",
        "limit": line.name,
        "used": shown(line.used),
        "most": None if line.most is None else shown(line.most),
        "refused": line.refused,
    }
