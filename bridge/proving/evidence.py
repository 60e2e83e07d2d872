"""What a mail itself has to show, taken out of its octets: megabytes of text need not be held while DNS is asked."""

from dataclasses import dataclass, field
from functools import cached_property

from bridge.proving.body_digest import Digests, digests_of
from bridge.proving.fields import RawField, body_of, fields_of
from bridge.proving.unsigned_type import Shape, shape_of
from bridge.rules import Proof


@dataclass(frozen=True)
class Evidence:
    """``fields`` are those of its header, None if a line there is none; ``shape`` is what can be seen in its body."""

    fields: tuple[RawField, ...] | None
    shape: Shape
    known_digests: Digests | None = None
    whole: bytes = field(default=b"", repr=False)

    @cached_property
    def digests(self) -> Digests:
        """Those of its body; for mails whose signature may count, and in a thread: it may take its time."""
        return self.known_digests or digests_of(self.whole)


def evidence_of(mail: bytes, wanted: frozenset[Proof], digests: Digests | None = None) -> Evidence:
    """What ``mail`` (CRLF lines) has to show for the proofs ``wanted``.

    ``digests`` are those of its body where ``mail`` is not whole. Such a mail may be big, and is not held.
    """
    later = "dmarc" in wanted and digests is None
    return Evidence(fields_of(mail), shape_of(body_of(mail)), digests, mail if later else b"")
