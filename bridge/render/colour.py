"""Colours of a brand: which text colour can be read on its accent. Source: WCAG 2.1, 1.4.3 (AA: 4.5 to 1)."""

import re
from typing import Final

DEFAULT_ACCENT: Final = "#2563eb"
READABLE: Final = 4.5

_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}")
_ON_ACCENT: Final = ("#ffffff", "#111827", "#000000")  # black or white always reaches 4.58 to 1


def valid(colour: str) -> str:
    """``colour`` when it is ``#rrggbb``, else our own accent: nothing else may come into a style sheet."""
    return colour.lower() if _HEX.fullmatch(colour) else DEFAULT_ACCENT


def on(background: str) -> str:
    """The text colour for ``background``: white if it can be read there, else dark, else black."""
    return next(text for text in _ON_ACCENT if contrast(text, background) >= READABLE)


def readable(colour: str, background: str) -> str:
    """``colour``, mixed with black or white until it can be read as text on ``background``."""
    target = 0 if _luminance(background) > 0.18 else 255
    channels = _channels(colour)
    for step in range(21):
        mixed = "#" + "".join(f"{round(c + (target - c) * step / 20):02x}" for c in channels)
        if contrast(mixed, background) >= READABLE:
            return mixed
    return "#000000" if target == 0 else "#ffffff"


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two ``#rrggbb`` colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
