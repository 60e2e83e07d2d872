"""Keys, certificates and a picture, made for a test."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes as PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20


def pem(key: PrivateKey, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def certificate(key: ec.EllipticCurvePrivateKey, days: float = 2.0) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sms.local")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    begins = now - datetime.timedelta(days=2)
    built = builder.not_valid_before(begins).not_valid_after(now + datetime.timedelta(days=days))
    return built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def short_rsa_key() -> rsa.RSAPrivateKey:
    """A key of two Mersenne primes: libraries no longer make keys so short."""
    p, q, e = 2**521 - 1, 2**127 - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)
