"""Keys, and mails signed with them by dkimpy, as an honest mail server of the clinic does or as a forger would."""

import base64
import email.utils
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import dkim
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from bridge.mail_out import Signer, keygen
from tests.config.keys import short_rsa_key

DOMAIN = "clinic.example"
SIGNED = ("from", "to", "cc", "subject", "date", "message-id", "content-type", "mime-version")


@dataclass(frozen=True, slots=True)
class Key:
    """A private key as PEM, and its record."""

    selector: str
    pem: bytes
    record: str


@cache
def _made(selector: str, kind: str) -> Key:
    pem, record = keygen(kind)
    return Key(selector, pem.encode(), record)


def _short() -> Key:
    key = short_rsa_key()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Key("short", pem, f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}")


KEYS = {
    "rsa": _made("mail", "rsa"),
    "ed25519": _made("ed", "ed25519"),
    "short": _short(),
    "other": _made("other", "rsa"),
}


def mail(
    *extra: str,
    sender: str = "Anna <anna@clinic.example>",
    to: str | None = "0421000001@sms.local",
    subject: str | None = "Rounds",
    body: str = "Hello from the clinic",
    at: float | None = None,
    message_id: str | None = None,
    kind: str | None = "text/plain; charset=utf-8",
) -> bytes:
    """A mail with CRLF lines; None leaves a field out."""
    fields = [f"From: {sender}"]
    fields += [f"To: {to}"] if to is not None else []
    fields += [f"Subject: {subject}"] if subject is not None else []
    fields.append(f"Date: {email.utils.formatdate(time.time() if at is None else at)}")
    fields.append(f"Message-ID: {message_id or email.utils.make_msgid(domain=DOMAIN)}")
    fields += ["MIME-Version: 1.0"] + ([f"Content-Type: {kind}"] if kind else [])
    return "\r\n".join([*fields, *extra, "", body, ""]).encode()


def signed(
    raw: bytes,
    *,
    key: str = "rsa",
    domain: str = DOMAIN,
    selector: str | None = None,
    names: tuple[str, ...] = SIGNED,
    form: tuple[bytes, bytes] = (b"relaxed", b"relaxed"),
    algorithm: bytes = b"rsa-sha256",
    **options: Any,
) -> bytes:
    """``raw`` with a signature on top, made by dkimpy."""
    one = KEYS[key]
    header = dkim.sign(
        raw,
        (selector or one.selector).encode(),
        domain.encode(),
        one.pem,
        canonicalize=form,
        signature_algorithm=algorithm,
        include_headers=[name.encode() for name in names],
        **options,
    )
    return bytes(header) + raw


def signed_by_us(raw: bytes, key: str = "ed25519", domain: str = DOMAIN) -> bytes:
    """``raw`` signed by the bridge's own signer, which covers each field once more than it stands."""
    one = KEYS[key]
    return Signer(domain, one.selector, one.pem).sign(raw, int(time.time() * 1000))


def forged_tags(
    raw: bytes, *, tags: dict[str, str | None], key: str = "rsa", names: tuple[str, ...] = SIGNED
) -> bytes:
    """``raw`` with a signature that is good in itself and carries other tags than dkimpy would write.

    A tag of None is left out. What is signed are the fields ``names`` and the body, relaxed.
    """
    import hashlib

    from dkim.canonicalization import Relaxed

    one = KEYS[key]
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = dkim.rfc822_parse(head + b"\r\n\r\n")[0]
    digest = base64.b64encode(hashlib.sha256(Relaxed.canonicalize_body(body)).digest()).decode()
    said: dict[str, str | None] = {
        "v": "1", "a": "rsa-sha256", "c": "relaxed/relaxed", "d": DOMAIN, "s": one.selector,
        "h": ":".join(names), "bh": digest,
    }  # fmt: skip
    said |= tags
    value = "; ".join(f"{tag}={content}" for tag, content in said.items() if content is not None) + "; b="
    listed = [name.strip().encode() for name in (said["h"] or "").lower().split(":")]
    own = (b"DKIM-Signature", b" " + value.encode())
    pairs = Relaxed.canonicalize_headers([*dkim.select_headers(fields, listed), own])
    covered = b"".join(name + b":" + content for name, content in pairs).removesuffix(b"\r\n")
    loaded = serialization.load_pem_private_key(one.pem, None)
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        octets = loaded.sign(hashlib.sha256(covered).digest())
    else:
        assert isinstance(loaded, rsa.RSAPrivateKey)
        octets = loaded.sign(covered, padding.PKCS1v15(), hashes.SHA256())
    return b"DKIM-Signature: " + value.encode() + base64.b64encode(octets) + b"\r\n" + raw
