"""Can the database be opened and written to, and does it keep what it promises? One not there yet is not made."""

import asyncio
import os
from pathlib import Path

from bridge.app.database import open_store_of
from bridge.cli.doctor.finding import Finding, fault, ok
from bridge.cli.doctor.nodes import nodes
from bridge.config import Config
from bridge.errors import StoreError
from bridge.store import is_postgresql, is_there, look_at_server


async def database(config: Config) -> list[Finding]:
    """Return what was found about the database and the nodes on it."""
    address = config.database.address
    found = await _server(config) if is_postgresql(address) else _before_the_first_start(Path(address))
    if found:
        return [found]
    try:
        store = await open_store_of(config)
        try:
            await store.check()
            on_it = await nodes(store)
        finally:
            await store.close()
    except StoreError as error:
        return [fault("database", str(error))]
    return [ok("database", f"{address} is writable and up to date"), *on_it]


async def _server(config: Config) -> Finding | None:
    """Return what a PostgreSQL server shows before it is written to; None when all is well."""
    address = config.database.address
    try:
        server = await asyncio.to_thread(look_at_server, config.database.whole())
    except StoreError as error:
        return fault("database", str(error))
    if server.risks:
        say = f"{address}: its server has {' and '.join(server.risks)}: a power cut may lose mails that were answered"
        return fault("database", f"{say} 250. Turn it on in postgresql.conf and reload the server")
    if not server.schema:
        return ok(
            "database", f"{address} (PostgreSQL {server.version}) is empty: the first start makes its tables"
        )
    return None


def _before_the_first_start(path: Path) -> Finding | None:
    try:
        if is_there(path):
            return None
    except StoreError as error:
        return fault("database", str(error))
    folder = next(parent for parent in path.parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        return fault("database", f"{path} is not there yet, and this user may not make it in {folder}")
    return ok("database", f"{path} is not there yet: the first start makes it")
