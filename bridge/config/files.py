"""The files that the configuration names: found, read within bounds, checked, with errors that help.

Relative paths count from the folder of the configuration file; only what is not there is looked for in the
working folder. Must not know the model.
"""

import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bridge.config.problem import printable

MAX_SECRET = 65_536  # bytes of a secret's or key's file
MAX_LOGO = 40_000  # bytes: what render puts into a mail, which stays under 100 kB with it
MIN_RSA_BITS = 1_024  # RFC 8301, 3.2: verifiers need not take less
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a configuration is read: the folder of its file, and the environment for its secrets."""

    folder: Path
    environ: Mapping[str, str]

    def locate(self, written: str) -> Path:
        """The path that ``written`` means. What is in neither folder is meant for the file's own."""
        beside, here = self.folder / written, Path(written)
        return here if not is_there(beside) and is_there(here) else beside

    def existing(self, written: str) -> Path:
        """The path that ``written`` means. Raises ValueError with every place when nothing is there."""
        path = self.locate(written)
        if not is_there(path):
            places = dict.fromkeys((shown(path), printable(written)))
            raise ValueError(f"there is nothing at {' or '.join(places)}")
        return path


def is_there(path: Path) -> bool:
    """Whether something lies at ``path`` that we can see."""
    try:
        return path.exists()
    except OSError:
        return False


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a regular file of at most ``most`` bytes. Raises ValueError with one sentence."""
    if "\0" in str(path):
        raise ValueError(f"{shown(path)} is no path of a file")
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or device would block, or never end
            raise ValueError(f"{shown(path)} is not a plain file: name one")
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise ValueError(f"{shown(path)} cannot be read: {_reason(error)}") from None
    if len(content) > most:
        raise ValueError(f"{shown(path)} is larger than {most:,} bytes")
    return content


def keep_readers(path: Path, descriptor: int, *, new: bool = False) -> None:
    """Let the service read what root writes for it to ``descriptor``, to be put at ``path``.

    What replaces a file keeps its owner and group. The group may read it if it could read the file, or the folder
    of a new one, while others could not: a folder of root and the service's group, mode 0750. ``new``: what lies at
    ``path`` is what is being written, nothing did before.
    """
    if os.geteuid() != 0:
        return
    replaces = not new and is_there(path)
    before = (path if replaces else path.absolute().parent).stat()
    os.fchown(descriptor, before.st_uid if replaces else -1, before.st_gid)
    if before.st_gid and before.st_mode & 0o047 == 0o040:
        os.fchmod(descriptor, 0o640)


def read_logo(path: Path) -> bytes:
    """The bytes of a PNG, JPEG or GIF of at most 40 kB."""
    content = read_bytes(path, MAX_LOGO)
    if not content.startswith(_PICTURES):
        raise ValueError(f"{shown(path)} is no PNG, JPEG or GIF: mail clients show nothing else everywhere")
    return content


def read_dkim_key(path: Path) -> bytes:
    """The PEM of an RSA key of at least 1,024 bits or an Ed25519 key, without password."""
    content = read_bytes(path, MAX_SECRET)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(f"{shown(path)} is no private key in PEM form without password") from None
    if isinstance(key, RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"{shown(path)} is an RSA key of {key.key_size} bits: make one of 2048")
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError(f"{shown(path)} is neither an RSA nor an Ed25519 key: DKIM knows these two")
    return content


def existing_folder(path: Path) -> Path:
    """``path`` when it is a folder."""
    try:
        found = path.is_dir()
    except OSError:
        found = False
    if not found:
        raise ValueError(f"{shown(path)} is no folder: make it, or take the key away")
    return path


def unreadable(path: Path) -> str | None:
    """Why the file of a certificate or key cannot be read, or None."""
    try:
        read_bytes(path, MAX_SECRET * 4)
    except ValueError as error:
        return str(error)
    return None


def tls_mistake(certificate: Path, key: Path) -> str | None:
    """Why a certificate and key cannot serve TLS together, or None."""
    mistake = unreadable(certificate) or unreadable(key)
    if mistake:
        return mistake
    try:
        # A password would be asked for at the terminal: an empty one is wrong at once.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=b"")
    except (ssl.SSLError, OSError, ValueError):
        return f"{shown(certificate)} and {shown(key)} are no certificate and its key (PEM, no password)"
    return None


def shown(path: Path) -> str:
    """A path fit for an error line."""
    return printable(str(path))


def _reason(error: OSError) -> str:
    return (error.strerror or "it fails").lower()
