"""Who the sender is, and which rule of the allowlist holds for them: address and proof.

The From of RFC 5322 is the identity; a proof is what the client showed, never what a mail claims.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from bridge.decide import answers
from bridge.decide.values import NOTHING_SHOWN, Client, Envelope, Refuse, Shown
from bridge.message import InboundMail
from bridge.rules import BY_MAIL, Network, Policy, Proof, SenderRule, Upstream

_PLAIN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Za-z:.]{2,50}\])", re.ASCII
)
# What the client shows comes first, as it costs nothing; `dmarc` last, as it binds the sender to the signed To.
_BY_CLIENT: tuple[Proof, ...] = ("auth", "network")
_BY_MAIL: tuple[Proof, ...] = ("upstream", "spf", "dmarc")


@dataclass(frozen=True, slots=True)
class Proven:
    """A sender and the rule that lets them send."""

    identity: str
    rule: SenderRule
    proof: Proof


def candidates(policy: Policy, client: Client) -> tuple[SenderRule, ...]:
    """The rules that ``client`` could still meet, whatever From and proofs its mails will have."""
    by_mail = BY_MAIL if upstreams_of(policy, client) else BY_MAIL - {"upstream"}
    return tuple(rule for rule in policy.rules if rule.proof & by_mail or _is_known_to(rule, client))


def known(rules: Iterable[SenderRule], client: Client) -> bool:
    """Whether network or login prove ``client`` to one of ``rules``. Who is not known is told less."""
    return any(_is_known_to(rule, client) for rule in rules)


def upstreams_of(policy: Policy, client: Client) -> tuple[Upstream, ...]:
    """The mail servers whose results count in a mail that ``client`` hands in."""
    return tuple(one for one in policy.upstreams if _within(client, (one.network,)))


def identity_of(mail: InboundMail, envelope: Envelope) -> str | None:
    """The address a mail is from, in lower case; None when it has none.

    Without From it is the envelope sender, else the SMTP user's address: to be asked only for clients
    proven by network or login.
    """
    if mail.from_address:
        return mail.from_address.lower()
    stand_ins = (envelope.sender or "", envelope.client.user or "")
    return next((address.lower() for address in stand_ins if _PLAIN.fullmatch(address)), None)


def prove(policy: Policy, client: Client, identity: str, shown: Shown = NOTHING_SHOWN) -> Proven | Refuse:
    """The first rule whose address and proof hold, or the refusal that names what would prove it.

    A rule of which nobody can say now whether it holds is not passed over: the mail is to come again.
    """
    matched = [rule for rule in policy.rules if matches(rule, identity)]
    for rule in matched:
        proof = proof_of(rule, client, identity, shown)
        if proof:
            return Proven(identity, rule, proof)
        if any(shown.findings[proof].later for proof in rule.proof & shown.findings.keys()):
            return answers.not_now(identity)
    if not matched:
        return answers.not_listed(identity)
    return answers.not_proven(identity, matched, client.user, shown)


def wanted(policy: Policy, client: Client, identity: str) -> frozenset[Proof]:
    """The proofs to look for in a mail from ``identity``: those that decide which rule is the first to hold."""
    found: set[Proof] = set()
    for rule in policy.rules:
        if matches(rule, identity):
            if proof_of(rule, client, identity):
                break
            found |= rule.proof & BY_MAIL
    return frozenset(found)


def matches(rule: SenderRule, address: str) -> bool:
    """Whether one of the rule's patterns is for ``address``: ``a@b``, ``*@b``, or ``*@*.b`` below b."""
    return any(_matches(pattern, address.lower()) for pattern in rule.match)


def proof_of(rule: SenderRule, client: Client, identity: str, shown: Shown = NOTHING_SHOWN) -> Proof | None:
    """How the client or its mail has proven to be ``identity`` in the eyes of ``rule``, or None."""
    for proof in _BY_CLIENT:
        if proof in rule.proof and (_logged_in if proof == "auth" else _inside)(rule, client, identity):
            return proof
    for proof in _BY_MAIL:
        if proof in rule.proof and proof in shown.findings and shown.findings[proof].holds:
            return proof
    return None


def _logged_in(rule: SenderRule, client: Client, identity: str) -> bool:
    user = (client.user or "").lower()
    return bool(user) and (_named(rule, user) if rule.users else user == identity)


def _inside(rule: SenderRule, client: Client, identity: str) -> bool:
    return _within(client, rule.networks)


def _within(client: Client, networks: Iterable[Network]) -> bool:
    address = _ip(client.address)
    return address is not None and any(address in network for network in networks)


def _is_known_to(rule: SenderRule, client: Client) -> bool:
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
