"""``smsbridge purge`` and ``audit``: what is kept no longer, a person forgotten, and who did what."""

import asyncio
import datetime
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Final

from bridge.cli.actor import actor
from bridge.cli.output import as_json, as_table, fail, iso, local
from bridge.cli.setting import on_the_store
from bridge.config import Config
from bridge.phone import Number, display, parse
from bridge.purger import Purger, empty_log
from bridge.store import Act, Purged, Retention, Store, Trace

QUIET: Final = 1.0  # an operator waits, and so do mails: half of one writer's time
BETWEEN_S: Final = 0.02
_PAGE: Final = 500  # rows read at once
_IDS: Final = 10  # named in a sentence


def purge(options: Namespace) -> int:
    """Do away with what is kept no longer, or with all that is known of one person."""

    async def work(config: Config, store: Store) -> int:
        if options.number is None:
            code = await _purge(config, store, options)
        else:
            code = await _forget(config, store, options)
        if code or options.dry_run:
            return code
        if options.rewrite:
            await store.privacy.wipe(rewrite=True)
        elif not await empty_log(store, asyncio.Event()):
            print(
                "smsbridge: the log of the database could not be emptied yet: it is in use", file=sys.stderr
            )
        return 0

    return on_the_store(options, work)


async def _purge(config: Config, store: Store, options: Namespace) -> int:
    retention = Retention(config.retention.text_ms, config.retention.records_ms)
    if not retention.is_given:
        return fail("all is kept for ever: say in the configuration how long, such as retention: {text: 30d}")
    if options.dry_run:
        return _told(await store.privacy.would_purge(retention), options, "would purge")
    done = await Purger(store, retention, quiet=QUIET).purge(asyncio.Event())
    counts = {"sms": done.texts, "events": done.events, "mails": done.mails, "records": done.records}
    await store.privacy.note(actor(), "purge", **counts)
    return _told(done, options, "purged")


def _told(done: Purged, options: Namespace, did: str) -> int:
    if options.json:
        as_json([{"sms": done.texts, "events": done.events, "mails": done.mails, "records": done.records}])
    else:
        texts = f"{done.texts} SMS, {done.events} events, {done.mails} mails of ours"
        print(f"{did} the texts of {texts}, and {done.records} records")
    return 0


async def _forget(config: Config, store: Store, options: Namespace) -> int:
    written = sys.stdin.readline(100).strip() if options.number == "-" else options.number
    number = parse(written, config.policy.region)
    if number is None:
        return fail("that is no whole number: write it as it is dialled, or with + and its country code")
    if options.dry_run:
        found = await store.privacy.trace(number)
    else:
        found = await store.privacy.forget(number, actor(), lambda: asyncio.sleep(BETWEEN_S))
    if found.under_way or found.mails_due:
        return fail(_not_yet(config, number, found))
    if options.json:
        counts = {"sms": found.sms, "events": found.events, "mails": found.mails, "alarms": found.alarms}
        as_json([{"number": number.e164, **counts, "opted_out": found.opted_out}])
        return 0
    did = "would forget" if options.dry_run else "forgot"
    what = f"{found.sms} SMS and what hangs on them, {found.events} events, {found.mails} mails, {found.alarms} alarms"
    print(f"{did} {display(number.e164)}: {what}")
    if found.opted_out:
        print(
            "that it wants no SMS stays known, or it would get some again; `smsbridge optout remove` ends that"
        )
    for place in _in_configuration(config, number):
        print(f"the configuration still names the number: {place}")
    return 0


def _not_yet(config: Config, number: Number, found: Trace) -> str:
    parts = [f"{count} SMS {state}" for state, count in found.under_way.items()]
    parts += [f"{found.mails_due} mails of ours not sent"] if found.mails_due else []
    said = f"{display(number.e164)} cannot be forgotten while something is under way: {', '.join(parts)}."
    if found.ends_by is not None:
        said += f" At the latest it is over on {local(found.ends_by, config.timezone)}."
    if found.under_way:
        ids = ", ".join(map(str, found.under_way_ids[:_IDS])) + (
            ", …" if len(found.under_way_ids) > _IDS else ""
        )
        said += f" `smsbridge messages cancel ID` ends one that is queued, unknown or held: {ids}"
    return said


def _in_configuration(config: Config, number: Number) -> Iterator[str]:
    for name, numbers in config.policy.aliases.items():
        if number.e164 in numbers:
            yield f"aliases.{name}"


def audit_list(options: Namespace) -> int:
    """List who did what, newest first."""

    async def work(config: Config, store: Store) -> int:
        since = _since(options.since, config) if options.since else 0
        if since is None:
            return fail("--since takes 30m, 24h or 7d, or a day such as 2026-03-01")
        left, before = options.limit, None
        found: list[Act] = []
        while left > 0 and (page := await store.privacy.acts(since, before, min(left, _PAGE))):
            found += page
            left, before = left - len(page), page[-1].id
        _print(found, options, config)
        return 0

    return on_the_store(options, work)


def _since(text: str, config: Config) -> int | None:
    now = datetime.datetime.now(config.timezone)
    ago = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if ago:
        unit = {"m": "minutes", "h": "hours", "d": "days"}[ago[2]]
        return int((now - datetime.timedelta(**{unit: int(ago[1])})).timestamp() * 1000)
    try:
        day = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((day if day.tzinfo else day.replace(tzinfo=config.timezone)).timestamp() * 1000)


def _print(acts: Sequence[Act], options: Namespace, config: Config) -> None:
    if options.json:
        as_json(
            {
                "id": act.id,
                "at": iso(act.at),
                "who": act.who,
                "via": act.via,
                "what": act.what,
                "about": act.about,
                "details": dict(act.details),
            }
            for act in acts
        )
        return
    cells = (
        {
            "at": local(act.at, config.timezone),
            "who": act.who,
            "via": act.via,
            "what": act.what,
            "about": act.about,
            "details": ", ".join(f"{name} {value}" for name, value in act.details),
        }
        for act in acts
    )
    columns = ("at", "who", "via", "what", "about", "details")
    as_table(cells, columns, "nothing was done", whole="details")
