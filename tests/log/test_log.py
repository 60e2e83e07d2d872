"""Log lines: readable by machines, silent about numbers and secrets."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import log


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
