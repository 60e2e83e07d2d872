"""What other nodes commit, heard over a connection that only listens.

A hint may be missed: a loop looks for itself some times a second. So a connection that is lost is no fault; when
it is there again, every topic counts as told.
"""

import asyncio
from collections.abc import Callable
from typing import Final, get_args

import psycopg

from bridge.errors import StoreError
from bridge.store.database import Row, Topic
from bridge.store.postgresql_session import connect
from bridge.store.threads import OnCommit

CHANNEL: Final = "smsbridge"
NAME: Final = "smsbridge listener"  # of these connections, for all nodes to see
LISTENING: Final = (
    b"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %d"
    b" AND application_name = '" + NAME.encode() + b"'"
)
RETRY_S: Final = 1.0
TOPICS: Final[frozenset[Topic]] = frozenset(get_args(Topic))

Connection = psycopg.Connection[Row]


class Listener:
    """Calls ``on_news`` when another process has committed something that it told of.

    ``ours`` returns the server's process that writes for us, whose news are none.
    """

    def __init__(self, url: str, ours: Callable[[], int], on_news: OnCommit) -> None:
        self._url = url
        self._ours = ours
        self._on_news = on_news
        self.backend = 0  # the server's process that we listen by
        self._task = asyncio.create_task(self._run(), name="store-listener")

    async def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                connection = await self._connect()
            except (StoreError, psycopg.Error):
                await asyncio.sleep(RETRY_S)
                continue
            self.backend = connection.pgconn.backend_pid
            try:
                self._on_news(set(TOPICS))
                await self._listen(connection)
            finally:
                connection.close()

    async def _connect(self) -> Connection:
        """Connect in a thread, which a close waits for: a connection that nobody takes would stay open."""
        connecting = asyncio.get_running_loop().run_in_executor(None, _listening, self._url)
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            await asyncio.wait([connecting])
            if not connecting.exception():
                connecting.result().close()
            raise

    async def _listen(self, connection: Connection) -> None:
        """Pass on what comes; return when the connection is lost."""
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        file = connection.fileno()  # libpq forgets it with the connection
        loop.add_reader(file, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                connection.pgconn.consume_input()
                self._pass_on(connection)
        except psycopg.Error:
            return
        finally:
            loop.remove_reader(file)

    def _pass_on(self, connection: Connection) -> None:
        topics: set[Topic] = set()
        while note := connection.pgconn.notifies():
            if note.be_pid != self._ours():
                told = note.extra.decode().split(",")
                topics |= {topic for topic in TOPICS if topic in told}
        if topics:
            self._on_news(topics)


def _listening(url: str) -> Connection:
    connection = connect(url, NAME)
    connection.execute(f"LISTEN {CHANNEL}".encode())
    return connection
