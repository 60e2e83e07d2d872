"""Options, where the configuration is found, and ends that are nobody's fault."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from bridge.app.parts import ALL
from bridge.cli.output import clean
from bridge.rules import money
from tests.cli.given import Bench
from tests.flow.running import WITHIN_S, command
from tests.given_store import queued

HEAVY = (
    "pydantic",
    "yaml",
    "phonenumbers",
    "lxml",
    "httpx",
    "uvicorn",
    "aiosmtpd",
    "jinja2",
    "dns",
    "asyncio",
)


def test_help_names_every_command(bench: Bench) -> None:
    done = bench.run("--help")
    assert done.code == 0
    for name in (
        "serve",
        "demo",
        "simulator",
        "check-config",
        "doctor",
        "explain",
        "send",
        "messages",
        "resume",
    ):
        assert f"    {name}" in done.out
    for name in ("user", "dkim", "schema", "migrate"):
        assert f"    {name}" in done.out


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from bridge.cli import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=WITHIN_S, check=True
    )
    assert not set(HEAVY) & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "COMMAND"),
        (("nonsense",), "invalid choice"),
        (("messages",), "VERB"),
        (("messages", "show"), "id"),
        (("messages", "forward", "1"), "number"),
        (("messages", "list", "--state", "lost"), "delivered"),
        (("messages", "list", "--limit", "0"), "from 1 up"),
        (("messages", "list", "--limit", "x"), "from 1 up"),
        (("messages", "list", "--limit", "²"), "from 1 up"),
        (("messages", "list", "--limit", "9" * 5_000), "from 1 up"),
        (("messages", "list", "--number", "abc"), "last digits"),
        (("messages", "list", "--number", "00"), "last digits"),
        (("serve", "--only", "mail,nothing"), ",".join(ALL)),
        (("serve", "--only", ""), ",".join(ALL)),
        (("demo", "--smtp-port", "65536"), "65535"),
        (("demo", "--desk-port", "-1"), "65535"),
        (("demo", "--desk-port", "²"), "65535"),
        (("simulator", "--port", "x"), "port"),
        (("simulator", "--address", "0.0.0.0"), "--public"),
        (("explain", "mail.eml", "--client", "here"), "10.20.1.5"),
        (("user", "add", "jo"), "--smtp"),
        (("dkim", "keygen", "--domain", "example.com"), "--out"),
        (("send", "0421000001"), "text"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(bench: Bench, arguments: tuple[str, ...], said: str) -> None:
    done = bench.run(*arguments)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


LATIN_1: Final = os.fsdecode(
    "Grüße aus Köln".encode("latin-1")
)  # as a terminal or script of that encoding gives it


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "0421000001", LATIN_1),
        ("messages", "list", "--text", LATIN_1),
        ("messages", "list", "--sender", LATIN_1),
        ("messages", "show", LATIN_1),
        ("explain", "mail.eml", "--to", LATIN_1),
    ],
)
def test_a_text_in_another_encoding_is_refused_and_never_sent_without_its_letters(
    bench: Bench, arguments: tuple[str, ...]
) -> None:
    done = command(*arguments, "-c", str(bench.config))
    assert done.returncode == 2
    assert done.stderr.endswith("is not in this terminal's encoding (UTF-8): its octets would be lost\n")
    assert bench("messages", "list").out == ""


def test_a_file_may_have_a_name_in_any_encoding(bench: Bench) -> None:
    odd = bench.folder / LATIN_1
    odd.write_bytes(bench.config.read_bytes())
    assert command("check-config", str(odd)).returncode == 0


def test_the_configuration_is_that_of_the_option_before_the_environment_before_the_folder(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = bench.run("check-config")
    assert done.code == 78
    for place in ("-c FILE", "$SMSBRIDGE_CONFIG", "config/bridge.yaml", "/etc/smsbridge/bridge.yaml"):
        assert place in done.err
    folder = bench.folder / "config"
    folder.mkdir()
    (folder / "bridge.yaml").write_text(bench.config.read_text())
    assert bench.run("check-config").out == "config/bridge.yaml: ok\n"
    (bench.folder / "other.yaml").write_text(bench.config.read_text())
    monkeypatch.setenv("SMSBRIDGE_CONFIG", "other.yaml")
    assert bench.run("check-config").out == "other.yaml: ok\n"
    assert bench("check-config").out == f"{bench.config}: ok\n"
    assert bench.run("check-config", str(bench.config)).out == f"{bench.config}: ok\n"


@pytest.mark.parametrize(
    "arguments",
    [("messages", "list"), ("doctor",), ("explain", "x.eml"), ("send", "1", "x"), ("migrate",), ("serve",)],
)
def test_a_wrong_configuration_ends_every_command_with_78(bench: Bench, arguments: tuple[str, ...]) -> None:
    bench.configure(region="XX", colour="red")
    done = bench(*arguments)
    assert done.code == 78
    lines = done.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{bench.config}:") for line in lines)


def test_a_reader_that_goes_away_is_no_error_of_ours(bench: Bench) -> None:
    bench.store(lambda store: queued(store, text="x" * 150))
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "messages", "list", "-c", str(bench.config)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_the_output_is_one_sentence(bench: Bench) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bridge", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "smsbridge: No space left on device\n")


def test_a_terminal_without_the_characters_gets_their_codes(bench: Bench) -> None:
    bench.store(lambda store: queued(store, text="snow ☃ café"))
    for options in ((), ("--json",)):
        done = subprocess.run(
            [sys.executable, "-m", "bridge", "messages", "list", *options, "-c", str(bench.config)],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        assert done.returncode == 0
        assert "snow \\u2603 caf\\" in done.stdout


def test_a_folder_that_may_not_be_entered_is_one_sentence(bench: Bench) -> None:
    (bench.folder / "loop").symlink_to("loop")
    bench.configure(database=f"sqlite://{bench.folder / 'loop' / 'bridge.db'}")
    done = bench("messages", "list")
    assert done.code == 1
    assert done.err.startswith("smsbridge: ")
    assert done.err.count("\n") == 1


def test_the_module_is_the_command(bench: Bench) -> None:
    done = command("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("smsbridge ")


def test_nothing_steers_the_terminal_but_joiners_stay() -> None:
    assert clean("a\x1b[31mb\x9bc\u202ed\u2066e\u2028f\U000e0041g\ud800") == "a�[31mb�c�d�e�f�g�"
    assert clean("👩\u200d⚕️ café") == "👩\u200d⚕️ café"


def test_money_has_two_decimals_or_all_that_it_needs() -> None:
    assert [money(amount) for amount in (0, 1_000, 825, 12_345, 1, 10_000, 850)] == [
        "0.00", "0.10", "0.0825", "1.2345", "0.0001", "1.00", "0.085",
    ]  # fmt: skip
