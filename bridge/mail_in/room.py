"""How much may go on at once: connections, octets of mails held in memory, octets that come in. Counts only, no I/O."""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Final, Literal

from bridge.rules import Network

SMALL: Final = 64 * 1024  # a mail up to this size draws on a share that big mails cannot use up

# What strangers send goes through the loop that serves everybody, at some 10 ms for a megabyte.
STRANGERS_PER_S: Final = 16 * 1024 * 1024

UNNAMED: Final = ""  # the place of connections whose client is not known yet

Full = Literal["server", "address"]


class Connections:
    """Counts connections: in all, with some kept for network senders, and for one address."""

    def __init__(self, most: int, reserved: int, per_address: int) -> None:
        self._most = most
        self._reserved = min(reserved, most)
        self._per_address = per_address
        self._of: dict[str, int] = {}
        self.open = 0

    def enter(self, place: str, is_network: Callable[[], bool]) -> Full | None:
        """Count a connection from ``place``; what is full if there is no room. ``is_network`` is asked only
        when just the reserved ones are left."""
        if self._of.get(place, 0) >= self._per_address:
            return "address"
        if self.open >= self._most or (self.open >= self._most - self._reserved and not is_network()):
            return "server"
        self._of[place] = self._of.get(place, 0) + 1
        self.open += 1
        return None

    def enter_unnamed(self) -> Full | None:
        """Count a connection of a balancer that has not told yet whose it is, for the place `UNNAMED`."""
        if self.open >= self._most:
            return "server"
        self._of[UNNAMED] = self._of.get(UNNAMED, 0) + 1
        self.open += 1
        return None

    def leave(self, place: str) -> None:
        """Forget one connection from ``place``."""
        self.open -= 1
        left = self._of[place] - 1
        if left:
            self._of[place] = left
        else:
            del self._of[place]


class Memory:
    """Octets of mails held by all connections together; a quarter is for the first 64 KiB of each mail.

    Strangers, who may write to postmaster@ and to reply addresses, have none of that quarter and only a third
    of the rest: mails that they never end keep nobody's alarm out.
    """

    def __init__(self, most: int) -> None:
        self.small_left = most // 4
        self.large_left = most - self.small_left
        self.strangers_left = most // 4

    def has(self, size: int, *, known: bool = True) -> bool:
        """Whether a mail of ``size`` octets would find room now. ``known``: some rule could hold for its client."""
        small = min(size, SMALL) if known else 0
        enough = known or self.strangers_left >= size
        return enough and self.small_left >= small and self.large_left >= size - small


class Held:
    """What one mail holds of the `Memory`."""

    __slots__ = ("_known", "_large", "_memory", "_small")

    def __init__(self, memory: Memory, *, known: bool = True) -> None:
        self._memory = memory
        self._known = known
        self._small = 0
        self._large = 0

    @property
    def octets(self) -> int:
        """What it holds now."""
        return self._small + self._large

    def grow(self, octets: int) -> bool:
        """Take ``octets`` more; False (and nothing taken) if there is no room."""
        small = min(octets, SMALL - self._small) if self._known else 0
        large = octets - small
        memory = self._memory
        if small > memory.small_left or large > memory.large_left:
            return False
        if not self._known and large > memory.strangers_left:
            return False
        self._take(small, large)
        return True

    def release(self) -> None:
        """Give all of it back; doing so twice does no harm."""
        self._take(-self._small, -self._large)

    def _take(self, small: int, large: int) -> None:
        self._memory.small_left -= small
        self._memory.large_left -= large
        self._memory.strangers_left -= 0 if self._known else large
        self._small += small
        self._large += large


class Flow:
    """Lets the octets of all who share it through at ``per_second``, in the order in which they came."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._clock = clock
        self._free = 0.0

    def wait(self, octets: int) -> float:
        """Return for how many seconds whoever brought so many octets has to wait before it brings more."""
        now = self._clock()
        self._free = max(self._free, now) + octets / self._per_second
        return self._free - now


def within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an IP is in one of ``networks``."""
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in networks)


def normal_address(address: str) -> str:
    """A peer's IP as text, without a zone; an IPv4 one that came over a dual-stack socket as IPv4."""
    bare = address.partition("%")[0]
    if not bare.startswith("::ffff:"):
        return bare
    mapped = ipaddress.IPv6Address(bare).ipv4_mapped
    return str(mapped) if mapped else bare


def place_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one, which is one customer's."""
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address, 64), strict=False))
