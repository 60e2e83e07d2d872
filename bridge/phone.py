"""Phone numbers: what a person wrote becomes E.164 with its kind, and the check of where an SMS may go.

Pure; knows the numbering plans of the world (libphonenumber) and nothing of mails, rules files or the vendor.
Used at RCPT, by the decision, by the configuration and by everything that shows a number.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat, PhoneNumberType

Kind = Literal[
    "mobile", "fixed", "mobile_or_fixed", "voip", "toll_free", "premium", "shared_cost", "personal", "pager",
    "uan", "voicemail", "unknown",
]  # fmt: skip

MAX_LENGTH = 40  # characters: E.164 has 15 digits; the rest is room for prefixes and separators

_WRITTEN = re.compile(r"(\+?)([0-9 ./()-]+)", re.ASCII)
_SEPARATORS = re.compile(r"[^0-9]+", re.ASCII)
_NON_GEOGRAPHIC = frozenset(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS)
_KINDS: dict[int, Kind] = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "fixed",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "mobile_or_fixed",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
_KIND_WORDS: dict[Kind, str] = {
    "mobile": "a mobile number",
    "fixed": "a fixed line",
    "mobile_or_fixed": "a fixed line or a mobile number",
    "voip": "an internet (VoIP) number",
    "toll_free": "a toll-free number",
    "premium": "a premium number",
    "shared_cost": "a shared-cost number",
    "personal": "a personal number",
    "pager": "a pager",
    "uan": "a company number",
    "voicemail": "a voicemail number",
    "unknown": "a number of unknown kind",
}
_TYPES: dict[Kind, frozenset[str]] = {
    "mobile": frozenset({"mobile"}),
    "fixed": frozenset({"fixed"}),
    "mobile_or_fixed": frozenset({"mobile", "fixed"}),  # the country does not tell them apart, as +1
    "voip": frozenset({"voip"}),
}


@dataclass(frozen=True, slots=True)
class Number:
    """A valid number. ``e164`` begins with ``+``; ``region`` is ISO 3166, ``001`` when non-geographic."""

    e164: str
    kind: Kind
    country_code: int
    region: str
    non_geographic: bool


@lru_cache(maxsize=8192)
def parse(text: str, region: str) -> Number | None:
    """The valid number that ``text`` says to a reader in ``region``, or None.

    The first that fits of: ``+…``, ``00…``, the region's own international prefix, the national form as the
    country writes it, the region's own country code without plus. Bare digits are never taken as another
    country's. Blanks, dots, dashes, slashes and parentheses are read past; letters, extensions and digits
    that are not ASCII are refused.
    """
    if len(text) > MAX_LENGTH:
        return None
    written = _WRITTEN.fullmatch(text.strip(" "))
    if written is None:
        return None
    return _read(bool(written[1]), _SEPARATORS.sub("", written[2]), region)


def known_region(region: str) -> bool:
    """Whether ``region`` is a country whose numbers can be read, as an upper-case ISO 3166 code."""
    return region in phonenumbers.SUPPORTED_REGIONS


@lru_cache(maxsize=4096)  # a report speaks of a number that was just sent to
def display(e164: str) -> str:
    """A number as people read it: ``+61 421 000 001``. What is no number comes back as it is."""
    parsed = _parsed(e164, None) if e164.startswith("+") and len(e164) <= MAX_LENGTH else None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL) if parsed else e164


def short(number: Number) -> str:
    """The beginning of a number, for answers, in ASCII: ``+61 190...``."""
    code = str(number.country_code)
    return f"+{code} {number.e164[1 + len(code) :][:3]}..."


def example(region: str, *, national: bool = True) -> str:
    """A mobile number of ``region`` as it is dialled there, or in E.164; empty for an unknown region."""
    found = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if found is None:
        return ""
    if not national:
        return phonenumbers.format_number(found, PhoneNumberFormat.E164)
    return _digits(phonenumbers.format_number(found, PhoneNumberFormat.NATIONAL))


def region_of(prefix: str) -> str:
    """The main region of an E.164 prefix (``+614`` is AU); empty when its country code is not known."""
    for length in (1, 2, 3):  # country codes are prefix-free
        code = prefix[1 : 1 + length]
        if len(code) == length and code.isdigit():
            region = phonenumbers.region_code_for_country_code(int(code))
            if region not in ("ZZ", "001"):
                return region
    return ""


def allowed(
    number: Number,
    allow: Iterable[str],
    deny: Iterable[str],
    types: Collection[str],
    narrower: Collection[str] = (),
) -> str | None:
    """None when an SMS may go to ``number``, else the reason: one ASCII sentence that a person can act on.

    Of the prefixes in ``allow`` and ``deny`` the longest that fits wins, a tie denies, and none denies.
    A non-geographic code passes only when ``allow`` names it. ``narrower`` are a sender's own prefixes.
    """
    return _reason(number, tuple(allow), tuple(deny), frozenset(types), tuple(narrower))


@lru_cache(maxsize=8192)
def _reason(
    number: Number,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    types: frozenset[str],
    narrower: tuple[str, ...],
) -> str | None:
    which = short(number)
    if number.non_geographic and not _names_code(allow, number.country_code):
        return f"{which} is a satellite or other number of no country, which is not allowed here"
    if "any" not in types and not (_TYPES.get(number.kind, frozenset()) & types):
        return f"{which} is {_KIND_WORDS[number.kind]}, which is not allowed here"
    granted, denied = _longest(number.e164, allow), _longest(number.e164, deny)
    if denied and denied >= granted:
        return f"{which} is in a number range that is blocked here"
    if not granted:
        return f"{which} is not in a number range that is allowed here"
    if narrower and not _longest(number.e164, narrower):
        return f"{which} is not in a number range that this sender may use"
    return None


def _names_code(allow: Iterable[str], country_code: int) -> bool:
    return any(prefix.startswith(f"+{country_code}") for prefix in allow)


def _longest(e164: str, prefixes: Iterable[str]) -> int:
    """The length of the longest prefix that fits, digits counted; 0 for none."""
    return max((len(p) for p in prefixes if len(p) > 1 and p[0] == "+" and e164.startswith(p)), default=0)


def _read(plus: bool, digits: str, region: str) -> Number | None:
    for candidate in _foreign(plus, digits, region):
        parsed = _parsed(f"+{candidate}", None)
        if parsed and candidate in _international_forms(parsed):
            return _number(parsed)
    if plus or not known_region(region):
        return None
    parsed = _parsed(digits, region)
    if parsed and digits in _national_forms(parsed, region):
        return _number(parsed)
    own = str(phonenumbers.country_code_for_region(region))
    parsed = _parsed(f"+{digits}", None) if digits.startswith(own) else None
    return _number(parsed) if parsed and digits in _international_forms(parsed) else None


def _foreign(plus: bool, digits: str, region: str) -> Iterator[str]:
    """The digits behind ``+``, ``00`` and the region's own international prefix, in this order."""
    if plus:
        yield digits
        return
    if digits.startswith("00"):
        yield digits[2:]
    prefix = _international_prefix(region)
    match = prefix.match(digits) if prefix else None
    if match:
        yield digits[match.end() :]


@cache
def _international_prefix(region: str) -> re.Pattern[str] | None:
    """The region's own international prefix (``0011`` in AU, ``011`` in US) as libphonenumber gives it."""
    metadata = PhoneMetadata.metadata_for_region(region, None)
    return re.compile(metadata.international_prefix) if metadata and metadata.international_prefix else None


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    return parsed if phonenumbers.is_valid_number(parsed) else None


def _international_forms(parsed: phonenumbers.PhoneNumber) -> tuple[str, str]:
    """Country code and number, also with the zero of ``+61 (0)421 …``; nothing else may stand between."""
    code, rest = str(parsed.country_code), phonenumbers.national_significant_number(parsed)
    return f"{code}{rest}", f"{code}0{rest}"


def _national_forms(parsed: phonenumbers.PhoneNumber, region: str) -> tuple[str, str]:
    """As the country writes it, and with its trunk prefix.

    Where a country writes the prefix, digits without it are not read: they may be a foreign number whose
    plus was lost (``421…`` is Slovakia, and an Australian mobile without its zero).
    """
    if parsed.country_code != phonenumbers.country_code_for_region(region):
        return "", ""
    written = _digits(phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL))
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
    return written, f"{trunk}{phonenumbers.national_significant_number(parsed)}" if trunk else written


def _digits(text: str) -> str:
    return _SEPARATORS.sub("", text)


def _number(parsed: phonenumbers.PhoneNumber) -> Number:
    return Number(
        e164=phonenumbers.format_number(parsed, PhoneNumberFormat.E164),
        kind=_KINDS.get(phonenumbers.number_type(parsed), "unknown"),
        country_code=parsed.country_code or 0,
        region=phonenumbers.region_code_for_number(parsed) or "001",
        non_geographic=parsed.country_code in _NON_GEOGRAPHIC,
    )
