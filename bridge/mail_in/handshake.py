"""TLS on a connection that stands already, so that it counts from its first moment and not from its last handshake.

The loop's own TLS servers tell of a connection only when its hands are shaken, and wait a minute for that.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast


async def shake_hands(
    wire: asyncio.Transport,
    protocol: asyncio.Protocol,
    tls: ssl.SSLContext,
    take_hello: Callable[[], bytes],
    seconds: float,
) -> asyncio.Transport | None:
    """Return the transport inside TLS, over which ``protocol`` hears from now on; None when the client is gone.

    ``take_hello`` gives, and forgets, what of the handshake has come to ``protocol`` so far. Raises OSError when it
    fails or takes more than ``seconds``; then nobody is told that the connection has ended.
    """
    loop = asyncio.get_running_loop()
    hello = b""

    async def begin() -> asyncio.Transport | None:
        nonlocal hello
        # From here to `start_tls` there is no turn of the loop in which more of it could be read.
        hello = take_hello()
        return await loop.start_tls(wire, protocol, tls, server_side=True, ssl_handshake_timeout=seconds)

    def feed() -> None:
        """Let the TLS layer, just put in place and not reading yet, have what came before it was there."""
        octets = hello
        if not octets or wire.is_closing():
            return
        layer = cast(asyncio.BufferedProtocol, wire.get_protocol())
        while octets:
            room = memoryview(layer.get_buffer(len(octets)))
            part = octets[: len(room)]
            room[: len(part)] = part
            layer.buffer_updated(len(part))
            octets = octets[len(part) :]

    begun = loop.create_task(begin())
    # Right behind what `start_tls` calls soon.
    loop.call_soon(loop.call_soon, feed)
    return await begun
