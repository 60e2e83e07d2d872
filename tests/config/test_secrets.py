"""Secrets come from the environment, a file or the text, and show up nowhere: not in errors, not in any repr."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge import config
from bridge.errors import ConfigError
from tests.config.sample import ENVIRON, SMALLEST, changed, read, said, write

CANARY = "canary-5f1e-geheim"


def test_a_secret_comes_from_the_environment_a_file_or_the_text(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    vendor = read(tmp_path, changed("{env: SMS_TOKEN}", "{file: token}")).vendor.accounts["default"]
    assert vendor.token.get_secret_value() == "from-a-file"
    assert vendor.auth_token is not None
    assert vendor.auth_token.get_secret_value() == ENVIRON["SMS_AUTH_TOKEN"]
    assert (
        read(tmp_path, changed("{env: SMS_TOKEN}", "12345"))
        .vendor.accounts["default"]
        .token.get_secret_value()
        == "12345"
    )
    assert (
        read(tmp_path, changed("{env: SMS_TOKEN}", "1.10"))
        .vendor.accounts["default"]
        .token.get_secret_value()
        == "1.10"
    )


@pytest.mark.parametrize(("content", "expected"), [("x\r\n", "x"), ("x", "x"), (" x \n", " x ")])
def test_one_line_end_at_the_end_of_a_secrets_file_is_cut(
    tmp_path: Path, content: str, expected: str
) -> None:
    (tmp_path / "token").write_bytes(content.encode())
    account = read(tmp_path, changed("{env: SMS_TOKEN}", "{file: token}")).vendor.accounts["default"]
    assert account.token.get_secret_value() == expected


HOLDS_A_LINE_END = "holds a line end, a control character or more than 4,096 characters"
WRONG_FILES: list[tuple[str, Callable[[Path], object], str]] = [
    (
        "empty",
        lambda path: path.write_text("\n"),
        "the secret's file is empty: write {env: NAME}, {file: PATH} or text",
    ),
    ("two lines", lambda path: path.write_text("x\n\n"), f"the secret's file {HOLDS_A_LINE_END}"),
    ("binary", lambda path: path.write_bytes(b"\xff\xfe"), "the secret's file is not UTF-8 text"),
    ("long", lambda path: path.write_text("x" * 5_000), f"the secret's file {HOLDS_A_LINE_END}"),
    ("huge", lambda path: path.write_text("x" * 65_537), "{path} is larger than 65,536 bytes"),
    ("a folder", lambda path: path.mkdir(), "{path} is not a plain file: name one"),
    ("a pipe", lambda path: os.mkfifo(path), "{path} is not a plain file: name one"),
    ("nothing", lambda path: None, "there is nothing at {path} or token"),
]


@pytest.mark.parametrize(("name", "make", "expected"), WRONG_FILES)
def test_a_wrong_secrets_file_is_told(
    tmp_path: Path, name: str, make: Callable[[Path], object], expected: str
) -> None:
    path = tmp_path / "token"
    make(path)
    lines = said(tmp_path, changed("{env: SMS_TOKEN}", "{file: token}"))
    assert lines == [f"11:3: vendor.token: {expected.replace('{path}', str(path))}"], name


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{env: SMS_TOKENS}", "the environment variable SMS_TOKENS is not set: set it before the start"),
        ("{env: EMPTY}", "the environment variable EMPTY is empty: write {env: NAME}, {file: PATH} or text"),
        ("{env: LINES}", f"the environment variable LINES {HOLDS_A_LINE_END}"),
        ("{env: 5}", "is no secret: write {env: NAME}, {file: PATH} or text"),
        ("{file: ''}", "is no path: write one line, such as /etc/smsbridge/tls.crt"),
        ("{env: A, file: b}", "is no secret: write {env: NAME}, {file: PATH} or text"),
        ("{vault: x}", "is no secret: write {env: NAME}, {file: PATH} or text"),
        ("[a]", "is a list: write {env: NAME}, {file: PATH} or text"),
        ("true", "is not text: put it in quotes"),
        ("''", "it is empty: write {env: NAME}, {file: PATH} or text"),
    ],
)
def test_a_wrong_secret_is_told(tmp_path: Path, written: str, expected: str) -> None:
    environ = {**ENVIRON, "EMPTY": "", "LINES": "a\nb"}
    [line] = said(tmp_path, changed("{env: SMS_TOKEN}", written), environ)
    assert line.partition(": ")[2] == f"vendor.token: {expected}"


@pytest.mark.parametrize("short", ["short", "with space in the middle", "slash/slash/slash/slash", "x" * 201])
def test_a_hook_secret_must_be_long_and_fit_for_a_url(tmp_path: Path, short: str) -> None:
    [line] = said(tmp_path, SMALLEST, {**ENVIRON, "HOOK_SECRET": short})
    assert line.startswith("13:11: webhook.secret: must have 16 to 200 letters, digits, - or _")
    assert short not in line


HIDING_PLACES = [
    ("{env: SMS_TOKEN}", f"[{CANARY}]"),
    ("{env: SMS_TOKEN}", f"{{env: {CANARY}}}"),
    ("{env: SMS_TOKEN}", f"{{{CANARY}}}"),
    ("{env: SMS_TOKEN}", f"{{env: SMS_TOKEN, {CANARY}: 1}}"),
    ("{env: SMS_TOKEN}", f'"{CANARY}\\n"'),
    ("{env: SMS_TOKEN}", f"'{CANARY}"),
    ("{env: SMS_TOKEN}", f"*{CANARY}"),
    ("{env: SMS_TOKEN}", f"&{CANARY} x"),
    ("{env: SMS_TOKEN}", f"!{CANARY} x"),
    ("{env: SMS_TOKEN}", f"!{CANARY}!x x"),
    ("{env: SMS_TOKEN}", f"{{{CANARY}: [}}"),
    ("{env: HOOK_SECRET}", f"'{CANARY} {CANARY}'"),
    ("https://sms.example.com", f"https://me:{CANARY}@sms.example.com"),
    ("https://sms.example.com", f"https://sms.example.com/{CANARY}"),
    ("vendor:\n", f"vendor:\n  send_url: https://x.example/?token={CANARY}\n"),
    ("prefixes:", f"outbox: {{smarthost: 'smtp://me:{CANARY}@x'}}\nprefixes:"),
    ("prefixes:", f"outbox: {{password: {CANARY}, smarthost: nowhere}}\nprefixes:"),
    ("prefixes:", f"outbox: {{smarthost: {CANARY}}}\nprefixes:"),
    ("prefixes:", f"database: 'postgresql://bridge:{CANARY}@x/y'\nprefixes:"),
    ("prefixes:", f"database: 'postgresql://x/y?password={CANARY}'\nprefixes:"),
    ("prefixes:", f"database: 'postgresql://x/y?sslmod={CANARY}'\nprefixes:"),
    ("prefixes:", f"database_password: {CANARY}\nprefixes:"),
    ("admin@example.com", CANARY),
    ("region: AU", f"region: {CANARY}"),
]


@pytest.mark.parametrize(("old", "new"), HIDING_PLACES)
def test_no_secret_shows_up_in_an_error_wherever_it_stands(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.load(write(tmp_path, changed(old, new)), ENVIRON)
    assert CANARY not in str(error.value)
    assert CANARY not in repr(error.value)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


def test_no_secret_shows_up_in_an_error_about_something_else_or_in_a_repr(tmp_path: Path) -> None:
    environ = dict.fromkeys(ENVIRON, CANARY)
    more = f"outbox: {{smarthost: 'smtp://me:{{password}}@x', password: {CANARY}}}\n"
    text = changed("webhook: {", f"webhook: {{token: [{CANARY}], ", more=more)
    assert not any(CANARY in line for line in said(tmp_path, text + "zebra: 1\n", environ))
    loaded = read(tmp_path, text, environ)
    assert loaded.webhook.secret.get_secret_value() == CANARY
    assert CANARY not in repr(loaded)
    assert CANARY not in f"{loaded}"
