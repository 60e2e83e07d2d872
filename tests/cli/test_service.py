"""`serve`, `demo` and `simulator`: what they say when they cannot start, and that they end when told to."""

import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.demo import paste_line
from tests.cli.given import Bench
from tests.flow.running import WITHIN_S, serve
from tests.given_store import queued

pytestmark = pytest.mark.traced

FREE = ("--smtp-port=0", "--desk-port=0", "--hook-port=0", "--simulator-port=0")


@pytest.mark.threat(22, "let in beside a first", of="services on one file")
def test_a_second_service_on_one_database_is_told_which_part_is_busy(bench: Bench) -> None:
    bridge = serve(bench.config, "--only", "web")
    try:
        done = bench("serve", "--only", "web")
        assert done.code == 1
        assert "already runs on this database" in done.err
    finally:
        assert bridge.stop() == 0


def test_a_port_that_is_taken_ends_the_service_before_it_is_ready(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        bench.configure(desk={"listen": {"address": "127.0.0.1", "port": port}})
        done = bench("serve", "--only", "web")
    assert done.code == 78
    assert f"cannot listen on 127.0.0.1:{port}" in done.err


def test_the_simulator_takes_its_own_options(bench: Bench) -> None:
    assert "--webhook-format" in bench.run("simulator", "--help").out
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = bench.run("simulator", "--port", str(other.getsockname()[1]), "--lenient")
    assert done.code == 1
    assert "cannot listen on 127.0.0.1 port" in done.err


@pytest.mark.parametrize("name", ["smtp", "desk", "hook", "simulator"])
def test_the_demo_names_the_option_for_a_port_that_is_taken(bench: Bench, name: str) -> None:
    others = [option for option in FREE if name not in option]
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = bench.run("demo", "--state", "state", f"--{name}-port", str(port), *others)
    assert (done.code, done.out) == (78, "")
    assert f"cannot listen on 127.0.0.1:{port}" in done.err
    assert f"--{name}-port 0 takes any free one" in done.err


def test_the_demo_says_when_its_folder_cannot_be_written(bench: Bench) -> None:
    done = bench.run("demo", "--state", str(bench.config / "inside"), *FREE)
    assert done.code == 78
    assert "name another with --state" in done.err


def test_the_demo_runs_in_a_folder_with_a_difficult_name_until_it_is_told_to_end(bench: Bench) -> None:
    state = bench.folder / "my demo's “state”"
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "demo", "--state", str(state), *FREE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ctrl-C" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=WITHIN_S)
    assert "ready" in printed.split(), errors
    assert (process.returncode, errors) == (0, "")
    rows = bench.run("messages", "list", "--json", "-c", str(state / "bridge.yaml")).objects
    assert [row["sender"] for row in rows] == ["you@example.com"]


def test_a_sample_that_is_not_taken_ends_the_demo_with_a_sentence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is locked by another program answers 451."""
    config = Path("state") / "bridge.yaml"
    locks: list[Any] = []
    real = socket.create_connection

    def late(*arguments: Any, **options: Any) -> socket.socket:
        if not locks:
            locks.append(
                sqlite3.connect(config.with_name("bridge.db"), isolation_level=None, check_same_thread=False)
            )
            locks[0].execute("BEGIN IMMEDIATE")
        return real(*arguments, **options)

    monkeypatch.setattr(socket, "create_connection", late)
    done = bench.run("demo", "--state", "state", *FREE)
    locks[0].close()
    assert done.code == 1
    assert "the demo's own mail was not taken" in done.err


def test_the_line_to_paste_works_without_curl(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    line = paste_line(2525)
    assert "smtplib" in line
    assert "curl" not in line


def test_what_the_demo_prints_goes_by_way_of_the_container_it_runs_in(bench: Bench) -> None:
    """Each printed command is run as it stands, by a shell, from another folder."""
    inside = "env INSIDE=yes"
    options = ("demo", "--state", str(bench.folder / "state"), "--inside", inside, *FREE)
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", *options], stdout=subprocess.PIPE, text=True, cwd=Path(sys.prefix)
    )
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line.strip())
        if "Ctrl-C" in line:
            break
    try:
        (paste,) = (line for line in printed if "smtplib" in line)
        (listing,) = (
            line.removeprefix("on the shell").strip() for line in printed if " messages list " in line
        )
        for command in (paste, listing):
            assert command.startswith(f"{inside} ")
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=bench.folder)
            assert done.returncode == 0, done.stderr
        assert done.stdout.count("you@example.com") == 2, "the demo's own and the pasted one"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WITHIN_S)


def test_messages_can_be_looked_at_beside_the_service(bench: Bench) -> None:
    bridge = serve(bench.config, "--only", "mail,web")
    try:
        bench.store(lambda store: queued(store))
        assert len(bench("messages", "list", "--json").objects) == 1
        assert "is cancelled" in bench("messages", "cancel", "1").out
    finally:
        assert bridge.stop() == 0
