"""A real SMTP server on loopback that takes mails, or refuses them as it is told."""

import asyncio
import datetime
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Sink:
    """What came, and what to answer; an answer is used until it is changed."""

    port: int = 0
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    options: list[list[str]] = field(default_factory=list)
    connections: int = 0
    at_mail: str = ""
    at_rcpt: str = ""
    at_data: str = ""
    hang: bool = False
    gate: asyncio.Event | None = None
    now: int = 0
    most_at_once: int = 0
    drop_next: bool = False
    drop_at_auth: bool = False
    drop_at_quit: bool = False
    servers: list[SMTP] = field(default_factory=list)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.drop_next:
            self.drop_next = False
            abort(server)
        self.options.append(options)
        if self.at_mail:
            return self.at_mail
        envelope.mail_from = address
        return "250 ok"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.drop_at_quit:
            return "500 not now"
        return "221 bye"

    async def auth_PLAIN(self, server: SMTP, args: list[str]) -> Any:
        if self.drop_at_auth:
            abort(server)
        return await server.auth_PLAIN(server, args)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_rcpt:
            return self.at_rcpt
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        try:
            if self.hang:
                await asyncio.Event().wait()
            if self.gate:
                await self.gate.wait()
        finally:
            self.now -= 1
        if self.at_data:
            return self.at_data
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append((envelope.mail_from or "", envelope.rcpt_tos, content))
        return "250 2.0.0 taken"


def abort(server: SMTP) -> None:
    """Hang up without a word."""
    wire = cast("asyncio.Transport | None", server.transport)  # uvloop's are of no such class
    if wire and not wire.is_closing():  # asyncio of Python 3.11.2 cannot abort what is closed
        wire.abort()


def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    """One user: ``bridge`` with a password that must never show in an error."""
    good = isinstance(data, LoginPassword) and data == LoginPassword(b"bridge", b"s3cret-canary")
    return AuthResult(success=good, handled=False)


@asynccontextmanager
async def serving(
    context: ssl.SSLContext | None = None, *, implicit: bool = False, auth: bool = False, **extra: Any
) -> AsyncIterator[Sink]:
    """A sink on a free port of 127.0.0.1; TLS with ``context``, AUTH when asked."""
    sink = Sink()

    def connected() -> SMTP:
        sink.connections += 1
        server = SMTP(
            sink,
            hostname="sink.test",
            tls_context=None if implicit else context,
            auth_required=auth,
            auth_require_tls=not implicit,
            authenticator=check if auth else None,
            **extra,
        )
        sink.servers.append(server)
        return server

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(connected, "127.0.0.1", 0, ssl=context if implicit else None)
    sink.port = listener.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        listener.close()
        for server in sink.servers:
            abort(server)
        await listener.wait_closed()
        await asyncio.sleep(0.02)  # sockets are closed in a later turn of the loop


@asynccontextmanager
async def saying(*lines: bytes, still_after: bytes = b"", still_s: float = 0.0) -> AsyncIterator[int]:
    """A server that says ``lines``, one for the greeting and one for each line it is sent, then hangs up.

    When it has said ``still_after``, all that lives in this loop stands still for ``still_s``.
    """

    speaking: list[asyncio.Task[None]] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        speaking.append(task)
        try:
            for line in lines:
                writer.write(line + b"\r\n")
                if line == still_after:
                    time.sleep(still_s)
                await writer.drain()
                await reader.readline()
        except ConnectionError:
            pass
        writer.close()

    listener = await asyncio.start_server(speak, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await asyncio.gather(*speaking, return_exceptions=True)
        await listener.wait_closed()
        await asyncio.sleep(0.02)


def certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a fresh certificate for ``name`` and 127.0.0.1, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    crt, pem = folder / f"{name}.crt", folder / f"{name}.key"
    crt.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(crt, pem)
    return server, ssl.create_default_context(cafile=str(crt))


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition; fails after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
