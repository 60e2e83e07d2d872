"""Numbers as the vendor reads them: dialling formats in, E.164 out, None for what it cannot dial. Pure."""

import re

_SEPARATORS = re.compile(r"[\s().\-/]")
_E164 = re.compile(r"[1-9][0-9]{7,14}")
_INTERNATIONAL = {"61": "0011", "64": "00"}  # what is dialled before a foreign country code
_NATIONAL_LENGTH = {"61": range(9, 10), "64": range(8, 11)}


def e164(number: str, country: str) -> str | None:
    """Return ``+`` and the digits of a number written as 0421…, 0064…, 0011 64…, 61… or +64…, else None."""
    bare = _SEPARATORS.sub("", number[:64])
    exit_code = _INTERNATIONAL.get(country, "00")
    if bare.startswith("+"):
        digits = bare[1:]
    elif bare.startswith(exit_code):
        digits = bare[len(exit_code) :]
    elif bare.startswith("00"):
        digits = bare[2:]
    elif bare.startswith("0"):
        digits = country + bare[1:]
    elif bare.startswith(country):
        digits = bare
    else:
        return None
    if not _E164.fullmatch(digits) or not _length_fits(digits, country):
        return None
    return "+" + digits


def _length_fits(digits: str, country: str) -> bool:
    if not digits.startswith(country) or country not in _NATIONAL_LENGTH:
        return True
    return len(digits) - len(country) in _NATIONAL_LENGTH[country]
