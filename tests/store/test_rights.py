"""Who may not open the database is told whom to be."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.store import is_there, migrate
from bridge.store.locks import part_lock

ROOTS = Path("/root/smsbridge.db")  # root's home is closed to others everywhere
NOBODY = 65534


@pytest.fixture
def somebody_else() -> Iterator[None]:
    """A user who is not root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.usefixtures("somebody_else")
@pytest.mark.parametrize("opening", [is_there, migrate, lambda path: part_lock(path, "mail").__enter__()])
def test_who_may_not_open_a_database_hears_whose_it_is(opening: object) -> None:
    assert callable(opening)
    with pytest.raises(StoreError) as told:
        opening(ROOTS)
    assert "Permission denied. It belongs to root: run this as root" in str(told.value)


def test_what_fails_for_another_reason_names_no_user(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as told:
        migrate(tmp_path)
    assert "Is a directory" in str(told.value)
    assert "belongs" not in str(told.value)
