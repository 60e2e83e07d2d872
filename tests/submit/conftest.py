"""A real store in a temporary file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.store import Store
from tests.given_store import opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store."""
    async with opened(tmp_path) as one:
        yield one
