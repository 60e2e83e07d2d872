"""Faults of the disk under a service that runs: each a context in which the database cannot be written to."""

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pytest

from tests.crash.world import World
from tests.programs import needed

Fault = Callable[[World], AbstractContextManager[None]]


@contextlib.contextmanager
def files_may_not_grow(world: World) -> Iterator[None]:
    """As if the disk were full, by the process's own limit."""
    pid = world.node.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def locked(world: World) -> Iterator[None]:
    """Another process holds the lock for longer than anybody waits for it."""
    assert world.database.log is not None
    with contextlib.closing(
        sqlite3.connect(world.database.log.with_suffix(".db"), isolation_level=None, timeout=30)
    ) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@contextlib.contextmanager
def disk_full(world: World) -> Iterator[None]:
    """The file system has no room left; see `small_disk`."""
    assert world.database.log is not None
    ballast = world.database.log.with_name("ballast")
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096) == 4096:
            pass
    try:
        yield
    finally:
        ballast.unlink()


def calls_fail(calls: str, error: str) -> Fault:
    """Let those system calls on the write-ahead log fail so (strace's injection)."""

    @contextlib.contextmanager
    def fault(world: World) -> Iterator[None]:
        command = [needed("strace"), "-f", "-qq", "-o", "/dev/null", "-P", str(world.database.log)]
        tracer = subprocess.Popen(
            [*command, "-e", f"inject={calls}:error={error}", "-p", str(world.node.process.pid)]
        )
        try:
            yield
        finally:
            tracer.terminate()
            tracer.wait(60)

    return fault


FAULTS: Final[dict[str, Fault]] = {
    "files may not grow": files_may_not_grow,
    "locked by another process": locked,
    "read-only": calls_fail("pwrite64", "EROFS"),
    "the disk fails to write": calls_fail("pwrite64", "EIO"),
    "the disk fails to sync": calls_fail("fdatasync", "EIO"),
}


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """Mount a file system of its own at ``place``, small enough to be filled."""
    place.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
