"""Where the wire itself is tested, both event loops are: the service runs in uvloop, or asyncio where it is missing."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

Loops = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Loops:
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.stem in ("test_wire", "test_connection"):
        loops["asyncio"] = asyncio.new_event_loop
    return loops
