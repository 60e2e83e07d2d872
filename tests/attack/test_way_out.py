"""Our own calls led astray: bad certificates, old TLS, redirects, proxies of the environment. No secret goes along."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from bridge.mail_out import Later, MailOut, Sent, Smarthost
from bridge.sms import Kind
from tests.attack.certificates import BAD, Authority, authority
from tests.flow.mails import hand_in, mail
from tests.flow.running import Loop, serve, wait_for, world, write_config
from tests.mail_out.sink import serving
from tests.sms_api.given import AUTH, SMS, TOKEN, Reader, Writer, api_to, read_request
from tests.threats import found

Tls = Literal["starttls", "implicit"]
PASSWORD = "s3cret-canary"
SECRETS = (TOKEN.encode(), AUTH.encode(), b"t0k3n", b"AuTh")
GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n{"Result": "Success", "MessageID":"X"}'
RAW = b"Subject: x\r\n\r\nhello\r\n"


@dataclass
class Listener:
    """A server that keeps every octet that reached it as plain text, and answers by ``says``."""

    url: str = ""
    says: bytes = GOOD
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        try:
            head, body = await read_request(reader)
            self.heard.append(head + body)
            writer.write(self.says)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @property
    def secrets(self) -> int:
        """How many requests brought a secret along."""
        return sum(any(secret in one for secret in SECRETS) for one in self.heard)


@asynccontextmanager
async def listening(context: ssl.SSLContext | None = None, says: bytes = GOOD) -> AsyncIterator[Listener]:
    one = Listener(says=says)
    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    one.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
    try:
        yield one
    finally:
        server.close()


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return authority(tmp_path)


@pytest.mark.threat(21, "secrets told", of="calls that were led astray")
@pytest.mark.parametrize("how", BAD)
async def test_a_vendor_with_a_bad_certificate_or_old_tls_hears_nothing(trusted: Authority, how: str) -> None:
    async with (
        listening(trusted.server(how)) as bad,
        api_to(bad.url, tls=trusted.trusting()) as api,
    ):
        sent, polled = await api.send(SMS), await api.status(SMS)
    found(bad.secrets, of=2)
    assert bad.heard == []
    assert (sent.input.kind, polled.input.kind) == (Kind.NOT_SENT, Kind.NO_ANSWER), "it stays in the queue"


async def test_a_vendor_with_a_good_certificate_of_that_authority_is_asked(trusted: Authority) -> None:
    async with (
        listening(trusted.server("good")) as good,
        api_to(good.url, tls=trusted.trusting()) as api,
    ):
        assert (await api.send(SMS)).input.kind is Kind.SENT
    assert good.secrets == 1


@pytest.mark.threat(21, "secrets told", of="calls that were led astray")
@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_a_smarthost_with_a_bad_certificate_or_old_tls_hears_nothing(
    trusted: Authority, how: str, tls: Tls
) -> None:
    implicit = tls == "implicit"
    async with serving(trusted.server(how), implicit=implicit, auth=True) as sink:
        end = await _handed_over(sink.port, tls, trusted)
    logins = sum(bool(one.session and one.session.authenticated) for one in sink.servers)
    found(logins + len(sink.mails))
    assert isinstance(end, Later), "it stays in the queue"
    assert sink.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_smarthost_with_a_good_certificate_of_that_authority_gets_the_mail(
    trusted: Authority, tls: Tls
) -> None:
    async with serving(trusted.server("good"), implicit=tls == "implicit", auth=True) as sink:
        assert isinstance(await _handed_over(sink.port, tls, trusted), Sent)
    assert len(sink.mails) == 1


async def _handed_over(port: int, tls: Tls, trusted: Authority) -> object:
    host = Smarthost("127.0.0.1", port, tls, user="bridge", password=PASSWORD)
    mail_out = MailOut(host, hello="sms.local", context=trusted.trusting())
    try:
        return await mail_out.hand_over("", "alex@clinic.example", RAW)
    finally:
        await mail_out.close()


@pytest.mark.threat(21, "secrets told", of="calls that were led astray")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_wherever_it_leads(status: int) -> None:
    async with listening() as elsewhere:
        to = elsewhere.url.encode()
        fields = (
            b'Location: %s/x\r\nRefresh: 0;url=%s/x\r\nContent-Location: %s/x\r\nAlt-Svc: h2="%s"\r\n'
            % ((to, to, to, to[7:]))
        )
        says = b"HTTP/1.1 %d Elsewhere\r\n%sContent-Length: 0\r\n\r\n" % (status, fields)
        async with listening(says=says) as vendor, api_to(vendor.url) as api:
            ends = [(await api.send(SMS)).input.kind, (await api.status(SMS)).input.kind]
            await api.replies(SMS)
            await api.received("default", 10)
    found(elsewhere.connections, of=vendor.connections)
    assert vendor.connections == 4
    assert elsewhere.connections == 0
    assert ends == [Kind.REFUSED_ACCOUNT, Kind.NO_ANSWER]


@pytest.mark.threat(21, "secrets told", of="calls that were led astray")
async def test_what_a_smarthost_says_before_tls_is_forgotten_inside_it(trusted: Authority) -> None:
    """What a man in the middle adds behind "220 go ahead" must not be taken for the server's word under TLS."""
    inside = trusted.server("good")
    heard: list[bytes] = []

    async def injecting(reader: Reader, writer: Writer) -> None:
        try:
            writer.write(b"220 host\r\n")
            await reader.readline()
            writer.write(b"250-host\r\n250 STARTTLS\r\n")
            await reader.readline()
            writer.write(b"220 go ahead\r\n250-host\r\n250 AUTH PLAIN\r\n")
            await writer.start_tls(inside)
            while line := await reader.readline():
                heard.append(line)
                writer.write(b"250 host\r\n" if line.startswith(b"EHLO") else b"502 no such thing\r\n")
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(injecting, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        end = await _handed_over(port, "starttls", trusted)
    found(sum(line.startswith(b"AUTH") for line in heard))
    assert not [line for line in heard if line.startswith(b"AUTH")]
    assert isinstance(end, Later)


@pytest.mark.threat(21, "connections to elsewhere", of="calls")
def test_the_service_asks_no_proxy_of_its_environment(tmp_path: Path) -> None:
    loop = Loop()
    proxy = Listener()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(proxy, "127.0.0.1", 0)

    server = loop.do(listen())
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SMTP_PROXY", "FTP_PROXY")
    env = {name: url for upper in names for name in (upper, upper.lower())} | {"NO_PROXY": "", "no_proxy": ""}
    try:
        with world() as (vendor, smarthost):
            running = serve(write_config(tmp_path, vendor, smarthost), env=env)
            vendor.tell(running.hook)
            hand_in(running.smtp, mail("Straight there"))
            wait_for("the SMS", vendor.sent)
            wait_for("the report", lambda: smarthost.mails)
            found(proxy.connections, of=len(vendor.sent()) + len(smarthost.mails))
            assert running.stop() == 0
        assert proxy.connections == 0
    finally:
        server.close()
        loop.close()
