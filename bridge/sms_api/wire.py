"""The one place that asks the vendor: a deadline for every answer, and whether a request that failed has left.

It uses an httpx transport without httpx's client, which costs a third more: there is nothing here to follow,
retry, decode or remember. A request that runs is never cancelled from outside: its fate would be unknown for
no reason.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from bridge.sms_api.transport import Transport
from bridge.sms_api.values import TooLate

CONNECT_S: Final = 10.0
POOL_S: Final = 5.0

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


class Wire:
    """A number of HTTP connections to the vendor. An answer's body has at most ``max_bytes``."""

    def __init__(
        self,
        connections: int,
        max_bytes: int,
        deadline_s: float,
        tls: ssl.SSLContext,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        logging.getLogger("httpx").setLevel(logging.ERROR)  # it writes whole URLs
        self._deadline_s = deadline_s
        self._tasks: set[asyncio.Task[Any]] = set()
        # Waiting and connecting end well before the whole deadline, so that they are told from an unclear end.
        self._http = (
            transport()
            if transport
            else Transport(
                connections,
                max_bytes,
                tls,
                pool_s=min(POOL_S, deadline_s / 4),
                connect_s=min(CONNECT_S, deadline_s / 2),
            )
        )

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
        content: bytes | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Return the vendor's answer. Raises NotSent or Unclear; TooLate if ``before`` does."""
        extensions = {"before": before}
        try:
            async with asyncio.timeout(self._deadline_s):
                request = httpx.Request(method, url, headers=headers, content=content, extensions=extensions)
                return await _exchange(self._http, request)
        except httpx.PoolTimeout as error:
            raise NotSent("no free connection") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotSent(f"no connection: {_said(error)}") from error
        except TooLate:
            raise
        except TimeoutError as error:
            raise Unclear(f"no whole answer within {self._deadline_s:g} s") from error
        except Exception as error:  # whatever else happens, the request may be out
            raise Unclear(_said(error)) from error

    async def close(self, *, cut: bool = False) -> None:
        """Wait for what runs, or ``cut`` it off where nothing hangs on it, then close all connections."""
        while self._tasks:
            for task in self._tasks if cut else ():
                task.cancel()
            await asyncio.wait(self._tasks)
        await self._http.aclose()


async def _exchange(http: httpx.AsyncBaseTransport, request: httpx.Request) -> Answer:
    response = await http.handle_async_request(request)
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise httpx.DecodingError("the answer is compressed")  # not asked for, and perhaps a bomb
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = b"".join([piece async for piece in response.stream])
    return Answer(response.status_code, response.headers, body)


def _said(error: Exception) -> str:
    """Return an error's kind and text; the caller scrubs and bounds it."""
    text = str(error) or (str(error.__cause__) if error.__cause__ else "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
