"""An operator's own SMS: sent by hand, resubmitted or forwarded, through the same policy as a mail."""

from dataclasses import replace

from bridge import optout
from bridge.decide import answers
from bridge.decide.decision import check_numbers, new_sms
from bridge.decide.recipient import numbers_of, working_example
from bridge.decide.sender import matches
from bridge.decide.values import Accept, NewMail, Refuse, Target
from bridge.optout import OptOuts
from bridge.rules import Limits, Policy, ReportRule, SenderRule, TextRule
from bridge.sms_text import Empty, SmsText, make

OPERATOR = "operator"  # stands for the sender and the client of what was sent by hand
_AS_WRITTEN = TextRule(subject="ignore", cut="none", stop_marks=())
_NOBODY = ReportRule(when=frozenset())


def by_hand(
    policy: Policy,
    number_text: str,
    text: str,
    *,
    rule_sender: str | None = None,
    resubmit_of: str | None = None,
    subject: str = "",
    references: tuple[str, ...] = (),
    optouts: OptOuts = optout.NOBODY,
) -> Accept | Refuse:
    """The SMS an operator asks for, to a number or alias, or why policy refuses it.

    ``rule_sender`` is the sender of the mail that is resubmitted or forwarded: their rule counts, and they
    are told. Without one, or when no rule is for them any more, the global lists and one segment count, and
    nobody is told. ``resubmit_of`` is the MessageID it repeats.
    """
    numbers = numbers_of(policy, number_text.strip())
    if not numbers:
        return answers.not_a_number(number_text.strip(), working_example(policy))
    rule = _rule_for(policy, rule_sender)
    target = Target(number_text.strip(), tuple(number.e164 for number in numbers))
    checked = check_numbers(policy, rule, [target], optouts=optouts)
    if isinstance(checked, Refuse):
        return checked
    made = _made(text, rule)
    if isinstance(made, Refuse):
        return made
    rows = (new_sms(policy, rule, number, address, made, reason) for number, address, reason in checked)
    return Accept(
        mail=NewMail(
            sender=rule_sender or OPERATOR,
            proof="operator",
            rule=rule.index if rule else -1,
            client=OPERATOR,
            subject=subject,
            header_message_id=None,
            references=references,
            brand=rule.brand if rule else "default",
            reports=rule.reports if rule else _NOBODY,
            size=len(text.encode("utf-8", "replace")),
            cut=made.cut,
        ),
        sms=tuple(replace(sms, resubmit_of=resubmit_of) for sms in rows),
        limits=rule.limits if rule else Limits(),
    )


def _rule_for(policy: Policy, sender: str | None) -> SenderRule | None:
    return next((rule for rule in policy.rules if sender and matches(rule, sender)), None)


def _made(text: str, rule: SenderRule | None) -> SmsText | Refuse:
    """The text as the operator wrote it: no template, nothing cut; folded and counted as the rule says."""
    fold = rule.text.fold if rule else _AS_WRITTEN.fold
    limits = rule.limits if rule else Limits()
    made = make(
        plain=text,
        html=None,
        subject="",
        rule=replace(_AS_WRITTEN, fold=fold),
        segments_limit=limits.segments,
    )
    if isinstance(made, SmsText):
        return made
    return answers.empty() if isinstance(made, Empty) else answers.too_long(made)
