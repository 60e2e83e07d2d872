"""docs/privacy.md names each table of the database: none is forgotten when somebody asks to be."""

import re
import sqlite3
from pathlib import Path

from bridge.store import migrate

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"


def test_every_table_is_on_the_page_of_what_is_kept(tmp_path: Path) -> None:
    migrate(tmp_path / "bridge.db")
    connection = sqlite3.connect(tmp_path / "bridge.db")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE.read_text(), re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert tables - named == set()
