"""The bench on which commands are tried."""

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.given import Bench


@pytest.fixture
def bench(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    monkeypatch.delenv("SMSBRIDGE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    # A command has a process for itself, and sets it up: the tests after it must not log into its closed stderr.
    root = logging.getLogger()
    handlers, level, interval = root.handlers[:], root.level, sys.getswitchinterval()
    for owner, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    yield Bench(tmp_path, capsys)
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.setswitchinterval(interval)
