"""Our conversation beside stock aiosmtpd's: for normal sessions both answer with the same codes, one by one,
and take the same mails, however the octets are cut into packets."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.message import read
from bridge.rules import Limits
from bridge.store import SmsFilter
from tests.mail_in.conftest import NETWORK_RULE, POLICY, Running, Starter

_LINES = st.lists(
    st.sampled_from(["hello", ".", "..", ".x", "", " a", "x" * 400, "From here", "QUIT", "DATA", "a.b", "-"]),
    max_size=6,
)
_MAIL = _LINES.map(
    lambda lines: (
        "".join(
            f"{'.' if line.startswith('.') else ''}{line}\r\n"
            for line in ["From: a@plant.example", "", "text", *lines]
        )
        + ".\r\n"
    )
)
_TO = st.lists(st.sampled_from(["0421000001", "0421000002", "+61421000003"]), min_size=1, max_size=3)


@st.composite
def _transaction(draw: st.DrawFn) -> list[str]:
    to = [f"{draw(st.sampled_from(['RCPT TO:', 'rcpt to: ']))}<{name}@sms.local>" for name in draw(_TO)]
    return ["MAIL FROM:<a@plant.example>", *to, "DATA", draw(_MAIL)]


_STEP = st.one_of(
    _transaction(),
    st.sampled_from(
        [
            ["NOOP"], ["RSET"], ["NOOP x"], ["MAIL FROM:<a@plant.example>", "RSET"], ["EHLO again"],
            ["HELO again", "EHLO again"],
            ["RCPT TO:<0421000001@sms.local>"], ["DATA"], ["MAIL FROM:<a@plant.example> BODY=8BITMIME", "RSET"],
            ["MAIL FROM:<a@plant.example>", "MAIL FROM:<a@plant.example>", "RSET"], ["RSET x"], ["EXPN x"],
            ["MAIL FROM:<a@plant.example> SIZE=99999999", "RSET"], ["NONSENSE"], ["VRFY x"],
        ]
    ),
)  # fmt: skip
_SESSION = st.lists(_STEP, min_size=1, max_size=5).map(
    lambda steps: ["EHLO client", *(line for step in steps for line in step), "QUIT"]
)
# RFC 5321 leaves these open, and we differ on purpose: HELP and codes of one class count as the same.
_SAME = {"501": "500", "502": "500", "554": "503"}


class Stock:
    """aiosmtpd with a handler that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content)
        return "250 OK"


async def converse(port: int, session: list[str], packets: list[int]) -> list[str]:
    """Say the session, each command after the answer to the last, cut into packets; the codes answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    codes = [await _code(reader)]
    sizes = itertools.cycle(packets)
    for line in session:
        in_data = codes[-1] == "354"
        if line.endswith(".\r\n") and not in_data:
            continue
        octets = (line if in_data else line + "\r\n").encode()
        while octets:
            size = next(sizes)
            writer.write(octets[:size])
            octets = octets[size:]
            await writer.drain()
            await asyncio.sleep(0)
        codes.append(await _code(reader))
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return codes


async def _code(reader: asyncio.StreamReader) -> str:
    while True:
        line = (await asyncio.wait_for(reader.readline(), 30)).decode()
        if line[3:4] != "-":
            return line[:3]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(session=_SESSION, packets=st.lists(st.integers(1, 900), min_size=1, max_size=5))
async def test_normal_sessions_are_answered_and_taken_alike(
    both: Any, session: list[str], packets: list[int]
) -> None:
    both.handler.mails.clear()
    theirs = await converse(both.stock_port, session, packets)
    answered = await converse(both.ours.port, session, packets)
    assert [_SAME.get(code, code) for code in answered] == [_SAME.get(code, code) for code in theirs]
    assert await both.new_texts() == {_words(read(mail).plain or "") for mail in both.handler.mails}


@dataclass
class Both:
    """Both servers, for all examples; ``last`` is the newest SMS seen so far."""

    ours: Running
    stock_port: int
    handler: Stock
    last: int = 0

    async def new_texts(self) -> set[str]:
        lines = await self.ours.store.list_sms(SmsFilter(), None, 200)
        new = {_words(line.sms.text) for line in lines if line.sms.id > self.last}
        self.last = max([self.last, *(line.sms.id for line in lines)])
        return new


def _words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
async def both(start: Starter) -> AsyncIterator[Both]:
    handler, loop = Stock(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="stock", loop=loop, data_size_limit=100_000), "127.0.0.1", 0
    )
    long = replace(NETWORK_RULE, limits=Limits(segments=20))
    ours = await start(policy=replace(POLICY, rules=(long,)), max_size=100_000)
    yield Both(ours, server.sockets[0].getsockname()[1], handler)
    server.close()
    await server.wait_closed()
