"""Can the database be opened and written to? One that is not there yet is not made."""

import os
from pathlib import Path

from bridge.app.database import open_store_of
from bridge.cli.doctor.finding import Finding, fault, ok
from bridge.cli.doctor.nodes import nodes
from bridge.config import Config
from bridge.errors import StoreError


async def database(config: Config) -> list[Finding]:
    """Return what was found about the database and the nodes on it."""
    path = Path(config.database_path)
    missing = _before_the_first_start(path)
    if missing:
        return [missing]
    try:
        store = await open_store_of(config)
        try:
            await store.check()
            found = await nodes(store)
        finally:
            await store.close()
    except StoreError as error:
        return [fault("database", str(error))]
    return [ok("database", f"{path} is writable and up to date"), *found]


def _before_the_first_start(path: Path) -> Finding | None:
    try:
        if path.exists():
            return None
    except OSError as error:
        return fault("database", f"{path}: {(error.strerror or 'cannot be reached').lower()}")
    folder = next(parent for parent in path.parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        return fault("database", f"{path} is not there yet, and this user may not make it in {folder}")
    return ok("database", f"{path} is not there yet: the first start makes it")
