"""A wall clock for the service under trial: set, stepped and sped up from outside, with nothing of it in the product.

Only the wall clock is replaced, by a preloaded library; time-outs and the boot-time clock keep to the machine. So the
minutes of a settle time pass in seconds, and a clock may jump.
"""

import mmap
import struct
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.programs import needed

_PAGE: Final = struct.Struct("=qqqq")  # seq, speed in thousandths, real ns, shown ns: as clock.c has it
_SOURCE: Final = Path(__file__).with_name("clock.c")


class Clock:
    """A clock in ``folder``. It begins at the true time; ``speed`` is how many of its seconds make one of ours."""

    def __init__(self, folder: Path, speed: float = 1.0) -> None:
        self._library = folder / "clock.so"
        self._file = folder / "clock.page"
        subprocess.run(
            [needed("cc", "gcc"), "-shared", "-fPIC", "-O2", "-o", self._library, _SOURCE, "-ldl"], check=True
        )
        self._file.write_bytes(bytes(_PAGE.size))
        self._file.chmod(0o644)
        with self._file.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _PAGE.size)
        self.speed = speed
        now = time.time_ns()
        self._set(now, now)

    @property
    def env(self) -> Mapping[str, str]:
        """What the environment of a process must hold for it to live by this clock."""
        return {"LD_PRELOAD": str(self._library), "CRASH_CLOCK": str(self._file)}

    def step(self, seconds: float) -> None:
        """Let the clock jump, as one does that is set right by hand."""
        now = time.time_ns()
        self._set(now, self._shown(now) + int(seconds * 1e9))

    def _shown(self, now: int) -> int:
        _, _, real, shown = _PAGE.unpack(self._page[:])
        return int(shown + (now - real) * self.speed)

    def _set(self, real: int, shown: int) -> None:
        seq = _PAGE.unpack(self._page[:])[0]
        self._page[:8] = struct.pack("=q", seq + 1)  # odd: readers wait
        self._page[8:] = _PAGE.pack(0, int(self.speed * 1000), real, shown)[8:]
        self._page[:8] = struct.pack("=q", seq + 2)
