"""`decide`: one mail, read and with its recipients, becomes `Accept` or `Refuse`. The step after DATA.

It decides in this order: loops, sender, numbers, text. Each step is a function that `explain` asks again.
"""

from collections.abc import Sequence

from bridge import optout
from bridge.decide import answers
from bridge.decide.loop import loop_reason
from bridge.decide.recipient import distinct, meant, numbers_at, numbers_of, refused_by
from bridge.decide.sender import Proven, identity_of, known, prove, wanted
from bridge.decide.values import (
    NOTHING_SHOWN,
    Accept,
    Envelope,
    JoinSame,
    NewMail,
    NewSms,
    Refuse,
    Shown,
    Target,
)
from bridge.message import InboundMail
from bridge.optout import OptOuts
from bridge.rules import DEFAULT_ACCOUNT, Policy, Proof, SenderRule
from bridge.sms_text import Empty, SmsText, TooLong, make

MAX_REFERENCES = 20  # message ids: a thread's first and its latest ones; RFC 5322, 3.6.4 sets no limit

NOT_SIGNED_TO = "its sender signed no To or Cc that names this number"
NO_IDENTITY = "the mail has no From, and no envelope sender or user address to stand for it"


def decide(
    policy: Policy,
    mail: InboundMail,
    envelope: Envelope,
    targets: Sequence[Target],
    size: int,
    our_instance: str,
    shown: Shown = NOTHING_SHOWN,
    optouts: OptOuts = optout.NOBODY,
) -> Accept | Refuse:
    """The mail with its SMS to store, or the answer that refuses it for all its recipients.

    ``targets`` are what `at_rcpt` accepted, ``size`` the mail's octets, ``our_instance`` our mails' mark,
    ``shown`` what came of the proofs that `to_look_for` names.
    ``optouts``: who wants no SMS, as far as is known here; the claim looks again.
    """
    proven = sender_of(policy, mail, envelope, our_instance, shown)
    if isinstance(proven, Refuse):
        return proven
    rule = proven.rule
    told = meant(policy, targets)
    if isinstance(told, Refuse):
        return told
    checked = check_numbers(policy, rule, told, only=signed_numbers(policy, proven, shown), optouts=optouts)
    if isinstance(checked, Refuse):
        return checked
    text = text_of(mail, proven)
    if not isinstance(text, SmsText):
        return answers.empty() if isinstance(text, Empty) else answers.too_long(text)
    return Accept(
        mail=_new_mail(mail, envelope, proven, size, text.cut, shown),
        sms=tuple(
            new_sms(policy, rule, number, address, text, reason) for number, address, reason in checked
        ),
        join=_join_same(rule),
        limits=rule.limits,
        signed=shown.signed_mail if proven.proof == "dmarc" else None,
    )


def to_look_for(policy: Policy, mail: InboundMail, envelope: Envelope, our_instance: str) -> frozenset[Proof]:
    """The proofs that a mail itself must show before it can be decided on; none for most mails."""
    identity = _identity(policy, mail, envelope, our_instance)
    return frozenset() if isinstance(identity, Refuse) else wanted(policy, envelope.client, identity)


def sender_of(
    policy: Policy,
    mail: InboundMail,
    envelope: Envelope,
    our_instance: str,
    shown: Shown = NOTHING_SHOWN,
) -> Proven | Refuse:
    """Who sent the mail, proven, or the refusal: a loop, no clear sender, not on the list, not proven."""
    identity = _identity(policy, mail, envelope, our_instance)
    return identity if isinstance(identity, Refuse) else prove(policy, envelope.client, identity, shown)


def _identity(policy: Policy, mail: InboundMail, envelope: Envelope, our_instance: str) -> str | Refuse:
    is_known = known(policy.rules, envelope.client)
    loop = loop_reason(mail, null_sender=not envelope.sender, known=is_known, our_instance=our_instance)
    if loop:
        return answers.refuse(550, "5.7.1", loop)
    identity = identity_of(mail, envelope) if is_known or mail.from_address else None
    return answers.unreadable(NO_IDENTITY) if identity is None else identity


def signed_numbers(policy: Policy, proven: Proven, shown: Shown) -> frozenset[str] | None:
    """The only numbers that a mail proven by its signature may go to: a signed mail can be handed in again by
    anybody, to anybody. None: it is proven otherwise, and bound to no numbers."""
    return numbers_at(policy, shown.signed_to) if proven.proof == "dmarc" else None


def check_numbers(
    policy: Policy,
    rule: SenderRule | None,
    targets: Sequence[Target],
    only: frozenset[str] | None = None,
    optouts: OptOuts = optout.NOBODY,
) -> list[tuple[str, str, str]] | Refuse:
    """``(number, address, reason)`` for each number once, reason empty for a good one.

    A refusal when there are too many for the rule, or none is good. ``only``: none but these may be good.
    """
    checked = [
        (number, address, reason_for(policy, rule, number, only, optouts))
        for number, address in distinct(targets)
    ]
    if not checked:
        return answers.refuse(554, "5.5.1", "the mail has no recipient that is a number")
    if rule and len(checked) > rule.limits.recipients:
        return answers.too_many(rule.limits.recipients)
    if all(reason for _, _, reason in checked):
        return answers.all_refused(checked[0][2], len(checked))
    return checked


def text_of(mail: InboundMail, proven: Proven) -> SmsText | TooLong | Empty:
    """The text of the SMS that the mail makes under its sender's rule."""
    return make(
        plain=mail.plain,
        html=mail.html,
        subject=mail.subject,
        rule=proven.rule.text,
        segments_limit=proven.rule.limits.segments,
        sender=proven.identity,
        truncated=mail.truncated,
    )


def new_sms(
    policy: Policy, rule: SenderRule | None, number: str, address: str, text: SmsText, reason: str
) -> NewSms:
    """One SMS to store; without a rule it goes over the default account and is held when unsure."""
    mode = rule.mode if rule else policy.mode
    counted = policy.spend_cap is not None or (rule is not None and rule.limits.of_money)
    return NewSms(
        number=number,
        recipient=address,
        text=text.text,
        encoding=text.encoding,
        segments=text.segments,
        account=rule.account if rule else DEFAULT_ACCOUNT,
        mode=mode,
        on_unknown=rule.on_unknown if rule else "hold",
        expire_after_ms=policy.expire_after_ms,
        refused=reason,
        cost=cost_of(policy, number, text.segments) if counted and mode == "live" else None,
    )


def cost_of(policy: Policy, number: str, segments: int) -> int:
    """The price of one SMS in ten-thousandths: the longest prefix of ``prices`` counts, if any."""
    best = max((prefix for prefix in policy.prices if number.startswith(prefix)), key=len, default=None)
    return segments * (policy.price_per_segment if best is None else policy.prices[best])


def _join_same(rule: SenderRule) -> JoinSame | None:
    within_ms = rule.limits.join_same_ms
    return JoinSame(within_ms, rule.limits.segments, rule.text.more) if within_ms else None


def reason_for(
    policy: Policy,
    rule: SenderRule | None,
    number: str,
    only: frozenset[str] | None = None,
    optouts: OptOuts = optout.NOBODY,
) -> str:
    """Why a number in E.164 may not be sent to under ``rule``, or an empty text. ``only`` as `check_numbers`."""
    if only is not None and number not in only:
        return NOT_SIGNED_TO
    found = numbers_of(policy, number)
    return (refused_by(policy, rule, found[0], optouts) or "") if found else "this is no phone number"


def _new_mail(
    mail: InboundMail, envelope: Envelope, proven: Proven, size: int, cut: tuple[str, ...], shown: Shown
) -> NewMail:
    ids = (*mail.references, mail.message_id) if mail.message_id else mail.references
    chain = tuple(dict.fromkeys(ids))
    return NewMail(
        sender=proven.identity,
        proof=proven.proof,
        rule=proven.rule.index,
        client=envelope.client.address,
        subject=mail.subject,
        header_message_id=(shown.stand_in_id if proven.proof == "dmarc" else None) or mail.message_id,
        references=(*chain[:1], *chain[1:][1 - MAX_REFERENCES :]),
        brand=proven.rule.brand,
        reports=proven.rule.reports,
        size=size,
        cut=cut,
    )
