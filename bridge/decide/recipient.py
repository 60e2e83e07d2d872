"""RCPT: one recipient address becomes numbers, a special address of ours, or a refusal.

Strict on purpose: what could be read as a route to somewhere else (RFC 5321, appendix C) is refused.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from bridge import optout, phone
from bridge.decide import answers
from bridge.decide.sender import known
from bridge.decide.values import Client, Refuse, Special, Target
from bridge.optout import OptOuts
from bridge.phone import Number
from bridge.rules import DEFAULT_ACCOUNT, Policy, SenderRule

_ADDRESS = re.compile(r"([A-Za-z0-9+_][A-Za-z0-9+._-]{0,63})@([A-Za-z0-9.-]{1,253})", re.ASCII)
# RFC 5321, 4.1.2: quotes around a local part say nothing; a client puts them around a number with blanks.
_QUOTED = re.compile(r'"([A-Za-z0-9+_ ().-]{1,64})"@([A-Za-z0-9.-]{1,253})', re.ASCII)
_KEYED = re.compile(r"(reply|bounce)\+([a-z0-9]{8,40})", re.ASCII)
_MOST_SIGNED = 1_000  # addresses of ours in one signed To and Cc: reading a number is 40 µs
_ROUTE = re.compile(r"[@%!:]")


def at_rcpt(
    policy: Policy,
    client: Client,
    candidates: Sequence[SenderRule],
    address: str,
    taken: Sequence[Target] = (),
    optouts: OptOuts = optout.NOBODY,
) -> Target | Special | Refuse:
    """What the recipient ``address`` (without angle brackets) is, or why it is refused.

    ``candidates`` are this client's; a number is refused only if all of them refuse it. ``taken`` are the
    targets already accepted in this transaction: ``limits.recipients`` counts distinct numbers. To a client that
    only its mail can prove, an alias and a name that is none look alike: both are accepted, as a target without
    numbers, and `meant` tells them apart when the sender is proven. Nor does such
    a client hear of ``optouts``: else anybody could find out who opted out.
    """
    special = _special(policy, address)
    if special:
        return special
    read = _ADDRESS.fullmatch(address) or _QUOTED.fullmatch(address)
    if read is None:
        return _unread(policy, address, bool(candidates), client)
    local, domain = read[1].lower(), read[2].lower()
    if domain not in policy.domains:
        return answers.not_ours(policy)
    if not candidates:  # before aliases are told apart: a stranger may not probe them
        return answers.nobody(client.address, client.user)
    if phone.parse(local, policy.region) is None and not known(candidates, client):
        return Target(address, ())
    numbers = numbers_of(policy, local)
    if not numbers:
        return _no_number(policy, read[1])
    told = optouts if optouts and known(candidates, client) else optout.NOBODY
    refused = [_refused_by_all(policy, candidates, number, told) for number in numbers]
    if all(refused):
        return answers.all_refused(refused[0] or "", len(numbers))
    return _within_limit(Target(address, tuple(n.e164 for n in numbers)), taken, candidates)


def meant(policy: Policy, targets: Sequence[Target]) -> Sequence[Target] | Refuse:
    """The targets of a proven sender, names told apart: with the numbers of an alias, or refused for one that is
    none."""
    if all(target.numbers for target in targets):
        return targets
    found: list[Target] = []
    for target in targets:
        local = target.address.rpartition("@")[0].strip('"')
        numbers = target.numbers or tuple(number.e164 for number in numbers_of(policy, local))
        if not numbers:
            return _no_number(policy, local)
        found.append(Target(target.address, numbers))
    return found


def numbers_at(policy: Policy, addresses: Iterable[str]) -> frozenset[str]:
    """The numbers in E.164 that those of ``addresses`` mean that are at our domains."""
    parted = (address.lower().rpartition("@") for address in addresses)
    ours = [local for local, _, domain in parted if domain in policy.domains]
    return frozenset(number.e164 for local in ours[:_MOST_SIGNED] for number in numbers_of(policy, local))


def numbers_of(policy: Policy, written: str) -> tuple[Number, ...]:
    """The numbers that an alias or a number as written stands for; none when it is neither."""
    alias = policy.aliases.get(written.lower())
    found = (phone.parse(text, policy.region) for text in (alias or (written,)))
    return tuple(dict.fromkeys(number for number in found if number))


def refused_by(
    policy: Policy, rule: SenderRule | None, number: Number, optouts: OptOuts = optout.NOBODY
) -> str | None:
    """Why ``number`` may not be sent to under ``rule`` (None: the global lists alone), or None."""
    why = phone.allowed(number, policy.allow, policy.deny, policy.number_types, rule.prefixes if rule else ())
    if why or not optouts:
        return why
    day = optout.since(optouts, number.e164, rule.account if rule else DEFAULT_ACCOUNT)
    return optout.reason(phone.short(number), day) if day else None


def distinct(targets: Iterable[Target]) -> Iterator[tuple[str, str]]:
    """Each number once, with the address that it was first asked for under."""
    seen: dict[str, str] = {}
    for target in targets:
        for number in target.numbers:
            seen.setdefault(number, target.address)
    yield from seen.items()


def working_example(policy: Policy) -> str:
    """A number as a local part that the global lists let pass; the shape of one when none is known."""
    for text in _examples(policy):
        number = phone.parse(text, policy.region)
        if number and refused_by(policy, None, number) is None:
            return text
    return "<+, country code, number>"


def _examples(policy: Policy) -> Iterator[str]:
    yield phone.example(policy.region)
    for prefix in policy.allow:
        yield phone.example(phone.region_of(prefix), national=False)


def _special(policy: Policy, address: str) -> Special | None:
    local, _, domain = address.lower().rpartition("@")
    if address.lower() == "postmaster":  # RFC 5321, 4.5.1: also without a domain
        return Special("postmaster", address)
    if domain not in policy.domains:
        return None
    if local == "postmaster":
        return Special("postmaster", address)
    keyed = _KEYED.fullmatch(local)
    if keyed is None:
        return None
    return Special("reply" if keyed[1] == "reply" else "bounce", address, keyed[2])


def _no_number(policy: Policy, read: str) -> Refuse:
    return answers.not_a_number(read, f"{working_example(policy)}@{policy.domains[0]}")


def _unread(policy: Policy, address: str, known: bool, client: Client) -> Refuse:
    """A recipient that is no plain address: a route elsewhere, or a local part we do not take."""
    local, _, domain = address.rpartition("@")
    if domain.lower() not in policy.domains or _ROUTE.search(local):
        return answers.not_ours(policy)
    if not known:
        return answers.nobody(client.address, client.user)
    return _no_number(policy, "")


def _refused_by_all(
    policy: Policy, rules: Sequence[SenderRule], number: Number, optouts: OptOuts
) -> str | None:
    """The first candidate's reason, when every candidate has one. Rules of the same prefixes and account say the
    same."""
    first: str | None = None
    for rule in {(rule.prefixes, rule.account): rule for rule in rules}.values():
        reason = refused_by(policy, rule, number, optouts)
        if reason is None:
            return None
        first = first or reason
    return first


def _within_limit(target: Target, taken: Sequence[Target], rules: Sequence[SenderRule]) -> Target | Refuse:
    limit = max(rule.limits.recipients for rule in rules)
    count = sum(1 for _ in distinct([*taken, target]))
    return answers.too_many(limit) if count > limit else target
