"""Who the sender is, and which rule of the allowlist holds for them: address and proof.

The From of RFC 5322 is the identity; a proof is what the client showed, never what a mail claims.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from bridge.decide import answers
from bridge.decide.values import Client, Envelope, Refuse
from bridge.message import InboundMail
from bridge.rules import Policy, Proof, SenderRule

_PLAIN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Za-z:.]{2,50}\])", re.ASCII
)
_PROOFS: tuple[Proof, ...] = ("auth", "network")


@dataclass(frozen=True, slots=True)
class Proven:
    """A sender and the rule that lets them send."""

    identity: str
    rule: SenderRule
    proof: Proof


def candidates(policy: Policy, client: Client) -> tuple[SenderRule, ...]:
    """The rules that ``client`` could still meet, whatever From its mails will have; none for a stranger."""
    return tuple(rule for rule in policy.rules if _may_meet(rule, client))


def proven_itself(policy: Policy, client: Client) -> bool:
    """Whether ``client`` is proven already, whatever its mails will say: by its network or its login."""
    return any(_proves_itself(rule, client) for rule in policy.rules)


def identity_of(mail: InboundMail, envelope: Envelope) -> str | None:
    """The address a mail is from, in lower case; None when it has none.

    Without From it is the envelope sender, else the SMTP user's address: to be asked only for clients
    proven by network or login.
    """
    if mail.from_address:
        return mail.from_address.lower()
    stand_ins = (envelope.sender or "", envelope.client.user or "")
    return next((address.lower() for address in stand_ins if _PLAIN.fullmatch(address)), None)


def prove(policy: Policy, client: Client, identity: str) -> Proven | Refuse:
    """The first rule whose address and proof hold, or the refusal that names what would prove it."""
    matched = [rule for rule in policy.rules if matches(rule, identity)]
    for rule in matched:
        proof = proof_of(rule, client, identity)
        if proof:
            return Proven(identity, rule, proof)
    return answers.not_proven(identity, matched, client.user) if matched else answers.not_listed(identity)


def matches(rule: SenderRule, address: str) -> bool:
    """Whether one of the rule's patterns is for ``address``: ``a@b``, ``*@b``, or ``*@*.b`` below b."""
    return any(_matches(pattern, address.lower()) for pattern in rule.match)


def proof_of(rule: SenderRule, client: Client, identity: str) -> Proof | None:
    """How the client has proven to be ``identity`` in the eyes of ``rule``, or None."""
    for proof in _PROOFS:
        if proof in rule.proof and (_logged_in if proof == "auth" else _inside)(rule, client, identity):
            return proof
    return None


def _logged_in(rule: SenderRule, client: Client, identity: str) -> bool:
    user = (client.user or "").lower()
    return bool(user) and (_named(rule, user) if rule.users else user == identity)


def _inside(rule: SenderRule, client: Client, identity: str) -> bool:
    address = _ip(client.address)
    return address is not None and any(address in network for network in rule.networks)


def _may_meet(rule: SenderRule, client: Client) -> bool:
    return _proves_itself(rule, client)


def _proves_itself(rule: SenderRule, client: Client) -> bool:
    user = (client.user or "").lower()
    if "network" in rule.proof and _inside(rule, client, ""):
        return True
    return "auth" in rule.proof and bool(user) and (_named(rule, user) if rule.users else matches(rule, user))


def _named(rule: SenderRule, user: str) -> bool:
    return any(user == name.lower() for name in rule.users)


def _matches(pattern: str, address: str) -> bool:
    wanted_local, _, wanted = pattern.rpartition("@")
    local, _, domain = address.rpartition("@")
    if not local or wanted_local not in ("*", local):
        return False
    if wanted.startswith("*."):
        return domain.endswith(wanted[1:]) and len(domain) >= len(wanted)
    return domain == wanted


@lru_cache(1_024)  # parsing one costs as much as all the rest of a proof, and a client sends many mails
def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The client's address; one that came in over a dual-stack socket (``::ffff:…``) is an IPv4 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, ipaddress.IPv6Address) else parsed
