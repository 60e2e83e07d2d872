"""What a conversation may wait for, and that whoever waits for its end hears of it, however it ends."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bridge.mail_in.talk import Talk, client_news


class Run:
    """A talk that notes its end."""

    def __init__(self, conversation: Coroutine[Any, Any, None]) -> None:
        self.ended = 0
        self.talk = Talk(conversation, asyncio.get_running_loop(), self._end)
        self.talk.begin()

    def _end(self) -> None:
        self.ended += 1


async def turns(condition: Callable[[], bool]) -> None:
    """Let the loop turn until ``condition`` holds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came")


async def test_the_client_is_answered_within_the_call_that_brings_its_octets() -> None:
    heard: list[int] = []

    async def conversation() -> None:
        for number in range(3):
            await client_news()
            heard.append(number)

    run = Run(conversation())
    for number in range(3):
        assert heard == list(range(number))
        run.talk.client_spoke()
    assert (heard, run.ended) == ([0, 1, 2], 1)
    run.talk.client_spoke()
    assert run.ended == 1


async def test_while_it_waits_for_work_of_ours_the_client_does_not_hurry_it() -> None:
    work: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    heard: list[str] = []

    async def conversation() -> None:
        heard.append(await work)
        await asyncio.sleep(0)
        await asyncio.create_task(asyncio.sleep(0))
        heard.append("end")

    run = Run(conversation())
    run.talk.client_spoke()
    assert heard == []
    work.set_result("done")
    run.talk.client_spoke()
    await turns(lambda: run.ended == 1)
    assert heard == ["done", "end"]


async def test_a_fault_of_the_work_is_raised_where_it_was_waited_for() -> None:
    work: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    caught: list[str] = []

    async def conversation() -> None:
        try:
            await work
        except OSError as error:
            caught.append(str(error))

    run = Run(conversation())
    work.set_exception(OSError("full"))
    await turns(lambda: run.ended == 1)
    assert caught == ["full"]


async def test_given_up_work_ends_it() -> None:
    async def conversation() -> None:
        await asyncio.get_running_loop().create_future()

    run = Run(conversation())
    run.talk.cancel()
    await turns(lambda: run.ended == 1)


async def test_its_end_is_told_even_when_it_breaks() -> None:
    async def conversation() -> None:
        await client_news()
        raise ValueError("broken")

    run = Run(conversation())
    run.talk.cancel()  # it waits for the client: there is nothing to give up
    assert run.ended == 0
    with pytest.raises(ValueError, match="broken"):
        run.talk.client_spoke()
    assert run.ended == 1
