"""Certificates and users that change while the service runs: taken when they are whole, told when they are not."""

import asyncio
import contextlib
import datetime
import os
import signal
import smtplib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from bridge.app import renewal
from bridge.app.renewal import Renewable, Renewal
from bridge.app.tls import ServedCertificate
from bridge.config import remove_user, set_user
from bridge.store import Store
from tests.config.keys import certificate, pem
from tests.flow.running import Bridge, serve, wait_for, world, write_config
from tests.given_store import opened, until

PASSWORD = "correct horse battery"
HASH = "$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
DESK = "desk@clinic.example"


def put(folder: Path, days: float = 2.0) -> int:
    """Put a new certificate and its key into the folder; its serial number."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = certificate(key, days=days)
    _replace(folder / "tls.crt", made)
    _replace(folder / "tls.key", pem(key))
    return x509.load_pem_x509_certificate(made).serial_number


def _replace(path: Path, content: bytes) -> None:
    """As programs that renew certificates do; long ago, so that it counts as wholly written."""
    aside = path.with_suffix(".new")
    aside.write_bytes(content)
    os.utime(aside, (1_700_000_000, 1_700_000_000))
    aside.replace(path)


def shown(port: int, hello: bytes = b"") -> int:
    """The serial number of the certificate that a server shows; ``hello``: what begins TLS on its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 30) as plain:
        if hello:
            plain.recv(1_000)
            plain.sendall(b"EHLO c\r\n")
            plain.recv(1_000)
            plain.sendall(hello)
            plain.recv(1_000)
        with context.wrap_socket(plain) as secure:
            found = secure.getpeercert(binary_form=True)
    assert found
    return x509.load_der_x509_certificate(found).serial_number


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setattr(renewal, "LOOK_EVERY_S", 0.02)
    async with opened(tmp_path) as one:
        yield one


@contextlib.asynccontextmanager
async def looking(one: Renewal) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(one.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def alarms(store: Store) -> dict[str, dict[str, str]]:
    return {line.key.partition(":")[0]: dict(line.facts) for line in await store.list_alarms(10)}


async def test_a_pair_is_taken_whole_and_a_broken_one_is_told_once_and_left(
    tmp_path: Path, store: Store
) -> None:
    put(tmp_path)
    taken: list[ssl.SSLContext] = []
    served = ServedCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    one = Renewable("the certificate of smtp", served.files, served.load, taken.append)
    async with looking(Renewal(store, [one], [])):
        await until(_is(lambda: len(taken) == 1), "it was looked at when it started")
        other = ec.generate_private_key(ec.SECP256R1())
        _replace(tmp_path / "tls.crt", certificate(other))
        told = await until(lambda: alarms(store), "a certificate without its key was not told")
        assert set(told) == {"renewal"}
        assert told["renewal"]["file"] == str(tmp_path / "tls.crt")
        assert "are no certificate and its key" in told["renewal"]["why"]
        assert len(taken) == 1
        _replace(tmp_path / "tls.key", pem(other))
        await until(_is(lambda: len(taken) == 2), "the pair is whole again")
        (tmp_path / "tls.key").unlink()
        await until(_is(lambda: one.told is not None), "a key that is gone was not told")
        put(tmp_path)
        await until(_is(lambda: len(taken) == 3), "and whole again")
    (line,) = await store.list_alarms(10)
    assert line.times == 2
    assert (await store.counts()).outbox_by_state == {"due": 1}, "one mail a day"


async def test_a_pipe_in_place_of_a_certificate_holds_up_neither_the_other_files_nor_the_end(
    tmp_path: Path, store: Store
) -> None:
    put(tmp_path)
    served = ServedCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    one = Renewable("the certificate of smtp", served.files, served.load, served.use)
    users = tmp_path / "users"
    other = Renewable("users", [users], users.read_text, _nothing)
    loop = Renewal(store, [one, other], [])
    async with looking(loop):
        await until(_is(lambda: one.taken is not None), "it was looked at when it started")
        (tmp_path / "tls.crt").unlink()
        os.mkfifo(tmp_path / "tls.crt")
        try:
            loop.ask()
            told = await until(lambda: alarms(store), "a pipe was not told")
            assert "is not a plain file" in told["renewal"]["why"]
            _replace(users, b"jo")
            await until(_is(lambda: users.exists() and other.taken == other.marks()), "others were forgotten")
        finally:
            with contextlib.suppress(OSError):  # whoever reads from it would wait for ever
                os.close(os.open(tmp_path / "tls.crt", os.O_WRONLY | os.O_NONBLOCK))


def _nothing(_: str) -> None:
    """Take it and do nothing with it."""


def _is(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return condition()

    return look


async def test_what_is_being_written_is_waited_for_unless_somebody_asks(tmp_path: Path, store: Store) -> None:
    file, taken = tmp_path / "users", [""]
    one = Renewable("users", [file], file.read_text, taken.append)
    loop = Renewal(store, [one], [])
    async with looking(loop):
        await until(_is(lambda: one.taken is not None), "nothing there is well too")
        file.write_text("half")
        await asyncio.sleep(
            10 * renewal.LOOK_EVERY_S
        )  # nothing is to come: there is no condition to wait for
        assert taken == [""]
        loop.ask()
        await until(_is(lambda: taken == ["", "half"]), "it was asked for")
        file.write_text("more")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        await until(_is(lambda: taken == ["", "half", "more"]), "it is at rest")


@pytest.mark.parametrize(
    ("days", "name"),
    [(20.0, ""), (13.0, "certificate"), (2.5, "certificate"), (-1.0, "certificate-expired")],
)
async def test_the_end_of_a_certificate_is_told_some_days_before(
    tmp_path: Path, store: Store, days: float, name: str
) -> None:
    put(tmp_path, days)
    loop = Renewal(store, [], [tmp_path / "tls.crt", tmp_path / "missing.crt"])
    for _ in range(3):
        loop._expiry_at = 0.0
        await loop._expiry()
    told = await alarms(store)
    assert set(told) == ({name} if name else set())
    assert (await store.counts()).outbox_by_state == ({"due": 1} if name else {})
    if name:
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        assert f"{ends:%b %Y}" in told[name]["expires"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    folder = tmp_path_factory.mktemp("renewal")
    put(folder)
    files = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
    set_user(folder / "users.yaml", "ward", HASH)
    rules = [
        {"match": ["*@clinic.example"], "proof": ["auth"], "users": ["ward"]},
        {"match": ["*@clinic.example"], "proof": ["auth"]},
    ]
    listen = [{"address": "127.0.0.1", "port": 0, "tls": kind} for kind in ("starttls", "implicit")]
    with world() as (vendor, smarthost):
        http = {"listen": {"address": "127.0.0.1", "port": 0}, "url": "https://sms.example.com"}
        config = write_config(
            folder, vendor, smarthost, smtp={"listen": listen, "users": "users.yaml", **files},
            http=http | files, senders=rules,
        )  # fmt: skip
        running = serve(config)
        yield running
        assert running.stop() == 0


def asked(bridge: Bridge, *said: str, times: int = 1) -> None:
    """SIGHUP, and wait for the words it is answered with."""
    bridge.process.send_signal(signal.SIGHUP)
    for one in said:
        wait_for(one, lambda one=one: len([line for line in bridge.lines if one in line]) >= times)  # type: ignore[misc]


def test_a_certificate_is_renewed_everywhere_and_open_connections_go_on(service: Bridge) -> None:
    folder = service.config.parent
    ports = service.ports["smtp"]

    def everywhere() -> set[int]:
        return {shown(ports[0], b"STARTTLS\r\n"), shown(ports[1]), shown(service.ports["hook"])}

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL("127.0.0.1", ports[1], timeout=30, context=context) as open_before:
        before = everywhere()
        now = put(folder)
        asked(service, "the certificate of smtp", "the certificate of http")
        assert open_before.noop()[0] == 250
    assert before != everywhere() == {now}
    told = httpx.get(f"{service.desk}/metrics", trust_env=False).text
    ends = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes()).not_valid_after_utc.timestamp()
    (line,) = [line for line in told.splitlines() if line.startswith("smsbridge_certificate_expiry")]
    assert line.startswith(f'smsbridge_certificate_expiry_timestamp_seconds{{file="{folder / "tls.crt"}"}} ')
    assert float(line.rpartition(" ")[2]) == ends
    for broken in ("tls.crt", "tls.key"):
        whole = (folder / broken).read_bytes()
        _replace(folder / broken, whole[:200])
        asked(service, "cannot be read again")
        assert everywhere() == {now}
        _replace(folder / broken, whole)
    asked(service)


def test_a_user_is_known_at_once_and_one_that_is_removed_sends_no_more(service: Bridge) -> None:
    users, port = service.config.parent / "users.yaml", service.ports["smtp"][1]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def connected() -> smtplib.SMTP_SSL:
        client = smtplib.SMTP_SSL("127.0.0.1", port, timeout=30, context=context)
        client.ehlo()
        return client

    for name in (DESK, "ward"):
        set_user(users, name, PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD))
    asked(service, "the SMTP users")
    with connected() as gone, connected() as stays:
        for name, client in ((DESK, gone), ("ward", stays)):
            client.login(name, PASSWORD)
            assert client.mail(DESK)[0] == 250
        assert remove_user(users, DESK)
        asked(service, "the SMTP users", times=2)
        for client in (gone, stays):
            assert client.rcpt("0421000001@sms.local")[0] == 250, "a mail that was begun is taken"
            assert client.data(b"From: desk@clinic.example\r\n\r\nhello\r\n")[0] == 250
        assert gone.mail(DESK)[0] == 421
        assert stays.mail(DESK)[0] == 250
    with connected() as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login(DESK, PASSWORD)
    users.unlink()
    asked(service, "is gone")
    with connected() as client:
        assert client.login("ward", PASSWORD)[0] == 235, "a file that is gone takes nobody's login"
