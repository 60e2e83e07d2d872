"""The operator's own patterns for small print. Their time grows with the text alone, whatever they and it are.

Python's own engine takes minutes for some thirty letters and a pattern such as ``(a+)+$``, and holds up all else
meanwhile; RE2 has no such patterns, and for that knows neither look-ahead nor references back.
"""

from dataclasses import dataclass, field
from typing import Any

import re2


@dataclass(frozen=True, slots=True)
class OwnPattern:
    """A regular expression in RE2's syntax, of any case, ``^`` and ``$`` at each line.

    Raises ValueError when it is none.
    """

    written: str
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = False
        try:
            compiled = re2.compile(f"(?m){self.written}", options)
        except re2.error as error:
            said = error.args[0]
            raise ValueError(
                said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            ) from None
        object.__setattr__(self, "_compiled", compiled)

    def search(self, text: str) -> bool:
        """Return whether the text holds it anywhere."""
        return self._compiled.search(text.encode("utf-8", "replace").decode()) is not None
