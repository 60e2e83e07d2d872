"""docs/operating.md tells what to do on every alarm, and names every command."""

import argparse
import re
from pathlib import Path

import pytest

from bridge.cli.parser import parser
from bridge.report import alarms

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(alarms._KNOWN))
def test_the_page_says_what_to_do_on_every_alarm(name: str) -> None:
    heading = alarms.words({"alarm": name}).heading
    assert not heading.startswith("The bridge needs a look"), name
    assert re.search(rf"^\| (.*<br>)?{re.escape(heading)}(<br>.*)? \| .+ \|$", PAGE, re.M), heading


def test_the_page_names_every_command() -> None:
    (commands,) = [
        action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    table = PAGE[PAGE.index("## Commands") : PAGE.index("Without `-c FILE`")]
    serve = {"serve"}  # it has its own paragraph
    assert not [
        name
        for name in set(commands) - serve
        if f"`smsbridge {name}" not in table and f"`{name}`" not in table
    ]
