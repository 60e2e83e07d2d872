"""The PostgreSQL of the benchmark: one that waits for the disk, set up as for a machine of its own."""

import contextlib

import pytest

from tests import postgres


def running() -> contextlib.AbstractContextManager[postgres.Server]:
    """Make a server and run it while inside."""
    return postgres.running(durable=True, shared_buffers="512MB", max_wal_size="4GB")


def missing() -> str:
    """Return what stands in the way of one, or nothing."""
    try:
        with postgres.running():
            return ""
    except pytest.skip.Exception as why:
        return str(why)
