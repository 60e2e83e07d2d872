"""``smsbridge messages …``, ``send`` and ``resume``: what an operator sees and does, beside a running service."""

import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from bridge.cli.actor import actor
from bridge.cli.output import as_json, fail, shorter
from bridge.cli.setting import on_the_store
from bridge.cli.story import line_object, object_of, print_lines, print_story, story_object
from bridge.config import Config
from bridge.decide import Accept, Refuse, by_hand, numbers_of
from bridge.errors import BridgeError
from bridge.optout import EVERY_ACCOUNT, OptOuts, view
from bridge.phone import display
from bridge.sms import Sms, State
from bridge.store import Actor, SmsFilter, SmsLine, SmsStory, Store

_PAGE: Final = 500  # rows read at once
_MOST_PIPED: Final = 64 * 1024  # octets of a text: far more than any limit of segments


def rows(options: Namespace) -> int:
    """List messages, newest first."""
    wanted = SmsFilter(
        state=State(options.state) if options.state else None,
        sender=options.sender,
        number=options.number,
        text=options.text,
    )

    async def work(config: Config, store: Store) -> int:
        found = _found(store, wanted, options.limit)
        if options.json:
            async for line in found:
                as_json([line_object(line)])
        else:
            print_lines([line async for line in found], config.timezone)
        return 0

    return on_the_store(options, work)


async def _found(store: Store, wanted: SmsFilter, limit: int) -> AsyncIterator[SmsLine]:
    """Page on until there are ``limit`` rows or no more: one page of a search may hold few, or none."""
    before: int | None = None
    while limit > 0:
        page = await store.list_sms(wanted, before, min(limit, _PAGE))
        for line in page:
            yield line
        limit -= len(page)
        if page.older is None:
            return
        before = page.older


def show(options: Namespace) -> int:
    """Show one message with its attempts, results, replies and the mails about it."""

    async def work(config: Config, store: Store) -> int:
        story = await store.show(options.id)
        if story is None:
            return _no_such(options)
        if options.json:
            as_json([story_object(story)])
        else:
            print_story(story, config.timezone)
        return 0

    return on_the_store(options, work)


def resubmit(options: Namespace) -> int:
    """Send the same text to the same number again, as a new message, through the policy."""
    return _again(options, "resubmit", lambda sms: sms.number)


def forward(options: Namespace) -> int:
    """Send the text of a message to another number, as a new message, through the policy."""
    return _again(options, "forward", lambda sms: str(options.number))


def release(options: Namespace) -> int:
    """Send a held message. One whose phone opted out stays held: the claim would only refuse it."""

    async def free(store: Store, sms: Sms) -> str:
        accounts = (sms.account, EVERY_ACCOUNT)
        opted_out = any(one.account in accounts for one in await store.optouts_of(sms.number))
        return f"{display(sms.number)} has opted out of SMS; see `smsbridge optout list`" if opted_out else ""

    return _act(options, Store.release, State.QUEUED, "only a held message can be released", free)


def cancel(options: Namespace) -> int:
    """Never send a message that waits."""
    words = "only a queued, held or unknown message can be cancelled"
    return _act(options, Store.cancel, State.CANCELLED, words)


def send(options: Namespace) -> int:
    """Send one SMS by hand."""

    async def work(config: Config, store: Store) -> int:
        text = _piped() if options.text == "-" else options.text
        if not text.strip():
            return fail("the text is empty")
        optouts = await _optouts(config, store, options.number)
        decision = by_hand(config.policy, options.number, text, optouts=optouts)
        return await _queue(store, decision, "send", options)

    return on_the_store(options, work)


def _piped() -> str:
    """Return the text from standard input, without its last line end: arguments can be seen by every user."""
    octets = sys.stdin.buffer.read(_MOST_PIPED + 1)
    if len(octets) > _MOST_PIPED:
        raise BridgeError("the text is too long")
    try:
        return octets.decode().replace("\r\n", "\n").removesuffix("\n")
    except UnicodeDecodeError:
        raise BridgeError("the text is not UTF-8") from None


def resume(options: Namespace) -> int:
    """Start sending again after it stopped itself."""

    async def work(config: Config, store: Store) -> int:
        if options.account and options.account not in config.vendor.accounts:
            return fail(f"there is no account {options.account}; known: {', '.join(config.vendor.accounts)}")
        number = await store.resume(options.account, actor())
        print(f"resumed {number} account{'' if number == 1 else 's'}" if number else "nothing was stopped")
        return 0

    return on_the_store(options, work)


def _no_such(options: Namespace) -> int:
    return fail(f"there is no message {shorter(options.id)}; `smsbridge messages list` shows the newest")


def _again(options: Namespace, what: str, number_of: Callable[[Sms], str]) -> int:
    async def work(config: Config, store: Store) -> int:
        story = await store.show(options.id)
        if story is None:
            return _no_such(options)
        if not story.sms.text:
            return fail(f"the text of message {story.sms.id} is not kept any more")
        number = number_of(story.sms)
        decision = by_hand(
            config.policy,
            number,
            story.sms.text,
            rule_sender=story.mail.sender,
            resubmit_of=story.sms.message_id,
            subject=story.mail.subject,
            references=_thread(story),
            optouts=await _optouts(config, store, number),
        )
        return await _queue(store, decision, what, options)

    return on_the_store(options, work)


async def _optouts(config: Config, store: Store, written: str) -> OptOuts:
    """Which of the numbers that were named opted out."""
    numbers = (number.e164 for number in numbers_of(config.policy, written.strip()))
    return view(await store.optouts_of(*numbers), config.timezone)


def _thread(story: SmsStory) -> tuple[str, ...]:
    own = story.mail.header_message_id
    return (*story.mail.references, own) if own else story.mail.references


async def _queue(store: Store, decision: Accept | Refuse, what: str, options: Namespace) -> int:
    """Store what policy lets through, and tell what was queued and what was not."""
    if isinstance(decision, Refuse):
        return fail(decision.text)
    accepted = await store.accept_by_hand(decision, what, actor())
    if accepted.over is not None:
        return fail(accepted.over.text)
    refused = [sms for sms in decision.sms if sms.refused]
    if options.json:
        as_json(object_of(sms, decision.mail.sender) for sms in accepted.queued)
        as_json(_refused(sms.number, sms.refused) for sms in refused)
        return 0
    for sms in accepted.queued:
        parts = f"{sms.segments} segment{'' if sms.segments == 1 else 's'}"
        print(f"queued {sms.id}, {sms.message_id}, to {display(sms.number)}, {parts}: {shorter(sms.text)}")
    if accepted.later:
        print(accepted.later)
    for one in refused:
        print(f"refused {display(one.number)}: {one.refused}")
    return 0


def _refused(number: str, why: str) -> dict[str, Any]:
    return {"number": number, "state": str(State.REFUSED), "result": why}


def _act(
    options: Namespace,
    verb: Callable[[Store, str, Actor], Awaitable[Sms | None]],
    wanted: State,
    else_say: str,
    objection: Callable[[Store, Sms], Awaitable[str]] | None = None,
) -> int:
    async def work(config: Config, store: Store) -> int:
        story = await store.show(options.id)
        if story is None:
            return _no_such(options)
        before = story.sms.state
        if objection is not None and (why := await objection(store, story.sms)):
            return fail(why)
        sms = await verb(store, story.sms.message_id, actor())
        if sms is None or sms.state is not wanted or before is wanted:
            return fail(f"message {story.sms.id} is {before}: {else_say}")
        if options.json:
            as_json([object_of(sms, story.mail.sender)])
        else:
            print(f"message {sms.id} to {display(sms.number)} was {before} and is {sms.state}")
        return 0

    return on_the_store(options, work)
