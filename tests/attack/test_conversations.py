"""Conversations of any words, in any pieces: each answered in well-formed lines, none breaks the server or a mail.

``CORPUS`` holds ones that were worth keeping; `hypothesis` makes others of the same words.
"""

import contextlib
import ipaddress
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.mail_in import Timeouts
from tests.flow.running import Loop
from tests.mail_in.client import Client
from tests.mail_in.conftest import AUTH_RULE, NETWORK_RULE, POLICY, Running, servers
from tests.threats import found

LINES: Final = re.compile(rb"(?:[2-5][0-9]{2}[ -][ -~]{0,500}\r\n)*")
V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
PLANT: Final = ipaddress.ip_network("203.0.113.0/24")
BALANCER: Final = ipaddress.ip_network("127.0.0.1/32")

WORDS: Final = [
    b"EHLO c", b"HELO c", b"EHLO", b"STARTTLS", b"STARTTLS x", b"NOOP", b"RSET", b"QUIT", b"HELP", b"VRFY a",
    b"EXPN a", b"MAIL FROM:<ups@plant.example>", b"MAIL FROM:<>", b"RCPT TO:<0421000001@sms.local>",
    b"RCPT TO:<oncall@sms.local>", b"RCPT TO:<postmaster>", b"RCPT TO:<reply+aaaaaaaaaa@sms.local>",
    b"RCPT TO:<a@elsewhere.example>", b"DATA", b"BDAT 5 LAST", b" SIZE=9", b" BODY=8BITMIME", b" SMTPUTF8",
    b" AUTH=<>", b" RET=HDRS", b" ENVID=a+2B", b" NOTIFY=SUCCESS,DELAY", b" NOTIFY=NEVER", b" ORCPT=rfc822;a+40b",
    b" ORCPT=utf-8;\xc3\xbc", b"=", b"+0A", b"+", b"AUTH PLAIN", b"AUTH LOGIN", b" AGNsaW5pYwB3cm9uZw==", b"*",
    b"====", b"\r\n", b"\n", b"\r", b"\0", b".\r\n", b"\r\n.\r\n", b"..", b" ", b"\xff\xfe",
    b"From: ups@plant.example\r\n\r\nhello", b"From: a@b, c@d\r\n",
    b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n", b"PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n",
    b"PROXY UNKNOWN\r\n", b"PROXY TCP6 ::1 ::1 1 2\r\n", b"PROXY ", V2, V2 + b"\x20\x00\x00\x00",
    V2 + b"\x21\x11\x00\x0c\xcb\x00\x71\x07\x7f\x00\x00\x01\x00\x01\x00\x02", b"\x21\x11\xff\xff",
    b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01", b"x" * 3_000, b"x" * 13_000,
]  # fmt: skip
ENVELOPE: Final = [b"EHLO c\r\nMAIL FROM:<ups@plant.example>\r\nRCPT TO:<0421000001@sms.local>\r\nDATA\r\n"]
CORPUS: Final[list[list[bytes]]] = [
    [*ENVELOPE, b"From: ups@plant.example\r\n\r\n", b"a\r\n", b".", b"\r", b"\n", b"QUIT\r\n"],
    [b"EHLO c\r\nSTARTTLS\r\n", b"MAIL FROM:<ups@plant.example>\r\n"],
    [b"EHLO c\r\nAUTH PLAIN\r\n", b"*\r\nAUTH LOGIN\r\n", b"====\r\n", b"\0\r\n"],
    [b"PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n", b"PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\n", *ENVELOPE, b".\r\n"],
    [V2, b"\x21\x11\x00", b"\x0c\xcb\x00\x71\x07\x7f\x00\x00\x01\x00\x01\x00\x02EHLO c\r\n", *ENVELOPE, b"\r\n.\r\n"],
    [V2 + b"\x20\x00\x10\x00" + b"\0" * 4_096],
    [b"MAIL FROM:<", b"\xc3", b"\xbc@x> SMTPUTF8\r\n", b"RCPT TO:<\xff>\r\n"],
]  # fmt: skip
SAID: Final = st.lists(
    st.sampled_from(WORDS) | st.sampled_from(WORDS).map(lambda word: word + b"\r\n") | st.binary(max_size=12),
    max_size=14,
)


@pytest.fixture(scope="module")
def many(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[str, str], users: dict[str, str]
) -> Iterator["Many"]:
    loop = Loop()
    folder = tmp_path_factory.mktemp("conversations")
    try:
        one = Many(loop, folder, certificate, users)
        yield one
        one.close()
    finally:
        loop.close()


class Many:
    """Two servers in a thread of their own: one for clients, one behind a balancer."""

    def __init__(self, loop: Loop, folder: Path, certificate: tuple[str, str], users: dict[str, str]) -> None:
        self._loop, self._stack = loop, contextlib.AsyncExitStack()
        short = Timeouts(idle_ms=2_000, handshake_ms=500, proxy_ms=500)
        rules = (replace(NETWORK_RULE, networks=(PLANT,)), AUTH_RULE)

        async def begin() -> tuple[Running, Running]:
            start = await self._stack.enter_async_context(servers(folder, certificate, users))
            plain = await start("starttls", timeouts=short)
            behind = await start(
                "starttls", timeouts=short, policy=replace(POLICY, rules=rules), balancers=(BALANCER,)
            )
            return plain, behind

        self.plain, self.behind = loop.do(begin())

    def close(self) -> None:
        self._loop.do(self._stack.aclose())

    def clients(self, server: Running) -> set[str]:
        """From where the stored mails came."""

        async def look() -> set[str]:
            found = set()
            for line in await server.lines():
                story = await server.store.show(line.sms.message_id)
                assert story is not None
                found.add(story.mail.client)
            return found

        return self._loop.do(look())


def told(port: int, pieces: Sequence[bytes]) -> bytes:
    """Say the pieces and no more; all that is answered."""
    answers = b""
    with socket.create_connection(("127.0.0.1", port), 20) as wire, contextlib.suppress(OSError):
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            wire.sendall(piece)
        wire.shutdown(socket.SHUT_WR)
        while more := wire.recv(65_536):
            answers += more
    return answers


def _examples(test):  # type: ignore[no-untyped-def]
    for one in CORPUS:
        test = example(pieces=one)(test)
    return test


@pytest.mark.threat(6, "conversations that broke something", of="conversations")
@_examples
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=SAID)
def test_whatever_is_said_is_answered_in_lines_and_breaks_nothing(
    many: Many, pieces: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    for server in (many.plain, many.behind):
        answers = told(server.port, pieces)
        assert LINES.fullmatch(answers.partition(b"220 2.0.0 ready to start TLS\r\n")[0]), answers
        assert b"a fault of ours" not in answers
    assert not [one for one in caplog.records if one.levelname == "ERROR"], caplog.text
    found(0)


def test_after_all_that_the_servers_take_mail_as_before_and_believed_only_the_balancer(many: Many) -> None:
    for server, header in ((many.plain, b""), (many.behind, b"PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n")):
        with Client(server.port) as client:
            client.send(header)
            assert client.envelope("0421000009@sms.local") == ["250 2.1.5 OK"]
            assert client.mail(b"From: ups@plant.example\r\n\r\nstill here\r\n").startswith("250 ")
    assert many.clients(many.plain) == {"127.0.0.1"}
    assert many.clients(many.behind) == {"203.0.113.7"}
