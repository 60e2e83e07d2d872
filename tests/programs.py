"""The programs that tests drive for real: found, or the test says which one is missing."""

import os
import shutil
from typing import NoReturn

import pytest

_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/usr/bin"
BROWSER_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def found(*names: str) -> str | None:
    """Return the path of the first of these programs that is there."""
    return next((path for name in names if (path := shutil.which(name, path=_PATH))), None)


def needed(*names: str) -> str:
    """Return its path; without it the test is skipped, or fails where all must be there (CI=true)."""
    path = found(*names)
    return path or missing(names[0])


def missing(name: str) -> NoReturn:
    """End the test for want of a program: skip it, or fail it where all must be there (CI=true)."""
    said = f"{name} is not installed: sh tests/system-packages.sh installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(said)
    pytest.skip(said)


def chromium() -> str:
    """Return the path of a Chromium."""
    return needed("chromium", "chromium-browser", "google-chrome")
