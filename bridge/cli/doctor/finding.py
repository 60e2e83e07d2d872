"""What the doctor found about one thing that the service needs."""

from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["ok", "warning", "fault"]

TIMEOUT_S: Final = 10.0  # for one answer of anything on the network


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing tried. ``say`` is what was found and, unless ok, what to do; it holds no secret."""

    verdict: Verdict
    what: str
    say: str


def ok(what: str, say: str) -> Finding:
    """Nothing to do."""
    return Finding("ok", what, say)


def warning(what: str, say: str) -> Finding:
    """It works, and will hurt."""
    return Finding("warning", what, say)


def fault(what: str, say: str) -> Finding:
    """It does not work."""
    return Finding("fault", what, say)


def reason(error: OSError) -> str:
    """The system's words for an error, without addresses and numbers around them."""
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} seconds"
    return (error.strerror or type(error).__name__).lower()
