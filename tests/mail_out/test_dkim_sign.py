"""Signatures that verifiers take, in dkimpy's own octets but faster."""

import base64
import re
import time

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.mail_out import Signer, keygen, zone_text

PEM, RECORD = keygen()
SIGNER = Signer("example.com", "bridge", PEM.encode())
NOW = int(time.time() * 1000)
MAIL = (
    b"From: =?utf-8?B?w7w=?= <+61421000001@sms.local>\r\nTo: alex@clinic.example\r\nSubject: Re:  two  blanks\r\n"
    b"Date: Sun, 22 Nov 2026 16:16:00 +1100\r\nMessage-ID: <r7@sms.local>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative;\r\n boundary="=_x"\r\n\r\n--=_x\r\n\r\nbody \t \r\n\r\n--=_x--\r\n\r\n\r\n'
)


def verified(raw: bytes, record: str = RECORD) -> bool:
    def dns(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"bridge._domainkey.example.com."
        return record.encode()

    good: bool = dkim.verify(raw, dnsfunc=dns)
    return good


def tag(raw: bytes, name: str) -> str:
    head = raw.partition(b"\r\nFrom")[0].decode().replace("\r\n ", " ")
    found = re.search(rf"[;:] {name}=([^;]*)", head)
    assert found
    return found[1].replace(" ", "")


def test_a_signed_mail_is_the_mail_with_one_field_above_that_dkimpy_verifies() -> None:
    signed = SIGNER.sign(MAIL, NOW)
    assert signed.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;")
    assert signed.endswith(MAIL)
    assert verified(signed)
    assert max(len(line) for line in signed.split(b"\r\n")) <= 78


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"body", b"b0dy"),
        (b"Subject: Re", b"Subject: Xe"),
        (b"To: alex", b"To: other@a.example\r\nTo: alex"),
        (b"MIME-Version", b"Subject: second\r\nMIME-Version"),
        (b"MIME-Version", b"Reply-To: evil@a.example\r\nMIME-Version"),
        (b"MIME-Version", b"Content-Type: text/html\r\nMIME-Version"),
        (b"--=_x--\r\n\r\n\r\n", b"--=_x--\r\n\r\n\r\nmore"),
    ],
)
def test_what_is_changed_or_added_on_the_way_breaks_the_signature(old: bytes, new: bytes) -> None:
    signed = SIGNER.sign(MAIL, NOW)
    assert old in signed
    assert not verified(signed.replace(old, new, 1))


def test_every_important_field_is_signed_once_more_than_it_stands() -> None:
    names = tag(SIGNER.sign(MAIL, NOW), "h").split(":")
    assert names.count("from") == 2
    assert names.count("subject") == 2
    assert names.count("cc") == 1
    assert "l=" not in SIGNER.sign(MAIL, NOW).decode().partition("From:")[0].replace("c=relaxed", "")


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.one_of(st.binary(max_size=400), st.text(st.sampled_from("ab \t\n"), max_size=40).map(str.encode)),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=90),
)
def test_the_signature_is_octet_for_octet_that_of_dkimpy(body: bytes, subject: str) -> None:
    text = body.replace(b"\r", b"").replace(b"\n", b"\r\n")
    raw = b"From: a@example.com\r\nSubject: x" + subject.encode() + b"\r\nTo: b@c.example\r\n\r\n" + text
    signed = SIGNER.sign(raw, NOW)
    theirs = _dkimpy(raw, tag(signed, "h").split(":"))
    assert signed == theirs + raw


def _dkimpy(raw: bytes, names: list[str]) -> bytes:
    """What dkimpy's own pure Python signs, at our second."""
    real = dkim.time.time
    dkim.time.time = lambda: NOW / 1000
    try:
        made: bytes = dkim.DKIM(raw).sign(
            b"bridge",
            b"example.com",
            PEM.encode(),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[name.encode() for name in names],
        )
    finally:
        dkim.time.time = real
    return made


def test_an_ed25519_key_signs_what_its_record_verifies() -> None:
    pem, record = keygen("ed25519")
    signed = Signer("example.com", "bridge", pem.encode()).sign(MAIL, NOW)
    assert tag(signed, "a") == "ed25519-sha256"
    public = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(record.partition("p=")[2]))
    public.verify(base64.b64decode(tag(signed, "b")), _digest(signed))


def _digest(signed: bytes) -> bytes:
    """What is signed, worked out by dkimpy: it asks a verifier of ours, since its own needs another library."""
    reader = dkim.DKIM(signed)
    sig, include, fields = reader.verify_headerprep()
    digest = dkim.HashThrough(dkim.HASH_ALGORITHMS[b"ed25519-sha256"]())
    policy = dkim.CanonicalizationPolicy.from_c_value(sig[b"c"])
    dkim.hash_headers(digest, policy, policy.canonicalize_headers(reader.headers), include, fields[0], sig)
    found: bytes = digest.digest()
    return found


def test_a_new_key_is_rsa_2048_and_its_record_fits_a_zone_file() -> None:
    key = serialization.load_pem_private_key(PEM.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    assert RECORD.startswith("v=DKIM1; k=rsa; p=")
    assert SIGNER.record() == RECORD
    assert SIGNER.record_name() == "bridge._domainkey.example.com"
    pieces = re.findall(r'"([^"]*)"', zone_text(RECORD))
    assert "".join(pieces) == RECORD
    assert all(len(piece) <= 255 for piece in pieces)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (b"no key", "not an unencrypted PEM"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "RSA or Ed25519"),
        (PEM.replace("A", "B", 40).encode(), "not an unencrypted PEM"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_without_being_shown(pem: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        Signer("example.com", "bridge", pem)
    assert "MII" not in str(caught.value)


def test_a_short_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    short = rsa.generate_private_key(public_exponent=65_537, key_size=1024)
    Signer("example.com", "bridge", _pem(short))
    monkeypatch.setattr("bridge.mail_out.dkim_sign.MIN_RSA_BITS", 1025)
    with pytest.raises(ValueError, match="1024 bits"):
        Signer("example.com", "bridge", _pem(short))


@pytest.mark.parametrize(
    ("domain", "selector"), [("a b", "s"), ("example.com", "s\0x"), ("example.com", ""), ("-a", "s")]
)
def test_names_that_are_no_dns_names_are_refused(domain: str, selector: str) -> None:
    with pytest.raises(ValueError, match="DNS name"):
        Signer(domain, selector, PEM.encode())
