"""The desk over a new store, and a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests import programs
from tests.web import given


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[given.Desk]:
    async with given.opened(tmp_path) as desk:
        yield desk


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser of its own for each test; without one the test is skipped, or fails where all must be there."""
    path = programs.chromium()
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=path, args=programs.BROWSER_ARGS)
        yield browser
        await browser.close()
