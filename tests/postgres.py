"""A PostgreSQL of the tests' own: made in a temporary folder, on a free port of the loopback, gone at the end.

Tests take the fixture `postgres` (one server for each pytest process) and `Server.database()`; programs such as
benchmarks take `running()`. The server is killed, frozen and started again by whoever owns one.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

USER: Final = "bridge"
_START_S: Final = 60.0
_BINARIES: Final = "/usr/lib/postgresql"  # Debian keeps them out of PATH, a folder for each version
# As a server is set up where durability is not the subject: what is committed is not waited for.
_UNSAFE: Final = {"fsync": "off", "full_page_writes": "off"}
_SETTINGS: Final = {"listen_addresses": "127.0.0.1", "max_connections": "200", "log_min_messages": "fatal"}


@dataclass(slots=True)
class Server:
    """A server that runs, until `stop`. ``port`` stays the same over a restart."""

    folder: Path
    port: int
    settings: dict[str, str]
    env: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database, as the configuration takes it."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """Return the address of a database that is empty: a schema of its own, which costs less than a database."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.run(f"CREATE SCHEMA {name}")
        return f"{self.url()}?options=-csearch_path%3D{name}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the server's owner."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start the server and wait until it answers. It recovers first, if it was killed."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        command = [program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = process = subprocess.Popen(
                [*command, "-k", str(self.folder), *options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **self.env},
                **_as_owner(),
            )
        deadline = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL does not start: {self.log()}") from None
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT cuts its sessions off, SIGQUIT is a crash. Nothing when it does not run."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(_START_S)
            self.process = None

    def crash(self) -> None:
        """Kill all of the server at once, as the loss of its machine would, but for the disk's cache."""
        assert self.process is not None
        self._signal(signal.SIGKILL)
        self.process.wait(_START_S)
        self.process = None

    def promote(self) -> None:
        """Let a standby become a server of its own."""
        self.run("SELECT pg_promote()")

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let all of the server stand still while inside; its system goes on to answer for it."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, which: signal.Signals) -> None:
        assert self.process is not None
        for pid in [self.process.pid, *_children(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, which)

    def log(self) -> str:
        """Return the end of what the server wrote."""
        return (self.folder / "log").read_text(errors="replace")[-2_000:]


@contextlib.contextmanager
def running(
    *, durable: bool = False, env: Mapping[str, str] | None = None, **settings: str
) -> Iterator[Server]:
    """Make a server and run it while inside. ``durable``: it waits for the disk as one in service does. ``env`` is
    added to its environment.

    ``settings`` are more of its settings (of ``postgresql.conf``).
    """
    folder = Path(tempfile.mkdtemp(prefix="bridge-pg-"))
    server = Server(folder, _free_port(), _SETTINGS | ({} if durable else _UNSAFE) | settings, env or {})
    try:
        if os.getuid() == 0:
            shutil.chown(folder, _owner())
        _make(folder / "data")
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)  # without a last checkpoint of what is thrown away
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def standby_of(server: Server) -> Iterator[Server]:
    """Make a standby of ``server`` and run it while inside: ``server`` answers no commit before it has it on disk."""
    folder = Path(tempfile.mkdtemp(prefix="bridge-pg-"))
    standby = Server(folder, _free_port(), server.settings, server.env)
    try:
        if os.getuid() == 0:
            shutil.chown(folder, _owner())
        source = ["-h", "127.0.0.1", "-p", str(server.port), "-U", USER]
        _run("pg_basebackup", folder, *source, "-D", str(folder / "data"), "-R", "-c", "fast")
        standby.start()
        server.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
        server.run("SELECT pg_reload_conf()")
        _wait_until_synchronous(server)
        yield standby
    finally:
        standby.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_synchronous(server: Server) -> None:
    deadline = time.monotonic() + _START_S
    with psycopg.connect(server.url(), autocommit=True) as connection:
        while (
            connection.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone()
            is None
        ):
            if time.monotonic() > deadline:
                raise RuntimeError("the standby does not follow")
            time.sleep(0.02)


def _make(data: Path) -> None:
    how = ["-U", USER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"]
    _run("initdb", data.parent, "-D", str(data), *how)


def _run(name: str, folder: Path, *options: str) -> None:
    command = [program(name), *options]
    done = subprocess.run(command, capture_output=True, check=False, cwd=folder, **_as_owner())
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr.decode(errors='replace')[-500:]}")


def program(name: str) -> str:
    """Return the newest there is; without it the test is skipped, or fails where all must be there (CI=true)."""
    path = _found(name)
    if path is None:
        said = "PostgreSQL is not installed: sh tests/system-packages.sh installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    return path


def _found(name: str) -> str | None:
    versions = sorted(Path(_BINARIES).glob(f"[0-9]*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(versions[-1]) if versions else shutil.which(name)


def _owner() -> str:
    """PostgreSQL refuses root: its own user if the package made one, else nobody."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as_owner() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(_owner())
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                status = (entry / "stat").read_text()
                if int(status.rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
