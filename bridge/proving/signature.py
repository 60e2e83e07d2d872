"""One DKIM-Signature field, read strictly: what honest signers never do makes it no signature. Pure.

Sources: RFC 6376 (DKIM), RFC 8301 (no SHA-1, key lengths), RFC 8463 (Ed25519).
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Literal

from bridge.proving import domains
from bridge.proving.fields import RawField, bare, tags

MAX_FIELD: Final = 8 * 1024
MAX_NAMES: Final = 100  # header fields that one signature covers
SKEW_S: Final = 900  # by which a signer's clock may be ahead of ours

_ALGORITHMS: Final[dict[bytes, Literal["rsa", "ed25519"]]] = {
    b"rsa-sha256": "rsa",
    b"ed25519-sha256": "ed25519",
}
_FORMS: Final = frozenset({b"simple", b"relaxed"})
_FIELD_NAME: Final = re.compile(rb"[\x21-\x39\x3c-\x7e]{1,200}")
_SECONDS: Final = re.compile(rb"[0-9]{1,12}")
_FOLD: Final = re.compile(rb"[ \t\r\n]+")
_B_TAG: Final = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")


class Unusable(Exception):
    """It proves nothing. ``str()`` is a clause of ours, ASCII, that says why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature says. ``unsigned`` is its field without the value of b=, as it is signed itself.

    ``header`` and ``body`` tell whether that canonical form is relaxed. Times are seconds since 1970.
    """

    domain: str
    selector: str
    kind: Literal["rsa", "ed25519"]
    canonical: bytes
    relaxed_body: bool
    names: tuple[bytes, ...]
    body_digest: bytes
    octets: bytes
    signed_at: int | None
    identity: str
    unsigned: RawField

    @property
    def key_name(self) -> str:
        """Where its key is published."""
        return f"{self.selector}._domainkey.{self.domain}"


def read(field: RawField, now_s: float) -> Signature:
    """What the field says. Raises `Unusable`, also for a signature that is over or not yet begun at ``now_s``."""
    said = tags(field.value) if len(field.value) <= MAX_FIELD else None
    if said is None or said.get(b"v") != b"1":
        raise Unusable("the signature is not well-formed")
    if said.get(b"a") == b"rsa-sha1":
        raise Unusable("rsa-sha1 is no longer a proof")
    kind = _ALGORITHMS.get(said.get(b"a", b""))
    if kind is None:
        raise Unusable("the signature's algorithm is not known")
    if b"l" in said:
        raise Unusable("the signature leaves the end of the body open (l=)")
    if b"dns/txt" not in [bare(way) for way in said.get(b"q", b"dns/txt").split(b":")]:
        raise Unusable("the signature's key is not in DNS")
    domain, selector = _name(said, b"d"), _name(said, b"s")
    header, _, body = said.get(b"c", b"simple/simple").lower().partition(b"/")
    if not {header, body or b"simple"} <= _FORMS:
        raise Unusable("the signature's canonical form is not known")
    return Signature(
        domain=domain,
        selector=selector,
        kind=kind,
        canonical=header,
        relaxed_body=body == b"relaxed",
        names=_names(said),
        body_digest=_base64(said, b"bh"),
        octets=_base64(said, b"b"),
        signed_at=_time(said, now_s),
        identity=_identity(said, domain),
        unsigned=RawField(field.name, _B_TAG.sub(rb"\1", field.value.removesuffix(b"\r\n"), count=1)),
    )


def _name(said: dict[bytes, bytes], tag: bytes) -> str:
    name = said.get(tag, b"").decode("latin-1").lower()
    if not domains.is_clean(name):
        raise Unusable("the signature's domain or selector is no clean name")
    return name


def _names(said: dict[bytes, bytes]) -> tuple[bytes, ...]:
    names = tuple(bare(name).lower() for name in said.get(b"h", b"").split(b":"))
    if len(names) > MAX_NAMES or not all(map(_FIELD_NAME.fullmatch, names)):
        raise Unusable("the signature's list of fields is not well-formed")
    if b"from" not in names:
        raise Unusable("the signature does not cover From")
    return names


def _base64(said: dict[bytes, bytes], tag: bytes) -> bytes:
    try:
        return base64.b64decode(_FOLD.sub(b"", said.get(tag, b"")), validate=True)
    except binascii.Error:
        raise Unusable("the signature is not well-formed") from None


def _time(said: dict[bytes, bytes], now_s: float) -> int | None:
    """When it was signed, if it says. Raises `Unusable` when it is not valid now."""
    found: dict[bytes, int] = {}
    for tag in (b"t", b"x"):
        if tag in said:
            if not _SECONDS.fullmatch(said[tag]):
                raise Unusable("the signature's time is not well-formed")
            found[tag] = int(said[tag])
    if b"x" in found and (found[b"x"] <= now_s or found[b"x"] < found.get(b"t", 0)):
        raise Unusable("the signature has expired")
    if found.get(b"t", 0) > now_s + SKEW_S:
        raise Unusable("the signature is from the future")
    return found.get(b"t")


def _identity(said: dict[bytes, bytes], domain: str) -> str:
    """The domain of i=, which is the signing domain or one below it (RFC 6376, 3.5)."""
    written = said.get(b"i", b"@" + domain.encode()).decode("latin-1").lower().rpartition("@")[2]
    if written != domain and not written.endswith(f".{domain}"):
        raise Unusable("the signature speaks for another domain (i=)")
    return written
