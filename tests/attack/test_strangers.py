"""What a client without any rule can do to those who have one, or learn about them."""

import asyncio
import base64
import contextlib
import ipaddress
import smtplib
import ssl
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.decide import Client as Connected
from bridge.decide import Refuse, at_rcpt, candidates
from bridge.mail_in import connection, house, logins
from bridge.message import read
from tests.attack.clients import From
from tests.given_store import opened
from tests.mail_in.client import Client
from tests.mail_in.conftest import AUTH_RULE, NETWORK_RULE, PASSWORD, POLICY, Starter, until
from tests.threats import found

HERE = replace(NETWORK_RULE, networks=(ipaddress.ip_network("127.0.0.1/32"),))
POLICY_HERE = replace(POLICY, rules=(HERE,))
KIB = 1024
NUMBER = "0421000001@sms.local"
UNENDED = (b"x" * 998 + b"\r\n") * 64
ALARM = b"From: ups@plant.example\r\n\r\nBattery low\r\n"


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_mails_to_postmaster_that_never_end_keep_no_alarm_out(start: Starter) -> None:
    server = await start(policy=POLICY_HERE, max_memory=16 * len(UNENDED))  # a quarter is four of them

    def attack() -> tuple[list[str], str]:
        with ExitStack() as held:
            strangers = [
                held.enter_context(From(f"127.0.0.{2 + index % 5}", server.port)) for index in range(20)
            ]
            for stranger in strangers:
                assert stranger.envelope("postmaster", sender="a@stranger.example") == ["250 2.1.5 OK"]
                assert stranger.say("DATA").startswith("354 ")
                stranger.send(UNENDED)
            network = held.enter_context(From("127.0.0.1", server.port))
            assert network.envelope("0421000001@sms.local") == ["250 2.1.5 OK"]
            taken = network.mail(ALARM)
            return [_ended(stranger) for stranger in strangers], taken

    ends, taken = await asyncio.to_thread(attack)
    assert taken.startswith("250 2.0.0 ")
    assert "452 4.3.1" in ends, "the strangers were to use up all that they may have"
    assert "250 2.0.0" in ends
    with_room = await asyncio.to_thread(_one_more, server.port)
    assert with_room.startswith("250 2.0.0"), "what a stranger held is given back"


def _ended(stranger: Client) -> str:
    stranger.send(b".\r\n")
    return stranger.answer()[:9]


def _one_more(port: int) -> str:
    with From("127.0.0.9", port) as client:
        client.envelope("postmaster", sender="a@stranger.example")
        return client.mail(b"hello\r\n" * 9_000)


async def test_a_declared_size_is_held_against_the_strangers_share_alone(start: Starter) -> None:
    server = await start(policy=POLICY_HERE, max_memory=1024 * KIB)

    def ask(address: str) -> str:
        with From(address, server.port) as client:
            client.answer()
            client.say("EHLO x")
            return client.say(f"MAIL FROM:<ups@plant.example> SIZE={400 * KIB}")[:9]

    assert await asyncio.to_thread(ask, "127.0.0.2") == "452 4.3.1"
    assert await asyncio.to_thread(ask, "127.0.0.1") == "250 2.1.0"


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_big_mails_of_strangers_share_what_is_left_for_them_and_others_do_not_wait(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece of them is work for the loop: sixty at once made a normal mail wait for ten seconds."""
    monkeypatch.setattr(house, "STRANGERS_PER_S", 512 * KIB)
    server = await start(policy=POLICY_HERE)
    began = time.monotonic()

    def ended(address: str, to: str) -> float:
        with From(address, server.port) as client:
            assert client.envelope(to, sender="ups@plant.example") == ["250 2.1.5 OK"]
            client.mail(ALARM + b"words of a text\r\n" * 50_000)
        return time.monotonic() - began

    strangers = [asyncio.to_thread(ended, f"127.0.0.{n}", "postmaster") for n in (2, 3)]
    *ends, known = await asyncio.gather(*strangers, asyncio.to_thread(ended, "127.0.0.1", NUMBER))
    at_least = 2 * (17 * 50_000 - 3 * 64 * KIB) / (512 * KIB)
    assert max(ends) >= at_least
    assert known < max(ends)


async def test_mails_to_postmaster_are_bounded_however_many_addresses_they_come_from(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        taken = [await store.postmaster(b"hello", f"192.0.2.{number}") for number in range(250)]
        assert taken == [True] * 200 + [False] * 50
        assert (await store.counts()).outbox_by_state == {"due": 200}


@pytest.mark.threat(24, "answers that tell of others", of="answers")
def test_the_numbers_behind_an_alias_are_not_told_to_who_may_not_send_to_them() -> None:
    elsewhere = replace(HERE, prefixes=("+642",))
    policy = replace(POLICY, rules=(elsewhere,))
    client = Connected("127.0.0.1")
    refused = at_rcpt(policy, client, candidates(policy, client), "oncall@sms.local")
    assert isinstance(refused, Refuse)
    for number in POLICY.aliases["oncall"]:
        assert number[-6:] not in str(refused)
        assert number[4:] not in "".join(sign for sign in str(refused) if sign.isdigit())


@pytest.mark.threat(6, "a login while strangers hold all connections", of="floods", unit="s", at_most=10)
async def test_strangers_who_hold_all_connections_keep_nobody_out_who_can_log_in(
    start: Starter, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STRANGERS_STAY_S", 0.5)
    policy = replace(POLICY, rules=(AUTH_RULE, HERE))
    server = await start(
        "implicit", "none", policy=policy, max_connections=60, reserved=20, max_per_address=10
    )
    stop = False

    async def hold(address: str) -> None:
        while not stop:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", server.ports[1], local_addr=(address, 0)
            )
            try:
                writer.write(b"EHLO stranger\r\n")
                while await reader.read(1_000):
                    writer.write(b"NOOP\r\n" * 3)
                    await asyncio.sleep(0.05)
            except OSError:
                await asyncio.sleep(0.01)
            finally:
                writer.transport.abort()

    attack = [asyncio.create_task(hold(f"127.0.2.{n % 10 + 1}")) for n in range(80)]
    await until(lambda: server.mail_in.open_connections >= 40)
    await asyncio.sleep(2 * connection.STRANGERS_STAY_S)

    def log_in() -> float:
        began = time.monotonic()
        while True:
            assert time.monotonic() - began < 20, "kept out"
            try:
                with smtplib.SMTP_SSL(
                    "localhost",
                    server.ports[0],
                    context=trusting,
                    timeout=10,
                    source_address=("127.0.0.77", 0),
                ) as client:
                    client.login("clinic", PASSWORD)
                    took = time.monotonic() - began
                    time.sleep(2 * connection.STRANGERS_STAY_S)  # logged in, it is no stranger and stays
                    client.sendmail("a@clinic.example", NUMBER, b"From: a@clinic.example\r\n\r\nhello\r\n")
                    return took
            except (OSError, smtplib.SMTPException):
                time.sleep(0.1)

    took = await asyncio.to_thread(log_in)
    with From("127.0.0.1", server.ports[1]) as network:
        assert await asyncio.to_thread(network.envelope, NUMBER) == ["250 2.1.5 OK"]
    stop = True
    for task in attack:
        task.cancel()
    await asyncio.gather(*attack, return_exceptions=True)
    assert [sms.text for sms in await server.sms()] == ["hello"]
    assert server.mail_in.open_connections <= 60
    found(took)
    assert took < 10


@pytest.mark.threat(6, "a login while guesses hold all connections", of="floods", unit="s", at_most=10)
async def test_guesses_that_wait_for_their_answers_keep_nobody_out_who_can_log_in(
    start: Starter, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is made to wait for longer than an honest client would, and would hold its place as long."""
    monkeypatch.setattr(connection, "STRANGERS_STAY_S", 0.5)
    monkeypatch.setattr(logins, "FIRST_DELAY_S", 15.0)
    policy = replace(POLICY, rules=(AUTH_RULE, HERE))
    server = await start("implicit", policy=policy, max_connections=60, reserved=20)

    async def guess(address: str) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1",
                    server.port,
                    ssl=trusting,
                    server_hostname="localhost",
                    local_addr=(address, 0),
                )
                try:
                    login = base64.b64encode(f"\0{address}\0guess".encode())
                    writer.write(b"EHLO stranger\r\n" + 2 * (b"AUTH PLAIN " + login + b"\r\n"))
                    while await reader.read(1_000):
                        pass
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.05)

    attack = [asyncio.create_task(guess(f"127.0.2.{n + 1}")) for n in range(80)]
    await until(lambda: server.mail_in.open_connections >= 40)

    def log_in() -> float:
        began = time.monotonic()
        while True:
            assert time.monotonic() - began < 30, "kept out"
            try:
                with smtplib.SMTP_SSL(
                    "localhost", server.port, context=trusting, timeout=10, source_address=("127.0.0.77", 0)
                ) as client:
                    client.login("clinic", PASSWORD)
                    return time.monotonic() - began
            except (OSError, smtplib.SMTPException):
                time.sleep(0.1)

    took = await asyncio.to_thread(log_in)
    for task in attack:
        task.cancel()
    await asyncio.gather(*attack, return_exceptions=True)
    assert server.mail_in.open_connections <= 60
    found(took)
    assert took < 10


def _reading_s(mail: bytes) -> float:
    """The seconds of work that it takes to read a mail, as it goes at best."""
    taken = []
    for _ in range(5):
        began = time.thread_time()
        read(mail)
        taken.append(time.thread_time() - began)
    return min(taken)


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_mails_of_strangers_that_take_long_to_read_hold_the_loop_up_no_longer_than_one(
    start: Starter,
) -> None:
    signers = replace(NETWORK_RULE, match=("*@clinic.example",), proof=frozenset({"dmarc"}), networks=())
    server = await start(policy=replace(POLICY, rules=(signers,)))
    many = b"From: ann@clinic.example\r\n" + b"X: y\r\n" * 900 + b"\r\nhello\r\n"

    def attack() -> list[str]:
        with ExitStack() as held:
            strangers = [
                held.enter_context(From(f"127.0.0.{2 + index % 3}", server.port)) for index in range(180)
            ]
            for stranger in strangers:
                stranger.envelope(NUMBER, sender="ann@clinic.example")
                assert stranger.say("DATA").startswith("354 ")
                stranger.send(many)
            for stranger in strangers:
                stranger.send(b".\r\n")
            return [stranger.answer()[:9] for stranger in strangers]

    async def longest_hold() -> float:
        # The loop's own work between two turns: what a busy machine keeps it waiting is no fault.
        longest = 0.0
        attacking = asyncio.create_task(asyncio.to_thread(attack))
        while not attacking.done():
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)
        assert set(await attacking) == {"550 5.7.1"}
        return longest

    assert await longest_hold() < 180 * _reading_s(many) / 2, "more than one at once was read in the loop"
