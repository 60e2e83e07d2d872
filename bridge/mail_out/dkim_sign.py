"""DKIM signatures for our mails, and keys for them. Sources: RFC 6376, RFC 8463 (Ed25519).

dkimpy makes the canonical form and the header; its primitive, pure Python and slow, is replaced by that of
`cryptography`. A signature is half a millisecond of CPU: make it off the loop.
"""

import base64
import re
from collections.abc import Sequence
from typing import Any, Final

import dkim
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from dkim.canonicalization import strip_trailing_lines

Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

RSA_BITS: Final = 2048  # RFC 8301, 3.2: signers should use at least 2048
MIN_RSA_BITS: Final = 1024  # shorter ones no verifier takes

# Signed once more than they stand, so that none can be added or doubled on the way (RFC 6376, 8.15).
_OVERSIGNED: Final = (
    b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to", b"sender", b"in-reply-to",
    b"references", b"mime-version", b"content-type", b"content-transfer-encoding", b"auto-submitted",
)  # fmt: skip
_RELAXED: Final = (b"relaxed", b"relaxed")
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{0,10}}")


class Signer:
    """Signs for one domain with one key. Thread-safe."""

    def __init__(self, domain: str, selector: str, pem: bytes) -> None:
        """Raises ValueError, without the key in its text, for what cannot sign."""
        for name in (domain, selector):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a DNS name")
        self.domain = domain.lower()
        self.selector = selector
        self._key = _read(pem)

    def sign(self, raw: bytes, at: int) -> bytes:
        """``raw`` (CRLF) with a DKIM-Signature above its header. ``at`` is ms UTC."""
        name = b"rsa-sha256" if isinstance(self._key, rsa.RSAPrivateKey) else b"ed25519-sha256"
        fields = _Fields(raw, signature_algorithm=name)
        return fields.signed(self.domain.encode(), self.selector.encode(), self._key, at // 1000) + raw

    def record_name(self) -> str:
        """The DNS name that holds the public key."""
        return f"{self.selector}._domainkey.{self.domain}"

    def record(self) -> str:
        """The text of the TXT record that verifiers need."""
        return _record(self._key)


class _Fields(dkim.DKIM):  # type: ignore[misc]
    """dkimpy's signer with the header list of ours and a fast primitive."""

    def set_message(self, message: bytes) -> None:
        """Take a mail of ours apart, header from body at the first empty line. dkimpy's own splits and joins the
        whole body at its line ends, which costs a third of a signature of RSA-2048."""
        head, _, body = message.partition(b"\r\n\r\n")
        super().set_message(head + b"\r\n\r\n")
        self.body = body

    def signed(self, domain: bytes, selector: bytes, key: Key, at_s: int) -> bytes:
        """The DKIM-Signature field, CRLF at its end: dkimpy's `sign` without reading the key each time."""
        policy = dkim.CanonicalizationPolicy.from_c_value(b"/".join(_RELAXED))
        include = self._include()
        self.hasher = dkim.HASH_ALGORITHMS[self.signature_algorithm]
        body = self.hasher(_relaxed(self.body, policy)).digest()
        fields = [
            (b"v", b"1"),
            (b"a", self.signature_algorithm),
            (b"c", policy.to_c_value()),
            (b"d", domain),
            (b"i", b"@" + domain),
            (b"q", b"dns/txt"),
            (b"s", selector),
            (b"t", str(at_s).encode()),
            (b"h", b" : ".join(include)),
            (b"bh", base64.b64encode(body)),
            (b"b", b"0" * 60),
        ]
        return b"DKIM-Signature: " + self.gen_header(fields, include, policy, b"DKIM-Signature", key)

    def gen_header(
        self,
        fields: list[tuple[bytes, bytes]],
        include_headers: Sequence[bytes],
        canon_policy: Any,
        header_name: bytes,
        pk: Key,
        standardize: bool = False,
    ) -> bytes:
        """dkimpy's own, line for line, but for who signs the digest."""
        value = dkim.fold(b"; ".join(b"=".join(x) for x in fields), namelen=len(header_name))
        unsigned = (header_name, b" " + dkim.RE_BTAG.sub(b"\\1", value))
        digest = dkim.HashThrough(self.hasher())
        headers = canon_policy.canonicalize_headers(self.headers)
        self.signed_headers = dkim.hash_headers(
            digest, canon_policy, headers, include_headers, unsigned, dict(fields)
        )
        done = [*fields[:-1], (b"b", base64.b64encode(_signature(pk, digest.digest())))]
        line: bytes = dkim.fold(
            b"; ".join(b"=".join(x) for x in done) + b"\r\n", namelen=len(header_name), linesep=b"\r\n"
        )
        return line

    def _include(self) -> tuple[bytes, ...]:
        standing = [name.lower() for name, _ in self.headers]
        return tuple(name for name in _OVERSIGNED for _ in range(standing.count(name) + 1))


def _relaxed(body: bytes, policy: Any) -> bytes:
    """The body in relaxed form (RFC 6376, 3.4.4). With no blanks side by side, as in our mails, nothing needs
    to be searched for: that halves the cost of a signature."""
    if b"  " in body or b"\t" in body:
        form: bytes = policy.canonicalize_body(body)
        return form
    trimmed: bytes = strip_trailing_lines(body.replace(b" \r\n", b"\r\n"))
    return b"" if trimmed == b"\r\n" else trimmed


def keygen(kind: str = "rsa") -> tuple[str, str]:
    """A new private key as PEM (PKCS 8) and the text of its DNS record; ``kind``: ``rsa`` or ``ed25519``."""
    key: Key
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), _record(key)


def zone_text(record: str) -> str:
    """A record as a zone file wants it: quoted strings of at most 255 octets (RFC 1035, 3.3)."""
    return " ".join(f'"{record[at : at + 250]}"' for at in range(0, len(record), 250))


def _read(pem: bytes) -> Key:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("the DKIM key is not an unencrypted PEM private key") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the DKIM key must be RSA or Ed25519")
    if key.key_size < MIN_RSA_BITS:
        raise ValueError(f"the DKIM key has {key.key_size} bits; verifiers want at least {MIN_RSA_BITS}")
    return key


def _signature(key: Key, digest: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    return key.sign(digest)


def _record(key: Key) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
