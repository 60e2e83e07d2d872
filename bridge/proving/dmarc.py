"""The proof `dmarc`: an aligned DKIM signature that covers what makes the SMS and where it goes.

Asks DNS only about the domain of the From and its organisation, whoever wrote the mail: nobody can make us ask
name servers of theirs. Sources: RFC 7489, RFC 6376.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from bridge.decide import Finding
from bridge.message import address
from bridge.message.fields import message_ids
from bridge.proving import dkim_verify, domains, signature
from bridge.proving.dns import Resolver, Unanswered
from bridge.proving.evidence import Evidence
from bridge.proving.fields import RawField, bare, tags
from bridge.proving.signature import Signature, Unusable

T = TypeVar("T")

MAX_SIGNATURES: Final = 3  # aligned ones that are checked
_MAX_SEEN: Final = 20  # signature fields that are read
_AHEAD_S: Final = 24 * 3_600  # by which a Date may be ahead of us: machines with a wrong zone are honest too
_MIN_AGE_S: Final = 3_600  # at which a mail may come at least: servers that greylist make it wait

NO_SIGNATURE: Final = "no DKIM signature of its domain"


@dataclass(frozen=True, slots=True)
class Alignment:
    """How near a domain must be to the From's, as its DMARC record says: the same name, or the same organisation."""

    strict_dkim: bool = False
    strict_spf: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """What came of it: the finding; if it holds, the addresses of the signed To and Cc (lower-case), when the mail was
    written (by its covered Date, whichever signature is looked at; else when it was signed), until when that is
    believed, and whether it covers a Message-ID that can be read, and the Content-Type."""

    finding: Finding
    to: frozenset[str] = frozenset()
    at_s: float = 0.0
    until_s: float = 0.0
    covers_id: bool = True
    covers_type: bool = True


async def alignment_of(resolver: Resolver, domain: str) -> Alignment:
    """What the DMARC record of ``domain``, else of its organisation, says. Raises `Unanswered`.

    No record or several: relaxed, as RFC 7489 has it where a record says nothing.
    """
    for owner in dict.fromkeys((domain, domains.organisation(domain))):
        records = [
            said
            for text in await resolver.texts(f"_dmarc.{owner}")
            if bare(text.partition(b";")[0]).replace(b" ", b"") == b"v=DMARC1" and (said := tags(text))
        ]
        if len(records) == 1:
            modes = [records[0].get(tag, b"r").lower() for tag in (b"adkim", b"aspf")]
            return Alignment(modes[0] == b"s", modes[1] == b"s")
        if records:
            break
    return Alignment()


async def look(
    resolver: Resolver,
    in_thread: Callable[[Callable[[], None]], Awaitable[None]],
    evidence: Evidence,
    domain: str,
    now_s: float,
    window_s: float,
) -> Signed:
    """Whether a signature proves that the mail is from ``domain`` (a clean name).

    ``in_thread`` runs what takes its time; ``window_s`` is how long a mail is remembered, so that an older one could be
    handed in anew without being known again.
    """
    fields = evidence.fields or ()
    twice = dkim_verify.doubled(fields)
    if twice:
        return _no(f"the mail has two {twice} fields")
    why, found = _aligned(fields, domain, now_s)
    if not found:
        return _no(why)
    later = False
    lasts_s = max(window_s, _MIN_AGE_S)
    try:
        strict = (await alignment_of(resolver, domain)).strict_dkim
    except Unanswered:
        return Signed(Finding(False, "DNS does not answer", later=True))
    for one in found[:MAX_SIGNATURES]:
        try:
            if not domains.aligned(one.domain, domain, strict=strict):
                raise Unusable("the domain takes only signatures of its very own name (adkim=s)")
            covered = dkim_verify.covered(one, fields, evidence.shape)
            at_s = _in_time(dkim_verify.signed_at(one, covered), now_s, lasts_s)
            record = _only_key(await resolver.texts(one.key_name))
            await in_thread(partial(_check, one, covered, evidence, record))
        except Unanswered:
            later = True
        except Unusable as reason:
            why = str(reason)
        else:
            return Signed(
                Finding(True),
                _addresses(covered),
                dkim_verify.written_at(covered) or at_s,
                at_s + lasts_s,
                covers_id=any(message_ids(value) for value in _unfolded(covered, b"message-id")),
                covers_type=not dkim_verify.leaves_type_open(one, fields, covered),
            )
    return Signed(Finding(False, "DNS does not answer", later=True)) if later else _no(why)


def _no(why: str) -> Signed:
    return Signed(Finding(False, why))


def _check(one: Signature, covered: Sequence[RawField], evidence: Evidence, record: bytes) -> None:
    dkim_verify.check(one, covered, evidence.digests, record)


def _aligned(fields: Sequence[RawField], domain: str, now_s: float) -> tuple[str, list[Signature]]:
    """The readable signatures of the domain's organisation, and why there is none if so."""
    why = NO_SIGNATURE
    found: list[Signature] = []
    for field in [field for field in fields if field.known_as == b"dkim-signature"][:_MAX_SEEN]:
        try:
            one = signature.read(field, now_s)
        except Unusable as reason:
            why = str(reason)
        else:
            if domains.aligned(one.domain, domain, strict=False):
                found.append(one)
    return why, found


def _in_time(at_s: float | None, now_s: float, window_s: float) -> float:
    """``at_s``, if a mail signed then can be told from one that is handed in again. Raises `Unusable`."""
    if at_s is None:
        raise Unusable("the signature covers neither a time nor a Date")
    if at_s > now_s + _AHEAD_S:
        raise Unusable("the mail is from the future")
    if at_s < now_s - window_s:
        raise Unusable("the signature is older than mails are remembered")
    return at_s


def _only_key(records: Sequence[bytes]) -> bytes:
    """The one record that is a key: others may stand there by a wildcard. Raises `Unusable`."""
    keys = [
        record
        for record in records
        if (said := tags(record)) and b"p" in said and said.get(b"v", b"DKIM1") == b"DKIM1"
    ]
    if len(keys) != 1:
        raise Unusable("its key is not in DNS" if not keys else "there are several keys under one name")
    return keys[0]


def _addresses(covered: Sequence[RawField]) -> frozenset[str]:
    lists = _unfolded(covered, b"to", b"cc")
    return frozenset(one.lower() for value in lists for one in address.every(value))


def _unfolded(covered: Sequence[RawField], *names: bytes) -> list[bytes]:
    return [bare(field.value).replace(b"\r\n", b"") for field in covered if field.known_as in names]
