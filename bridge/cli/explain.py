"""``smsbridge explain``: what would be decided on a mail file, and why. Sends nothing, writes nothing."""

import asyncio
import re
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bridge.app.wiring import instance_of, prover_of
from bridge.cli.output import as_json, clean, fail, iso, local
from bridge.cli.setting import configured, opened
from bridge.config import Config
from bridge.decide import (
    NOTHING_SHOWN,
    Accept,
    Client,
    Envelope,
    Explanation,
    Refuse,
    Shown,
    Special,
    Target,
    caps_of_mail,
    explain,
    numbers_of,
    to_look_for,
    unreadable,
    with_use,
)
from bridge.errors import MailError, StoreError
from bridge.message import InboundMail, read
from bridge.optout import NOBODY, OptOuts, view
from bridge.phone import display
from bridge.proving import evidence_of
from bridge.rules import Proof, money
from bridge.sms_text import SmsText, TooLong
from bridge.store import is_current, is_there, used_by

_COSTLY_SHOWN: Final = 10
_MONEY: Final = 10_000
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


def run(options: Namespace) -> int:
    """Explain one mail; exit code 0 when it would be taken, 1 when it would be refused."""
    config = configured(options)
    try:
        raw = _mail(options.mail, config.smtp.max_size + 1)
    except OSError as fault:
        return fail(f"cannot read {options.mail}: {(fault.strerror or 'unknown reason').lower()}")
    if len(raw) > config.smtp.max_size:
        return _refused(Refuse(552, "5.3.4", "the mail is too big"), options)
    try:
        mail = read(raw)
    except MailError as fault:
        return _refused(unreadable(str(fault)), options)
    envelope, instance = _envelope(options, mail, config), instance_of(config)
    shown = _shown(config, raw, mail, envelope, instance)
    optouts, unseen = asyncio.run(_optouts(config, envelope.recipients))
    told = explain(config.policy, mail, envelope, len(raw), instance, shown, optouts)
    unknown = ""
    if caps_of_mail(config.policy, told):
        try:
            told = _with_use(config, told)
        except StoreError as fault:
            unknown = str(fault)
    if options.json:
        as_json([_object(told) | {"optouts_unseen": unseen} | ({"limits": None} if unknown else {})])
    else:
        _print(told, config)
        if unseen:
            _say("opt-outs", f"not looked at: {unseen}")
        if unknown:
            _say("limits", f"what is used of them is not known: {unknown}")
    return 1 if isinstance(told.decision, Refuse) else 0


def _with_use(config: Config, told: Explanation) -> Explanation:
    """What the running service has counted so far; it is only read."""
    assert isinstance(told.decision, Accept)
    database = config.database.whole()
    if not is_there(database):
        return with_use(config.policy, told, {}, _now())
    return with_use(config.policy, told, used_by(database, told.decision.mail.sender), _now())


def _now() -> int:
    return time.time_ns() // 1_000_000


def _mail(name: str, most: int) -> bytes:
    """Return at most ``most`` octets of the file, or of standard input for ``-``."""
    if name == "-":
        return sys.stdin.buffer.read(most)
    with Path(name).open("rb") as file:
        return file.read(most)


def _envelope(options: Namespace, mail: InboundMail, config: Config) -> Envelope:
    """The envelope as it was told, else as a client would make it of the mail."""
    sender = options.sender if options.sender is not None else mail.from_address
    ours = [to for to in mail.to_addresses if to.rpartition("@")[2].lower() in config.policy.domains]
    return Envelope(
        Client(options.client, options.user.lower() if options.user else None),
        sender,
        tuple(options.to or ours or mail.to_addresses),
        options.hello,
    )


def _shown(config: Config, raw: bytes, mail: InboundMail, envelope: Envelope, instance: str) -> Shown:
    """What the mail shows of the proofs that decide about it: DNS is asked, as it is when the mail comes by SMTP."""
    wanted = to_look_for(config.policy, mail, envelope, instance) if mail.from_address else frozenset()
    if not wanted or mail.from_address is None:
        return NOTHING_SHOWN
    # A file has the line ends of its system; what travelled, and was signed, has CRLF.
    travelled = _LINE_END.sub(b"\r\n", raw)
    return asyncio.run(_looked(config, wanted, travelled, mail.from_address, envelope))


async def _looked(
    config: Config, wanted: frozenset[Proof], raw: bytes, from_address: str, envelope: Envelope
) -> Shown:
    prover = prover_of(config)
    if prover is None:
        return NOTHING_SHOWN
    try:
        return await prover.look(wanted, evidence_of(raw, wanted), from_address, envelope)
    finally:
        await prover.close()


async def _optouts(config: Config, recipients: Sequence[str]) -> tuple[OptOuts, str]:
    """Who of ``recipients`` wants no SMS, and why that could not be seen, or an empty text. A database that is not
    there is not made, an old one not upgraded."""
    locals_ = (address.rpartition("@")[0] for address in recipients)
    numbers = {number.e164 for local in locals_ for number in numbers_of(config.policy, local)}
    try:
        if not is_current(config.database.whole()):
            return NOBODY, "there is no database of this version yet"
        async with opened(config) as store:
            return view(await store.optouts_of(*numbers), config.timezone), ""
    except StoreError as fault:
        return NOBODY, str(fault)


def _refused(answer: Refuse, options: Namespace) -> int:
    """A mail that is not even read."""
    if options.json:
        as_json([{"answer": str(answer), "accepted": False}])
    else:
        print(f"answer      {answer}")
    return 1


def _object(told: Explanation) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if isinstance(told.text, SmsText):
        made = {"text": told.text.text, "cut": list(told.text.cut)}
    if isinstance(told.text, SmsText | TooLong):
        made |= {"encoding": told.text.encoding, "segments": told.text.segments}
        made["costly"] = [
            {"character": one.character, "name": one.name, "position": one.position}
            for one in told.text.costly
        ]
    return {
        "answer": told.answer,
        "accepted": isinstance(told.decision, Accept),
        "identity": told.identity,
        "rules": [
            {
                "rule": f"senders[{tried.rule.index}]",
                "match": list(tried.rule.match),
                "proof": tried.proof,
                "why_not": tried.why_not,
            }
            for tried in told.rules
        ],
        "recipients": [{"address": one.address, "read": _read(one.read)} for one in told.recipients],
        "numbers": [
            {"number": one.number, "refused": one.refused, "cost": one.cost / _MONEY} for one in told.numbers
        ],
        "cost": told.cost / _MONEY,
        "limits": [
            {
                "limit": one.cap.name,
                "most": one.cap.most / _MONEY if one.cap.money else one.cap.most,
                "used": one.used / _MONEY if one.cap.money else one.used,
                "resets": iso(one.ends),
            }
            for one in told.limits
        ],
        **made,
    }


def _read(found: Target | Special | Refuse) -> str:
    if isinstance(found, Target):
        return ", ".join(found.numbers)
    return found.kind if isinstance(found, Special) else str(found)


def _print(told: Explanation, config: Config) -> None:
    _say("answer", told.answer)
    _say("sender", told.identity or "none")
    _print_rules(told)
    for one in told.recipients:
        _say("recipient", f"{one.address}: {_read(one.read)}")
    if not told.recipients:
        _say("recipient", "none: the mail has neither To nor Cc; name one with --to")
    for number in told.numbers:
        cost = f"refused: {number.refused}" if number.refused else f"costs {money(number.cost)}"
        _say("number", f"{display(number.number)}: {cost}")
    if isinstance(told.text, SmsText | TooLong):
        _print_text(told.text)
    _say("cost", money(told.cost))
    for limit in told.limits:
        used = money(limit.used) if limit.cap.money else f"{limit.used:,}"
        _say("limit", f"{limit.words}: {used} used until {local(limit.ends, config.timezone)}")


def _print_rules(told: Explanation) -> None:
    """The first rule that holds counts; of those after it nothing need be said."""
    for tried in told.rules:
        held = f"holds, proven by {tried.proof}" if tried.proof else f"no: {tried.why_not}"
        _say("rule", f"senders[{tried.rule.index}] {', '.join(tried.rule.match)}: {held}")
        if tried.proof:
            return


def _print_text(text: SmsText | TooLong) -> None:
    counts = f"{text.segments} segment{'' if text.segments == 1 else 's'} of "
    counts += "GSM-7" if text.encoding == "gsm7" else "UCS-2"
    if isinstance(text, TooLong):
        _say("text", f"too long: {counts}, {text.limit} allowed")
    else:
        _say("text", counts + (f"; left out: {', '.join(text.cut)}" if text.cut else ""))
        for line in text.text.splitlines():
            print(f"    | {clean(line)}")
    for costly in text.costly[:_COSTLY_SHOWN]:
        _say("costly", f"{costly.character} {costly.name}, character {costly.position + 1}")
    if len(text.costly) > _COSTLY_SHOWN:
        _say("costly", "and more")


def _say(name: str, what: str) -> None:
    print(f"{name:11} {clean(what)}")
