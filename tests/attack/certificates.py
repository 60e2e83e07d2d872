"""An authority and the bad certificates of servers that pretend to be the one we mean to reach."""

import datetime
import ipaddress
import ssl
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY: Final = datetime.timedelta(days=1)
BAD: Final = ("self-signed", "expired", "not yet valid", "of another host", "TLS 1.0", "TLS 1.1")


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom clients trust, and what it has signed."""

    folder: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @property
    def file(self) -> Path:
        """Its certificate, in PEM."""
        return self.folder / "authority.crt"

    def trusting(self) -> ssl.SSLContext:
        """Return the context of a client that trusts it, made as the bridge makes its own."""
        return ssl.create_default_context(cafile=str(self.file))

    def server(self, how: str) -> ssl.SSLContext:
        """Return the context of a server on 127.0.0.1 that is "good", or one of ``BAD``."""
        key = ec.generate_private_key(ec.SECP256R1())
        host = "192.0.2.1" if how == "of another host" else "127.0.0.1"
        begin = {"expired": -9, "not yet valid": 8}.get(how, -1)
        own = how == "self-signed"
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = _certificate(
            subject, subject if own else self.name, key, key if own else self.key, begin, host
        )
        file = self.folder / f"{how}.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + _pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        if how.startswith("TLS"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                version = ssl.TLSVersion.TLSv1 if how == "TLS 1.0" else ssl.TLSVersion.TLSv1_1
                context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
        return context


def authority(folder: Path) -> Authority:
    """Make an authority whose files lie in that folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
    made = Authority(folder, name, key)
    made.file.write_bytes(_certificate(name, name, key, key, -1, "").public_bytes(serialization.Encoding.PEM))
    return made


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    begin_days: int,
    host: str,
) -> x509.Certificate:
    begin = datetime.datetime.now(datetime.UTC) + begin_days * DAY
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + 2 * DAY)
        .add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
    )
    if host:
        address = x509.IPAddress(ipaddress.ip_address(host))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
