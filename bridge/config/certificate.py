"""The dates of a certificate's file: from when until when it counts."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from bridge.config.files import MAX_SECRET, read_bytes, shown


@dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate begins and ends to count (UTC), and its serial number."""

    begins: datetime.datetime
    ends: datetime.datetime
    serial: int

    def days_left(self, now_s: float) -> float:
        """Days from ``now_s`` (seconds UTC) to its end; below 0 when that is over."""
        return (self.ends.timestamp() - now_s) / 86_400


def validity(path: Path) -> Validity:
    """The dates of the first certificate in a PEM file: the server's own. Raises ValueError with one sentence."""
    content = read_bytes(path, MAX_SECRET * 4)
    try:
        found = x509.load_pem_x509_certificate(content)
        return Validity(found.not_valid_before_utc, found.not_valid_after_utc, found.serial_number)
    except ValueError:
        raise ValueError(f"{shown(path)} is no certificate in PEM form") from None
