"""``smsbridge explain``: what would be decided on a mail file, and why. Sends nothing, writes nothing."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from bridge.cli.output import as_json, clean, fail
from bridge.cli.setting import configured
from bridge.decide import Accept, Client, Envelope, Explanation, Refuse, Special, Target, explain, unreadable
from bridge.errors import MailError
from bridge.message import read
from bridge.phone import display
from bridge.sms_text import SmsText, TooLong

_COSTLY_SHOWN: Final = 10


def run(options: Namespace) -> int:
    """Explain one mail; exit code 0 when it would be taken, 1 when it would be refused."""
    config = configured(options)
    try:
        raw = sys.stdin.buffer.read() if options.mail == "-" else Path(options.mail).read_bytes()
    except OSError as fault:
        return fail(f"cannot read {options.mail}: {(fault.strerror or 'unknown reason').lower()}")
    try:
        mail = read(raw)
    except MailError as fault:
        print(unreadable(str(fault)))
        return 1
    sender = options.sender if options.sender is not None else mail.from_address
    envelope = Envelope(
        Client(options.client, options.user.lower() if options.user else None),
        sender,
        tuple(options.to or _ours(mail.to_addresses, config.policy.domains)),
    )
    told = explain(config.policy, mail, envelope, len(raw), config.policy.domains[0])
    if options.json:
        as_json([_object(told)])
    else:
        _print(told)
    return 1 if isinstance(told.decision, Refuse) else 0


def _ours(addresses: tuple[str, ...], domains: tuple[str, ...]) -> list[str]:
    return [address for address in addresses if address.rpartition("@")[2].lower() in domains]


def _object(told: Explanation) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if isinstance(told.text, SmsText):
        made = {"text": told.text.text, "cut": list(told.text.cut)}
    if isinstance(told.text, SmsText | TooLong):
        made |= {"encoding": told.text.encoding, "segments": told.text.segments}
        made["costly"] = [clean(f"{c.character} {c.name} at {c.position}") for c in told.text.costly]
    return {
        "answer": told.answer,
        "accepted": isinstance(told.decision, Accept),
        "identity": told.identity,
        "rules": [
            {
                "rule": tried.rule.index,
                "match": list(tried.rule.match),
                "proof": tried.proof,
                "why_not": tried.why_not,
            }
            for tried in told.rules
        ],
        "recipients": [{"address": one.address, "read": _read(one.read)} for one in told.recipients],
        "numbers": [
            {"number": one.number, "refused": one.refused, "cost": one.cost / 10_000} for one in told.numbers
        ],
        "cost": told.cost / 10_000,
        **made,
    }


def _read(found: Target | Special | Refuse) -> str:
    if isinstance(found, Target):
        return ", ".join(found.numbers)
    return found.kind if isinstance(found, Special) else str(found)


def _print(told: Explanation) -> None:
    print(f"answer      {told.answer}")
    print(f"sender      {clean(told.identity or 'none')}")
    for tried in told.rules:
        match = ", ".join(tried.rule.match)
        held = f"holds, proven by {tried.proof}" if tried.proof else f"no: {tried.why_not}"
        print(f"rule {tried.rule.index + 1:<6} {match}: {held}")
    for one in told.recipients:
        print(f"recipient   {clean(one.address)}: {_read(one.read)}")
    for number in told.numbers:
        cost = f"refused: {number.refused}" if number.refused else f"costs {number.cost / 10_000:.4f}"
        print(f"number      {display(number.number)}: {cost}")
    if isinstance(told.text, SmsText):
        print(
            f"text        {_counts(told.text)}{'; cut: ' + ', '.join(told.text.cut) if told.text.cut else ''}"
        )
        print("\n".join(f"    | {clean(line)}" for line in told.text.text.splitlines()))
    elif isinstance(told.text, TooLong):
        print(f"text        too long: {_counts(told.text)}")
    if isinstance(told.text, SmsText | TooLong):
        for costly in told.text.costly[:_COSTLY_SHOWN]:
            print(f"costly      {clean(costly.character)} {costly.name}, character {costly.position + 1}")
    print(f"cost        {told.cost / 10_000:.4f}")


def _counts(text: SmsText | TooLong) -> str:
    encoding = "GSM-7" if text.encoding == "gsm7" else "UCS-2"
    return f"{text.segments} segment{'' if text.segments == 1 else 's'} of {encoding}"
