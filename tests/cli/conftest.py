"""The bench on which commands are tried."""

from pathlib import Path

import pytest

from tests.cli.given import Bench


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SMSBRIDGE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, capsys)
