"""A server alone in a process: prints its port, runs until it is ended. Argument: the database file."""

import asyncio
import sys

from bridge.mail_in import Listener, MailIn, Settings
from bridge.store import open_store
from tests.mail_in.conftest import POLICY, STORE_SETTINGS


async def main(database: str) -> None:
    store = await open_store(database, settings=STORE_SETTINGS)
    settings = Settings((Listener("127.0.0.1", 0),), "gw.sms.local", "this-bridge", max_per_address=2_000)
    (port,) = await MailIn(store, POLICY, settings).start()
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
