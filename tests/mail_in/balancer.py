"""A haproxy in front of a server of ours: it takes connections on a port of its own and says whose they are."""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests import programs

_CONFIG = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen smtp
    bind 127.0.0.1:{port}
    server bridge 127.0.0.1:{to} {how}
"""


@contextlib.contextmanager
def balancer_to(to: int, how: str) -> Iterator[int]:
    """A haproxy whose server line for the port ``to`` ends with ``how``; its own port."""
    program = programs.needed("haproxy")
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="balancer-") as folder:
        config = Path(folder, "haproxy.cfg")
        config.write_text(_CONFIG.format(port=port, to=to, how=how))
        with Path(folder, "log").open("wb") as log:
            running = subprocess.Popen([program, "-db", "-f", str(config)], stdout=log, stderr=log)
        try:
            _wait_for(port, running, Path(folder, "log"))
            yield port
        finally:
            running.kill()
            running.wait()


def _wait_for(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and running.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(log.read_text("utf-8", "replace"))


def _free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port
