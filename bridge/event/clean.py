"""Single values of the vendor made safe and exact: texts, phone numbers, prices, moments. Pure."""

import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final

MAX_WORD: Final = 200
MAX_TEXT: Final = 5_000  # an SMS of ten segments has 1,530 characters
MAX_PRICE: Final = 1_000_000  # of the vendor's currency, for one SMS
EARLIEST: Final = 946_684_800_000  # the year 2000; a default date of some software is no date
LATEST: Final = 4_102_444_800_000  # the year 2100

# Controls, and lone surrogates, which JSON can spell and no database can store.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SEPARATORS: Final = re.compile(r"[\s().\-/\u2010-\u2015]")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_PRICE: Final = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{0,12})?|[+-]?\.[0-9]{1,12}")
_PAGE_DATE: Final = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*([ap])\.?\s?m\.?)?", re.A | re.I
)
_ISO_DATE: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[ T]+(\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?\s*(Z|[+-]\d{2}:?\d{2})?", re.A | re.I
)


def word(text: str, most: int = MAX_WORD) -> str:
    """Return ``text`` as one bounded line without control characters."""
    return _CONTROL.sub("", _storable(text[: most * 4]).replace("\n", " ").replace("\t", " ")).strip()[:most]


def paragraph(text: str, most: int = MAX_TEXT) -> str:
    """Return ``text`` bounded, its line ends made ``\\n``, without other control characters."""
    lines = _storable(text[: most * 2]).replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return _CONTROL.sub("", lines)[:most]


def _storable(text: str) -> str:
    """Return the text without lone surrogates; a pair that was escaped in halves becomes its character."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def phone(text: str) -> str:
    """Return an E.164 number with its plus if ``text`` is one (``0064…`` too), else the text as it came.

    Bare digits are never guessed to be of some country.
    """
    compact = _SEPARATORS.sub("", text[:100])
    compact = "+" + compact[2:] if compact.startswith("00") else compact
    return compact if _E164.fullmatch(compact) else word(text, 100)


def price(text: str) -> int | None:
    """Return a price like ``0.20`` in ten-thousandths, rounded; None for "", nonsense or a negative one."""
    text = text.strip().lstrip("$")
    if not _PRICE.fullmatch(text):
        return None
    amount = Decimal(text)
    return int((amount * 10_000).to_integral_value()) if 0 <= amount <= MAX_PRICE else None


def moment(text: str, zone: tzinfo) -> int | None:
    """Return ms UTC of any date form of the vendor, None if it is none. Without an offset it is in ``zone``.

    ``16/10/2023 13:43 p.m.``, ``2023-10-16 13:43:00``, ``2023-10-16T02:43:00.123Z``, ``…+11:00``.
    """
    text = text.strip()[:60]
    for pattern, read in _DATE_FORMS:
        if found := pattern.fullmatch(text):
            try:
                at = int(read(found, zone).timestamp() * 1000)
            except (ValueError, OverflowError):
                return None
            return at if EARLIEST <= at < LATEST else None
    return None


def _page_date(found: re.Match[str], zone: tzinfo) -> datetime:
    """The vendor's page writes 24 hours and a mark all the same; 1 to 11 with "p.m." is an afternoon."""
    day, month, year, hour, minute = (int(part) for part in found.group(1, 2, 3, 4, 5))
    mark = (found[7] or "").lower()
    if mark == "p" and hour < 12:
        hour += 12
    elif mark == "a" and hour == 12:
        hour = 0
    return datetime(year, month, day, hour, minute, int(found[6] or 0), tzinfo=zone)


def _iso_date(found: re.Match[str], zone: tzinfo) -> datetime:
    offset = (found[4] or "").upper()
    read = datetime.fromisoformat(f"{found[1]}T{found[2]}{'+00:00' if offset == 'Z' else offset}")
    read = read.replace(microsecond=int((found[3] or "0").ljust(6, "0")[:6]))
    return read if read.tzinfo else read.replace(tzinfo=zone)


_DATE_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str], tzinfo], datetime]], ...]] = (
    (_PAGE_DATE, _page_date),
    (_ISO_DATE, _iso_date),
)
