"""What the bridge leaves behind: files that only their owner reads, and log lines that nobody else can write."""

import io
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import log
from bridge.event_in import HookSettings, app
from tests.given_store import opened

FORGED = "x\n2026-01-01T00:00:00.000Z error bridge.app: all is lost\r\x1b[2J\x9b31m\u2028\u202e"


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
async def test_the_database_and_what_stands_beside_it_are_for_their_owner_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, store.part("mail"):
        await store.postmaster(b"hello", "192.0.2.1")
        rights = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert {"bridge.db", "bridge.db-wal", "bridge.db-shm", "bridge.db.mail.lock"} <= rights.keys()
    assert set(rights.values()) == {0o600}


@pytest.mark.usefixtures("usual_umask")
async def test_rights_that_the_operator_gave_stay(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    (tmp_path / "bridge.db").chmod(0o640)
    async with opened(tmp_path):
        assert (tmp_path / "bridge.db").stat().st_mode & 0o777 == 0o640


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("form", ["json", "text"])
def test_what_a_stranger_says_makes_no_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, form: Literal["json", "text"]
) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    log.set_up("debug", form)
    logging.getLogger("bridge.x").warning("said %s", FORGED, extra={"sender": FORGED})
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("bridge.x").exception("failed", extra={"why": FORGED})
    lines = out.getvalue().split("\n")
    ours = [line for line in lines if re.match(r"[0-9{]", line)]
    assert len(ours) == 2
    assert all(line.startswith("    ") for line in lines if line not in (*ours, "")), "a trace is indented"
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", out.getvalue())


@pytest.mark.usefixtures("restored")
@given(st.text(max_size=80))
@settings(max_examples=200)
def test_a_json_line_says_what_was_said(text: str) -> None:
    record = logging.makeLogRecord({"msg": "%s", "args": (text,), "levelname": "INFO", "name": "x"})
    line = log._Json().format(record)
    assert "\n" not in line
    assert json.loads(line)["say"] == log.mask_text(text)


async def test_a_caller_of_the_webhook_is_sent_nowhere(tmp_path: Path) -> None:
    async def ready() -> str:
        return ""

    async with opened(tmp_path) as store:
        hook = app(store, HookSettings("a-secret", (("a@example.com", "t"),)), ready)
        transport = httpx.ASGITransport(hook)
        async with httpx.AsyncClient(transport=transport, base_url="http://evil.example") as caller:
            for path in ("/hooks/sms/a-secret/", "/healthz/", "/readyz/"):
                answer = await caller.post(path)
                assert (answer.status_code, "location" in answer.headers) == (404, False)
