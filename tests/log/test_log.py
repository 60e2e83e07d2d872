"""Log lines: readable by machines, silent about numbers and secrets."""

import asyncio
import gc
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import log
from bridge.errors import StoreError


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], level = before
    root.setLevel(level)


def written(monkeypatch: pytest.MonkeyPatch, form: Literal["json", "text"]) -> io.StringIO:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    log.set_up("debug", form)
    return out


@pytest.mark.usefixtures("restored")
def test_a_json_line_has_the_fields_and_masks_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    out = written(monkeypatch, "json")
    logging.getLogger("bridge.x").info("sent to +61421000001", extra={"mail": "M7", "number": "0421 000 001"})
    line = json.loads(out.getvalue())
    assert line["say"] == "sent to +61421•••001"
    assert line["mail"] == "M7"
    assert line["number"] == "0421•••001"
    assert line["level"] == "info"
    assert line["at"].endswith("Z")


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_is_one_record_and_is_masked(
    monkeypatch: pytest.MonkeyPatch, form: Literal["json", "text"]
) -> None:
    out = written(monkeypatch, form)
    try:
        raise ValueError("no such number +61421000001")
    except ValueError:
        logging.getLogger("bridge.x").exception("went\nwrong", extra={"id": 5})
    assert "0001" not in out.getvalue()
    assert "ValueError" in out.getvalue()
    assert "went\nwrong" not in out.getvalue()


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("name", ["httpx", "mail.log", "httpcore.connection"])
def test_libraries_that_tell_secrets_stay_silent(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    out = written(monkeypatch, "json")
    logging.getLogger(name).info("AUTH PLAIN AGEAYg==")
    logging.getLogger(name).debug("AUTH PLAIN AGEAYg==")
    assert out.getvalue() == ""


@given(
    st.from_regex(r"\A\+?[1-9][0-9]{8,14}\Z"), st.sampled_from(["", "to ", "<", "(", '"', "tel:", "number:"])
)
def test_no_phone_number_survives_in_any_surrounding(number: str, before: str) -> None:
    assert number not in log.mask_text(f"{before}{number} said")


def test_ids_times_and_addresses_stay_readable() -> None:
    text = "BRDGAB12345678 at 2026-11-22T10:11:12.123Z from 127.0.0.1:2525 took 12345 ms"
    assert log.mask_text(text) == text


def test_long_values_are_cut() -> None:
    assert len(log.mask_text("x" * 100_000)) < 2_100


TEXT = "meet me at the canary wharf"


class Foreign(Exception):
    """An error of somebody else's library, which quotes what it was given."""

    sqlstate = "22P02"


Foreign.__module__ = "library"


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "error", [Foreign(TEXT), KeyError(TEXT), ValueError(TEXT), ExceptionGroup("x", [ValueError(TEXT)])]
)
def test_the_words_of_an_error_that_may_quote_a_text_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, form: Literal["json", "text"], error: Exception
) -> None:
    out = written(monkeypatch, form)
    logger = logging.getLogger("bridge.x")
    try:
        try:
            raise error
        except type(error) as first:
            raise StoreError("the database failed") from first
    except StoreError as both:
        logger.exception("went wrong", extra={"why": error, "all": [error, (TEXT[:0], error)]})
        logger.warning("went wrong: %s", error)
        logger.warning("again: %s", both)
    told = out.getvalue()
    assert "canary" not in told
    assert type(error).__name__ in told
    assert "test_log.py" in told, "where it was raised"
    assert told.count("the database failed") == 3, "our own words, and the line of the code"
    assert ("22P02" in told) == isinstance(error, Foreign)


@pytest.mark.usefixtures("restored")
def test_the_words_of_plain_faults_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    out = written(monkeypatch, "json")
    for error in (
        TypeError("no number"),
        AssertionError("an SMS without its mail"),
        OSError(28, "disk full"),
    ):
        logging.getLogger("bridge.x").error("x", exc_info=error)
    for words in ("no number", "an SMS without its mail", "disk full"):
        assert words in out.getvalue()


@pytest.mark.usefixtures("restored")
async def test_what_nobody_waited_for_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    out = written(monkeypatch, "json")

    async def fails() -> None:
        raise ValueError(TEXT)

    task = asyncio.ensure_future(fails())
    await asyncio.wait([task])
    del task
    gc.collect()
    assert "never retrieved" in out.getvalue()
    assert "ValueError" in out.getvalue()
    assert "canary" not in out.getvalue()


def test_what_ends_a_process_or_a_thread_is_told_without_its_words() -> None:
    code = (
        "import threading\nfrom bridge import log\nlog.set_up('debug')\nlog.catch_the_rest()\n"
        f"def fail(): raise ValueError({TEXT!r})\n"
        "one = threading.Thread(target=fail)\none.start()\none.join()\n"
        f"class Odd:\n    def __del__(self): raise ValueError({TEXT!r})\n"
        "odd = Odd()\ndel odd\n"
        "log.logging.getLogger('bridge').info('%s %s', 1)\n"
        "raise fail()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count('"trace"') == 3
    assert "a line of bridge cannot be written: TypeError" in done.stderr
    assert "canary" not in done.stderr.replace("raise ValueError", "")


@pytest.mark.parametrize(
    "text", ["(0421) 000 001", "+61 (421) 000 001", "to=%2B61421000001&x", "mailto:+61421000001@sms.local"]
)
def test_a_number_is_masked_however_it_is_written(text: str) -> None:
    assert "001" in log.mask_text(text)
    assert not re.search(r"000\W*001", log.mask_text(text))
