"""The one place that speaks HTTP to the vendor: many small pools, a deadline and a size cap for every answer.

It uses httpx's transports without its client, which costs a third more: there is nothing here to follow,
retry, decode or remember. A request that runs is never cancelled from outside: a cancelled one
leaks its place in the pool (httpcore issue 1093), and its fate would be unknown for no reason.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

KEEPALIVE_S: Final = 3.0  # shorter than the server's (5 s is common): it must not close as we send
CONNECT_S: Final = 10.0
POOL_S: Final = 5.0
LONELY_POOL_TIMEOUTS: Final = 3  # so many in a row and the pool has leaked its places

_T = TypeVar("_T")


class NotSent(Exception):
    """The request surely did not leave: no name, refused, connect or pool time-out, TLS failure."""


class Unclear(Exception):
    """The request may have arrived; what became of it is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True, eq=False)
class _Client:
    http: httpx.AsyncBaseTransport
    running: int = 0
    pool_timeouts: int = 0
    retired: bool = False


class Wire:
    """A row of HTTP connections, each in a pool of its own, with one TLS context between them."""

    def __init__(
        self,
        connections: int,
        deadline_s: float,
        tls: ssl.SSLContext | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        for name in ("httpx", "httpcore"):  # they write whole URLs and headers
            logging.getLogger(name).setLevel(logging.ERROR)
        self._deadline_s = deadline_s
        # Connecting ends well before the whole deadline, so that its failure is told from an unclear one.
        self._timeout = {
            "connect": min(CONNECT_S, deadline_s / 2),
            "pool": min(POOL_S, deadline_s / 4),
            "read": deadline_s,
            "write": deadline_s,
        }
        self._tls = tls or ssl.create_default_context()  # one for all: making it costs as much as 30 sends
        self._transport = transport
        self._clients = [_Client(self._made()) for _ in range(connections)]
        self._tasks: set[asyncio.Task[Any]] = set()

    async def finished(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run ``work`` to its end even if the caller is cancelled meanwhile; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def ask(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        max_bytes: int,
        content: bytes | None = None,
    ) -> Answer:
        """Return the vendor's answer. Raises NotSent or Unclear; an answer over ``max_bytes`` is Unclear."""
        client = min(self._clients, key=lambda one: one.running)
        client.running += 1
        try:
            async with asyncio.timeout(self._deadline_s):
                request = httpx.Request(
                    method, url, headers=headers, content=content, extensions={"timeout": self._timeout}
                )
                answer = await _exchange(client.http, request, max_bytes)
            client.pool_timeouts = 0
            return answer
        except httpx.PoolTimeout as error:
            self._count_pool_timeout(client)
            raise NotSent("no free connection") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotSent(f"no connection: {_said(error)}") from error
        except TimeoutError as error:
            self._replace(client)  # its request was cut off in the middle, so its pool may have lost a place
            raise Unclear(f"no whole answer within {self._deadline_s:g} s") from error
        except Exception as error:  # whatever else happens, the request may be out
            raise Unclear(_said(error)) from error
        finally:
            client.running -= 1
            if client.retired and not client.running:
                with suppress(Exception):
                    await client.http.aclose()

    async def close(self, *, cut: bool = False) -> None:
        """Wait for what runs, or ``cut`` it off where nothing hangs on it, then close all connections."""
        while self._tasks:
            for task in self._tasks if cut else ():
                task.cancel()
            await asyncio.wait(self._tasks)
        for client in self._clients:
            await client.http.aclose()

    def _made(self) -> httpx.AsyncBaseTransport:
        if self._transport is not None:
            return self._transport()
        # One connection each: the cost of a request grows with its pool (40 of 1: 500 µs, 8 of 5: 850 µs).
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_S)
        return httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, limits=limits)

    def _count_pool_timeout(self, client: _Client) -> None:
        client.pool_timeouts += 1
        if client.pool_timeouts >= LONELY_POOL_TIMEOUTS:
            self._replace(client)

    def _replace(self, client: _Client) -> None:
        """Put a fresh client in its place; the old one is closed once its last request is over."""
        if not client.retired:
            client.retired = True
            self._clients[self._clients.index(client)] = _Client(self._made())


async def _exchange(http: httpx.AsyncBaseTransport, request: httpx.Request, max_bytes: int) -> Answer:
    response = await http.handle_async_request(request)
    try:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise httpx.DecodingError("the answer is compressed")  # not asked for, and perhaps a bomb
        body = bytearray()
        assert isinstance(response.stream, httpx.AsyncByteStream)
        async for piece in response.stream:
            body += piece
            if len(body) > max_bytes:
                raise httpx.DecodingError("the answer is too long")
        return Answer(response.status_code, response.headers, bytes(body))
    finally:
        await response.aclose()


def _said(error: Exception) -> str:
    """Return an error's kind and text; the caller scrubs and bounds it."""
    text = str(error) or (str(error.__cause__) if error.__cause__ else "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
