"""``smsbridge doctor``: try everything the service needs; a line each, ok or what to do.

It sends no SMS and no mail, and disturbs no service that runs.
"""

import asyncio
from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import Final

from bridge.cli.doctor.brands import brands
from bridge.cli.doctor.certificates import certificates
from bridge.cli.doctor.database import database
from bridge.cli.doctor.finding import Finding, Verdict
from bridge.cli.doctor.listeners import listeners
from bridge.cli.doctor.name_servers import name_servers
from bridge.cli.doctor.records import dkim_record, from_domains, reply_domain
from bridge.cli.doctor.retention import retention
from bridge.cli.doctor.smarthost import smarthost
from bridge.cli.doctor.vendor import accounts
from bridge.cli.output import as_json, clean
from bridge.cli.setting import configured
from bridge.config import Config

__all__ = ["Finding", "run"]

_MARK: Final[dict[Verdict, str]] = {"ok": "ok     ", "warning": "warning", "fault": "FAULT  "}


def run(options: Namespace) -> int:
    """Print the findings; exit code 1 when there is a fault."""
    found = asyncio.run(_examine(configured(options)))
    if options.json:
        as_json({"verdict": one.verdict, "what": one.what, "say": one.say} for one in found)
    else:
        for one in found:
            print(f"{_MARK[one.verdict]} {clean(one.what)}: {clean(one.say)}")
    return 1 if any(one.verdict == "fault" for one in found) else 0


async def _examine(config: Config) -> list[Finding]:
    found = await database(config)
    for trial in (
        listeners,
        certificates,
        brands,
        smarthost,
        dkim_record,
        from_domains,
        reply_domain,
        retention,
    ):
        found += await asyncio.to_thread(_all, trial, config)
    return [*found, *await name_servers(config), *await accounts(config)]


def _all(trial: Callable[[Config], Iterable[Finding]], config: Config) -> list[Finding]:
    return list(trial(config))
