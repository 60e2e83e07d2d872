"""strace's record of a process, read: which call began and which returned before which other."""

import codecs
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.programs import needed

CALLS: Final = "fsync,fdatasync,write,writev,pwrite64,sendto,sendmsg,read,readv,recvfrom,recvmsg"
SENDS: Final = frozenset({"write", "writev", "sendto", "sendmsg"})
RECEIVES: Final = frozenset({"read", "readv", "recvfrom", "recvmsg"})
SYNCS: Final = frozenset({"fsync", "fdatasync"})
_LINE: Final = re.compile(r"(\d+) +[\d:.]+ (.*)")
_BEGUN: Final = re.compile(r"(\w+)\((\d+<[^>]*>)")
_RESUMED: Final = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Traced:
    """A call: the lines of the record at which it began and returned, on what descriptor, with which octets."""

    began: int
    returned: int
    name: str
    on: str
    octets: bytes
    good: bool


class Recorder:
    """Traces a process with strace from now on, until `record`."""

    def __init__(self, pid: int, file: Path) -> None:
        self._file = file
        command = [
            needed("strace"),
            "-f",
            "-tt",
            "-y",
            "-s",
            "16384",
            "-e",
            f"trace={CALLS}",
            "-e",
            "signal=none",
        ]
        self._process = subprocess.Popen(
            [*command, "-o", str(file), "-p", str(pid)], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        assert "attached" in self._process.stderr.readline()

    def record(self) -> tuple[Traced, ...]:
        """Let the process go; return its calls in the order in which they returned."""
        self._process.terminate()
        self._process.communicate(timeout=60)
        return tuple(_read(self._file.read_text(errors="replace").splitlines()))


def _read(lines: list[str]) -> Iterator[Traced]:
    begun: dict[str, tuple[int, str]] = {}
    for place, line in enumerate(lines):
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        thread, said = found.groups()
        if said.endswith("<unfinished ...>"):
            begun[thread] = place, said.removesuffix("<unfinished ...>")
            continue
        resumed = _RESUMED.fullmatch(said)
        if resumed is not None and thread in begun:
            began, before = begun.pop(thread)
            said = before + resumed[2]
        else:
            began = place
        call = _BEGUN.match(said)
        if call is not None:
            octets = b"".join(codecs.escape_decode(text)[0] for text in _TEXT.findall(said))
            yield Traced(began, place, call[1], call[2], octets, " = -" not in said[-60:])
