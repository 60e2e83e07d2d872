"""What a newcomer does first: start the demo, paste its line, look; and start it again."""

import contextlib
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.flow.running import WITHIN_S, wait_for


@contextlib.contextmanager
def demo(state: Path) -> Iterator[str]:
    """Run the demo on free ports; yields what it printed until it was ready."""
    command = [sys.executable, "-m", "bridge", "demo", "--state", str(state)]
    command += [f"--{name}-port=0" for name in ("smtp", "desk", "hook", "simulator")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ctrl-C" in line:
            break
    else:
        raise AssertionError(process.stderr.read())
    try:
        yield printed
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WITHIN_S)
    assert process.returncode in (0, 130)


def address(printed: str, name: str) -> str:
    found = re.search(rf"^  {name}\s+(\S+)$", printed, re.MULTILINE)
    assert found, printed
    return found.group(1)


def test_the_pasted_line_becomes_an_sms_and_a_report_twice_in_a_row(tmp_path: Path) -> None:
    for turn in (1, 2):
        with demo(tmp_path / "state") as printed:
            assert "ready" in printed.split()
            line = next(line for line in printed.splitlines() if "you@example.com" in line)
            done = subprocess.run(
                ["sh", "-c", line], capture_output=True, text=True, timeout=WITHIN_S, check=False
            )
            assert done.returncode == 0, done.stderr
            desk = address(printed, "desk")
            wait_for(
                "the SMS on the desk",
                lambda desk=desk, turn=turn: (
                    httpx.get(desk, trust_env=False).text.count("Hello from my inbox") == turn
                ),  # type: ignore[misc]
            )
            wait_for(
                "its report",
                lambda desk=desk: "Re: Hello" in httpx.get(f"{desk}mails", trust_env=False).text,  # type: ignore[misc]
            )
            phone = httpx.get(address(printed, "phone"), trust_env=False)
            assert phone.status_code == 200
            shell = shlex.split(re.search(r"on the shell\s+(.*)", printed).group(1))  # type: ignore[union-attr]
            listed = subprocess.run(shell, capture_output=True, text=True, timeout=WITHIN_S, check=False)
            assert "Hello from my inbox" in listed.stdout, listed.stderr


def test_a_port_that_is_taken_is_told_with_the_way_out(tmp_path: Path) -> None:
    with demo(tmp_path / "one") as printed:
        port = address(printed, "phone").rstrip("/").rpartition(":")[2]
        command = [sys.executable, "-m", "bridge", "demo", "--state", str(tmp_path / "two")]
        command += ["--smtp-port=0", "--desk-port=0", "--hook-port=0", f"--simulator-port={port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
        assert done.returncode == 78
        assert "--simulator-port" in done.stderr
        assert "Traceback" not in done.stderr
