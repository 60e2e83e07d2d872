"""SIGHUP makes a service look at its files again, and ends one whose terminal was closed."""

import asyncio
import os
import signal
from collections.abc import Callable

from bridge.app.signals import ended_by_signal


async def test_a_hangup_is_a_wish_to_look_again_until_the_terminal_is_gone() -> None:
    looked: list[int] = []
    master, terminal = os.openpty()
    ended = ended_by_signal(lambda: looked.append(1), (terminal,))
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        await _turns(lambda: len(looked) == 1)
        assert not ended.done()
        os.close(master)
        os.kill(os.getpid(), signal.SIGHUP)
        await _turns(ended.done)
        assert len(looked) == 1
    finally:
        os.close(terminal)
        _leave_signals()


async def test_without_a_terminal_a_hangup_ends_nothing_and_sigterm_does() -> None:
    looked: list[int] = []
    reading, writing = os.pipe()
    ended = ended_by_signal(lambda: looked.append(1), (reading, writing))
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        await _turns(lambda: len(looked) == 1)
        assert not ended.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await _turns(ended.done)
    finally:
        os.close(reading)
        os.close(writing)
        _leave_signals()


async def _turns(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def _leave_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().remove_signal_handler(number)
