"""``smsbridge check-config``, ``schema`` and ``migrate``."""

import asyncio
import json
import os
import sys
from argparse import Namespace
from pathlib import Path

from bridge.cli.actor import actor
from bridge.cli.output import clean
from bridge.cli.setting import config_path, configured, opened
from bridge.config import Config, check, json_schema
from bridge.store import migrate as migrate_store

_EX_CONFIG = 78


def check_config(options: Namespace) -> int:
    """Print every mistake and warning; 78 when there is a mistake."""
    path = Path(options.file) if options.file else config_path(options)
    problems = check(path, os.environ)
    for problem in problems:
        print(problem, file=sys.stderr)
    if any(problem.severity == "error" for problem in problems):
        return _EX_CONFIG
    print(f"{clean(str(path))}: ok")
    return 0


def schema(options: Namespace) -> int:
    """Print the JSON schema, for editors."""
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0


def migrate(options: Namespace) -> int:
    """Bring the database up to this version."""
    config = configured(options)
    database = config.database
    before, after = migrate_store(database.whole())
    if before != after:
        asyncio.run(_record(config, before, after))
    did = "made new" if not before else "up to date already" if before == after else f"was {before}"
    print(f"{clean(database.address)}: schema {after}, {did}")
    return 0


async def _record(config: Config, before: int, after: int) -> None:
    async with opened(config) as store:
        await store.privacy.note(actor(), "migrate", was=before, schema=after)
