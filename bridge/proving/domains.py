"""Domains as DMARC compares them: clean names, and the organisation that each belongs to.

The public suffix list comes with its library, so that nothing is fetched. Sources: RFC 7489, 3.1 and 3.2.
"""

import re
from functools import lru_cache
from typing import Final

from publicsuffixlist import PublicSuffixList

MAX_NAME: Final = 253  # octets of a DNS name as text (RFC 1035, 2.3.4)
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{0,126}}")


def is_clean(name: str) -> bool:
    """Whether ``name`` is a DNS name of lower-case letters, digits, dashes and underscores, as honest ones are."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


@lru_cache(4_096)
def organisation(domain: str) -> str:
    """The organisational domain of a clean name: one label below the public suffix. A suffix is its own."""
    return _suffixes().privatesuffix(domain) or domain


def aligned(domain: str, other: str, *, strict: bool) -> bool:
    """Whether two clean names speak for each other: the same name, or unless ``strict`` the same organisation."""
    return domain == other or (not strict and organisation(domain) == organisation(other))


@lru_cache(1)
def _suffixes() -> PublicSuffixList:
    """The list, read when it is first needed (0.2 s). Suffixes of hosting companies count: their customers are
    strangers to each other."""
    return PublicSuffixList()
