"""The pipeline from the texts of a mail to the text of an SMS. Decisions come back as values, never as
errors.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from bridge.sms_text import fold, segments, template
from bridge.sms_text.body import body_of, says_something
from bridge.sms_text.marks import LONG_MAIL
from bridge.sms_text.segments import Encoding
from bridge.sms_text.small_print import Searching

MAX_COSTLY = 20  # characters that are named one by one


class TextRule(Protocol):
    """What the operator wants of a text; `bridge.rules.TextRule` is one (interface: key ``text``)."""

    @property
    def subject(self) -> str: ...
    @property
    def template(self) -> str: ...
    @property
    def cut(self) -> str: ...
    @property
    def disclaimers(self) -> Sequence[Searching]: ...
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
    """The text to send. ``cut`` says, for the sender, everything that was left out; ``folded`` counts
    replacements.
    """

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
    """The text of the SMS that a mail makes under ``rule``, at most ``segments_limit`` parts, or why there is
    none.

    ``sender`` is for the template alone; ``truncated`` says that the mail's text was longer than was read.
    """
    subject = " ".join(fold.clean(subject).split())
    body = body_of(
        plain=plain,
        markup=html,
        cutting=rule.cut == "auto",
        disclaimers=rule.disclaimers,
        stop_marks=rule.stop_marks,
        subject_stands_in=bool(subject) and rule.subject != "ignore",
    )
    chosen = _with_subject(body.text, subject, rule.subject)
    if not says_something(chosen):
        return Empty()
    text = template.render(rule.template, body=chosen, subject=subject, sender=sender)
    folded = fold.fold(fold.clean(text), rule.fold)
    cut = [*body.cut]
    if truncated:
        cut.append(LONG_MAIL)
    if folded.dropped:
        cut.append(f"{folded.dropped:,} emoji or symbol{'s' if folded.dropped > 1 else ''}")
    text = fold.tidy(folded.text)
    return _fitted(text, folded.replaced, cut, rule, segments_limit) if text else Empty()


def _fitted(text: str, replaced: int, cut: list[str], rule: TextRule, limit: int) -> SmsText | TooLong:
    """The text within the limit: as it is, cut when the rule says so, or refused with the counts."""
    counted = segments.count(text)
    if counted.segments > limit and rule.too_long != "cut":
        return TooLong(counted.segments, limit, len(text), counted.encoding, _costly_in(text))
    if counted.segments > limit:
        kept = segments.cut_to(text, limit)
        left_out = len(text) - len(kept.removesuffix("...").removesuffix("…"))
        cut.append(f"{left_out:,} character{'s' if left_out > 1 else ''} after the limit")
        text, counted = kept, segments.count(kept)
    return SmsText(
        text, counted.encoding, counted.segments, tuple(dict.fromkeys(cut)), replaced, _costly_in(text)
    )


def _costly_in(text: str) -> tuple[Costly, ...]:
    """The first of the characters that make a text expensive, by name."""
    return tuple(
        Costly(position, text[position], unicodedata.name(text[position], f"U+{ord(text[position]):04X}"))
        for position in islice(segments.costly_in(text), MAX_COSTLY)
    )


def _with_subject(body: str, subject: str, how: str) -> str:
    """Body and subject as the rule wants them: ``auto`` takes the subject only when the body is empty."""
    if how == "only":
        return subject
    if how == "first":
        return f"{subject}\n{body}".strip() if subject else body
    return body if says_something(body) or how == "ignore" else subject
