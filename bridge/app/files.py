"""Where the files beside the code are: in the checkout, or in the wheel."""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def config_folder() -> Path:
    """Return the folder of the example configurations."""
    packed = _PACKAGE / "_config"
    return packed if packed.is_dir() else _PACKAGE.parent / "config"
