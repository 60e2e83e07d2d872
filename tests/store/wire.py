"""A wire between a store and its PostgreSQL server that can be cut at the word that counts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

COMMIT = b"COMMIT\0"


@dataclass(slots=True)
class Wire:
    """Passes on what both sides say. ``cut``: at the next COMMIT of the client, end the connection before it gets
    through, or once the server has carried it out, before its answer gets back."""

    url: str
    cut: Literal["", "before", "after"] = ""
    writers: set[asyncio.StreamWriter] = field(default_factory=set)


@contextlib.asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    """Yields a wire whose ``url`` leads to the server at ``url``."""
    parts = urlsplit(url)
    wire = Wire("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(parts.hostname, parts.port)
        wire.writers |= {writer, server_writer}
        answers = asyncio.create_task(_answers(server_reader, writer))
        try:
            await _words(wire, reader, server_writer, answers)
        finally:
            for one in (writer, server_writer):
                one.close()
            await asyncio.wait([answers])

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire.url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))
    try:
        yield wire
    finally:
        server.close()
        for writer in wire.writers:
            writer.close()


async def _words(
    wire: Wire, reader: asyncio.StreamReader, server: asyncio.StreamWriter, answers: "asyncio.Task[None]"
) -> None:
    while data := await reader.read(65536):
        if wire.cut and data.endswith(COMMIT):
            how, wire.cut = wire.cut, ""
            answers.cancel()
            if how == "after":
                server.write(data)
                server.write_eof()  # the server ends the session when it has carried that out
                await asyncio.sleep(0.2)
            return
        server.write(data)


async def _answers(reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        client.write(data)
    client.close()
