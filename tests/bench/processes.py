"""Child processes of the benchmark: started, watched through /proc, ended. Linux only."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

WITHIN_S: Final = 30.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Process:
    """One child, its stderr in a file."""

    def __init__(self, command: Sequence[str], log: Path, *, output: int = subprocess.DEVNULL) -> None:
        self.log = log
        with log.open("ab") as errors:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
            )

    @property
    def cpu_s(self) -> float:
        """CPU seconds it has used, in user and system mode."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mib(self, field: str) -> float:
        """VmRSS (now) or VmHWM (the most so far)."""
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"no {field} of process {self.child.pid}")

    def check(self) -> None:
        """Raise when it has ended."""
        if self.child.poll() is not None:
            raise RuntimeError(f"{self.child.args!r} ended:\n{self.log.read_text()[-2_000:]}")

    def stop(self) -> None:
        """End it gently, then not."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        if self.child.stdout is not None:
            self.child.stdout.close()


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this checkout."""
    return [sys.executable, "-m", module, *arguments]


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


def wait_until_listening(process: Process, port: int) -> None:
    """Return when somebody answers on ``port``; raise when ``process`` ended or it takes too long."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        process.check()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
