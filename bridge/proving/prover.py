"""Looks for the proofs that a mail itself can show: at its signatures, its way here, another server's word.

The one way in to this package. Which proofs are looked for, and what follows from them, is decided elsewhere.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from bridge.decide import NOTHING_SHOWN, Envelope, Finding, Shown, SignedMail, upstreams_of
from bridge.proving import dmarc, domains, spf, upstream
from bridge.proving.dns import Resolver, Unanswered
from bridge.proving.evidence import Evidence
from bridge.proving.fields import RawField
from bridge.rules import Policy, Proof

TIME_S: Final = 25.0  # for all that one mail needs; a client waits ten minutes (RFC 5321, 4.5.3.2.6)
_THREADS: Final = 8  # an evaluation of SPF waits in one for DNS

_TOO_SLOW: Final = Finding(False, "DNS does not answer", later=True)


class Prover:
    """Finds out what mails show. To be used in one event loop."""

    def __init__(self, policy: Policy, resolver: Resolver) -> None:
        self._policy = policy
        self._window_s = policy.duplicates_window_ms / 1000
        self._resolver = resolver
        self._threads = ThreadPoolExecutor(_THREADS, "proving")

    async def look(
        self,
        wanted: frozenset[Proof],
        evidence: Evidence,
        from_address: str,
        envelope: Envelope,
    ) -> Shown:
        """What a mail shows of the proofs ``wanted``. Never raises for what a mail or DNS holds."""
        domain = from_address.rpartition("@")[2].lower()
        fields = evidence.fields
        wrong = "" if domains.is_clean(domain) else "the domain of From is no DNS name"
        wrong = wrong or ("" if fields is not None else "a line in its header is no field")
        if wrong or fields is None:
            return Shown({proof: Finding(False, wrong) for proof in wanted})
        found: dict[Proof, Finding] = {}
        shown = NOTHING_SHOWN
        try:
            async with asyncio.timeout(TIME_S):
                if "upstream" in wanted:
                    found["upstream"] = self._upstream(fields, domain, envelope)
                if "spf" in wanted:
                    found["spf"] = await self._spf(domain, envelope)
                if "dmarc" in wanted:
                    signed = await self._dmarc(evidence, domain)
                    found["dmarc"] = signed.finding
                    shown = _signed(signed, domain, evidence)
        except TimeoutError:
            pass
        return replace(shown, findings={proof: found.get(proof, _TOO_SLOW) for proof in wanted})

    def _upstream(self, fields: Sequence[RawField], domain: str, envelope: Envelope) -> Finding:
        return upstream.look(upstreams_of(self._policy, envelope.client), fields, domain)

    async def _spf(self, domain: str, envelope: Envelope) -> Finding:
        try:
            strict = (await dmarc.alignment_of(self._resolver, domain)).strict_spf
        except Unanswered:
            return _TOO_SLOW
        return await spf.look(
            self._resolver,
            self._threads,
            envelope.client.address,
            envelope.sender or "",
            envelope.hello,
            domain,
            strict=strict,
        )

    async def _dmarc(self, evidence: Evidence, domain: str) -> dmarc.Signed:
        loop = asyncio.get_running_loop()
        return await dmarc.look(
            self._resolver,
            lambda work: loop.run_in_executor(self._threads, work),
            evidence,
            domain,
            time.time(),
            self._window_s,
        )

    async def close(self) -> None:
        """Give up what is being looked for."""
        await self._resolver.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _signed(signed: dmarc.Signed, domain: str, evidence: Evidence) -> Shown:
    """What the rest of a decision needs of a good signature.

    Whoever has seen the mail could hand it in with ever new Message-IDs where that is not covered, or where it cannot
    be read: then body and time of the signed mail say which mail it is.
    """
    if not signed.finding.holds:
        return NOTHING_SHOWN
    body = evidence.digests.relaxed
    this = SignedMail(math.ceil(signed.until_s * 1000), None if signed.covers_type else body.hex())
    if signed.covers_id:
        return Shown(signed_to=signed.to, signed_mail=this)
    mail = hashlib.sha256(body + repr(signed.at_s).encode()).hexdigest()[:40]
    return Shown(signed_to=signed.to, stand_in_id=f"<{mail}@{domain}>", signed_mail=this)
