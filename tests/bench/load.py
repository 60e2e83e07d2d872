"""The load: Postfix's own generator, so that nothing of ours is measured with it."""

import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import Final, Literal

SENDER: Final = "ups@plant.example"
RECIPIENT: Final = "0421000001@sms.local"
SESSIONS: Final = 20
SIZE: Final = 1_500  # octets of a mail's body
_PATH: Final = "/usr/sbin:/usr/local/sbin:/sbin:/usr/bin:/bin"
_WITHIN_S: Final = 120

Way = Literal["new", "reused"]
WAYS: Final[tuple[Way, ...]] = ("new", "reused")


@dataclass(frozen=True, slots=True)
class Burst:
    """When a burst began and ended (seconds of the monotonic clock, which all processes share)."""

    mails: int
    began_at: float
    ended_at: float

    @property
    def per_second(self) -> float:
        return self.mails / (self.ended_at - self.began_at)


def program(name: str) -> str | None:
    """Return the path of a program of Postfix."""
    return shutil.which(name, path=_PATH)


def burst(port: int, mails: int, way: Way) -> Burst:
    """Hand in ``mails`` as fast as they are taken. Raises when one of them is not answered 250.

    The generator gives each mail a Message-ID of its own, unique by its process, session and count.
    """
    command = [program("smtp-source") or "smtp-source", "-4", "-s", str(SESSIONS), "-l", str(SIZE)]
    command += ["-m", str(mails), "-f", SENDER, "-t", RECIPIENT, "-M", "bench.test"]
    command += ["-d"] if way == "reused" else []
    began_at = time.monotonic()
    done = subprocess.run(
        [*command, f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=_WITHIN_S, check=False
    )
    ended_at = time.monotonic()
    if done.returncode or done.stderr:
        raise RuntimeError(f"smtp-source: {done.stderr.strip() or done.returncode}")
    return Burst(mails, began_at, ended_at)
