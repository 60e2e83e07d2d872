"""Where the configuration is found, and the store that it names, for the commands that need them."""

import asyncio
import contextlib
import os
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from bridge.app.database import open_store_of
from bridge.config import Config, load
from bridge.errors import ConfigError, StoreError
from bridge.store import Store, is_there

Work = Callable[[Config, Store], Awaitable[int]]

_PLACES: Final = ("config/bridge.yaml", "/etc/smsbridge/bridge.yaml")


def config_path(options: Namespace) -> Path:
    """Return the file named by ``-c``, else by the environment, else the first that is there."""
    named = options.config or os.environ.get("SMSBRIDGE_CONFIG")
    if named:
        return Path(named)
    for place in _PLACES:
        if Path(place).is_file():
            return Path(place)
    raise ConfigError(
        f"no configuration found: name one with -c FILE or $SMSBRIDGE_CONFIG, or put it at {' or '.join(_PLACES)}"
    )


def configured(options: Namespace) -> Config:
    """Return the configuration of this command. Raises `ConfigError` with every mistake in it."""
    return load(config_path(options), os.environ)


@contextlib.asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Store]:
    """Open the store beside a service that may be running on it.

    Raises `StoreError` when there is none yet: it should be made by, and belong to, the user of the service.
    """
    if not is_there(config.database.whole()):
        where = config.database.address
        raise StoreError(f"there is no database at {where} yet: the service makes it at its first start")
    store = await open_store_of(config)
    try:
        yield store
    finally:
        await store.close()


def on_the_store(options: Namespace, work: Work) -> int:
    """Return the exit code of what ``work`` does with the configuration and its store."""

    async def run() -> int:
        config = configured(options)
        async with opened(config) as store:
            return await work(config, store)

    return asyncio.run(run())
