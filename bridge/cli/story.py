"""An SMS as the command line shows it: an object for machines, lines for people."""

import datetime
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from bridge.cli.output import as_table, clean, iso, local, shorter
from bridge.phone import display
from bridge.rules import money
from bridge.sms import Sms
from bridge.store import HistoryLine, SmsLine, SmsStory, StoredEvent

_COLUMNS: Final = ("id", "created_at", "state", "number", "sender", "segments", "text")
_MONEY: Final = 10_000


def object_of(sms: Sms, sender: str) -> dict[str, Any]:
    """Return what is always told of an SMS; times are ISO 8601, ``price`` in the vendor's currency."""
    return {
        "id": sms.id,
        "message_id": sms.message_id,
        "mail_id": sms.mail_id,
        "sender": sender,
        "number": sms.number,
        "state": str(sms.state),
        "text": sms.text,
        "encoding": sms.encoding,
        "segments": sms.segments,
        "account": sms.account,
        "mode": sms.mode,
        "attempts": sms.attempts,
        "created_at": iso(sms.created_at),
        "updated_at": iso(sms.updated_at),
        "expires_at": iso(sms.expires_at),
        "price": _price(sms.price),
        "result": sms.result,
        "resubmit_of": sms.resubmit_of,
        "joined": sms.joined,
    }


def line_object(line: SmsLine) -> dict[str, Any]:
    """Return one line of a list."""
    return {**object_of(line.sms, line.sender), "subject": line.subject}


def story_object(story: SmsStory) -> dict[str, Any]:
    """Return all that is known of an SMS."""
    return {
        **object_of(story.sms, story.mail.sender),
        "subject": story.mail.subject,
        "proof": story.mail.proof,
        "client": story.mail.client,
        "cut": list(story.mail.cut),
        "history": [_history(line) for line in story.history],
        "events": [_event(event) for event in story.events],
        "mails": [
            {
                "id": mail.id,
                "kind": str(mail.kind),
                "state": str(mail.state),
                "to": mail.to,
                "subject": mail.subject,
                "at": iso(mail.created_at),
            }
            for mail in story.outbox
        ],
    }


def print_lines(lines: Iterable[SmsLine], zone: datetime.tzinfo) -> None:
    """Print a list as a table."""
    cells = (
        {
            "id": line.sms.id,
            "created_at": local(line.sms.created_at, zone),
            "state": line.sms.state,
            "number": line.sms.number,
            "sender": line.sender,
            "segments": line.sms.segments,
            "text": line.sms.text,
        }
        for line in lines
    )
    as_table(cells, _COLUMNS, "no messages")


def print_story(story: SmsStory, zone: datetime.tzinfo) -> None:
    """Print all that is known of an SMS: what it is, its text, and what happened in the order of time."""
    for name, value in _facts(story, zone):
        if value:
            print(f"{name:12} {clean(value)}")
    print()
    for line in (story.sms.text or "(not kept any more)").splitlines():
        print(f"    | {clean(line)}")
    print()
    for at, who, what in sorted(_happened(story), key=lambda one: one[0]):
        print(f"{local(at, zone)}  {who:11} {clean(what)}")


def _facts(story: SmsStory, zone: datetime.tzinfo) -> list[tuple[str, str]]:
    sms, mail = story.sms, story.mail
    encoding = "GSM-7" if sms.encoding == "gsm7" else "UCS-2"
    proven = f"proven by {mail.proof}, from {mail.client}" if mail.proof != "operator" else "by an operator"
    return [
        ("id", str(sms.id)),
        ("message id", sms.message_id),
        ("state", str(sms.state)),
        ("result", sms.result),
        ("number", display(sms.number)),
        ("sender", f"{mail.sender} ({proven})"),
        ("subject", mail.subject),
        ("resubmit of", sms.resubmit_of or ""),
        ("stands for", _mails(sms.joined)),
        ("segments", f"{sms.segments} of {encoding}"),
        ("left out", ", ".join(mail.cut)),
        ("price", "" if sms.price is None else money(sms.price)),
        ("account", sms.account + (", test mode: no phone gets it" if sms.mode == "test" else "")),
        ("attempts", str(sms.attempts)),
        ("created", local(sms.created_at, zone)),
        ("expires", local(sms.expires_at, zone) if sms.state == "queued" else ""),
    ]


def _mails(joined: int) -> str:
    return f"{joined} mail{'' if joined == 1 else 's'} with the same text" if joined else ""


def _happened(story: SmsStory) -> Iterable[tuple[int, str, str]]:
    for line in story.history:
        yield line.at, str(line.state), line.note + _again(line.times)
    for event in story.events:
        said = ": ".join(part for part in (event.type, shorter(event.text or event.result)) if part)
        yield event.at, str(event.source), said + _again(event.times)
    for mail in story.outbox:
        yield mail.created_at, "mail", f"{mail.kind} to {mail.to}: {mail.state}"


def _again(times: int) -> str:
    return f" ({times} times)" if times > 1 else ""


def _history(line: HistoryLine) -> dict[str, Any]:
    return {**asdict(line), "state": str(line.state), "at": iso(line.at), "last_at": iso(line.last_at)}


def _event(event: StoredEvent) -> dict[str, Any]:
    return {
        **asdict(event),
        "at": iso(event.at),
        "vendor_at": iso(event.vendor_at),
        "kept_until": iso(event.kept_until),
        "price": _price(event.price),
    }


def _price(price: int | None) -> float | None:
    return None if price is None else price / _MONEY
