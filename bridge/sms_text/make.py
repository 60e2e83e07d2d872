"""The pipeline from the texts of a mail to the text of an SMS. Decisions come back as values, never as errors."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.sms_text import segments, template
from bridge.sms_text.segments import Encoding


class TextRule(Protocol):
    """What the operator wants of a text; `bridge.rules.TextRule` is one (interface: key ``text``)."""

    @property
    def subject(self) -> str: ...
    @property
    def template(self) -> str: ...
    @property
    def cut(self) -> str: ...
    @property
    def disclaimers(self) -> Sequence[re.Pattern[str]]: ...
    @property
    def stop_marks(self) -> Sequence[str]: ...
    @property
    def fold(self) -> str: ...
    @property
    def too_long(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Costly:
    """A character that makes a text expensive: where it stands, from 0, and what it is called."""

    position: int
    character: str
    name: str


@dataclass(frozen=True, slots=True)
class SmsText:
    """The text to send. ``cut`` says, for the sender, everything that was left out; ``folded`` counts replacements."""

    text: str
    encoding: Encoding
    segments: int
    cut: tuple[str, ...] = ()
    folded: int = 0
    costly: tuple[Costly, ...] = ()


@dataclass(frozen=True, slots=True)
class TooLong:
    """The text takes more billed parts than the sender may use."""

    segments: int
    limit: int
    characters: int
    encoding: Encoding
    costly: tuple[Costly, ...] = ()


@dataclass(frozen=True, slots=True)
class Empty:
    """Neither the body nor the subject holds anything to send."""


def make(
    *,
    plain: str | None,
    html: str | None,
    subject: str,
    rule: TextRule,
    segments_limit: int,
    sender: str = "",
    truncated: bool = False,
) -> SmsText | TooLong | Empty:
    """The text of the SMS that a mail makes under ``rule``, or why there is none."""
    text = template.render(rule.template, body=(plain or subject).strip(), subject=subject, sender=sender)
    counted = segments.count(text)
    if not text:
        return Empty()
    if counted.segments > segments_limit:
        return TooLong(counted.segments, segments_limit, len(text), counted.encoding)
    return SmsText(text, counted.encoding, counted.segments)
