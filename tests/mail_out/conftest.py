"""The conversation with the smarthost is tested in both event loops; the service runs in uvloop."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

Loops = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Loops:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
