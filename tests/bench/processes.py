"""Child processes of the benchmark: started, watched through /proc, ended. Linux only."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
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
        return cpu_of(self.child.pid)

    @property
    def written(self) -> int:
        """Octets that it has caused to be written to disk."""
        found = re.search(
            r"^write_bytes: (\d+)$", Path(f"/proc/{self.child.pid}/io").read_text(), re.MULTILINE
        )
        return int(found[1]) if found else 0

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


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process, its living descendants, and those of them that have ended."""
    children: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
                used[int(entry.name)] = sum(int(field) for field in fields[11:15])
    ticks, family = 0, [pid]
    while family:
        one = family.pop()
        ticks += used.get(one, 0)
        family += children.get(one, [])
    return ticks / _TICKS


def exact_cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process and its living descendants, to the nanosecond; threads that have
    ended are left out."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    total = 0
    for one in parents:
        above: int | None = one
        while above is not None and above != pid:
            above = parents.get(above)
        if above == pid:
            for thread in Path(f"/proc/{one}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):
                    total += int(thread.read_text().split()[0])
    return total / 1e9


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this checkout."""
    return [sys.executable, "-m", module, *arguments]


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


def wait_until(true: Callable[[], bool], within_s: float) -> None:
    """Return when ``true()`` is; raise when that takes too long."""
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {within_s:g} s in vain")
        time.sleep(0.05)


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
