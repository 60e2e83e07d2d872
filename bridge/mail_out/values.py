"""What the smarthost is and what handing a mail to it ended in, as frozen values."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sent:
    """The smarthost took the mail; ``answer`` is what it said, one line."""

    answer: str


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: try again. ``error`` is one line without secrets."""

    error: str


@dataclass(frozen=True, slots=True)
class Dead:
    """Refused for good. ``error`` is one line without secrets."""

    error: str


Result = Sent | Later | Dead


@dataclass(frozen=True, slots=True)
class Smarthost:
    """Where our mails go. ``starttls`` is used when offered; with a user it is required, for the password."""

    host: str
    port: int
    tls: Literal["starttls", "implicit"]
    user: str = ""
    password: str = field(default="", repr=False)
