"""Whether a DKIM signature is good: the fields it covers, its digest, its key. CPU alone, and all of it bounded.

dkimpy gives the canonical forms and picks the fields; what it leaves open is closed here and in `signature`.
Sources: RFC 6376, 3.6.1 and 6.1; RFC 8301; RFC 8463.
"""

import base64
import binascii
import email.utils
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import dkim
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

from bridge.proving.body_digest import Digests
from bridge.proving.fields import RawField, bare, tags
from bridge.proving.signature import Signature, Unusable
from bridge.proving.unsigned_type import Shape, is_told_by

MIN_RSA_BITS: Final = 1_024  # RFC 8301, 3.2
MAX_RSA_BITS: Final = 8_192
_MAX_EXPONENT_BITS: Final = 33  # 65537 everywhere; a long one is there to burn our CPU
_MAX_DATE: Final = 100  # octets

# A mail with two of these is another mail to another reader.
SINGLE: Final = (
    b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"content-type", b"content-transfer-encoding",
    b"content-disposition", b"mime-version",
)  # fmt: skip
# What makes the SMS. If it stands in the mail, the signature must cover it, or others can put it in.
_SHAPING: Final = (b"from", b"subject")
# Values of fields that signers often leave out, which say what a mail without the field means anyway.
_INERT: Final = {
    b"content-transfer-encoding": (b"7bit", b"8bit", b"binary"),
    b"content-disposition": (b"inline",),
}


def doubled(fields: Sequence[RawField]) -> str | None:
    """The name of a field that stands there twice and must not, else None."""
    counts = Counter(field.known_as for field in fields)
    return next((name.decode() for name in SINGLE if counts[name] > 1), None)


def covered(signature: Signature, fields: Sequence[RawField], shape: Shape) -> tuple[RawField, ...]:
    """The fields of the mail under the signature. Raises `Unusable` when one that makes the SMS is not.

    ``shape`` is that of the body: it must tell the same as a Content-Type that is not covered.
    """
    # A field with blanks before its colon is one to a reader, and none to a signer: it is not covered.
    picked = tuple(_picked(signature.names, fields))
    names = {field.known_as for field in picked}
    for name in _SHAPING:
        if name not in names and any(field.known_as == name for field in fields):
            raise Unusable(f"the signature does not cover {name.decode().title()}")
    _refuse_another_reading(fields, names)
    if leaves_type_open(signature, fields, picked) and not is_told_by(shape, _value(fields, b"content-type")):
        raise Unusable("the signature does not cover Content-Type, and the body does not tell the same")
    if not names & {b"to", b"cc"}:
        raise Unusable("the signature covers neither To nor Cc")
    return picked


def _refuse_another_reading(fields: Sequence[RawField], names: set[bytes]) -> None:
    """Raise `Unusable` when a field that changes how the body is read is not covered, and may have been put in."""
    for name, inert in _INERT.items():
        said = _value(fields, name).partition(b";")[0].strip(b" \t").lower()
        if said and name not in names and said not in inert:
            raise Unusable(f"the signature does not cover {name.decode().title()}")


def _picked(names: Sequence[bytes], fields: Sequence[RawField]) -> Iterator[RawField]:
    """The fields that a list of names means, from the last of each name up (RFC 6376, 5.4.2)."""
    left: dict[bytes, list[RawField]] = {}
    for field in fields:
        left.setdefault(field.name.lower(), []).append(field)
    for name in names:
        if left.get(name):
            yield left[name].pop()


def leaves_type_open(signature: Signature, fields: Sequence[RawField], picked: Sequence[RawField]) -> bool:
    """Whether others could put in, change or take away the Content-Type; ``picked`` are the fields it covers."""
    kind = b"content-type"
    if any(field.known_as == kind for field in picked):
        return False
    return kind not in signature.names or any(field.known_as == kind for field in fields)


def _value(fields: Sequence[RawField], name: bytes) -> bytes:
    """The unfolded value of the field of that name, empty if there is none."""
    return next((bare(one.value).replace(b"\r\n", b"") for one in fields if one.known_as == name), b"")


def check(signature: Signature, fields: Sequence[RawField], digests: Digests, key_record: bytes) -> None:
    """Return when the key in ``key_record`` made this signature over these fields and this body. Raises `Unusable`."""
    key = _key(key_record, signature)
    body = digests.relaxed if signature.relaxed_body else digests.simple
    if body != signature.body_digest:
        raise Unusable("the body was changed after it was signed")
    digest = _header_digest(signature, fields)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature.octets, digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
        else:
            key.verify(signature.octets, digest)
    except InvalidSignature:
        raise Unusable("the signature is not that of its key") from None


def signed_at(signature: Signature, fields: Sequence[RawField]) -> float | None:
    """When the mail was signed or, if the signature does not say, written: seconds since 1970, None if unknown.

    ``fields`` are those it covers.
    """
    return written_at(fields) if signature.signed_at is None else float(signature.signed_at)


def written_at(fields: Sequence[RawField]) -> float | None:
    """When the mail was written by its Date, if that is among ``fields``: seconds since 1970, None if unknown."""
    date = next((field.value for field in fields if field.known_as == b"date"), b"")
    if len(date) > _MAX_DATE:
        return None
    try:
        return email.utils.parsedate_to_datetime(bare(date).decode("ascii")).timestamp()
    except (ValueError, TypeError, OverflowError, OSError, IndexError):
        return None


def _header_digest(signature: Signature, fields: Sequence[RawField]) -> bytes:
    """What is signed: the covered fields, then the signature's own without its value (RFC 6376, 3.7)."""
    form = dkim.CanonicalizationPolicy.from_c_value(signature.canonical)
    own = signature.unsigned
    digest = hashlib.sha256()
    for name, value in form.canonicalize_headers([(field.name, field.value) for field in fields]):
        digest.update(name + b":" + value)
    [(name, value)] = form.canonicalize_headers([(own.name, own.value + b"\r\n")])
    digest.update(name + b":" + value.removesuffix(b"\r\n"))
    return digest.digest()


def _key(record: bytes, signature: Signature) -> rsa.RSAPublicKey | ed25519.Ed25519PublicKey:
    """The key of a record, if it may be used for this signature (RFC 6376, 3.6.1). Raises `Unusable`."""
    said = tags(record) or {}
    flags = _words(said, b"t", b"")
    if not said.get(b"p"):
        raise Unusable("its key is withdrawn, or its record is not well-formed")
    if b"y" in flags:
        raise Unusable("its key is there for tests alone (t=y)")
    if said.get(b"k", b"rsa").decode("latin-1") != signature.kind or b"sha256" not in _words(
        said, b"h", b"sha256"
    ):
        raise Unusable("its key is for another algorithm")
    if not _words(said, b"s", b"*") & {b"*", b"email"}:
        raise Unusable("its key is not for mail")
    if b"s" in flags and signature.identity != signature.domain:
        raise Unusable("its key does not speak for domains below its own")
    try:
        octets = base64.b64decode(b"".join(said[b"p"].split()), validate=True)
        return _ed25519(octets) if signature.kind == "ed25519" else _rsa(octets)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise Unusable("its key cannot be read") from None


def _words(said: dict[bytes, bytes], tag: bytes, default: bytes) -> set[bytes]:
    return {bare(word) for word in said.get(tag, default).split(b":")}


def _ed25519(octets: bytes) -> ed25519.Ed25519PublicKey:
    return ed25519.Ed25519PublicKey.from_public_bytes(octets)


def _rsa(octets: bytes) -> rsa.RSAPublicKey:
    key = load_der_public_key(octets)
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise Unusable(f"its key has {key.key_size} bits: at least {MIN_RSA_BITS} are needed")
    if key.public_numbers().e.bit_length() > _MAX_EXPONENT_BITS:
        raise Unusable("its key has an odd exponent")
    return key
