"""Text of others made safe to show: no control characters, no direction overrides, bounded length.

Part of the step "report mail". Escaping for HTML is the templates' part; what a text means is not known here.
"""

import re
from typing import Final

MAX_TEXT: Final = 4_000  # characters shown of one text: 25 segments; a report stays far below 100 kB
MAX_LINE: Final = 300  # characters shown of a text that stands on one line

# C0 but for tab and line feed, DEL, C1; lone surrogates, which UTF-8 cannot carry; interlinear marks, the
# byte order mark, what has no width (but for joiners), and the tag characters that hide text.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u180e\u200b\u2060-\u2064\u206a-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
# Embeddings, overrides and isolates (Unicode UAX 9): left open, they turn round what stands behind them.
_DIRECTION: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINE_ENDS: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_BLANKS: Final = re.compile(r"\s+")


def several_lines(text: str, most: int = MAX_TEXT) -> str:
    """``text`` with its lines (ends made LF), without what must not be seen, ``most`` characters at most."""
    lines = _LINE_ENDS.sub("\n", text[: 2 * most])
    seen = _DIRECTION.sub("", _UNSEEN.sub("", lines)).strip("\n")
    return seen if len(seen) <= most else seen[: most - 1].rstrip() + "…"


def one_line(text: str, most: int = MAX_LINE) -> str:
    """``text`` as one line: runs of blanks and line ends become one blank; else as `several_lines`."""
    return _BLANKS.sub(" ", several_lines(text[: 4 * most], 4 * most)).strip()[:most]
