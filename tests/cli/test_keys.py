"""SMTP users and the DKIM key: secrets that are neither arguments nor printed, in files of their owner alone."""

import io
import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from argon2 import PasswordHasher

from bridge.mail_out import Signer
from tests.cli.given import Bench, Done
from tests.flow.running import WITHIN_S

pytestmark = pytest.mark.traced

PASSWORD = "correct horse battery"


@pytest.fixture
def users(bench: Bench) -> Path:
    path = bench.folder / "users.yaml"
    listen = [{"address": "127.0.0.1", "port": 0, "tls": "none"}]
    bench.configure(smtp={"listen": listen, "users": str(path)})
    return path


def piped(bench: Bench, monkeypatch: pytest.MonkeyPatch, text: bytes, *arguments: str) -> Done:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text), isatty=lambda: False))
    done = bench("user", *arguments)
    assert PASSWORD not in done.out + done.err
    return done


def test_a_user_is_added_changed_and_removed(
    bench: Bench, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = piped(bench, monkeypatch, f"{PASSWORD}\n".encode(), "add", "--smtp", "Clinic-Relay")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("added clinic-relay; ")
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    first = yaml.safe_load(users.read_text())["users"]["clinic-relay"]["hash"]
    assert PASSWORD not in users.read_text()
    assert PasswordHasher().verify(first, PASSWORD)

    done = piped(bench, monkeypatch, b"x", "add", "--smtp", "clinic-relay")
    assert done.code == 1
    assert "smsbridge user passwd --smtp clinic-relay" in done.err
    assert piped(bench, monkeypatch, b"another long one\r\n", "passwd", "--smtp", "clinic-relay").code == 0
    second = yaml.safe_load(users.read_text())["users"]["clinic-relay"]["hash"]
    assert PasswordHasher().verify(second, "another long one")

    assert bench("user", "remove", "--smtp", "CLINIC-relay").out.startswith("removed clinic-relay; ")
    done = bench("user", "remove", "--smtp", "clinic-relay")
    assert (done.code, "there is no user clinic-relay" in done.err) == (1, True)


def test_the_first_user_is_added_before_the_rule_that_needs_it_is_right(
    bench: Bench, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = bench.config.read_text() + "colour: red\n"
    bench.config.write_text(text)
    assert piped(bench, monkeypatch, PASSWORD.encode(), "add", "--smtp", "jo@clinic.example").code == 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"", "too short: 10 characters at least"),
        (b"short\n", "too short"),
        (b"x" * 5_000, "too long: 1024 bytes at most"),
        (b"\xff" * 20, "not UTF-8"),
    ],
)
def test_a_password_that_will_not_do_changes_nothing(
    bench: Bench, users: Path, monkeypatch: pytest.MonkeyPatch, given: bytes, says: str
) -> None:
    done = piped(bench, monkeypatch, given, "add", "--smtp", "jo")
    assert done.code == 1
    assert says in done.err
    assert not users.exists()


def test_who_is_not_there_has_no_password_to_change(bench: Bench, users: Path) -> None:
    done = bench("user", "passwd", "--smtp", "jo")
    assert done.code == 1
    assert "smsbridge user add --smtp jo" in done.err


def test_a_name_that_is_none_and_a_missing_file_key_are_told(bench: Bench, users: Path) -> None:
    assert "is no user name" in bench("user", "add", "--smtp", "a b\x1b[2J").err
    bench.configure()
    done = bench("user", "add", "--smtp", "jo")
    assert done.code == 78
    assert "smtp.users: is missing" in done.err


@pytest.mark.parametrize(
    ("lines", "code", "says"),
    [
        ((PASSWORD, PASSWORD), 0, "added jo"),
        ((PASSWORD, "something else"), 1, "the two passwords differ"),
        (("\x04",), 1, "no password was given"),
    ],
)
def test_at_a_terminal_it_is_asked_for_twice_and_not_shown(
    bench: Bench, users: Path, lines: tuple[str, ...], code: int, says: str
) -> None:
    """A pseudo-terminal: what is typed there must not come back."""
    terminal, other = pty.openpty()
    command = [sys.executable, "-m", "bridge", "user", "add", "--smtp", "jo", "-c", str(bench.config)]
    process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, start_new_session=True)
    os.close(other)
    shown, waiting = b"", list(lines)
    while True:
        try:
            more = os.read(terminal, 1_000)
        except OSError:  # Linux says EIO when the other side is gone
            break
        if not more:
            break
        shown += more
        if waiting and shown.count(b": ") > len(lines) - len(waiting):
            line = waiting.pop(0)
            os.write(terminal, (line if line == "\x04" else f"{line}\n").encode())
    os.close(terminal)
    assert process.wait(WITHIN_S) == code
    assert says in shown.decode()
    assert PASSWORD not in shown.decode()
    assert users.exists() == (code == 0)


def test_a_dkim_key_is_written_once_for_its_owner_and_its_record_fits(bench: Bench) -> None:
    arguments = ("dkim", "keygen", "--out", "dkim.pem", "--domain", "Example.com")
    done = bench.run(*arguments)
    assert (done.code, done.err) == (0, "")
    key = bench.folder / "dkim.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "PRIVATE KEY" not in done.out
    record = next(line for line in done.out.splitlines() if not line.startswith(";"))
    assert record.startswith('bridge._domainkey.example.com. IN TXT "')
    strings = re.findall('"([^"]*)"', record)
    assert all(len(string) <= 255 for string in strings)
    assert "".join(strings) == Signer("example.com", "bridge", key.read_bytes()).record()
    setting = done.out.splitlines()[-1].removeprefix("; ")
    bench.configure(outbox=yaml.safe_load(setting) | {"smarthost": "smtp://127.0.0.1:2526"})
    assert bench("check-config").code == 0

    before = key.read_bytes()
    done = bench.run(*arguments)
    assert (done.code, done.out) == (1, "")
    assert "a key is never overwritten" in done.err
    assert key.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("folder_mode", "mode"), [(0o750, 0o640), (0o755, 0o600)])
def test_a_dkim_key_that_root_makes_in_the_services_folder_can_be_read_by_its_group_alone(
    bench: Bench, folder_mode: int, mode: int
) -> None:
    folder = bench.folder / "etc"
    folder.mkdir()
    os.chown(folder, 0, 1235)
    folder.chmod(folder_mode)
    assert bench.run("dkim", "keygen", "--out", "etc/dkim.pem", "--domain", "example.com").code == 0
    about = (folder / "dkim.pem").stat()
    assert (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) == (0, 1235, mode)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--out", "k.pem", "--domain", "exa mple"), "is not a DNS name"),
        (("--out", "k.pem", "--domain", "example.com", "--selector", "a;b"), "is not a DNS name"),
        (("--out", "nowhere/k.pem", "--domain", "example.com"), "nowhere/k.pem: No such file"),
    ],
)
def test_a_key_that_could_not_be_used_is_not_made(bench: Bench, options: tuple[str, ...], says: str) -> None:
    done = bench.run("dkim", "keygen", *options)
    assert (done.code, done.out) == (1, "")
    assert says in done.err
    assert not (bench.folder / "k.pem").exists()


def test_a_disk_that_is_full_leaves_no_half_of_a_key(bench: Bench) -> None:
    """A limit of file size stands for the full disk."""
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "limit = resource.getrlimit(resource.RLIMIT_FSIZE);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1])); from bridge.cli import main;"
        "code = main(['dkim', 'keygen', '--domain', 'example.com', '--out', 'k.pem']);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, limit); raise SystemExit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "smsbridge: File too large\n"
    assert not (bench.folder / "k.pem").exists()
