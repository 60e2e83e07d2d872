"""The command line of the vendor: options to settings, then run until a signal."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.simulator.server import Simulator, is_loopback, serve
from bridge.simulator.settings import (
    DEMO_ACCOUNT,
    ERRORS,
    FIELDS,
    IDS,
    NOT_FOUND,
    Account,
    ReplyMail,
    Settings,
    Webhook,
)


def main(argv: Sequence[str] | None = None, prog: str = "smsbridge simulator") -> int:
    """Run the vendor alone. Returns 0 after a signal, 1 when it cannot listen, 2 on wrong use."""
    parser = _parser(prog)
    try:
        options = parser.parse_args(argv)
        settings = _settings(options, parser)
    except SystemExit as end:
        return int(end.code or 0)
    try:
        asyncio.run(_run(settings))
    except OSError as error:
        print(f"cannot listen on {settings.address} port {settings.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, _say_ready, stop)


def _say_ready(simulator: Simulator) -> None:
    settings = simulator.vendor.settings
    account = settings.accounts[0]
    print(f"phones    {simulator.url}/")
    print(f"send      {simulator.send_url}")
    print(f"polls     {simulator.rest_url}")
    print(f"webhook   {settings.webhook.url if settings.webhook else 'none (--webhook URL)'}")
    print(
        f"try       curl {simulator.send_url} -d Sender={account.sender} -d Token={account.token} "
        "-d Number=0421000001 --data-urlencode 'Message=Hello'"
    )
    print("ready", flush=True)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="A simulated SMS vendor with a page of phones.")
    add = parser.add_argument
    add("--address", default="127.0.0.1", help="where to listen (127.0.0.1)")
    add("--port", type=_port, default=8081, help="0 is any free one (8081)")
    add(
        "--public",
        action="store_true",
        help="allow an address that others can reach: anyone can then send and read",
    )
    add("--account", action="append", default=[], metavar="SENDER:TOKEN[:AUTH_TOKEN]",
        help="an API user, may be repeated")  # fmt: skip
    add("--lenient", action="store_true", help="a wrong token answers 200 and fails silently")
    add("--webhook", default="", metavar="URL", help="where news is posted")
    add("--webhook-format", choices=("json", "xml"), default="json")
    add("--webhook-fields", choices=FIELDS, default="A", help="A: the vendor's page; B: v2.04; v3")
    add("--webhook-sender", default="", help="Sender in webhooks, if not the account's")
    add("--webhook-token", default="", help="Token in webhooks, if not the account's")
    add("--webhook-retry", type=_seconds, default=300_000, metavar="SECONDS", help="until a 200 comes (300)")
    add("--smtp", default="", metavar="HOST:PORT", help="takes reply mails to SMSEmailReply addresses")
    add("--delay", type=_seconds, default=1_000, metavar="SECONDS", help="until an SMS is delivered (1)")
    add("--price", type=_money, default=1_000, help="of a segment (0.10)")
    add("--max-segments", type=_positive, default=10, help="longer texts are cut (10)")
    add("--max-records", type=_positive, default=100_000, help="SMS kept (100000)")
    add("--message-id", choices=IDS, default="echo", help="whose id answers and webhooks carry")
    add("--errors", choices=ERRORS, default="string", help="how refusals are written")
    add("--not-found", choices=NOT_FOUND, default="record-404", help="how a poll says: no such message")
    add("--country", choices=("61", "64"), default="61", help="country code of numbers that begin with 0")
    add("--timezone", default="Australia/Sydney", help="of local times")
    add(
        "--allow-duplicates",
        action="store_true",
        help="take the same text to the same number within a minute",
    )
    add("--no-magic", action="store_true", help="special endings of numbers mean nothing")
    return parser


def _settings(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Settings:
    if not is_loopback(options.address) and not options.public:
        parser.error(f"{options.address} can be reached by others: add --public if that is meant")
    return Settings(
        address=options.address,
        port=options.port,
        accounts=tuple(_account(text, parser) for text in options.account) or (DEMO_ACCOUNT,),
        webhook=_webhook(options, parser),
        reply_mail=_reply_mail(options.smtp, parser),
        delivery_delay_ms=options.delay,
        price_per_segment=options.price,
        strict=not options.lenient,
        message_id=options.message_id,
        errors=options.errors,
        not_found=options.not_found,
        reject_duplicates=not options.allow_duplicates,
        max_segments=options.max_segments,
        max_records=options.max_records,
        country_code=options.country,
        timezone=_timezone(options.timezone, parser),
        magic=not options.no_magic,
    )


def _account(text: str, parser: argparse.ArgumentParser) -> Account:
    sender, _, rest = text.partition(":")
    token, _, auth_token = rest.partition(":")
    if not sender or not token:
        parser.error("--account: SENDER:TOKEN or SENDER:TOKEN:AUTH_TOKEN")
    return Account(sender, token, auth_token)


def _webhook(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Webhook | None:
    if not options.webhook:
        return None
    if not options.webhook.startswith(("http://", "https://")):
        parser.error("--webhook: a URL that begins with http:// or https://")
    return Webhook(
        url=options.webhook,
        format=options.webhook_format,
        fields=options.webhook_fields,
        sender=options.webhook_sender,
        token=options.webhook_token,
        retry_ms=options.webhook_retry,
    )


def _reply_mail(text: str, parser: argparse.ArgumentParser) -> ReplyMail | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        parser.error("--smtp: HOST:PORT")
    return ReplyMail(host.strip("[]"), int(port))


def _timezone(name: str, parser: argparse.ArgumentParser) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        parser.error(f"--timezone: there is no {name}")
    return name


def _port(text: str) -> int:
    return int(_within(text, 0, 65_535, "a port is 0 (any free one) to 65535"))


def _positive(text: str) -> int:
    return int(_within(text, 1, 1_000_000_000, "a whole number from 1 up"))


def _seconds(text: str) -> int:
    return int(_within(text, 0, 86_400, "seconds, 0 to 86400", whole=False) * 1000)


def _money(text: str) -> int:
    return int(_within(text, 0, 1_000, "an amount, 0 to 1000", whole=False) * 10_000)


def _within(text: str, least: int, most: int, words: str, *, whole: bool = True) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(words) from None
    if not number.is_finite() or not least <= number <= most or (whole and number % 1):
        raise argparse.ArgumentTypeError(words)
    return number
