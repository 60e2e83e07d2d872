"""DNS for the proofs: asked without blocking, answers kept within bounds. "Cannot say" is never "there is none".

Knows nothing of mail. Sources: RFC 1035, RFC 2308 (keeping negative answers).
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.resolver

from bridge.errors import ConfigError

Kind = Literal["TXT", "A", "AAAA", "MX", "PTR"]
Value = bytes | str | tuple[int, str]

MAX_AT_ONCE: Final = 100  # look-ups under way; more mean that somebody floods us, or that DNS is down
MAX_KEPT: Final = 10_000  # answers
MAX_OCTETS: Final = 8 * 1024 * 1024  # of all answers kept
MAX_VALUES: Final = 100  # records of one answer that are looked at
KEEP_S: Final = (10, 3_600)
KEEP_NONE_S: Final = (10, 300)  # that there is none changes when somebody mends it
KEEP_FAILED_S: Final = (
    3.0  # a storm of mails must not become a storm of questions to a name server that is down
)
_UDP_OCTETS: Final = 1_232  # what passes every network unfragmented

_LOG: Final = logging.getLogger("bridge.proving")


class Unanswered(Exception):
    """DNS said neither what there is nor that there is none: ask later."""


@dataclass(frozen=True, slots=True)
class _Kept:
    values: tuple[Value, ...]
    until: float
    octets: int
    failed: bool = False


class Resolver:
    """Asks name servers and keeps what they say. To be used in one event loop."""

    def __init__(self, servers: Sequence[tuple[str, int]] = (), timeout_s: float = 5.0) -> None:
        """``servers`` are addresses and ports, none: the machine's own. Raises `ConfigError` if it has none."""
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except (dns.resolver.NoResolverConfiguration, OSError) as error:
            raise ConfigError("dns: this machine names no name server: write dns.servers") from error
        if servers:
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(address, port) for address, port in servers
            ]
        self._resolver.use_edns(0, 0, _UDP_OCTETS)
        self._timeout_s = timeout_s
        self._kept: OrderedDict[tuple[str, Kind], _Kept] = OrderedDict()
        self._octets = 0
        self._asking: dict[tuple[str, Kind], asyncio.Task[_Kept]] = {}

    async def ask(self, name: str, kind: Kind) -> tuple[Value, ...]:
        """The records at ``name``, none if there are none: TXT as octets joined, MX as (preference, host), others as
        text. Raises `Unanswered`. What cannot be a DNS name has no records."""
        labels = _labels(name)
        if labels is None:
            return ()
        key = (name.lower().removesuffix("."), kind)
        kept = self._fresh(key)
        if kept is None:
            asking = self._asking.get(key)
            if asking is None:
                if len(self._asking) >= MAX_AT_ONCE:
                    raise Unanswered
                asking = asyncio.create_task(self._look_up(key, labels))
                self._asking[key] = asking
                asking.add_done_callback(lambda _: self._asking.pop(key, None))
            kept = await asyncio.shield(asking)
        if kept.failed:
            raise Unanswered
        return kept.values

    async def texts(self, name: str) -> tuple[bytes, ...]:
        """The TXT records at ``name``. Raises `Unanswered`."""
        return tuple(value for value in await self.ask(name, "TXT") if isinstance(value, bytes))

    def _fresh(self, key: tuple[str, Kind]) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None or kept.until <= asyncio.get_running_loop().time():
            return None
        self._kept.move_to_end(key)
        return kept

    async def _look_up(self, key: tuple[str, Kind], labels: tuple[bytes, ...]) -> _Kept:
        values: tuple[Value, ...] = ()
        failed = False
        try:
            async with asyncio.timeout(self._timeout_s + 1):
                answer = await self._resolver.resolve(
                    dns.name.Name((*labels, b"")),
                    key[1],
                    lifetime=self._timeout_s,
                    raise_on_no_answer=False,
                    search=False,
                )
            values = tuple(_value(record, key[1]) for record in list(answer.rrset or ())[:MAX_VALUES])
            keep_s = _within(_ttl(answer.response), KEEP_S if values else KEEP_NONE_S)
        except dns.resolver.NXDOMAIN as error:
            none: Any = error
            responses = none.responses()
            keep_s = _within(_ttl(next(iter(responses.values()), None)), KEEP_NONE_S)
        except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
            _LOG.info(
                "no answer from DNS", extra={"question": f"{key[0]} {key[1]}", "fault": type(error).__name__}
            )
            keep_s, failed = KEEP_FAILED_S, True
        octets = 100 + len(key[0]) + sum(map(_octets, values))
        kept = _Kept(values, asyncio.get_running_loop().time() + keep_s, octets, failed)
        self._keep(key, kept)
        return kept

    def _keep(self, key: tuple[str, Kind], kept: _Kept) -> None:
        before = self._kept.pop(key, None)
        self._octets += kept.octets - (before.octets if before else 0)
        self._kept[key] = kept
        while len(self._kept) > MAX_KEPT or self._octets > MAX_OCTETS:
            _, oldest = self._kept.popitem(last=False)
            self._octets -= oldest.octets

    async def close(self) -> None:
        """Give up what is being asked."""
        asking = tuple(self._asking.values())
        for task in asking:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*asking, return_exceptions=True)


def _labels(name: str) -> tuple[bytes, ...] | None:
    """The labels of a name as octets, so that no sign in it has a meaning; None for what cannot be a name."""
    try:
        labels = tuple(name.removesuffix(".").encode("ascii").split(b"."))
    except UnicodeEncodeError:
        return None
    good = all(0 < len(label) < 64 for label in labels) and len(name) <= 254
    return labels if good else None


def _value(record: Any, kind: Kind) -> Value:
    if kind == "TXT":
        return b"".join(record.strings)
    if kind == "MX":
        return record.preference, record.exchange.to_text(omit_final_dot=True)
    if kind == "PTR":
        return str(record.target.to_text(omit_final_dot=True))
    return str(record.address)


def _octets(value: Value) -> int:
    return 100 + (len(value) if isinstance(value, bytes | str) else len(value[1]))


def _ttl(response: dns.message.Message | None) -> int:
    """The seconds that an answer may be kept: the least of its chain, or what the zone says of names not there."""
    if not isinstance(response, dns.message.QueryMessage):
        return 0
    try:
        return response.resolve_chaining().minimum_ttl
    except (dns.exception.DNSException, ValueError):
        return 0


def _within(seconds: int, bounds: tuple[int, int]) -> float:
    return float(min(max(seconds, bounds[0]), bounds[1]))
