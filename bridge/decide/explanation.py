"""`explain`: the decision on a mail and how it came about, for an operator; it asks what `decide` asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bridge import optout
from bridge.decide.answers import taken
from bridge.decide.decision import cost_of, decide, reason_for, sender_of, signed_numbers, text_of
from bridge.decide.over import later_words, limit_words, refusal
from bridge.decide.recipient import at_rcpt, distinct, meant
from bridge.decide.sender import Proven, candidates, identity_of, matches, proof_of
from bridge.decide.use import UNLIMITED, Cap, Key, Over, Use, caps_for, current, judge, key_of, latest
from bridge.decide.values import NOTHING_SHOWN, Accept, Client, Envelope, Refuse, Shown, Special, Target
from bridge.message import InboundMail
from bridge.optout import OptOuts
from bridge.rules import BY_MAIL, Policy, Proof, SenderRule
from bridge.sms_text import Empty, SmsText, TooLong


@dataclass(frozen=True, slots=True)
class RuleTried:
    """One rule of the allowlist: did its address match, was it proven, and if it does not hold, why not."""

    rule: SenderRule
    matches: bool
    proof: Proof | None
    why_not: str


@dataclass(frozen=True, slots=True)
class RecipientRead:
    """One recipient: what it was read as, or the answer at RCPT that refused it."""

    address: str
    read: Target | Special | Refuse


@dataclass(frozen=True, slots=True)
class NumberTried:
    """One number: why it is refused under the rule, or empty, and its cost in ten-thousandths."""

    number: str
    address: str
    refused: str
    cost: int


@dataclass(frozen=True, slots=True)
class LimitTried:
    """A limit by time or of money, and how much of it was used before this mail, in the window until ``ends``."""

    cap: Cap
    words: str
    used: int
    ends: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything `smsbridge explain` shows. ``text`` and ``numbers`` need a proven sender.

    ``cost`` is that of all numbers that would be sent to, in ten-thousandths of the vendor's currency. ``limits`` are
    those by time and of money, once what is used of them is known.
    """

    identity: str | None
    proven: Proven | Refuse
    rules: tuple[RuleTried, ...]
    recipients: tuple[RecipientRead, ...]
    text: SmsText | TooLong | Empty | None
    numbers: tuple[NumberTried, ...]
    cost: int
    decision: Accept | Refuse | Special
    answer: str
    limits: tuple[LimitTried, ...] = ()


def explain(
    policy: Policy,
    mail: InboundMail,
    envelope: Envelope,
    size: int,
    our_instance: str,
    shown: Shown = NOTHING_SHOWN,
    optouts: OptOuts = optout.NOBODY,
) -> Explanation:
    """How the mail would be decided if ``envelope.client`` sent it to ``envelope.recipients`` now."""
    read = _recipients(policy, envelope, optouts)
    proven = sender_of(policy, mail, envelope, our_instance, shown)
    text = text_of(mail, proven) if isinstance(proven, Proven) else None
    segments = text.segments if isinstance(text, SmsText) else 0
    numbers = _numbers(policy, proven, shown, read, segments, optouts) if isinstance(proven, Proven) else ()
    decision = _decision(policy, mail, envelope, read, size, our_instance, shown, optouts)
    identity = identity_of(mail, envelope)
    return Explanation(
        identity=identity,
        proven=proven,
        rules=tuple(_tried(rule, envelope.client, identity or "", shown) for rule in policy.rules),
        recipients=read,
        text=text,
        numbers=numbers,
        cost=sum(number.cost for number in numbers if not number.refused),
        decision=decision,
        answer=_answer(decision),
    )


def caps_of_mail(policy: Policy, told: Explanation) -> tuple[Cap, ...]:
    """The limits that the mail would be counted for."""
    return caps_for(told.decision, policy.spend_cap) if isinstance(told.decision, Accept) else ()


def with_use(policy: Policy, told: Explanation, used: Mapping[Key, Use], now: int) -> Explanation:
    """The explanation with the limits by time and of money, of which so much is ``used``; they may refuse the mail."""
    caps, accept, zone = caps_of_mail(policy, told), told.decision, policy.timezone
    if not caps or not isinstance(accept, Accept):
        return told
    good = [sms for sms in accept.sms if not sms.refused]
    so_far = [used.get(key_of(cap, accept.mail.sender)) for cap in caps]
    judged = judge(caps, so_far, [sms.cost or 0 for sms in good], now, latest(good, now), zone)
    uses = [current(cap, use, now, zone) for cap, use in zip(caps, so_far, strict=True)]
    tried = tuple(
        LimitTried(cap, limit_words(cap), use.used, use.ends)
        for cap, use in zip(caps, uses, strict=True)
        if cap.most != UNLIMITED
    )
    if isinstance(judged, Over):
        answer = refusal(judged, now, zone)
        return replace(told, limits=tried, decision=answer, answer=str(answer))
    words = taken("MAIL-ID", accept, len(good), 0, later=later_words(judged.due, now, zone))
    return replace(told, limits=tried, answer=words)


def _recipients(policy: Policy, envelope: Envelope, optouts: OptOuts) -> tuple[RecipientRead, ...]:
    client = envelope.client
    rules = candidates(policy, client)
    read: list[RecipientRead] = []
    targets: list[Target] = []
    for address in envelope.recipients:
        found = at_rcpt(policy, client, rules, address, targets, optouts)
        read.append(RecipientRead(address, found))
        if isinstance(found, Target):
            targets.append(found)
    return tuple(read)


def _decision(
    policy: Policy,
    mail: InboundMail,
    envelope: Envelope,
    read: Sequence[RecipientRead],
    size: int,
    our_instance: str,
    shown: Shown,
    optouts: OptOuts,
) -> Accept | Refuse | Special:
    """What SMTP would say: without any number, what RCPT said first."""
    targets = _targets(read)
    if not targets and read:
        return next(one.read for one in read if not isinstance(one.read, Target))
    return decide(policy, mail, envelope, targets, size, our_instance, shown, optouts)


def _targets(read: Sequence[RecipientRead]) -> list[Target]:
    return [one.read for one in read if isinstance(one.read, Target)]


def _tried(rule: SenderRule, client: Client, identity: str, shown: Shown) -> RuleTried:
    if not matches(rule, identity):
        return RuleTried(rule, False, None, "its addresses do not match")
    proof = proof_of(rule, client, identity, shown)
    return RuleTried(rule, True, proof, "" if proof else _unproven(rule, client, shown))


def _unproven(rule: SenderRule, client: Client, shown: Shown) -> str:
    """Why no proof of a rule holds: each of its proofs, and what the client showed."""
    whys = []
    if "auth" in rule.proof:
        login = f"the login {client.user}" if client.user else "no login"
        wanted = f"one of its users ({', '.join(rule.users)})" if rule.users else "the From address as login"
        whys.append(f"auth: {login}, and it wants {wanted}")
    if "network" in rule.proof:
        networks = ", ".join(str(network) for network in rule.networks)
        whys.append(f"network: {client.address or 'no address'} is in none of its networks ({networks})")
    for proof in sorted(rule.proof & BY_MAIL):
        found = shown.findings.get(proof)
        whys.append(f"{proof}: {found.why if found else 'not looked for'}")
    return "; ".join(whys)


def _numbers(
    policy: Policy,
    proven: Proven,
    shown: Shown,
    read: Sequence[RecipientRead],
    segments: int,
    optouts: OptOuts,
) -> tuple[NumberTried, ...]:
    only = signed_numbers(policy, proven, shown)
    targets = meant(policy, _targets(read))
    if isinstance(targets, Refuse):
        return ()
    return tuple(
        NumberTried(
            number,
            address,
            reason_for(policy, proven.rule, number, only, optouts),
            cost_of(policy, number, segments),
        )
        for number, address in distinct(targets)
    )


def _answer(decision: Accept | Refuse | Special) -> str:
    if isinstance(decision, Refuse):
        return str(decision)
    if isinstance(decision, Special):
        return f"250 2.0.0 taken as {decision.kind}; it makes no SMS"
    return taken("MAIL-ID", decision, sum(1 for sms in decision.sms if not sms.refused), 0)
