"""The proof `spf`: the client's address is one that the envelope sender's domain permits, and that domain the From's.

pyspf evaluates the record (RFC 7208) in a thread; its DNS is ours. Only domains of the From's organisation are asked
about, so that nobody can make us follow records of theirs.
"""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Final

import spf

from bridge.decide import Finding
from bridge.proving import domains
from bridge.proving.dns import Kind, Resolver, Unanswered

TIME_S: Final = 20.0  # for one evaluation (RFC 7208, 4.6.4)
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")

_WHY: Final = {
    "fail": "the SPF record does not permit this client",
    "softfail": "the SPF record does not permit this client",
    "neutral": "the SPF record says nothing of this client",
    "none": "the domain has no SPF record",
    "permerror": "the SPF record is wrong",
}
_LATER: Final = Finding(False, "DNS does not answer", later=True)


async def look(
    resolver: Resolver, threads: Executor, client: str, sender: str, hello: str, domain: str, *, strict: bool
) -> Finding:
    """Whether SPF proves that the mail is from ``domain``. ``sender`` is the envelope's, empty for the null sender,
    for which ``hello``, the client's own name, stands (RFC 7208, 2.4)."""
    local, _, owner = (sender or f"postmaster@{hello}").rpartition("@")
    owner = owner.lower().removesuffix(".")
    if not _LOCAL.fullmatch(local) or not domains.is_clean(owner):
        return Finding(False, "the envelope sender is no plain address")
    if not domains.aligned(owner, domain, strict=strict):
        return Finding(False, "the envelope sender is of another domain than From")
    result = await evaluate(resolver, threads, client, f"{local}@{owner}", hello)
    return _LATER if result == "temperror" else Finding(result == "pass", _WHY.get(result, ""))


async def evaluate(resolver: Resolver, threads: Executor, client: str, sender: str, hello: str) -> str:
    """The result of RFC 7208, 2.6: pass, fail, softfail, neutral, none, temperror or permerror."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + TIME_S

    def ask(name: str, kind: Kind) -> tuple[Any, ...]:
        """Called in the thread of the evaluation."""
        asked = asyncio.run_coroutine_threadsafe(resolver.ask(name, kind), loop)
        try:
            return asked.result(max(ends - loop.time(), 0.0))
        except (Unanswered, TimeoutError) as fault:
            asked.cancel()
            raise spf.TempError("DNS") from fault

    return await loop.run_in_executor(threads, _evaluate, ask, client, sender, hello)


def _evaluate(ask: Callable[[str, Kind], tuple[Any, ...]], client: str, sender: str, hello: str) -> str:
    try:
        result = _Query(client, sender, hello, ask).check()[0]
    except spf.PermError:
        return "permerror"
    except (
        AssertionError,
        ValueError,
        LookupError,
        TypeError,
        RecursionError,
    ):  # on records that it did not expect
        return "permerror"
    return str(result)


class _Query(spf.query):  # type: ignore[misc]
    """pyspf's evaluation with DNS of ours, and without explanations: those are texts of others, and look-ups more."""

    def __init__(
        self, client: str, sender: str, hello: str, ask: Callable[[str, Kind], tuple[Any, ...]]
    ) -> None:
        super().__init__(client, sender, hello)
        self._ask = ask

    def dns(self, name: str, qtype: Kind, cnames: object = None, ignore_void: bool = False) -> list[Any]:
        """The records at ``name``; two questions without an answer are allowed (RFC 7208, 4.6.4)."""
        labels = str(name).removesuffix(".").split(".")
        if not all(0 < len(label) < 64 for label in labels):
            return []  # no name at all: no question was asked
        values = self._ask(str(name), qtype)
        if not values and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("too many void look-ups")
        return [[value] for value in values] if qtype == "TXT" else list(values)

    def validated_ptrs(self) -> list[str]:
        """The names of the client that lead back to it; one that cannot be asked about is none (RFC 7208, 5.5)."""
        try:
            names = self.dns_ptr(self.i)[: spf.MAX_PTR]
        except spf.TempError:
            return []
        return [name for name in names if self._leads_here(name)]

    def _leads_here(self, name: str) -> bool:
        try:
            return bool(self.cidrmatch(self.dns_a(name, self.A), self.cidrmax))
        except spf.TempError:
            return False

    def get_explanation(self, spec: str) -> None:
        """None: nobody is shown one."""
