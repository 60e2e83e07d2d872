"""docs/security.md: every test that its table names exists and gives that row a figure, and no row is left out."""

import ast
import re
from collections import defaultdict
from pathlib import Path

from tests.threats import ROWS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
_ROW = re.compile(r"^\| (\d+) \|.*\|(.*)\|$", re.MULTILINE)
_TEST = re.compile(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)")
_DIALOGUE = re.compile(r"^@ threat (\d+)$", re.MULTILINE)


def marked(file: Path) -> dict[str, set[int]]:
    """The rows that each test of a file is marked for."""
    found: dict[str, set[int]] = {}
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = [one for one in node.decorator_list if isinstance(one, ast.Call)]
            found[node.name] = {
                one.args[0].value
                for one in marks
                if ast.unparse(one.func) == "pytest.mark.threat"
                and isinstance(one.args[0], ast.Constant)
                and isinstance(one.args[0].value, int)
            }
    return found


def test_every_named_test_gives_its_row_a_figure() -> None:
    dialogues = ROOT / "tests/mail_in/dialogues"
    of_dialogues = {int(row) for one in dialogues.glob("*.txt") for row in _DIALOGUE.findall(one.read_text())}
    named = [
        (int(row), name, path)
        for row, tests in _ROW.findall(PAGE.read_text())
        for name, path in _TEST.findall(tests)
    ]
    assert len(named) > len(ROWS)
    for row, name, path in named:
        rows = marked(ROOT / path).get(name, set())
        if name == "test_a_dialogue_goes_as_written":
            rows |= of_dialogues
        assert row in rows, f"{path}::{name} gives no figure to row {row}"


def test_every_row_that_is_measured_stands_in_the_table() -> None:
    measured: dict[int, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, rows in marked(file).items():
            for row in rows:
                measured[row].append(name)
    written = [int(row) for row, _ in _ROW.findall(PAGE.read_text())]
    assert written == sorted(written)
    assert set(written) == measured.keys() - {0}
