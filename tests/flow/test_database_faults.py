"""The disk is full, the database is locked, or may not be written, under a service that runs: 451, and on it goes."""

import os
import resource
import shutil
import smtplib
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.flow.mails import JO, mail
from tests.flow.running import Bridge, Smarthost, Vendor, serve, wait_for, world, write_config


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[tuple[Bridge, Vendor, Smarthost]]:
    with world() as (vendor, smarthost):
        running = serve(write_config(tmp_path, vendor, smarthost))
        vendor.tell(running.hook)
        yield running, vendor, smarthost
        assert running.stop() == 0
        assert not [line for line in running.lines if "Traceback" in line]


class Sender(threading.Thread):
    """Hands in one mail after another, each on its connection, and keeps every answer to DATA."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self._port, self._name = port, name
        self.answers: list[tuple[int, str]] = []
        self.end = threading.Event()

    @property
    def taken(self) -> set[str]:
        return {text for code, text in self.answers if code == 250}

    def codes(self) -> Counter[int]:
        return Counter(code for code, _ in self.answers)

    def run(self) -> None:
        serial = 0
        while not self.end.wait(0.02):
            serial += 1
            text = f"{self._name} {serial}"
            with smtplib.SMTP("127.0.0.1", self._port, timeout=60) as client:
                client.ehlo()
                for code, said in (client.mail(JO), client.rcpt(f"042100{serial:04}@sms.local")):
                    assert code == 250, said
                code, said = client.data(mail(text).as_bytes())
                assert code == 250 or said.startswith(b"4.3.0"), said
            self.answers.append((code, text))


def ready(running: Bridge) -> int:
    return httpx.get(f"{running.desk}/readyz", trust_env=False, timeout=30).status_code


def in_fault_and_back(
    running: Bridge,
    vendor: Vendor,
    smarthost: Smarthost,
    begin: Callable[[], object],
    end: Callable[[], object],
) -> None:
    """Mail flows; ``begin`` breaks the database, ``end`` mends it. All that was taken is sent, once."""
    client = Sender(running.smtp, "flow")
    client.start()
    wait_for("mails to be taken", lambda: client.codes()[250] >= 5)
    begin()
    try:
        wait_for("a mail to be put off", lambda: client.codes()[451] >= 1)
        assert ready(running) == 503, "as soon as a mail was put off"
        before = client.codes()[250]
        put_off = client.codes()[451]
        wait_for("more of that", lambda: client.codes()[451] > put_off)
        assert client.codes()[250] == before, "none is taken meanwhile"
    finally:
        end()
    wait_for("mails to be taken again", lambda: client.codes()[250] >= before + 5)
    client.end.set()
    client.join(60)
    assert set(client.codes()) == {250, 451}
    wait_for("readiness", lambda: ready(running) == 200)
    wait_for("all that was taken", lambda: len(vendor.sent()) >= len(client.taken))
    assert Counter(entry["text"] for entry in vendor.sent()) == Counter(client.taken)
    wait_for("their reports", lambda: len(smarthost.mails) >= len(client.taken))
    assert len({one.parsed["Message-ID"] for one in smarthost.mails}) == len(client.taken)


def test_a_full_disk_puts_mail_off_and_loses_none(bridge: tuple[Bridge, Vendor, Smarthost]) -> None:
    running, vendor, smarthost = bridge
    pid = running.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)

    def fill() -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))

    def free() -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    in_fault_and_back(running, vendor, smarthost, fill, free)


def test_a_database_that_another_process_holds_puts_mail_off_and_loses_none(
    bridge: tuple[Bridge, Vendor, Smarthost],
) -> None:
    running, vendor, smarthost = bridge
    path = running.config.parent / "bridge.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def hold() -> None:
        other.execute("PRAGMA busy_timeout = 30000")
        other.execute("BEGIN EXCLUSIVE")

    def let_go() -> None:
        other.execute("ROLLBACK")
        other.close()

    in_fault_and_back(running, vendor, smarthost, hold, let_go)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small enough to be filled, that can be made read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_disk_that_is_really_full_puts_mail_off_and_loses_none(tmp_path: Path, small_disk: Path) -> None:
    with world() as (vendor, smarthost):
        config = write_config(tmp_path, vendor, smarthost, database=f"sqlite://{small_disk / 'bridge.db'}")
        running = serve(config)
        vendor.tell(running.hook)
        ballast = small_disk / "ballast"

        def fill() -> None:
            with ballast.open("wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4096) == 4096:
                        pass
                except OSError:
                    pass

        in_fault_and_back(running, vendor, smarthost, fill, ballast.unlink)
        assert running.stop() == 0
