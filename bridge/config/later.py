"""Keys and values of the interface that this version cannot honour.

They are refused at their place, never taken and ignored, and told apart from keys that nobody knows.
"""

import ipaddress

from bridge.config import scalars
from bridge.config.problem import KeyPath

_EACH = "*"  # any index of a list

KEYS: dict[tuple[str, ...], str] = {
    ("desk", "users"): "accounts of the desk",
}


def key_text(path: KeyPath) -> str | None:
    """What to say about a key of a later version, or None when ``path`` is none."""
    what = KEYS.get(tuple(_EACH if isinstance(step, int) else step for step in path))
    return f"not in this version ({what}): take the key away" if what else None


def too_long(value: object) -> object:
    """``value``, unless it is another way with long texts than this version's."""
    if isinstance(value, str) and value not in ("refuse", "cut"):
        raise ValueError("not in this version: write refuse or cut")
    return value


def only_loopback(value: object) -> str:
    """A loopback address: the desk has no accounts yet, so nobody else may reach it."""
    address = scalars.ip_address(value)
    if not ipaddress.ip_address(address).is_loopback:
        raise ValueError("a desk beyond loopback is not in this version (it needs accounts): write 127.0.0.1")
    return address
