"""A name server with the zone of one clinic, and its keys."""

from collections.abc import Iterator

import pytest

from tests.mail_in.conftest import certificate, start, trusting, users
from tests.proving.name_server import NameServer, running
from tests.proving.signing import KEYS

__all__ = ["certificate", "start", "trusting", "users"]


@pytest.fixture
def names() -> Iterator[NameServer]:
    with running() as server:
        for key in KEYS.values():
            server.txt(f"{key.selector}._domainkey.clinic.example", key.record)
        yield server
