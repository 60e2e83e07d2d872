"""The proofs that a mail itself can show: DKIM under DMARC (`dmarc`), `spf`, another server's word (`upstream`).

Asks DNS and reckons; must not know the store, SMTP or which rule names which proof. `Prover` is the way in.
"""

from bridge.proving.body_digest import BodyDigest, Digests
from bridge.proving.dns import Resolver, Unanswered
from bridge.proving.evidence import Evidence, evidence_of
from bridge.proving.prover import Prover

__all__ = ["BodyDigest", "Digests", "Evidence", "Prover", "Resolver", "Unanswered", "evidence_of"]
