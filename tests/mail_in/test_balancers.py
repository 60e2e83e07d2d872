"""Behind a balancer: the client's address is the one that it names, on every listener; nobody else is believed."""

import asyncio
import ipaddress
import logging
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.mail_in import Timeouts
from tests.attack.clients import From
from tests.mail_in.balancer import balancer_to
from tests.mail_in.client import Client
from tests.mail_in.conftest import AUTH_RULE, NETWORK_RULE, PASSWORD, POLICY, Starter, until
from tests.mail_in.test_clients import run
from tests.mail_in.test_proxy_header import tcp4, v2

BALANCER = ipaddress.ip_network("127.0.0.1/32")
PLANT = replace(NETWORK_RULE, networks=(ipaddress.ip_network("203.0.113.0/24"), BALANCER))
BEHIND = replace(POLICY, rules=(PLANT, AUTH_RULE))
NUMBER = "0421000001@sms.local"
FROM_PLANT = b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\r\n"
STRANGER = b"PROXY TCP4 198.51.100.9 192.0.2.1 40000 25\r\n"
ALARM = b"From: ups@plant.example\r\n\r\nBattery low\r\n"


def opened(port: int, header: bytes, address: str = "127.0.0.1") -> Client:
    client = From(address, port)
    client.send(header)
    return client


@pytest.mark.parametrize("header", [FROM_PLANT, tcp4("203.0.113.7", b"\x04\x00\x01x")], ids=["v1", "v2"])
async def test_the_address_that_the_balancer_names_is_the_clients(start: Starter, header: bytes) -> None:
    server = await start(policy=BEHIND, balancers=(BALANCER,))

    def send() -> str:
        with opened(server.port, header) as client:
            assert client.envelope(NUMBER) == ["250 2.1.5 OK"]
            return client.mail(ALARM)

    assert (await asyncio.to_thread(send)).startswith("250 ")
    (line,) = await server.lines()
    story = await server.store.show(line.sms.message_id)
    assert story is not None
    assert story.mail.client == "203.0.113.7"


@pytest.mark.parametrize(
    "header",
    [STRANGER, tcp4("198.51.100.9"), b"PROXY UNKNOWN\r\n", v2(0x20, 0, b""), v2(0x21, 0, b"")],
    ids=["a stranger, v1", "a stranger, v2", "unknown, v1", "local, v2", "unspecified, v2"],
)
async def test_a_client_is_never_taken_for_the_balancer_that_a_rule_may_hold(
    start: Starter, header: bytes
) -> None:
    server = await start(policy=BEHIND, balancers=(BALANCER,))

    def ask() -> str:
        with opened(server.port, header) as client:
            return client.envelope(NUMBER)[0]

    assert (await asyncio.to_thread(ask)).startswith("550 5.7.1 no sender rule fits")


async def test_a_header_in_single_octets_and_what_comes_behind_it_are_read(start: Starter) -> None:
    server = await start(policy=BEHIND, balancers=(BALANCER,))

    def talk() -> list[str]:
        with opened(server.port, b"") as client:
            for octet in FROM_PLANT:
                client.send(bytes([octet]))
            client.send(b"EHLO c\r\n" + b"NOOP\r\n" * 2)
            return [client.answer()[:3] for _ in range(4)]

    assert await asyncio.to_thread(talk) == ["220", "250", "250", "250"]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("together", [True, False])
async def test_the_header_stands_before_tls(
    start: Starter, trusting: ssl.SSLContext, tls: str, together: bool
) -> None:
    server = await start(tls, policy=BEHIND, balancers=(BALANCER,))

    def talk() -> str:
        with opened(server.port, b"" if together else FROM_PLANT) as client:
            if together and tls == "implicit":
                return _hello_with_header(client, trusting)
            if together:
                client.send(FROM_PLANT)
            if tls == "starttls":
                client.answer()
                client.say("EHLO c")
                client.say("STARTTLS")
            client.start_tls(trusting)
            if tls == "implicit":
                client.answer()
            client.say("EHLO c")
            return client.envelope(NUMBER, hello=False)[0]

    assert (await asyncio.to_thread(talk)).startswith(("250 2.1.5", "220 "))


def _hello_with_header(client: Client, trusting: ssl.SSLContext) -> str:
    """Shake hands with the header and our hello in one packet; the greeting."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting.wrap_bio(incoming, outgoing, server_hostname="localhost")
    first = FROM_PLANT
    for step in (tls.do_handshake, lambda: tls.read(4)):
        while True:
            try:
                said = step()
            except ssl.SSLWantReadError:
                client.send(first + outgoing.read())
                first = b""
                incoming.write(client.socket.recv(65_536))
            else:
                break
        client.send(outgoing.read())
    return (said or b"").decode()


@pytest.mark.parametrize(
    "said",
    [
        b"EHLO c\r\n",
        b"PROXY TCP4 1.2.3 4 5 6\r\n",
        b"PROXY " + b"x" * 200,
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        b"\0",
    ],
)
async def test_a_balancer_that_sends_no_good_header_is_refused_and_logged_once_a_minute(
    start: Starter, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start("none", "implicit", policy=BEHIND, balancers=(BALANCER,))

    def talk(port: int) -> list[str]:
        with opened(port, said) as client:
            return [client.line(), client.line()]

    for _ in range(3):
        refused = "421 4.3.5 a connection from your address must begin with a header of the PROXY protocol"
        assert await asyncio.to_thread(talk, server.ports[0]) == [refused, ""]
    assert await asyncio.to_thread(talk, server.ports[1]) == ["", ""], "before TLS nobody could read it"
    assert caplog.text.count("sent no PROXY header") == 1
    await until(lambda: server.mail_in.open_connections == 0)


@pytest.mark.parametrize("said", [b"", b"PROXY TCP4 203.0.113.7 ", v2(0x21, 0x11, b"\0" * 12)[:-1]])
async def test_a_header_that_does_not_come_is_not_waited_for_long(
    start: Starter, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start(policy=BEHIND, balancers=(BALANCER,), timeouts=Timeouts(proxy_ms=100))

    def talk() -> str:
        with opened(server.port, said) as client:
            return client.line()

    assert (await asyncio.to_thread(talk)).startswith("421 4.3.5 ")
    assert caplog.text.count("sent no PROXY header") == 1


async def test_a_health_check_is_no_fault(start: Starter, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server = await start(policy=BEHIND, balancers=(BALANCER,))

    def check(said: bytes) -> str:
        with opened(server.port, said) as client:
            if not said:
                return ""
            greeting = client.answer()
            client.say("QUIT")
            return greeting

    for said in (b"", b"PROXY UNKNOWN\r\n", v2(0x20, 0, b"")):
        greeting = await asyncio.to_thread(check, said)
        assert greeting == ("220 gw.sms.local ESMTP" if said else "")
    await until(lambda: server.mail_in.open_connections == 0)
    assert not [record for record in caplog.records if record.name == "bridge.mail_in"]


async def test_who_is_no_balancer_is_not_believed(start: Starter) -> None:
    server = await start(policy=BEHIND, balancers=(BALANCER,))

    def talk() -> list[str]:
        with opened(server.port, b"", "127.0.0.2") as client:
            said = [client.answer(), client.say("PROXY TCP4 203.0.113.7 192.0.2.1 40000 25")]
            client.say("EHLO c")
            return said + client.envelope(NUMBER, hello=False)

    _, answer, refused = await asyncio.to_thread(talk)
    assert answer == "500 5.5.1 unknown command"
    assert refused.startswith("550 5.7.1 no sender rule fits 127.0.0.2")


async def test_a_second_header_is_no_header(start: Starter) -> None:
    server = await start(policy=BEHIND, balancers=(BALANCER,))

    def talk() -> list[str]:
        with opened(server.port, STRANGER + FROM_PLANT) as client:
            return [client.answer(), client.answer()]

    assert (await asyncio.to_thread(talk))[1] == "500 5.5.1 unknown command"


async def test_caps_and_login_delays_are_the_clients_own(start: Starter, trusting: ssl.SSLContext) -> None:
    server = await start("starttls", policy=BEHIND, balancers=(BALANCER,), max_per_address=2)

    def fill() -> list[str]:
        held = [opened(server.port, STRANGER) for _ in range(3)]
        other = opened(server.port, FROM_PLANT)
        said = [client.line() for client in (*held, other)]
        for client in (*held, other):
            client.socket.close()
        return said

    greeting, full = "220 gw.sms.local ESMTP", "421 4.3.2 too many connections from your address"
    assert await asyncio.to_thread(fill) == [greeting, greeting, full, greeting]
    await until(lambda: server.mail_in.open_connections == 0)
    assert server.mail_in._house is not None
    delays = server.mail_in._house.logins._delays

    def guess(header: bytes) -> str:
        with opened(server.port, header) as client:
            client.answer()
            client.say("EHLO c")
            client.say("STARTTLS")
            client.start_tls(trusting)
            client.say("EHLO c")
            return client.say("AUTH PLAIN AG5vYm9keQB4")

    assert (await asyncio.to_thread(guess, STRANGER)).startswith("535 ")
    assert delays.wait("from 198.51.100.9") > 0
    assert delays.wait("from 127.0.0.1") == 0


async def test_connections_that_name_nobody_yet_are_counted_too(start: Starter) -> None:
    server = await start(policy=BEHIND, balancers=(BALANCER,), max_connections=25, reserved=20)

    def fill() -> list[str]:
        held = [opened(server.port, b"") for _ in range(24)]
        named = [opened(server.port, FROM_PLANT)]
        said = [named[0].line()]
        named.append(opened(server.port, FROM_PLANT))
        said.append(named[1].line())
        for one in (*held, *named):
            one.socket.close()
        return said

    greeting, full = "220 gw.sms.local ESMTP", "421 4.3.2 too many connections; please try again later"
    assert await asyncio.to_thread(fill) == [greeting, full]
    await until(lambda: server.mail_in.open_connections == 0)


@pytest.mark.parametrize(
    "how", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id check"]
)
async def test_a_real_balancer_passes_its_clients_address_on(
    start: Starter, how: str, certificate: tuple[str, str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """127.0.0.2 is the client of the balancer here, and the network of a rule; 127.0.0.3 is a stranger."""
    rule = replace(NETWORK_RULE, networks=(ipaddress.ip_network("127.0.0.2/32"),))
    server = await start(
        "none", "implicit", policy=replace(POLICY, rules=(rule, AUTH_RULE)), balancers=(BALANCER,)
    )

    def plain() -> list[str]:
        with balancer_to(server.ports[0], how) as port:
            with From("127.0.0.2", port) as client:
                answers = [*client.envelope(NUMBER), client.mail(ALARM)]
            with From("127.0.0.3", port) as client:
                return answers + client.envelope(NUMBER)

    recipient, taken, refused = await asyncio.to_thread(plain)
    assert (recipient, taken[:4]) == ("250 2.1.5 OK", "250 ")
    assert refused.startswith("550 5.7.1 no sender rule fits 127.0.0.3")

    with balancer_to(server.ports[1], how) as port:
        await run(
            "curl", "-sS", "--cacert", certificate[0], f"smtps://localhost:{port}", "-u", f"clinic:{PASSWORD}",
            "--mail-from", "desk@clinic.example", "--mail-rcpt", NUMBER, "-T", "-",
            stdin=b"From: desk@clinic.example\r\n\r\nthrough TLS\r\n",
        )  # fmt: skip
    assert [sms.text for sms in await server.sms()] == ["Battery low", "through TLS"]
    assert "PROXY header" not in caplog.text
