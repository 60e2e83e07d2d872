"""The logo of a brand as an inline picture: only what mail clients show, and small."""

import hashlib
from dataclasses import dataclass
from typing import Final

MAX_OCTETS: Final = 40_000  # a whole mail stays under 100 kB; many clients cut longer ones

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (b"\xff\xd8\xff", "image/jpeg", "jpg"),
    (b"GIF8", "image/gif", "gif"),
)


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that can go into a mail. ``cid`` is its Content-ID without angle brackets."""

    octets: bytes
    media_type: str
    filename: str
    cid: str


def read(octets: bytes, domain: str) -> Logo:
    """The logo in ``octets``. Raises ValueError, saying what is wrong, for what mails cannot show."""
    if len(octets) > MAX_OCTETS:
        raise ValueError(f"the logo has {len(octets):,} bytes; at most {MAX_OCTETS:,} go into a mail")
    for magic, media_type, ending in _MAGIC:
        if octets.startswith(magic):
            name = hashlib.sha256(octets).hexdigest()[:16]
            return Logo(octets, media_type, f"logo.{ending}", f"logo.{name}@{domain}")
    raise ValueError("the logo is neither PNG, JPEG nor GIF")
