"""Logins: right ones in, wrong ones ever more slowly, nothing told about who exists."""

import asyncio
import base64
import logging
import ssl
import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from bridge.mail_in import logins
from bridge.mail_in.logins import Delays, Logins, Outcome
from tests.mail_in.conftest import HASHER, PASSWORD, Starter
from tests.threats import found


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made(clock: Clock, users: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Logins]:
    monkeypatch.setattr(logins, "FIRST_DELAY_S", 0.001)
    one = Logins(users, clock)
    yield one
    one.close()


async def test_the_right_password_logs_in_and_any_other_does_not(made: Logins) -> None:
    assert await made.check("clinic", PASSWORD.encode(), "a") is Outcome.GOOD
    assert await made.check("clinic", b"wrong", "a") is Outcome.BAD
    assert await made.check("clinic", b"", "b") is Outcome.BAD
    assert await made.check("clinic", b"x" * 5_000, "c") is Outcome.BAD
    assert await made.check("nobody", PASSWORD.encode(), "d") is Outcome.BAD
    assert await made.check("", b"", "e") is Outcome.BAD


async def test_a_hash_that_cannot_be_read_lets_nobody_in(made: Logins) -> None:
    assert await made.check("broken", PASSWORD.encode(), "a") is Outcome.BAD


async def test_a_good_login_is_remembered_for_a_while_and_only_that_one(made: Logins, clock: Clock) -> None:
    assert await made.check("clinic", PASSWORD.encode(), "a") is Outcome.GOOD
    made._threads.shutdown()  # from now on nothing can be verified
    assert await made.check("clinic", PASSWORD.encode(), "b") is Outcome.GOOD
    with pytest.raises(RuntimeError):
        await made.check("second", PASSWORD.encode(), "b")
    clock.now += logins.REMEMBER_S + 1
    with pytest.raises(RuntimeError):
        await made.check("clinic", PASSWORD.encode(), "b")


@pytest.mark.threat(
    7,
    "time for a known user beside an unknown one",
    of="measurements",
    unit="times",
    at_least=0.4,
    at_most=2.5,
)
async def test_an_unknown_user_takes_the_time_of_a_known_one(clock: Clock) -> None:
    hasher = PasswordHasher(time_cost=3, memory_cost=16_384, parallelism=1)
    made = Logins({"clinic": hasher.hash(PASSWORD)}, clock)

    async def took(user: str, place: str) -> float:
        clock.now += logins.FORGET_S + 1
        began = time.perf_counter()
        assert await made.check(user, b"wrong", place) is Outcome.BAD
        return time.perf_counter() - began

    known = min([await took("clinic", f"a{i}") for i in range(7)])
    unknown = min([await took("nobody", f"b{i}") for i in range(7)])
    made.close()
    found(known / unknown)
    assert 0.4 < known / unknown < 2.5


async def test_verifying_does_not_hold_up_the_loop(clock: Clock) -> None:
    hasher = PasswordHasher(time_cost=8, memory_cost=16_384, parallelism=1)
    made = Logins({"clinic": hasher.hash(PASSWORD)}, clock)
    task = asyncio.create_task(made.check("clinic", b"wrong", "a"))
    turns = 0
    while not task.done():
        turns += 1
        await asyncio.sleep(0.001)
    made.close()
    assert turns > 3


def test_failures_are_answered_ever_later_and_forgotten_in_the_end(clock: Clock) -> None:
    delays = Delays(clock)
    waits = []
    for _ in range(9):
        waits.append(delays.wait("a"))
        clock.now += waits[-1]
        delays.failed("a")
    assert waits == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert delays.wait("b") == 0
    assert delays.wait("b", "a") == 30.0
    clock.now += logins.FORGET_S + 1
    assert delays.wait("a") == 0


def test_tries_at_once_wait_one_behind_the_other_as_if_each_failed(clock: Clock) -> None:
    delays = Delays(clock)
    for _ in range(4):
        delays.failed("a")
    assert [delays.wait("a") for _ in range(3)] == [4.0, 12.0, 28.0]


def test_a_success_forgets_the_failures(clock: Clock) -> None:
    delays = Delays(clock)
    delays.failed("a")
    delays.forget("a")
    assert delays.wait("a") == 0


def test_the_table_of_failures_is_bounded(clock: Clock) -> None:
    delays = Delays(clock)
    for number in range(11_000):
        delays.failed(f"from {number}")
    assert len(delays._of) == 10_000


async def test_who_would_wait_too_long_is_told_to_come_back(
    made: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "FIRST_DELAY_S", 30.0)
    assert await made.check("clinic", b"wrong", "a") is Outcome.BAD
    assert await made.check("second", PASSWORD.encode(), "a") is Outcome.LATER


async def test_a_place_the_user_is_known_from_is_not_held_up_by_others(
    made: Logins, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await made.check("clinic", PASSWORD.encode(), "office") is Outcome.GOOD
    clock.now += logins.REMEMBER_S + 1
    monkeypatch.setattr(logins, "FIRST_DELAY_S", 30.0)
    assert await made.check("clinic", b"guess", "attacker") is Outcome.BAD
    assert await made.check("clinic", PASSWORD.encode(), "elsewhere") is Outcome.LATER
    assert await made.check("clinic", PASSWORD.encode(), "office") is Outcome.GOOD


async def test_a_try_that_is_given_up_leaves_nothing_behind_and_no_wait_is_shorter_for_it(
    made: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "FIRST_DELAY_S", 5.0)
    assert await made.check("clinic", b"guess", "a") is Outcome.BAD
    waiting = asyncio.create_task(made.check("clinic", b"guess", "a"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert made._turns._of == {}
    assert [one.waiting for one in made._delays._of.values()] == [0, 0]
    assert made._delays.wait("from a", "as clinic") >= 10


async def test_guesses_from_everywhere_at_once_do_not_hold_up_a_place_the_user_is_known_from(
    clock: Clock,
) -> None:
    slow = PasswordHasher(time_cost=2, memory_cost=32_768, parallelism=1).hash(PASSWORD)
    made = Logins({"clinic": slow}, clock)
    assert await made.check("clinic", PASSWORD.encode(), "office") is Outcome.GOOD
    clock.now += logins.REMEMBER_S + 1
    guesses = [asyncio.create_task(made.check(f"user{n}", b"guess", f"attacker {n}")) for n in range(60)]
    await asyncio.sleep(0)  # each is in the queue of the threads now
    assert await made.check("clinic", PASSWORD.encode(), "office") is Outcome.GOOD
    looked_at = sum(guess.done() for guess in guesses)
    assert set(await asyncio.gather(*guesses)) == {Outcome.BAD}
    made.close()
    assert looked_at <= 20


async def test_the_memory_of_good_logins_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "_MOST", 2)
    hashed = HASHER.hash("p")
    made = Logins({f"u{i}": hashed for i in range(4)}, clock)
    for i in range(4):
        assert await made.check(f"u{i}", b"p", "a") is Outcome.GOOD
    made.close()
    assert len(made._good) == len(made._places) == 2


async def test_no_password_is_logged(made: Logins, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await made.check("clinic", b"a-secret-canary", "a")
    assert "canary" not in caplog.text


async def test_users_whose_hashes_cannot_be_read_do_not_stop_the_server(clock: Clock) -> None:
    made = Logins({"broken": "no hash at all"}, clock)
    assert await made.check("broken", b"x", "a") is Outcome.BAD
    made.close()


@pytest.mark.threat(7, "tries in the first minute", of="floods of tries", unit="tries", at_most=7)
@pytest.mark.threat(7, "tries in a minute later", of="floods of tries", unit="tries", at_most=2)
def test_who_tries_all_the_time_under_one_address_or_name_is_looked_at_seven_times_then_twice_a_minute(
    clock: Clock,
) -> None:
    delays, begun = Delays(clock), clock.now
    looked_at, coming = [], [0.0]
    for step in range(600 * 10):
        clock.now = begun + step / 10
        while coming and coming[0] <= clock.now:
            looked_at.append(coming.pop(0) or clock.now)
            delays.failed("as clinic")
        for _ in range(3):
            wait = delays.wait("as clinic")
            if 0 < wait <= logins.LONGEST_WAIT_S:
                coming = sorted([*coming, clock.now + wait])
    minutes = [sum(begun + 60 * n <= at < begun + 60 * (n + 1) for at in looked_at) for n in range(10)]
    found(minutes[0], what="tries in the first minute")
    found(max(minutes[2:]), what="tries in a minute later")
    assert minutes[0] <= 7
    assert max(minutes[2:]) <= 2


@pytest.mark.threat(
    7, "tries of many connections at once", of="floods of tries", unit="tries in 4 s", at_most=4
)
@pytest.mark.parametrize("of", ["one name from many addresses", "many names from one address"])
async def test_guessing_over_many_connections_is_as_slow_as_over_one(
    start: Starter, trusting: ssl.SSLContext, of: str
) -> None:
    server = await start("implicit")
    answers: list[str] = []

    async def guess(n: int) -> None:
        name, address = ("clinic", f"127.0.1.{n}") if of.startswith("one name") else (f"user{n}", "127.0.1.1")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=trusting, server_hostname="localhost", local_addr=(address, 0)
        )
        login = base64.b64encode(f"\0{name}\0wrong".encode())
        writer.write(b"EHLO c\r\n" + b"AUTH PLAIN " + login + b"\r\n")
        try:
            while line := (await reader.readline()).decode():
                if line.startswith(("535", "454", "421")):
                    answers.append(line[:3])
                    return
        finally:
            writer.transport.abort()

    tasks = [asyncio.create_task(guess(n)) for n in range(1, 41)]
    await asyncio.wait(tasks, timeout=4)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    found(answers.count("535"))
    assert 1 <= answers.count("535") <= 4
    assert answers.count("454") >= 30, "who would wait too long is told so at once"


async def test_right_passwords_at_once_from_one_address_are_all_taken(
    users: dict[str, str], clock: Clock
) -> None:
    made = Logins({f"printer{n}": users["clinic"] for n in range(30)}, clock)
    outcomes = await asyncio.gather(
        *(made.check(f"printer{n}", PASSWORD.encode(), "office") for n in range(30))
    )
    made.close()
    assert set(outcomes) == {Outcome.GOOD}
    assert made._turns._of == {}
