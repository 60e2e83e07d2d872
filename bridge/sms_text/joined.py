"""The text of an SMS that stands for many: the same text, and how many more times it came.

Owns the words behind the text and the room for them. When texts are joined is decided elsewhere.
"""

from typing import Final

from bridge.sms_text import segments
from bridge.sms_text.make import SmsText

COUNT: Final = "{{ count }}"
_MOST: Final = 99_999_999  # of one text within a day: above a thousand a second
_LEAST_TEXT: Final = "x" * 20  # that must have room beside the words, in one segment of any alphabet


def check_more(source: str) -> str | None:
    """What is wrong with the words behind a joined text, as one sentence, or None when they can be used."""
    if source.count(COUNT) != 1:
        return f"must have {COUNT} once, where the number goes"
    if segments.count(_LEAST_TEXT + "…" + _ending(source, _MOST)).segments > 1:
        return "is too long: too little of the text would be left in one segment"
    return None


def joined(text: str, count: int, more: str, limit: int) -> SmsText:
    """``text`` with the words ``more`` that say that it came ``count`` more times, in at most ``limit`` parts.

    The text is shortened for them when they do not fit, never they.
    """
    whole = segments.cut_to(text, limit, _ending(more, count))
    counted = segments.count(whole)
    return SmsText(whole, counted.encoding, counted.segments)


def _ending(more: str, count: int) -> str:
    return " " + more.replace(COUNT, str(count))
