"""The servers that are measured: ours, and those that it is measured against."""

import contextlib
import copy
import json
import os
import re
import sqlite3
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import psycopg
import yaml

from tests.bench.load import SENDER, program
from tests.bench.processes import WITHIN_S, Process, free_port, python, wait_until_listening

SECRET: Final = "bench-webhook-secret"
_POLL_S: Final = 0.02


def rule(sender: str = SENDER, **keys: Any) -> dict[str, Any]:
    """Return a rule for a sender of this machine."""
    return {"match": [sender], "proof": ["network"], "networks": ["127.0.0.0/8"], **keys}


class Bridge:
    """``smsbridge serve``, as it is installed, on a database of its own."""

    def __init__(
        self, folder: Path, vendor: int = 9, *, rate: int = 100_000, database: str = "", **changes: Any
    ) -> None:
        self.folder = folder
        self.smtp = free_port()
        self.hook = free_port()
        self.desk = free_port()
        self.database: str | Path = database or folder / "bridge.db"
        self.config = folder / "bridge.yaml"
        self.process: Process | None = None
        self.config.write_text(yaml.safe_dump(self._settings(vendor, rate) | changes))

    def _settings(self, vendor: int, rate: int) -> dict[str, Any]:
        url = f"http://127.0.0.1:{vendor}"
        database = f"sqlite://{self.database}" if isinstance(self.database, Path) else self.database
        return {
            "domains": ["sms.local"],
            "region": "AU",
            "admin": "admin@plant.example",
            "database": database,
            "smtp": {"listen": [{"address": "127.0.0.1", "port": self.smtp, "tls": "none"}]},
            "http": {"listen": {"address": "127.0.0.1", "port": self.hook}, "url": url},
            "desk": {"listen": {"address": "127.0.0.1", "port": self.desk}},
            "vendor": {
                "send_url": f"{url}/send",
                "rest_url": url,
                "sender": "application@example.com",
                "token": "bench-token",
                "rate": f"{rate}/s",
            },
            "webhook": {"secret": SECRET},
            "senders": [rule()],
            "prefixes": {"allow": ["+614"]},
        }

    def start(self, *only: str, under: Sequence[str] = ()) -> float:
        """Start it, ``under`` a tracer if you like; returns the seconds until it said that it was ready."""
        log = self.folder / "bridge.log"
        read_from = log.stat().st_size if log.exists() else 0
        parts = ["--only", ",".join(only)] if only else []
        began_at = time.monotonic()
        command = python("bridge", "serve", "-c", str(self.config), *parts)
        self.process = Process([*under, *command], log)
        while True:
            self.process.check()
            with log.open("rb") as lines:
                lines.seek(read_from)
                if b'"say": "ready"' in lines.read():
                    return time.monotonic() - began_at
            if time.monotonic() - began_at > WITHIN_S:
                raise RuntimeError("the bridge is not ready")
            time.sleep(0.005)

    def beside(self) -> "Bridge":
        """Return another process, not started, on the same configuration and database."""
        other = copy.copy(self)
        other.process = None
        return other

    @property
    def running(self) -> Process:
        assert self.process is not None
        return self.process

    def count(self, what: str = "SELECT count(*) FROM sms") -> int:
        """Ask its database."""
        if not isinstance(self.database, Path):
            with psycopg.connect(self.database) as server:
                row = server.execute(what.encode()).fetchone()
                assert row is not None
                return int(row[0])
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            return int(db.execute(what).fetchone()[0])

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()
            self.process = None


class Vendor:
    """The fast vendor in a process of its own."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.port = port or free_port()
        self.process = Process(python("tests.bench.vendor", str(self.port)), folder / "vendor.log")
        wait_until_listening(self.process, self.port)

    @property
    def different(self) -> int:
        """How many different MessageIDs there were."""
        return int(self._asked("/stats")["different"])

    def stats(self) -> tuple[int, float]:
        """Return how many SMS came, and when the last one did."""
        told = self._asked("/stats")
        return int(told["count"]), float(told["last_at"])

    def times(self) -> dict[str, float]:
        """Return when each numbered text began to arrive."""
        return cast(dict[str, float], self._asked("/times"))

    def time_of(self, serial: int) -> float | None:
        """Return when the SMS of that mail began to arrive, None if it has not."""
        return cast(float | None, self._asked(f"/times/serial{serial}"))

    def answer(self, status: int) -> None:
        """Answer every POST with 503 from now on, or with 200 again."""
        self._asked("/answer", str(status).encode())

    @property
    def refused(self) -> int:
        """How many POSTs were answered 503."""
        return int(self._asked("/stats")["refused"])

    def tell(self, port: int, path: str) -> None:
        """Let it post webhooks."""
        self._asked("/hook", f"{port} {path}".encode())

    def wait_for(self, count: int, within_s: float) -> float:
        """Return when the SMS number ``count`` came."""
        deadline = time.monotonic() + within_s
        while True:
            self.process.check()
            found, last_at = self.stats()
            if found == count:
                return last_at
            if found > count or time.monotonic() > deadline:
                raise RuntimeError(f"the vendor got {found} SMS, not {count}")
            time.sleep(_POLL_S)

    def _asked(self, path: str, body: bytes | None = None) -> Any:
        method = "GET" if body is None else "PUT"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.process.stop()


class Sink:
    """Postfix's ``smtp-sink``: takes mails and forgets them; it tells how many there were."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.mails = 0
        self.last_at = 0.0
        command = [program("smtp-sink") or "smtp-sink", "-c", f"127.0.0.1:{self.port}", "512"]
        if os.geteuid() == 0:
            command[1:1] = ["-u", "nobody"]
        self.process = Process(command, folder / "sink.log", output=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()
        wait_until_listening(self.process, self.port)

    def _read(self) -> None:
        """Its counter lines end in a carriage return: ``sess=1 quit=1 mesg=1``."""
        assert self.process.child.stdout is not None
        rest = b""
        with contextlib.suppress(ValueError, OSError):
            while chunk := self.process.child.stdout.read1(65_536):  # type: ignore[attr-defined]
                found = re.findall(rb"mesg=(\d+)[^0-9]", rest + chunk)
                rest = (rest + chunk)[-40:]
                if found and int(found[-1]) != self.mails:
                    self.mails, self.last_at = int(found[-1]), time.monotonic()

    def wait_for(self, mails: int, within_s: float) -> float:
        """Return when mail number ``mails`` came."""
        deadline = time.monotonic() + within_s
        while self.mails < mails:
            self.process.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"the smarthost got {self.mails} mails, not {mails}")
            time.sleep(_POLL_S)
        return self.last_at

    def stop(self) -> None:
        self.process.stop()


class Null:
    """aiosmtpd with a handler that only says 250, under uvloop."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.process = Process(python("tests.bench.null_smtp", str(self.port)), folder / "null.log")
        wait_until_listening(self.process, self.port)

    def stop(self) -> None:
        self.process.stop()


@contextlib.contextmanager
def stopping(servers: Sequence[Any]) -> Iterator[None]:
    """Stop all ``servers`` at the end, whatever happened."""
    try:
        yield
    finally:
        for server in servers:
            server.stop()
