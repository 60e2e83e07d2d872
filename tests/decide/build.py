"""A policy, clients and mails for the tests of the decision; mails are read from their bytes."""

import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from bridge import decide
from bridge.decide import Accept, Client, Envelope, Refuse, Target
from bridge.message import read
from bridge.rules import Limits, Policy, ReportRule, SenderRule, TextRule

OFFICE = Client("203.0.113.9", "anna@clinic.example")
RELAY = Client("203.0.113.9", "clinic-relay")
PLANT = Client("10.20.3.4")
STRANGER = Client("198.51.100.7")
OURS = "bridge-1"

ANNA = SenderRule(
    index=0,
    match=("anna@clinic.example",),
    proof=frozenset({"auth"}),
    limits=Limits(recipients=5, segments=3),
)
CLINIC = SenderRule(
    index=1,
    match=("*@clinic.example", "*@*.clinic.example"),
    proof=frozenset({"auth"}),
    users=("clinic-relay",),
    brand="clinic",
    account="clinic",
    prefixes=("+6142",),
    limits=Limits(recipients=2),
    reports=ReportRule(frozenset({"failed"}), "desk@clinic.example"),
)
UPS = SenderRule(
    index=2,
    match=("ups@plant.example",),
    proof=frozenset({"network"}),
    networks=(ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("2001:db8::/48")),
    mode="test",
    on_unknown="resend",
    text=TextRule(cut="none", too_long="cut"),
)
POLICY = Policy(
    domains=("sms.local", "text.example"),
    region="AU",
    rules=(ANNA, CLINIC, UPS),
    allow=("+614", "+642"),
    deny=("+61490",),
    aliases={"oncall": ("+61421000001", "+61431000002"), "far": ("+442071838750",)},
    prices={"+64": 1500, "+642": 1700},
    price_per_segment=1000,
    expire_after_ms=7_200_000,
)


def mail(body: str = "Hello", sender: str | None = "anna@clinic.example", *headers: str) -> bytes:
    """The bytes of a mail; ``sender`` is the From field's value, None for no From."""
    fields = [f"From: {sender}"] if sender is not None else ["Date: Mon, 1 Jan 2024 10:00:00 +1100"]
    return "\r\n".join([*fields, *headers, "", body, ""]).encode()


def envelope(client: Client = OFFICE, sender: str | None = "anna@clinic.example") -> Envelope:
    return Envelope(client, sender, ())


def targets(*numbers: str) -> tuple[Target, ...]:
    return tuple(Target(f"{number}@sms.local", (number,)) for number in numbers)


def decided(
    raw: bytes,
    client: Client = OFFICE,
    to: Sequence[Target] | None = None,
    policy: Policy = POLICY,
    sender: str | None = "anna@clinic.example",
) -> Accept | Refuse:
    """The decision on a mail as it comes from SMTP."""
    chosen = targets("+61421000001") if to is None else to
    return decide.decide(policy, read(raw), envelope(client, sender), chosen, len(raw), OURS)


def accepted(answer: object) -> Accept:
    assert isinstance(answer, Accept), answer
    return answer


def refused(answer: object) -> Refuse:
    assert isinstance(answer, Refuse), answer
    assert answer.text.isascii()
    assert answer.text.isprintable()
    assert len(str(answer)) < 500
    return answer


def with_rule(rule: SenderRule, **changes: object) -> Policy:
    """The policy with that one rule alone, changed."""
    return replace(POLICY, rules=(replace(rule, index=0, **changes),))  # type: ignore[arg-type]
