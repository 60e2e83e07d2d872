"""What must hold for the sender rules: their brand, account, users, networks and prefixes exist and fit."""

import ipaddress
from collections.abc import Iterator, Mapping

from bridge.config.crosscheck import NO_PRICE, unknown
from bridge.config.parts import Parts
from bridge.config.problem import Finding, KeyPath, printable
from bridge.config.rule_model import SenderModel
from bridge.config.users import load_users
from bridge.errors import ConfigError
from bridge.rules import BY_MAIL, Network

# Addresses that containers' traffic gets: docker's first bridge and the pool of its others, podman's bridge.
_DOCKER = ipaddress.IPv4Network("172.17.0.0/16")
_CONTAINERS = (ipaddress.IPv4Network("172.16.0.0/12"), ipaddress.IPv4Network("10.88.0.0/16"))


def check_senders(parts: Parts) -> Iterator[Finding]:
    """Every finding about the allowlist."""
    if not parts.rules:
        yield Finding(("senders",), "nobody may send: add a rule", "warning")
    users, mistakes = _users(parts)
    yield from mistakes
    yield from _auth(parts)
    yield from _by_mail(parts)
    for index, rule in parts.senders.items():
        path = ("senders", index)
        yield from _names(path, rule, parts)
        yield from _who(path, rule, users)
        yield from _networks(path, rule)
        yield from _where(path, rule, parts)
        yield from _limits(path, rule, parts)


def _auth(parts: Parts) -> Iterator[Finding]:
    """Whether those who must log in can."""
    smtp = parts.smtp
    asked = [index for index, rule in parts.senders.items() if "auth" in rule.proof]
    if smtp is None:
        return
    if asked and smtp.users is None:
        yield Finding(("senders", asked[0], "proof"), "auth needs smtp.users, the file of SMTP users")
    if smtp.users is not None:
        if asked and all(listener.tls == "none" for listener in smtp.listen):
            text = "nobody can log in: no listener has tls: starttls or implicit"
            yield Finding(("senders", asked[0], "proof"), text, "warning")
        for index, listener in enumerate(smtp.listen):
            if listener.tls == "none" and not ipaddress.ip_address(listener.address).is_loopback:
                text = "no AUTH is offered here: passwords would travel in the clear"
                yield Finding(("smtp", "listen", index, "tls"), text, "warning")


def _by_mail(parts: Parts) -> Iterator[Finding]:
    """What the proofs that a mail itself shows need, and what they are not."""
    named = {proof: [i for i, rule in parts.senders.items() if proof in rule.proof] for proof in BY_MAIL}
    if parts.smtp is not None:
        upstreams = parts.smtp.upstreams
        if named["upstream"] and not upstreams:
            text = "upstream needs smtp.upstreams, the servers whose Authentication-Results count"
            yield Finding(("senders", named["upstream"][0], "proof"), text)
        if upstreams and not named["upstream"] and len(parts.senders) == parts.rules:
            text = "no rule has the proof upstream: name it in one, or take the servers away"
            yield Finding(("smtp", "upstreams"), text)
    for index in named["spf"]:
        text = "spf trusts whoever may send through the domain's servers, all customers of a provider too"
        yield Finding(("senders", index, "proof"), text, "warning")


def _users(parts: Parts) -> tuple[Mapping[str, str] | None, list[Finding]]:
    """The SMTP users, None when they cannot be known, and what there is to say about their file."""
    path = parts.smtp.users if parts.smtp else None
    if path is None:
        return None, []
    try:
        users = load_users(path)
    except ConfigError as error:
        return None, [Finding(("smtp", "users"), line) for line in str(error).splitlines()]
    if users:
        return users, []
    text = f"no user in {printable(str(path))} yet: add one with `smsbridge user add --smtp NAME`"
    return users, [Finding(("smtp", "users"), text, "warning")]


def _names(path: KeyPath, rule: SenderModel, parts: Parts) -> Iterator[Finding]:
    if parts.brand_names is not None and rule.brand not in parts.brand_names:
        yield Finding((*path, "brand"), unknown("brand", rule.brand, parts.brand_names))
    if parts.account_names is not None and rule.account not in parts.account_names:
        yield Finding((*path, "account"), unknown("account", rule.account, parts.account_names))
    if parts.vendor and parts.vendor.mode == "test" and rule.mode == "live":
        yield Finding((*path, "mode"), "vendor.mode is test, which holds for every rule", "warning")


def _who(path: KeyPath, rule: SenderModel, users: Mapping[str, str] | None) -> Iterator[Finding]:
    if rule.users is None:
        return
    if "auth" not in rule.proof:
        yield Finding(
            (*path, "users"), "users prove nothing without auth: add auth to proof, or take users away"
        )
    elif users is not None:
        for index, user in enumerate(rule.users):
            if user not in users:
                text = f"there is no SMTP user {user}: add it with `smsbridge user add --smtp {user}`"
                yield Finding((*path, "users", index), text)


def _networks(path: KeyPath, rule: SenderModel) -> Iterator[Finding]:
    if "network" in rule.proof and not rule.networks:
        yield Finding((*path, "proof"), "network needs networks, such as networks: [10.20.0.0/16]")
    if rule.networks and "network" not in rule.proof:
        text = "networks prove nothing without network: add network to proof, or take networks away"
        yield Finding((*path, "networks"), text)
    for index, network in enumerate(rule.networks):
        if _holds_gateway(network):
            text = (
                f"{network} holds a container gateway's addresses: "
                "behind a published port every client seems to come from there, and could send"
            )
            yield Finding((*path, "networks", index), text, "warning")


def _holds_gateway(network: Network) -> bool:
    if not isinstance(network, ipaddress.IPv4Network):
        return False
    return network.overlaps(_DOCKER) or any(network.subnet_of(pool) for pool in _CONTAINERS)


def _where(path: KeyPath, rule: SenderModel, parts: Parts) -> Iterator[Finding]:
    """A rule's prefixes are narrower than the global list: each lies in an allowed one, none is denied."""
    if parts.prefixes is None:
        return
    for index, prefix in enumerate(rule.prefixes):
        allowed = _longest(prefix, parts.prefixes.allow)
        if not allowed:
            text = f"{prefix} is outside prefixes.allow, which a rule cannot widen: allow it there first"
            yield Finding((*path, "prefixes", index), text)
        elif _longest(prefix, parts.prefixes.deny) >= allowed:
            yield Finding((*path, "prefixes", index), f"{prefix} lies inside prefixes.deny: no number passes")


def _limits(path: KeyPath, rule: SenderModel, parts: Parts) -> Iterator[Finding]:
    limits, path = rule.limits, (*path, "limits")
    by_time = [most for most in (limits.per_minute, limits.per_hour, limits.per_day) if most]
    if limits.over and not by_time:
        yield Finding((*path, "over"), "needs a limit to be over: per_minute, per_hour or per_day")
    for name in ("spend_per_day", "spend_per_month"):
        if getattr(limits, name) is None or parts.vendor is None:
            continue
        if not parts.vendor.price_per_segment:
            yield Finding((*path, name), NO_PRICE)
        if "test" in (rule.mode, parts.vendor.mode):
            yield Finding((*path, name), "holds nothing back in mode test: no money is counted", "warning")


def _longest(prefix: str, among: list[str]) -> int:
    return max((len(other) for other in among if prefix.startswith(other)), default=0)
