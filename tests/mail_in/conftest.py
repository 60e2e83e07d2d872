"""A whole SMTP server on a free port over a real store, and certificates made on the spot."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.mail_in import Listener, MailIn, Settings, server_context
from bridge.proving import Prover
from bridge.rules import Limits, Policy, SenderRule, TextRule
from bridge.sms import Sms
from bridge.store import SmsFilter, SmsLine, Store, StoreSettings, open_store

PASSWORD = "open sesame"
HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
NETWORK_RULE = SenderRule(
    index=0,
    match=("*@plant.example",),
    proof=frozenset({"network"}),
    networks=(ipaddress.ip_network("127.0.0.0/8"),),
    limits=Limits(segments=2),
    text=TextRule(cut="none", too_long="cut"),
)
AUTH_RULE = SenderRule(
    index=1, match=("*@clinic.example",), proof=frozenset({"auth"}), users=("clinic", "second")
)
POLICY = Policy(
    domains=("sms.local",),
    region="AU",
    rules=(NETWORK_RULE, AUTH_RULE),
    allow=("+614", "+642"),
    deny=("+61490",),
    aliases={"oncall": ("+61421000001", "+61421000002")},
)
STRANGERS = replace(POLICY, rules=(AUTH_RULE,))
STORE_SETTINGS = StoreSettings(domain="sms.local", admin="admin@example.com")


@dataclass
class Running:
    """A server that runs, and what it stores."""

    mail_in: MailIn
    store: Store
    ports: tuple[int, ...]
    settings: Settings

    @property
    def port(self) -> int:
        return self.ports[0]

    async def lines(self) -> tuple[SmsLine, ...]:
        """Every SMS stored, oldest first."""
        return tuple(reversed(await self.store.list_sms(SmsFilter(), None, 1_000)))

    async def sms(self) -> tuple[Sms, ...]:
        return tuple(line.sms for line in await self.lines())


Starter = Callable[..., Awaitable[Running]]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Files with a certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem = serialization.Encoding.PEM
    (folder / "tls.crt").write_bytes(made.public_bytes(pem))
    (folder / "tls.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "tls.crt"), str(folder / "tls.key")


@pytest.fixture(scope="session")
def trusting(certificate: tuple[str, str]) -> ssl.SSLContext:
    """A client's context that trusts our certificate."""
    return ssl.create_default_context(cafile=certificate[0])


@pytest.fixture(scope="session")
def users() -> dict[str, str]:
    hashed = HASHER.hash(PASSWORD)
    return {"clinic": hashed, "second": hashed, "broken": "no hash at all"}


@contextlib.asynccontextmanager
async def servers(
    folder: Path, certificate: tuple[str, str], users: dict[str, str]
) -> AsyncIterator[Starter]:
    """Starts servers: ``start("none", "starttls", policy=…, max_size=…)``, and stops them at the end."""
    running: list[Running] = []

    async def starter(
        *tls: Any, policy: Policy = POLICY, prover: Prover | None = None, **changes: Any
    ) -> Running:
        store = await open_store(folder / f"{len(running)}.db", settings=STORE_SETTINGS, busy_ms=1_000)
        settings = Settings(
            listeners=tuple(Listener("127.0.0.1", 0, kind) for kind in tls or ("none",)),
            hostname="gw.sms.local",
            instance="this-bridge",
            tls=server_context(*certificate),
            users=users,
        )
        settings = replace(settings, **changes)
        mail_in = MailIn(store, policy, settings, prover)
        ports = await mail_in.start()
        running.append(Running(mail_in, store, ports, settings))
        return running[-1]

    try:
        yield starter
    finally:
        for one in running:
            await one.mail_in.stop()
            await one.store.close()


@pytest.fixture
async def start(
    tmp_path: Path, certificate: tuple[str, str], users: dict[str, str]
) -> AsyncIterator[Starter]:
    async with servers(tmp_path, certificate, users) as starter:
        yield starter


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for ``condition``; fail when it does not come."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not condition():
        assert loop.time() < end, "waited in vain"
        await asyncio.sleep(0.01)
