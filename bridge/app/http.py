"""An ASGI app on a socket of ours, inside our event loop: uvicorn without its hold on signals and logs."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from bridge.errors import ConfigError

_BACKLOG: Final = 256
_STOP_S: Final = 5  # a page or webhook still being answered when we stop


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the app, which drains all parts in order."""
        yield


@contextlib.asynccontextmanager
async def http_server(
    app: Starlette, address: str, port: int, certificate: Path | None = None, key: Path | None = None
) -> AsyncIterator[int]:
    """Serve ``app`` while the context lasts; yields the port it really got. Raises `ConfigError`."""
    listener = _bind(address, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=512,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_STOP_S,
        h11_max_incomplete_event_size=32 * 1024,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except (OSError, ValueError) as fault:
        listener.close()
        raise ConfigError(f"cannot use certificate {certificate} with key {key}: {fault}") from fault
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name=f"http {address}:{port}")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110  (uvicorn sets a plain flag)
            await asyncio.sleep(0.01)
        if task.done():
            await task
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=2 * _STOP_S)


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol is named because asyncio turns Nagle off only for sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as fault:
        listener.close()
        reason = fault.strerror or "cannot listen"
        raise ConfigError(f"cannot listen on {address}:{port} (HTTP): {reason.lower()}") from fault
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener
