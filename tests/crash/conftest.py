"""The harness takes hold of processes by means that only Linux has: elsewhere the judge alone is tested."""

import sys
from pathlib import Path
from typing import Final

collect_ignore: Final = (
    []
    if sys.platform == "linux"
    else [one.name for one in Path(__file__).parent.glob("test_*.py") if one.name != "test_judge.py"]
)
