"""``smsbridge messages …``, ``send`` and ``resume``: what an operator sees and does, beside a running service."""

import asyncio
import datetime
import getpass
from argparse import Namespace
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from bridge.cli.output import as_json, as_table, clean, fail
from bridge.cli.setting import opened
from bridge.config import Config
from bridge.decide import Refuse, by_hand
from bridge.sms import Sms, State
from bridge.store import SmsFilter, SmsLine, SmsStory, Store

_COLUMNS = ("created_at", "state", "number", "sender", "segments", "message_id", "text")


def rows(options: Namespace) -> int:
    """List messages, newest first."""
    wanted = SmsFilter(
        state=State(options.state) if options.state else None,
        sender=options.sender,
        number=options.number,
        text=options.text,
    )

    async def work(config: Config, store: Store) -> int:
        found = await store.list_sms(wanted, None, options.limit)
        if options.json:
            as_json(_line(row) for row in found)
        else:
            as_table((_line(row) for row in found), _COLUMNS, "no messages")
        return 0

    return _with_store(options, work)


def show(options: Namespace) -> int:
    """Show one message with its attempts, results, replies and the mails about it."""

    async def work(config: Config, store: Store) -> int:
        story = await store.show(options.id)
        if story is None:
            return fail(f"there is no message {options.id}")
        if options.json:
            as_json([_story(story)])
        else:
            _print_story(story)
        return 0

    return _with_store(options, work)


def resubmit(options: Namespace) -> int:
    """Send the same text to the same number again, as a new message, through the policy."""
    return _again(options, lambda sms: sms.number)


def forward(options: Namespace) -> int:
    """Send the text of a message to another number, as a new message, through the policy."""
    return _again(options, lambda sms: str(options.number))


def release(options: Namespace) -> int:
    """Send a held message."""
    return _act(options, lambda store: store.release(options.id, _who()), {State.QUEUED}, "is not held")


def cancel(options: Namespace) -> int:
    """Never send a message that waits."""
    words = "is under way or ended: it cannot be cancelled"
    return _act(options, lambda store: store.cancel(options.id, _who()), {State.CANCELLED}, words)


def send(options: Namespace) -> int:
    """Send one SMS by hand."""

    async def work(config: Config, store: Store) -> int:
        return await _accepted(store, by_hand(config.policy, options.number, options.text), options)

    return _with_store(options, work)


def resume(options: Namespace) -> int:
    """Start sending again after it stopped itself."""

    async def work(config: Config, store: Store) -> int:
        if options.account and options.account not in config.vendor.accounts:
            return fail(f"there is no account {options.account}; known: {', '.join(config.vendor.accounts)}")
        number = await store.resume(options.account)
        print(f"resumed {number} account{'' if number == 1 else 's'}" if number else "nothing was stopped")
        return 0

    return _with_store(options, work)


Work = Callable[[Config, Store], Awaitable[int]]


def _with_store(options: Namespace, work: Work) -> int:
    async def run() -> int:
        async with opened(options) as (config, store):
            return await work(config, store)

    return asyncio.run(run())


def _again(options: Namespace, number_of: Callable[[Sms], str]) -> int:
    async def work(config: Config, store: Store) -> int:
        story = await store.show(options.id)
        if story is None:
            return fail(f"there is no message {options.id}")
        decision = by_hand(
            config.policy,
            number_of(story.sms),
            story.sms.text,
            rule_sender=story.mail.sender,
            resubmit_of=story.sms.message_id,
            subject=story.mail.subject,
            references=_thread(story),
        )
        return await _accepted(store, decision, options)

    return _with_store(options, work)


def _thread(story: SmsStory) -> tuple[str, ...]:
    own = story.mail.header_message_id
    return (*story.mail.references, own) if own else story.mail.references


async def _accepted(store: Store, decision: Any, options: Namespace) -> int:
    if isinstance(decision, Refuse):
        return fail(decision.text)
    accepted = await store.accept(decision)
    if options.json:
        as_json(
            {"message_id": sms.message_id, "number": sms.number, "state": sms.state}
            for sms in accepted.queued
        )
    else:
        for sms in accepted.queued:
            print(f"queued {sms.message_id} to {sms.number}, segments: {sms.segments}")
    return 0 if accepted.queued else fail("nothing was queued")


def _act(
    options: Namespace, verb: Callable[[Store], Awaitable[Sms | None]], wanted: set[State], words: str
) -> int:
    async def work(config: Config, store: Store) -> int:
        before = await store.show(options.id)
        if before is None:
            return fail(f"there is no message {options.id}")
        after = await verb(store)
        if after is None or after.state not in wanted or before.sms.state is after.state:
            return fail(f"{options.id} {words} (state: {before.sms.state})")
        if options.json:
            as_json([_sms(after)])
        else:
            print(f"{after.message_id} is {after.state}")
        return 0

    return _with_store(options, work)


def _who() -> str:
    try:
        return f"command line, {getpass.getuser()}"
    except (OSError, KeyError):
        return "command line"


# --- as objects ---


def _line(row: SmsLine) -> dict[str, Any]:
    return {**_sms(row.sms), "sender": row.sender, "subject": row.subject}


def _sms(sms: Sms) -> dict[str, Any]:
    return {
        "id": sms.id,
        "message_id": sms.message_id,
        "mail_id": sms.mail_id,
        "number": sms.number,
        "state": str(sms.state),
        "text": sms.text,
        "encoding": sms.encoding,
        "segments": sms.segments,
        "account": sms.account,
        "mode": sms.mode,
        "attempts": sms.attempts,
        "created_at": _iso(sms.created_at),
        "updated_at": _iso(sms.updated_at),
        "expires_at": _iso(sms.expires_at),
        "price": None if sms.price is None else sms.price / 10_000,
        "result": sms.result,
        "resubmit_of": sms.resubmit_of,
    }


def _story(story: SmsStory) -> dict[str, Any]:
    return {
        **_sms(story.sms),
        "sender": story.mail.sender,
        "proof": story.mail.proof,
        "client": story.mail.client,
        "subject": story.mail.subject,
        "cut": list(story.mail.cut),
        "history": [{**asdict(line), "at": _iso(line.at)} for line in story.history],
        "events": [{**asdict(event), "at": _iso(event.at)} for event in story.events],
        "mails": [
            {
                "id": mail.id,
                "kind": str(mail.kind),
                "state": str(mail.state),
                "to": mail.to,
                "subject": mail.subject,
                "at": _iso(mail.created_at),
            }
            for mail in story.outbox
        ],
    }


def _print_story(story: SmsStory) -> None:
    told = _story(story)
    for name in (
        "message_id",
        "state",
        "number",
        "sender",
        "proof",
        "client",
        "subject",
        "segments",
        "encoding",
    ):
        print(f"{name.replace('_', ' '):12} {clean(str(told[name]))}")
    for name in ("account", "mode", "attempts", "created_at", "expires_at", "result", "price", "resubmit_of"):
        if told[name] not in (None, ""):
            print(f"{name.replace('_', ' '):12} {clean(str(told[name]))}")
    if story.mail.cut:
        print(f"{'cut':12} {', '.join(story.mail.cut)}")
    print(f"\n{_indented(story.sms.text)}\n")
    for line in told["history"]:
        print(f"{line['at']}  {line['state']:11} {clean(line['note'])}")
    for event in told["events"]:
        print(
            f"{event['at']}  {event['source']:11} {event['type']}: {clean(event['text'] or event['result'])}"
        )
    for mail in told["mails"]:
        print(f"{mail['at']}  mail {mail['state']:6} {mail['kind']} to {mail['to']}")


def _indented(text: str) -> str:
    return "\n".join(f"    {clean(line)}" for line in text.splitlines())


def _iso(at: int | None) -> str | None:
    if at is None:
        return None
    return datetime.datetime.fromtimestamp(at / 1000, datetime.UTC).isoformat(timespec="milliseconds")
