"""What the doctor finds, at the wire: name servers, smarthosts, the vendor and ports are real ones on loopback."""

import asyncio
import contextlib
import datetime
import logging
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.cli.doctor.certificates import certificates
from bridge.config import load
from bridge.mail_out import Signer, keygen, zone_text
from bridge.simulator import Settings
from bridge.store import Node
from tests.cli.given import Bench, vendor
from tests.flow.running import Loop, Vendor, command, serve
from tests.flow.running import write_config as flow_config
from tests.given_store import opened
from tests.mail_out.sink import certificate, saying, serving
from tests.proving.name_server import running

SECRET = "s3cret-canary"  # the password of the sink's user


def found(bench: Bench, code: int | None = None) -> dict[str, tuple[str, str]]:
    """Run the doctor both ways; returns what it says of each thing."""
    done = bench("doctor", "--json")
    assert SECRET not in done.out + done.err
    assert code is None or done.code == code, done
    told = {one["what"]: (one["verdict"], one["say"]) for one in done.objects}
    assert done.code == any(verdict == "fault" for verdict, _ in told.values())
    return told


@pytest.fixture
def loop() -> Iterator[Loop]:
    one = Loop()
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def api(loop: Loop) -> Iterator[Vendor]:
    one = Vendor(loop, Settings(port=0, magic=False))
    try:
        yield one
    finally:
        one.close()


# --- all well ---


def test_a_line_each_and_a_fault_makes_the_exit_code(bench: Bench, api: Vendor) -> None:
    good = {"token": "ta8wr7ymd", "auth_token": "demo-auth-token"}
    bench.configure(vendor=vendor(api.simulator.rest_url, **good))
    done = bench("doctor")
    assert done.code == 0
    assert [line.split(": ")[0] for line in done.out.splitlines()] == [
        "ok      database",
        "ok      SMTP 127.0.0.1:0",
        "ok      webhook 127.0.0.1:0",
        "ok      desk 127.0.0.1:0",
        "warning smarthost",
        "warning retention",
        "ok      vendor account default",
    ]
    bench.configure(vendor=vendor("http://127.0.0.1:9"))
    done = bench("doctor")
    assert done.code == 1
    assert "\nFAULT   vendor account default: the poll is not answered (" in done.out


# --- database ---


def test_a_database_that_is_not_there_yet_is_not_made(bench: Bench) -> None:
    assert found(bench)["database"][0] == "ok"
    assert not list(bench.folder.glob("bridge.db*"))
    bench("migrate")
    assert found(bench)["database"] == ("ok", f"{bench.folder / 'bridge.db'} is writable and up to date")


def test_a_database_that_cannot_be_used_is_a_fault(bench: Bench) -> None:
    (bench.folder / "bridge.db").write_bytes(b"no database at all" * 100)
    assert found(bench)["database"][0] == "fault"
    bench.configure(database=f"sqlite://{bench.config / 'bridge.db'}")
    assert "may not make it" in found(bench)["database"][1]
    bench.configure(database=f"sqlite://{bench.folder / ('x' * 300)}")
    assert "File name too long" in found(bench)["database"][1]


# --- brands ---


def test_the_templates_of_a_brand_are_tried_for_each_kind_of_mail(bench: Bench) -> None:
    own = bench.folder / "clinic" / "reply"
    own.mkdir(parents=True)
    (own / "body.html").write_text("<p>{{ text }}</p>")
    bench.configure(brands={"clinic": {"name": "Clinic", "templates": str(own.parent)}})
    what = "templates of brand clinic"
    assert found(bench)[what] == ("ok", "each kind of mail can be made with them")
    (own / "body.html").write_text("<p>{{ txt }}</p>")
    (own.parent / "alarm").mkdir()
    (own.parent / "alarm" / "subject.txt").write_text("{% for x in y %}")
    lines = [line for line in bench("doctor").out.splitlines() if what in line]
    assert [line.split(": ")[:2] for line in lines] == [
        [f"FAULT   {what}", f"template {name}"] for name in ("reply/body.html", "alarm/subject.txt")
    ]
    assert lines[0].endswith(f"'txt' is undefined: mend it in {own.parent}; until then ours is used")
    (own / "body.html").write_text("{{ text }}")
    (own.parent / "alarm" / "subject.txt").unlink()
    assert found(bench)[what][0] == "ok"


# --- nodes ---


def test_each_node_has_a_line_that_says_whether_it_lives_and_what_it_alone_does(bench: Bench) -> None:
    bridge = serve(bench.config, "--only", "send,web")
    try:
        lines = {what: told for what, told in found(bench).items() if what.startswith("node ")}
        assert len(lines) == 1
        verdict, say = lines.popitem()[1]
        assert verdict == "ok"
        assert say.startswith(f"runs send, web as process {bridge.process.pid} on ")
        assert say.endswith("; alone it ends what is too old or left behind")
    finally:
        assert bridge.stop() == 0
    assert not [what for what in found(bench) if what.startswith("node ")]


@pytest.mark.parametrize(
    ("silent_s", "verdict", "says"),
    [
        (14, "ok", "as process 11 on host-a"),
        (16, "warning", "look whether it stands still"),
        (61, "warning", "it is gone without an end in good order"),
    ],
)
def test_a_node_that_is_silent_is_a_warning(bench: Bench, silent_s: int, verdict: str, says: str) -> None:
    node = Node("one", "host-a", 11, ("send",), 60_000)

    async def beat() -> None:
        then = time.time_ns() // 1_000_000 - silent_s * 1_000
        async with opened(bench.folder, clock=lambda: then) as store:
            await store.beat(node, 15_000)

    asyncio.run(beat())
    told = found(bench)["node one"]
    assert told[0] == verdict
    assert says in told[1]


def test_a_node_that_drains_says_so(bench: Bench) -> None:
    node = Node("one", "host-a", 11, ("send",), 60_000)
    bench.store(lambda store: store.beat(node, 15_000, draining=True))
    assert found(bench)["node one"] == ("ok", "runs send as process 11 on host-a; it is draining")


# --- ports ---


@contextlib.contextmanager
def taken(greeting: bytes = b"", answer: bytes = b"") -> Iterator[int]:
    """A program of somebody else on a port: it greets, or answers what it is asked, or only hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        client.sendall(greeting)
                        if answer:
                            client.recv(1_000)
                            client.sendall(answer)

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join(20)


def smtp_on(bench: Bench, port: int, address: str = "127.0.0.1") -> None:
    bench.configure(smtp={"listen": [{"address": address, "port": port, "tls": "none"}]})


@pytest.mark.parametrize(
    ("greeting", "verdict", "says"),
    [
        (f"220 {socket.gethostname()} ESMTP\r\n".encode(), "ok", "the bridge listens here now"),
        (b"220 mail.else.example ESMTP Other\r\n", "warning", "taken by an SMTP server"),
        (b"SSH-2.0-other\r\n", "fault", "taken by another program"),
    ],
)
def test_who_holds_the_smtp_port_is_told_by_its_greeting(
    bench: Bench, greeting: bytes, verdict: str, says: str
) -> None:
    with taken(greeting) as port:
        smtp_on(bench, port)
        told = found(bench)[f"SMTP 127.0.0.1:{port}"]
    assert told[0] == verdict
    assert says in told[1]


@pytest.mark.parametrize(
    ("answer", "verdict", "says"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nready\n", "ok", "is ready"),
        (b"HTTP/1.1 503 No\r\n\r\nnot ready: draining\n", "warning", "not ready"),
        (b"HTTP/1.1 404 Not Found\r\n\r\nwhat?", "fault", "taken by another program"),
    ],
)
def test_who_holds_a_web_port_is_told_by_its_readiness(
    bench: Bench, answer: bytes, verdict: str, says: str
) -> None:
    with taken(answer=answer) as port:
        bench.configure(desk={"listen": {"address": "127.0.0.1", "port": port}})
        told = found(bench)[f"desk 127.0.0.1:{port}"]
    assert told[0] == verdict
    assert says in told[1]


def test_a_port_behind_tls_is_asked_through_tls(bench: Bench) -> None:
    certificate(bench.folder)
    files = {"certificate": "localhost.crt", "key": "localhost.key"}
    with taken(b"no TLS here") as port:
        listen = [{"address": "127.0.0.1", "port": port, "tls": "implicit"}]
        bench.configure(smtp={"listen": listen, **files})
        assert "does not greet" in found(bench)[f"SMTP 127.0.0.1:{port}"][1]
    with taken(b"no TLS here") as port:
        http = {"listen": {"address": "127.0.0.1", "port": port}, "url": "https://sms.example.com"}
        bench.configure(http=http | files)
        assert "taken by another program" in found(bench)[f"webhook 127.0.0.1:{port}"][1]


def test_an_address_that_is_not_this_machines_is_a_fault(bench: Bench) -> None:
    smtp_on(bench, 2525, "192.0.2.1")
    assert found(bench)["SMTP 192.0.2.1:2525"][0] == "fault"
    smtp_on(bench, 0, "::1")
    assert "SMTP [::1]:0" in found(bench)


def test_beside_the_running_service_all_its_ports_are_well_and_it_goes_on(
    tmp_path: Path, api: Vendor, loop: Loop
) -> None:
    listen = [{"address": "127.0.0.1", "port": 0, "tls": "none"}]
    config = flow_config(tmp_path, api, None, smtp={"listen": listen, "balancers": ["127.0.0.0/8"]})
    bridge = serve(config)
    try:
        text = config.read_text()
        ports = iter([bridge.ports["desk"], bridge.ports["hook"], bridge.smtp])
        beside = tmp_path / "beside.yaml"
        beside.write_text("".join(
            f"{line.partition('0')[0]}{next(ports)}\n" if line.strip() == "port: 0" else line
            for line in text.splitlines(keepends=True)
        ))  # fmt: skip
        done = command("doctor", "-c", str(beside))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("the bridge listens here now") == 3
        assert command("send", "0421000009", "beside", "-c", str(config)).returncode == 0
        assert [row["text"] for row in bridge.messages()] == ["beside"]
    finally:
        assert bridge.stop() == 0


# --- certificates ---


def dated(folder: Path, begins: datetime.timedelta, ends: datetime.timedelta) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sms.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(now + begins).not_valid_after(now + ends)
    path = folder / "tls.crt"
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("begins", "ends", "verdict", "says"),
    [
        (-DAY, 90 * DAY, "ok", "fits its key, valid until"),
        (-DAY, 13 * DAY, "warning", "renew it soon"),
        (-DAY * 90, -DAY, "fault", "expired on"),
        (DAY, 90 * DAY, "fault", "not valid before"),
    ],
)
def test_a_certificate_is_told_by_its_dates(
    bench: Bench, begins: datetime.timedelta, ends: datetime.timedelta, verdict: str, says: str
) -> None:
    path = dated(bench.folder, begins, ends)
    listen = [{"address": "127.0.0.1", "port": 0, "tls": "starttls"}]
    bench.configure(smtp={"listen": listen, "certificate": "tls.crt", "key": "tls.key"})
    told = found(bench)[f"certificate {path}"]
    assert told[0] == verdict
    assert says in told[1]


def test_a_certificate_that_went_away_since_is_a_fault(bench: Bench) -> None:
    config = load(bench.config, {})
    gone = replace(config, smtp=replace(config.smtp, certificate=bench.folder / "gone.crt"))
    assert [one.verdict for one in certificates(gone)] == ["fault"]


# --- DNS ---


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A name server on loopback; call it with ``name, kind, *records`` to make it know something."""
    known: dict[tuple[str, str], list[str]] = {}
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                packet, client = server.recvfrom(4_096)
                if not packet:
                    return
                query = dns.message.from_wire(packet)
                asked = query.question[0]
                kind = dns.rdatatype.to_text(asked.rdtype)
                name = asked.name.to_text().rstrip(".").lower()
                response = dns.message.make_response(query)
                response.flags |= dns.flags.RA
                records = known.get((name, kind))
                if records == ["SERVFAIL"]:
                    response.set_rcode(dns.rcode.SERVFAIL)
                elif records:
                    response.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *records))
                elif not any(key[0] == name for key in known):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                server.sendto(response.to_wire(), client)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], server.getsockname()[1]
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)

    def knows(name: str, kind: str, *records: str) -> None:
        known[name, kind] = list(records)

    yield knows
    server.sendto(b"", server.getsockname())
    thread.join(20)
    server.close()


def signing(bench: Bench, **changes: Any) -> str:
    """Configure a smarthost and DKIM; returns the record to publish."""
    pem, record = keygen()
    (bench.folder / "dkim.pem").write_text(pem)
    dkim = {"domain": "clinic.example", "selector": "bridge", "key": "dkim.pem"}
    bench.configure(outbox={"smarthost": "smtp://127.0.0.1:9", "dkim": dkim}, **changes)
    return record


NAME = "bridge._domainkey.clinic.example"


def test_the_published_key_is_compared_with_ours(bench: Bench, names: Callable[..., None]) -> None:
    record = signing(bench)
    what = f"DNS {NAME}"
    told = found(bench)[what]
    assert told[0] == "fault"
    assert record in told[1], "what is to be published is said"
    names(NAME, "TXT", '"v=DKIM1; k=rsa; p=AAAA"')
    assert found(bench)[what] == ("fault", f"the published key is not the one we sign with: publish {record}")
    names(NAME, "TXT", zone_text(record))
    assert found(bench)[what] == ("ok", "the published key is the one we sign with")
    names(NAME, "TXT", zone_text(record), '"v=DKIM1; p="')
    assert "leave one" in found(bench)[what][1]
    names(NAME, "TXT", "SERVFAIL")
    told = found(bench)[what]
    assert told[0] == "warning", "a name server that is down does not mean that there is no record"
    assert "do not answer" in told[1]


def test_who_proves_senders_by_dns_is_told_whether_it_answers(bench: Bench) -> None:
    with running() as names:
        rules = [
            {"match": ["*@clinic.example", "*@*.clinic.example"], "proof": ["dmarc"]},
            {"match": ["ann@partner.example"], "proof": ["spf"]},
            {"match": ["*@plant.example"], "proof": ["network"], "networks": ["10.0.0.0/8"]},
        ]
        dns_block = {"servers": [f"127.0.0.1:{names.port}"], "timeout": "1s"}
        bench.configure(senders=rules, dns=dns_block)
        told = found(bench)
        assert told["DNS of senders"] == ("ok", "answers about clinic.example, partner.example")
        names.trouble["_dmarc.partner.example"] = "servfail"
        told = found(bench)
        assert told["DNS of senders"] == ("ok", "answers about clinic.example")
        assert told["DNS partner.example"][0] == "warning"
        names.trouble["_dmarc.clinic.example"] = "silence"
        told = found(bench, 1)
        assert told["DNS of senders"][0] == "fault"
        assert "dns.servers" in told["DNS of senders"][1]
        bench.configure(senders=rules[2:], dns=dns_block)
        assert "DNS of senders" not in found(bench), "nobody needs it"


def test_an_ed25519_key_is_found_too(bench: Bench, names: Callable[..., None]) -> None:
    signing(bench)
    pem, record = keygen("ed25519")
    (bench.folder / "dkim.pem").write_text(pem)
    names(NAME, "TXT", f'"{record}"')
    assert found(bench)[f"DNS {NAME}"][0] == "ok"
    assert record == Signer("clinic.example", "bridge", pem.encode()).record()


def test_mails_that_nobody_signs_are_a_warning(bench: Bench, names: Callable[..., None]) -> None:
    bench.configure(outbox={"smarthost": "smtp://127.0.0.1:9"})
    assert found(bench)["DKIM"][0] == "warning"


def test_a_from_outside_the_dkim_domain_is_a_warning(bench: Bench, names: Callable[..., None]) -> None:
    brands = {
        "default": {"name": "A", "from": "sms@clinic.example"},
        "sub": {"name": "B", "from": "sms@mail.clinic.example"},
        "far": {"name": "C", "from": "sms@notclinic.example"},
    }
    signing(bench, brands=brands)
    told = found(bench)
    assert told["brand far"][0] == "warning"
    assert "notclinic.example is outside the DKIM domain clinic.example" in told["brand far"][1]
    assert "brand sub" not in told
    assert "brand default" not in told


def test_where_answers_go_is_told(bench: Bench, names: Callable[..., None]) -> None:
    signing(bench)
    told = found(bench)["DNS sms.local"]
    assert (told[0], "no MX" in told[1]) == ("warning", True)
    names("sms.local", "MX", "10 mx1.clinic.example.", "20 mx2.clinic.example.")
    told = found(bench)["DNS sms.local"]
    assert told[0] == "ok"
    assert "mx1.clinic.example, mx2.clinic.example" in told[1]
    names("sms.local", "MX", "SERVFAIL")
    assert "cannot be looked up" in found(bench)["DNS sms.local"][1]


def test_a_name_that_is_too_long_for_dns_is_a_warning(bench: Bench, names: Callable[..., None]) -> None:
    long = ".".join(["a" * 60] * 4)
    signing(bench)
    text = bench.config.read_text().replace("domain: clinic.example", f"domain: {long}")
    bench.config.write_text(text)
    assert found(bench)[f"DNS bridge._domainkey.{long}"][0] == "warning"


# --- smarthost ---


@contextlib.contextmanager
def host(loop: Loop, manager: Any) -> Iterator[Any]:
    """Something of `tests.mail_out.sink` running in the other thread."""
    stack = contextlib.AsyncExitStack()
    one = loop.do(stack.enter_async_context(manager))
    try:
        yield one
    finally:
        loop.do(stack.aclose())


@contextlib.asynccontextmanager
async def offering(extension: str, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """An SMTP server over TLS that offers one extension and then says yes to everything."""
    speaking: list[asyncio.Task[None] | None] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speaking.append(asyncio.current_task())
        writer.write(b"220 hello\r\n")
        while line := await reader.readline():
            writer.write(f"250-hello\r\n250 {extension}\r\n".encode() if b"ehlo" in line else b"250 ok\r\n")
        writer.close()

    listener = await asyncio.start_server(speak, "127.0.0.1", 0, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await asyncio.gather(*(task for task in speaking if task), return_exceptions=True)
        await listener.wait_closed()
        await asyncio.sleep(0.02)  # sockets are closed in a later turn of the loop


def smarthost(bench: Bench, url: str, password: str | None = None) -> tuple[str, str]:
    outbox: dict[str, Any] = {"smarthost": url}
    if password is not None:
        outbox["password"] = password
    bench.configure(outbox=outbox)
    [told] = [told for what, told in found(bench).items() if what.startswith("smarthost ")]
    return told


@pytest.fixture
def tls(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS whose certificate this process trusts."""
    server, _ = certificate(bench.folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(bench.folder / "localhost.crt"))
    return server


@pytest.mark.usefixtures("names")
class TestSmarthost:
    def test_without_tls_and_without_user(self, bench: Bench, loop: Loop) -> None:
        with host(loop, serving()) as sink:
            assert smarthost(bench, f"smtp://127.0.0.1:{sink.port}") == ("ok", "answers without TLS")
            assert sink.mails == []

    def test_with_starttls_and_with_a_login(self, bench: Bench, loop: Loop, tls: ssl.SSLContext) -> None:
        with host(loop, serving(tls, auth=True)) as sink:
            url = f"smtp://bridge:{{password}}@localhost:{sink.port}"
            assert smarthost(bench, url, SECRET) == ("ok", "answers with TLS and accepts our login")
            told = smarthost(bench, url, f"{SECRET}-wrong")
            assert told == (
                "fault",
                "refuses user or password (535): check outbox.smarthost and outbox.password",
            )

    def test_with_tls_from_the_start(self, bench: Bench, loop: Loop, tls: ssl.SSLContext) -> None:
        with host(loop, serving(tls, implicit=True)) as sink:
            assert smarthost(bench, f"smtps://localhost:{sink.port}") == ("ok", "answers with TLS")

    @pytest.mark.parametrize("extension", ["8BITMIME", "AUTH XOAUTH2"])
    def test_no_login_that_we_can_use(
        self, bench: Bench, loop: Loop, tls: ssl.SSLContext, extension: str
    ) -> None:
        with host(loop, offering(extension, tls)) as port:
            told = smarthost(bench, f"smtps://u:{{password}}@localhost:{port}", SECRET)
        assert told[0] == "fault"
        assert told[1].startswith("offers no login")

    def test_a_certificate_that_is_not_trusted(
        self, bench: Bench, loop: Loop, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.CRITICAL, "mail.log")  # the sink, in this process, is not amused
        server, _ = certificate(bench.folder)
        with host(loop, serving(server)) as sink:
            told = smarthost(bench, f"smtp://localhost:{sink.port}")
        assert told == ("fault", "its certificate is not valid: self-signed certificate")

    def test_a_password_is_never_sent_in_the_clear(self, bench: Bench, loop: Loop) -> None:
        with host(loop, serving()) as sink:
            told = smarthost(bench, f"smtp://u:{{password}}@127.0.0.1:{sink.port}", SECRET)
        assert told[0] == "fault"
        assert "a password is never sent without" in told[1]

    def test_tls_where_there_is_none(self, bench: Bench, loop: Loop) -> None:
        with host(loop, serving()) as sink:
            told = smarthost(bench, f"smtps://127.0.0.1:{sink.port}")
        assert told[0] == "fault"
        assert "smtp:// is STARTTLS" in told[1]

    def test_a_refusal_is_told_by_its_code_alone(self, bench: Bench, loop: Loop) -> None:
        with host(loop, saying(b"554 5.7.1 go away \x1b[2J")) as port:
            told = smarthost(bench, f"smtp://127.0.0.1:{port}")
        assert told == ("fault", "refuses the session (554): does it take mail from this machine?")

    def test_nobody_there_or_nobody_who_speaks(self, bench: Bench, loop: Loop) -> None:
        assert "connection refused" in smarthost(bench, "smtp://127.0.0.1:9")[1]
        with host(loop, saying()) as port:
            assert "does not speak SMTP" in smarthost(bench, f"smtp://127.0.0.1:{port}")[1]


# --- vendor ---


def test_a_token_that_the_vendor_refuses_is_told_without_it(bench: Bench, api: Vendor) -> None:
    bench.configure(vendor=vendor(api.simulator.rest_url))
    told = found(bench, 1)["vendor account default"]
    assert told[0] == "fault"
    assert "check its auth_token" in told[1]


def test_every_account_is_tried_and_one_that_cannot_be_is_a_warning(bench: Bench, api: Vendor) -> None:
    keys = vendor(api.simulator.rest_url, auth_token="demo-auth-token", token="ta8wr7ymd")
    bench.configure(
        vendor=keys | {"accounts": {"clinic": {"sender": "c@clinic.example", "token": "t-clinic"}}}
    )
    told = found(bench, 0)
    assert told["vendor account default"][0] == "ok"
    assert told["vendor account clinic"][0] == "warning"
    assert not api.sent(), "nothing was sent"


def test_an_api_that_is_down_is_told(bench: Bench, api: Vendor) -> None:
    api.rule(on="status", action="hangup")
    bench.configure(vendor=vendor(api.simulator.rest_url, auth_token="demo-auth-token"))
    told = found(bench, 1)["vendor account default"]
    assert told[0] == "fault"
