"""The files a configuration names: where they are looked for, and what each must be."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes as PrivateKey

from bridge.config import smtp_users_path
from bridge.config.files import MAX_LOGO, read_bytes
from bridge.errors import ConfigError
from bridge.render import logo
from tests.config.keys import PNG, certificate, pem, short_rsa_key
from tests.config.sample import changed, read, said, write


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """A folder with a certificate, its key, its key with a password, and a key of another."""
    own, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "tls.crt").write_bytes(certificate(own))
    (tmp_path / "tls.key").write_bytes(pem(own))
    (tmp_path / "locked.key").write_bytes(pem(own, b"geheim"))
    (tmp_path / "other.key").write_bytes(pem(other))
    return tmp_path


def test_a_certificate_and_its_key_serve_both_doors(tls: Path) -> None:
    text = changed("tls: none", "tls: starttls").replace(
        "smtp:\n", "smtp:\n  certificate: tls.crt\n  key: tls.key\n"
    )
    config = read(tls, text.replace("http:\n", "http:\n  certificate: tls.crt\n  key: tls.key\n"))
    assert (config.smtp.certificate, config.smtp.key) == (tls / "tls.crt", tls / "tls.key")
    assert (config.http.certificate, config.http.key) == (tls / "tls.crt", tls / "tls.key")


@pytest.mark.parametrize("key", ["other.key", "locked.key", "tls.crt"])
def test_a_key_that_does_not_open_its_certificate_is_told_at_once(tls: Path, key: str) -> None:
    [line] = said(tls, changed("smtp:\n", f"smtp:\n  certificate: tls.crt\n  key: {key}\n"))
    assert line == (
        f"5:16: smtp.certificate: {tls / 'tls.crt'} and {tls / key} are no certificate and its key (PEM, no password)"
    )


def test_a_certificate_file_that_is_no_file_is_told(tls: Path) -> None:
    (tls / "folder").mkdir()
    [line] = said(tls, changed("smtp:\n", "smtp:\n  certificate: folder\n  key: tls.key\n"))
    assert line == f"5:16: smtp.certificate: {tls / 'folder'} is not a plain file: name one"


def test_a_certificate_and_a_key_that_cannot_be_read_are_told_each_in_its_place(tls: Path) -> None:
    (tls / "big.crt").write_bytes(bytes(10_000_000))
    (tls / "folder").mkdir()
    first, second = said(tls, changed("smtp:\n", "smtp:\n  certificate: big.crt\n  key: folder\n"))
    assert first.startswith(f"5:16: smtp.certificate: {tls / 'big.crt'} is larger than ")
    assert second == f"6:8: smtp.key: {tls / 'folder'} is not a plain file: name one"


@pytest.mark.parametrize(
    ("given", "lacking"), [("certificate: tls.crt", "key"), ("key: tls.key", "certificate")]
)
def test_one_of_certificate_and_key_needs_the_other(tls: Path, given: str, lacking: str) -> None:
    [line] = said(tls, changed("http:\n", f"http:\n  {given}\n"))
    assert line == f"7:1: http.{lacking}: is missing: http.{given.partition(':')[0]} needs it"


def test_paths_count_from_the_files_folder_then_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "config", tmp_path / "elsewhere"
    (home / "brands").mkdir(parents=True)
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logo.png").write_bytes(PNG + b"working")
    text = changed(more="brands: {default: {name: x, logo: logo.png, templates: brands}}\n")
    brand = read(home, text).brands["default"]
    assert (brand.logo, brand.templates) == (PNG + b"working", str(home / "brands"))
    (home / "logo.png").write_bytes(PNG + b"beside")
    assert read(home, text).brands["default"].logo == PNG + b"beside"
    monkeypatch.chdir(elsewhere)
    assert read(home, text).brands["default"].logo == PNG + b"beside"


def test_the_users_file_that_is_not_there_yet_is_meant_beside_the_configuration(tmp_path: Path) -> None:
    path = write(
        tmp_path, changed("smtp:\n", "smtp:\n  users: users.yaml\n") + "everything: else may be wrong\n"
    )
    assert smtp_users_path(path) == tmp_path / "users.yaml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (changed(), ":4:1: smtp.users: is missing: name the users file"),
        (changed("smtp:\n", "smtp:\n  users: [x]\n"), ":5:3: smtp.users: is missing: name the users file"),
        ("a: }", ":1:4: a value is missing here, or a bracket is not closed"),
    ],
)
def test_a_file_that_names_no_users_file_is_told_so(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        smtp_users_path(path)
    assert str(error.value) == f"{path}{expected}"


@pytest.mark.parametrize("head", [PNG, b"\xff\xd8\xff\xe0", b"GIF87a", b"GIF89a"])
def test_a_logo_is_read_whole(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "logo").write_bytes(head + b"rest")
    assert (
        read(tmp_path, changed(more="brands: {x: {name: x, logo: logo}}\n")).brands["x"].logo
        == head + b"rest"
    )


def test_the_largest_logo_that_is_taken_still_goes_into_a_mail(tmp_path: Path) -> None:
    (tmp_path / "logo").write_bytes(PNG.ljust(MAX_LOGO, b"x"))
    taken = read(tmp_path, changed(more="brands: {x: {name: x, logo: logo}}\n")).brands["x"].logo
    assert taken is not None
    assert logo.read(taken, "sms.local").octets == taken


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<svg/>", "is no PNG, JPEG or GIF: mail clients show nothing else everywhere"),
        (b"", "is no PNG, JPEG or GIF: mail clients show nothing else everywhere"),
        (PNG + b"x" * 40_000, "is larger than 40,000 bytes"),
    ],
)
def test_a_logo_that_mail_clients_would_not_show_is_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    (tmp_path / "logo").write_bytes(content)
    [line] = said(tmp_path, changed(more="brands: {x: {name: x, logo: logo}}\n"))
    assert line == f"19:29: brands.x.logo: {tmp_path / 'logo'} {expected}"


def test_templates_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("")
    [line] = said(tmp_path, changed(more="brands: {x: {name: x, templates: t}}\n"))
    assert line.endswith(f"brands.x.templates: {tmp_path / 't'} is no folder: make it, or take the key away")


DKIM = "outbox: {smarthost: 'smtp://x', dkim: {domain: %s, selector: bridge, key: dkim.pem}}\n"


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(public_exponent=65537, key_size=1024), ed25519.Ed25519PrivateKey.generate()],
    ids=["rsa", "ed25519"],
)
def test_a_dkim_key_is_rsa_or_ed25519_and_is_never_shown(tmp_path: Path, key: PrivateKey) -> None:
    (tmp_path / "dkim.pem").write_bytes(pem(key))
    config = read(tmp_path, changed(more=DKIM % "sms.local"))
    assert config.outbox.dkim is not None
    assert (config.outbox.dkim.domain, config.outbox.dkim.selector) == ("sms.local", "bridge")
    assert config.outbox.dkim.key_pem == pem(key)
    assert pem(key).decode().splitlines()[1][:20] not in repr(config)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"no key", "is no private key in PEM form without password"),
        (
            pem(ec.generate_private_key(ec.SECP256R1()), b"geheim"),
            "is no private key in PEM form without password",
        ),
        (
            pem(ec.generate_private_key(ec.SECP256R1())),
            "is neither an RSA nor an Ed25519 key: DKIM knows these two",
        ),
    ],
    ids=["junk", "locked", "ec"],
)
def test_a_key_that_cannot_sign_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "dkim.pem").write_bytes(content)
    [line] = said(tmp_path, changed(more=DKIM % "sms.local"))
    assert line == f"19:82: outbox.dkim.key: {tmp_path / 'dkim.pem'} {expected}"


def test_an_rsa_key_too_short_for_verifiers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").write_bytes(pem(short_rsa_key()))
    [line] = said(tmp_path, changed(more=DKIM % "sms.local"))
    assert line.endswith("is an RSA key of 648 bits: make one of 2048")


def test_a_from_outside_the_signing_domain_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    more = (
        DKIM % "example.com"
        + "brands: {x: {name: x, from: a@other.example}, y: {name: y, from: a@mail.example.com}}\n"
    )
    assert said(tmp_path, changed(more=more)) == [
        "19:48: outbox.dkim.domain: warning: our mails from sms.local are not within example.com: signed in vain",
        "20:29: brands.x.from: warning: is not within the DKIM domain example.com: signed in vain",
    ]


def test_what_the_system_refuses_to_open_is_told_in_its_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot be read: not a directory"):
        read_bytes(tmp_path / "file" / "below", 10)
