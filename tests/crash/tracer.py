"""Kill a process at the entry to, or the return from, one chosen system call: ``python -m tests.crash.tracer PID``.

It stops every thread of the process at every system call (ptrace(2)) and looks at what the call is about. The points of
a step are read from standard input and met in their order; at the last one the process dies, and what the call was is
printed. So a fault point is a moment that can be seen from outside, and nothing of it is compiled in. Linux only.
"""

import contextlib
import ctypes
import json
import os
import platform
import shutil
import signal
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

Edge = Literal["entry", "exit"]

_CALLS: Final = {  # names of the calls that carry or keep data; the rest of a process's calls are let by
    "x86_64": {0: "read", 1: "write", 18: "pwrite64", 19: "readv", 20: "writev", 44: "sendto", 45: "recvfrom",
               46: "sendmsg", 47: "recvmsg", 74: "fsync", 75: "fdatasync"},
    "aarch64": {63: "read", 64: "write", 68: "pwrite64", 65: "readv", 66: "writev", 206: "sendto", 207: "recvfrom",
                211: "sendmsg", 212: "recvmsg", 82: "fsync", 83: "fdatasync"},
}  # fmt: skip
_SENT: Final = frozenset({"write", "pwrite64", "writev", "sendto", "sendmsg"})
_READ: Final = frozenset({"read", "readv", "recvfrom", "recvmsg"})
_SYNCED: Final = frozenset({"fsync", "fdatasync"})
_KINDS: Final = {"send": _SENT, "receive": _READ, "sync": _SYNCED}
_MOST: Final = 65_536  # octets of a buffer that are looked at
_ATTACH, _STOP, _ON, _INFO = 0x4206, 0x4207, 24, 0x420E
_OPTIONS: Final = 0x1 | 0x8  # mark the stops at calls; follow new threads
_EVERY_THREAD: Final = 0x40000000

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


@dataclass(frozen=True, slots=True)
class Point:
    """A moment: a call that sends, receives or syncs, on a file whose path ends so, with octets that hold ``text``.

    ``edge``: before the kernel has done anything of it, or when all of it is done.
    """

    kind: Literal["send", "receive", "sync"]
    edge: Edge
    text: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A system call of a thread at one of its edges."""

    name: str
    edge: Edge
    arguments: tuple[int, ...]
    result: int = 0


class Tracee:
    """A process all of whose threads are traced by this one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._names = _CALLS[platform.machine()]
        self._entered: dict[int, Call] = {}
        seen: set[int] = set()
        while new := {int(name) for name in os.listdir(f"/proc/{pid}/task")} - seen:
            for thread in new:
                _ptrace(_ATTACH, thread, 0, _OPTIONS)
                _ptrace(_STOP, thread)
            seen |= new

    def next_call(self) -> tuple[int, Call]:
        """Let threads run until one stands at an edge of a call; return the thread, which stands still."""
        while True:
            thread, status = os.waitpid(-1, _EVERY_THREAD)
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                if thread == self.pid:
                    raise ProcessLookupError(f"process {self.pid} ended before it came to the point")
                continue
            if os.WSTOPSIG(status) == signal.SIGTRAP | 0x80:
                call = self._call(thread)
                if call is not None:
                    return thread, call
            signalled = os.WSTOPSIG(status) if status >> 16 == 0 else 0
            self.go_on(thread, 0 if signalled == signal.SIGTRAP | 0x80 else signalled)

    def go_on(self, thread: int, signalled: int = 0) -> None:
        """Let a thread run on to its next edge."""
        with contextlib.suppress(ProcessLookupError):
            _ptrace(_ON, thread, 0, signalled)

    def octets(self, call: Call) -> bytes:
        """Return what a call sends, or has received."""
        _, address, length, *_ = call.arguments
        if call.name in ("readv", "writev"):
            return self._gathered(address, length, call)
        if call.name in ("sendmsg", "recvmsg"):
            vector, count = struct.unpack("=QQ", self._memory(address + 16, 16))
            return self._gathered(vector, count, call)
        return self._memory(address, call.result if call.name in _READ else length)

    def path(self, call: Call) -> str:
        """Return what the call's descriptor is open on."""
        try:
            return os.readlink(f"/proc/{self.pid}/fd/{call.arguments[0]}")
        except OSError:
            return ""

    def _call(self, thread: int) -> Call | None:
        info = ctypes.create_string_buffer(88)
        _ptrace(_INFO, thread, len(info), ctypes.addressof(info))
        if info.raw[0] == 1:
            number, *arguments = struct.unpack_from("=7Q", info.raw, 24)
            name = self._names.get(number)
            if name is None:
                self._entered.pop(thread, None)
                return None
            self._entered[thread] = call = Call(name, "entry", tuple(arguments))
            return call
        entered = self._entered.pop(thread, None)
        if info.raw[0] != 2 or entered is None:
            return None
        (result,) = struct.unpack_from("=q", info.raw, 24)
        return Call(entered.name, "exit", entered.arguments, result)

    def _gathered(self, vector: int, count: int, call: Call) -> bytes:
        parts = struct.iter_unpack("=QQ", self._memory(vector, min(count, 1024) * 16))
        whole = b"".join(self._memory(address, length) for address, length in parts)
        return whole[: max(0, call.result)] if call.name in _READ else whole

    def _memory(self, address: int, length: int) -> bytes:
        if length <= 0:
            return b""
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(min(length, _MOST))


def _ptrace(request: int, thread: int, address: int = 0, data: int = 0) -> None:
    if _libc.ptrace(request, thread, address, data) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def met(tracee: Tracee, call: Call, point: Point) -> bool:
    """Return whether a call is the moment that a point describes."""
    if call.edge != point.edge or call.name not in _KINDS[point.kind]:
        return False
    if call.edge == "exit" and call.result < 0:
        return False
    if point.path and not tracee.path(call).endswith(point.path):
        return False
    return not point.text or point.text.encode() in tracee.octets(call)


def kill_at(pid: int, points: list[Point], log: Path | None) -> dict[str, Any]:
    """Kill the process when it has come by all points, in their order; return the call at which it died.

    ``log`` is the database's write-ahead log: what is on the disk for sure is kept beside it as ``….synced``.
    """
    tracee = Tracee(pid)
    if log is not None:
        _keep(log)
    print("tracing", flush=True)
    left = list(points)
    while True:
        thread, call = tracee.next_call()
        if log is not None and call.name in _SYNCED and call.edge == "exit" and tracee.path(call) == str(log):
            _keep(log)
        if met(tracee, call, left[0]):
            del left[0]
            if not left:
                os.kill(pid, signal.SIGKILL)
                return {"call": call.name, "edge": call.edge, "path": tracee.path(call)}
        tracee.go_on(thread)


def _keep(log: Path) -> None:
    shutil.copyfile(log, log.with_name(log.name + ".synced"))


def spoken(points: tuple[Point, ...], log: Path | None) -> str:
    """Return what to write to a tracer's standard input."""
    return json.dumps({"points": [asdict(point) for point in points], "log": str(log) if log else ""})


def main() -> int:
    """Kill the process named by the first argument at the points that standard input gives."""
    wanted = json.load(sys.stdin)
    log = Path(wanted["log"]) if wanted["log"] else None
    print(
        json.dumps(kill_at(int(sys.argv[1]), [Point(**point) for point in wanted["points"]], log)), flush=True
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
