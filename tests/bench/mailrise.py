"""mailrise, an SMTP server that turns mails into HTTP calls (Python, aiosmtpd, apprise); it stores nothing.

It is no dependency of the bridge: the benchmark installs it, in an environment of its own inside ``.venv``.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

import yaml

from tests.bench.processes import Process, free_port, wait_until_listening

VERSION: Final = "1.4.0"
_HOME: Final = Path(sys.prefix) / f"mailrise-{VERSION}"
_WITHIN_S: Final = 300


class Mailrise:
    """``missing`` says why it cannot run here, or nothing. ``start`` before use."""

    def __init__(self, folder: Path, vendor: int) -> None:
        self.port = free_port()
        self.missing = _install()
        self._folder = folder
        self._vendor = vendor
        self._process: Process | None = None

    def start(self) -> None:
        """Run it, unless it is missing: each mail is a POST of JSON to the vendor before its 250."""
        if self.missing:
            return
        config = self._folder / "mailrise.yaml"
        url = f"json://127.0.0.1:{self._vendor}/send"
        settings = {
            "configs": {"*@sms.local": {"urls": [url]}},
            "listen": {"host": "127.0.0.1", "port": self.port},
            "smtp": {"hostname": "mailrise.test"},
        }
        config.write_text(yaml.safe_dump(settings))
        self._process = Process([str(_HOME / "bin/mailrise"), str(config)], self._folder / "mailrise.log")
        wait_until_listening(self._process, self.port)

    @property
    def cpu_s(self) -> float:
        assert self._process is not None
        return self._process.cpu_s

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()


def _install() -> str:
    """Install it, unless it is there; returns what stands in the way, or nothing."""
    if (_HOME / "bin/mailrise").exists():
        return ""
    # The pip of the environment if it has one, else the machine's.
    pip = [sys.executable if _has_pip() else getattr(sys, "_base_executable", sys.executable), "-m", "pip"]
    into = ["--python", str(_HOME / "bin/python"), "install", "--quiet", "--disable-pip-version-check"]
    commands = (
        [sys.executable, "-m", "venv", "--without-pip", str(_HOME)],
        [*pip, *into, f"mailrise=={VERSION}"],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
        if done.returncode:
            return f"mailrise could not be installed: {(done.stderr.strip() or 'no word').splitlines()[-1]}"
    return ""


def _has_pip() -> bool:
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0
