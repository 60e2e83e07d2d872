"""Clients that hang up, at any point, and send the mail again: one SMS per number, none lost."""

import asyncio
import random
import socket
import struct

import pytest

from bridge.mail_in.connection import Connection
from tests.mail_in.client import Client
from tests.mail_in.conftest import Running, Starter, until
from tests.threats import found

WITH_ID = b"From: ups@plant.example\r\nMessage-ID: <77@plant.example>\r\n\r\nPower is out\r\n"
WITHOUT_ID = b"From: ups@plant.example\r\n\r\nPower is out\r\n"
NUMBERS = ("0421000001@sms.local", "0421000002@sms.local")


def script(mail: bytes) -> bytes:
    to = b"".join(b"RCPT TO:<%s>\r\n" % number.encode() for number in NUMBERS)
    return b"HELO ups\r\nMAIL FROM:<ups@plant.example>\r\n" + to + b"DATA\r\n" + mail + b".\r\n"


def reset(client: Client) -> None:
    """Close with a RST, as a machine does that loses its network."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()


def send_whole(port: int, mail: bytes) -> str:
    with Client(port) as client:
        client.envelope(*NUMBERS)
        answer = client.mail(mail)
        client.say("QUIT")
        return answer


async def quiet(server: Running) -> None:
    await until(lambda: server.mail_in.open_connections == 0)
    house = server.mail_in._house
    assert house is not None
    await until(lambda: not house.conversations)


@pytest.mark.threat(
    3, "SMS per mail and number", of="cut points × numbers", unit="SMS", at_least=1, at_most=1
)
@pytest.mark.parametrize("mail", [WITH_ID, WITHOUT_ID], ids=["with Message-ID", "without"])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_hung_up_at_any_point_and_sent_again_there_is_one_sms_per_number(
    start: Starter, mail: bytes, how: str
) -> None:
    octets = script(mail)
    cuts = [
        *sorted(random.Random(7).sample(range(1, len(octets)), 15)),
        *range(len(octets) - 4, len(octets) + 1),
    ]
    for cut in cuts:
        server = await start()

        def cut_off(port: int = server.port, cut: int = cut) -> None:
            with Client(port) as client:
                client.send(octets[:cut])
                if how == "reset":
                    reset(client)

        await asyncio.to_thread(cut_off)
        await quiet(server)
        assert (await asyncio.to_thread(send_whole, server.port, mail)).startswith("250 2.0.0 ")
        made = [sms.number for sms in await server.sms()]
        for number in ("+61421000001", "+61421000002"):
            found(made.count(number))
        assert sorted(made) == ["+61421000001", "+61421000002"], cut
        await server.mail_in.stop()
        await server.store.close()


@pytest.mark.threat(
    3, "SMS per mail and number", of="cut points × numbers", unit="SMS", at_least=1, at_most=1
)
async def test_a_client_that_leaves_during_the_commit_neither_undoes_nor_doubles_it(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start()
    lost = asyncio.Event()
    real = server.store.accept
    before = Connection.connection_lost

    async def slow(taken: object) -> object:
        await lost.wait()
        return await real(taken)  # type: ignore[arg-type]

    def noticed(self: Connection, error: Exception | None) -> None:
        before(self, error)
        lost.set()

    monkeypatch.setattr(server.store, "accept", slow)
    monkeypatch.setattr(Connection, "connection_lost", noticed)

    def cut_off() -> None:
        with Client(server.port) as client:
            client.send(script(WITHOUT_ID))
            for _ in range(6):
                client.line()
            reset(client)

    await asyncio.to_thread(cut_off)
    await quiet(server)
    monkeypatch.undo()
    assert (await asyncio.to_thread(send_whole, server.port, WITHOUT_ID)).endswith(
        "already taken, not sent again"
    )
    found(len(await server.sms()) / len(NUMBERS), of=len(NUMBERS))
    assert len(await server.sms()) == 2


async def test_stop_lets_a_commit_end(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await start()
    begun, go_on = asyncio.Event(), asyncio.Event()
    real = server.store.accept

    async def slow(taken: object) -> object:
        begun.set()
        await go_on.wait()
        return await real(taken)  # type: ignore[arg-type]

    monkeypatch.setattr(server.store, "accept", slow)
    sending = asyncio.create_task(asyncio.to_thread(_send_and_listen, server.port))
    await asyncio.wait_for(begun.wait(), 20)
    stopping = asyncio.create_task(server.mail_in.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    go_on.set()
    await stopping
    await sending
    assert len(await server.sms()) == 2


def _send_and_listen(port: int) -> None:
    with Client(port) as client:
        client.send(script(WITH_ID))
        while client.line():
            pass


async def test_alike_alarms_are_two_when_the_client_has_seen_the_first_250(start: Starter) -> None:
    server = await start()

    def talk() -> list[str]:
        with Client(server.port) as client:
            client.envelope(*NUMBERS)
            first = client.mail(WITHOUT_ID)
            client.envelope(*NUMBERS, hello=False)
            return [first, client.mail(WITHOUT_ID)]

    answers = await asyncio.to_thread(talk)
    assert all("2 SMS queued" in answer for answer in answers), answers
    assert len(await server.sms()) == 4


async def test_an_acknowledgement_that_fails_costs_nothing_but_itself(
    start: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start()

    def first() -> Client:
        client = Client(server.port)
        client.envelope(*NUMBERS)
        assert client.mail(WITHOUT_ID).startswith("250")
        return client

    client = await asyncio.to_thread(first)
    await server.store.close()
    with client:
        assert await asyncio.to_thread(client.say, "NOOP") == "250 2.0.0 OK"
        assert (await asyncio.to_thread(client.say, "QUIT")).startswith("221")
    await until(lambda: any("could not note" in record.message for record in caplog.records))
