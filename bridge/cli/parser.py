"""Every command and option, in one place; each command names the function that runs it.

That function's module is loaded when the command runs: help, and a mistake in the options, come at once.
"""

import argparse
import importlib
import ipaddress
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias, cast

from bridge import __version__
from bridge.app.parts import ALL, Part
from bridge.sms import State

Run: TypeAlias = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# What names a file may be of any octets, as files' names are; the simulator's options are its own.
_OF_ANY_OCTETS: Final = frozenset({"config", "file", "mail", "out", "state", "arguments"})
_LONE: Final = re.compile("[\ud800-\udfff]")  # how Python keeps octets that its encoding does not have


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options in ``argv``. Raises SystemExit for wrong usage, as argparse does.

    A text whose octets are of another encoding is wrong usage: without them another text would be sent or looked for.
    """
    top = parser()
    options = top.parse_args(argv)
    for name, value in vars(options).items():
        if name not in _OF_ANY_OCTETS and any(map(_LONE.search, _texts(value))):
            encoding = sys.getfilesystemencoding().upper()
            top.error(f"{name} is not in this terminal's encoding ({encoding}): its octets would be lost")
    return options


def _texts(value: object) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield one


def parser() -> argparse.ArgumentParser:
    """Return the parser; after parsing, ``options.run(options)`` does the work."""
    top = argparse.ArgumentParser(prog="smsbridge", description="Mail to SMS, and SMS back to mail.")
    top.add_argument("--version", action="version", version=f"smsbridge {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _service(commands)
    _checks(commands)
    _messages(commands)
    _optouts(commands)
    _keys(commands)
    _privacy(commands)
    return top


def _runs(module: str, function: str) -> Run:
    def run(options: argparse.Namespace) -> int:
        return cast(Run, getattr(importlib.import_module(f"bridge.cli.{module}"), function))(options)

    return run


def _with_config(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="configuration (else $SMSBRIDGE_CONFIG, ./config/bridge.yaml, /etc/smsbridge/bridge.yaml)",
    )
    return command


def _json(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    return command


def _parts(text: str) -> tuple[Part, ...]:
    try:
        return tuple(dict.fromkeys(Part(name.strip()) for name in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"pick from {','.join(ALL)}") from None


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65_535:
        raise argparse.ArgumentTypeError("a port is 0 (any free one) to 65535")
    return int(text)


def _rows(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError("a number of rows, from 1 up")
    return int(text)


def _number(text: str) -> str:
    if not re.fullmatch(r"\+?[0-9 ().-]{1,40}", text) or not re.search("[1-9]", text):
        raise argparse.ArgumentTypeError("a whole number, or its last digits")
    return text


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError("an IP address, such as 10.20.1.5") from None


def _service(commands: Commands) -> None:
    serve = _with_config(commands.add_parser("serve", help="run the service"))
    serve.add_argument("--only", type=_parts, default=ALL, metavar="PARTS", help=f"of {','.join(ALL)}")
    serve.set_defaults(run=_runs("service", "serve"))

    show = commands.add_parser("demo", help="bridge and vendor simulator on loopback, to look around")
    show.add_argument("--state", default=".demo", metavar="FOLDER", help="where it keeps its files (.demo)")
    show.add_argument(
        "--inside",
        default="",
        metavar="COMMAND",
        help="what runs a command where the demo runs, put before the commands it prints: for a container",
    )
    for name, port in (("smtp", 2525), ("desk", 8080), ("hook", 8090), ("simulator", 8081)):
        show.add_argument(
            f"--{name}-port", type=_port, default=port, metavar="PORT", help=f"{port}; 0 = any free"
        )
    show.set_defaults(run=_runs("demo", "run"))

    # A program of its own, with options of its own: no sign begins an option of ours here.
    vendor = commands.add_parser(
        "simulator", help="the vendor simulator alone", add_help=False, prefix_chars="\0"
    )
    vendor.add_argument("arguments", nargs="*")
    vendor.set_defaults(run=_runs("service", "simulator"))


def _checks(commands: Commands) -> None:
    check = _with_config(
        commands.add_parser("check-config", help="tell every mistake of a configuration at once")
    )
    check.add_argument("file", metavar="FILE", nargs="?", help="else as -c FILE")
    check.set_defaults(run=_runs("checks", "check_config"))

    schema = commands.add_parser("schema", help="print the JSON schema of the configuration")
    schema.set_defaults(run=_runs("checks", "schema"))

    look = _json(_with_config(commands.add_parser("doctor", help="try everything the service needs")))
    look.set_defaults(run=_runs("doctor", "run"))

    migrate = _with_config(commands.add_parser("migrate", help="bring the database up to this version"))
    migrate.set_defaults(run=_runs("checks", "migrate"))

    why = _json(_with_config(commands.add_parser("explain", help="what would be decided on a mail, and why")))
    why.add_argument("mail", metavar="MAIL.eml", help="- for standard input")
    why.add_argument(
        "--from", dest="sender", metavar="ADDRESS", help="envelope sender (else the mail's From)"
    )
    why.add_argument("--to", action="append", metavar="ADDRESS", help="envelope recipient (else To and Cc)")
    why.add_argument(
        "--client", type=_address, default="127.0.0.1", metavar="IP", help="the client's address (127.0.0.1)"
    )
    why.add_argument("--user", metavar="NAME", help="the SMTP user it logged in as")
    why.add_argument("--hello", metavar="NAME", default="", help="the name it gave itself (EHLO)")
    why.set_defaults(run=_runs("explain", "run"))


def _messages(commands: Commands) -> None:
    by_hand = _json(
        _with_config(commands.add_parser("send", help="send one SMS by hand, through the policy"))
    )
    by_hand.add_argument("number", help="a number or an alias")
    by_hand.add_argument(
        "text",
        help="the text, in quotes; - reads it from standard input, where no other user of this machine sees it",
    )
    by_hand.set_defaults(run=_runs("messages", "send"))

    resume = _with_config(commands.add_parser("resume", help="send again after sending stopped itself"))
    resume.add_argument("account", nargs="?", help="one account (else all)")
    resume.set_defaults(run=_runs("messages", "resume"))

    used = _json(_with_config(commands.add_parser("limits", help="what senders have used of their limits")))
    used.add_argument("--limit", type=_rows, default=200, metavar="ROWS", help="how many at most (200)")
    used.set_defaults(run=_runs("limits", "run"))

    verbs = commands.add_parser("messages", help="look at messages and act on them").add_subparsers(
        required=True, metavar="VERB"
    )
    rows = _json(_with_config(verbs.add_parser("list", help="newest first")))
    rows.add_argument(
        "--state", choices=[str(state) for state in State], metavar="STATE", help=", ".join(State)
    )
    rows.add_argument("--number", type=_number, help="the whole number, or its last digits")
    rows.add_argument("--sender", help="the sender's whole address")
    rows.add_argument("--text", help="part of the text")
    rows.add_argument("--limit", type=_rows, default=50, metavar="ROWS", help="how many at most (50)")
    rows.set_defaults(run=_runs("messages", "rows"))

    for name, run, words in (
        ("show", _runs("messages", "show"), "one message with its whole history"),
        (
            "resubmit",
            _runs("messages", "resubmit"),
            "send the same text to the same number again, as a new message",
        ),
        ("release", _runs("messages", "release"), "send a held message"),
        ("cancel", _runs("messages", "cancel"), "never send a queued, held or unknown message"),
    ):
        verb = _json(_with_config(verbs.add_parser(name, help=words)))
        verb.add_argument("id", help="the ID or the MessageID of a message")
        verb.set_defaults(run=run)
    forward = _json(_with_config(verbs.add_parser("forward", help="send its text to another number")))
    forward.add_argument("id", help="the ID or the MessageID of a message")
    forward.add_argument("number", help="a number or an alias")
    forward.set_defaults(run=_runs("messages", "forward"))


def _optouts(commands: Commands) -> None:
    verbs = commands.add_parser("optout", help="phones that want no SMS").add_subparsers(
        required=True, metavar="VERB"
    )
    rows = _json(_with_config(verbs.add_parser("list", help="the latest first")))
    rows.set_defaults(run=_runs("optouts", "rows"))
    for name, words in (
        ("add", "send no SMS to a number any more"),
        ("remove", "send SMS to a number again"),
    ):
        verb = _with_config(verbs.add_parser(name, help=words))
        verb.add_argument("number", help="one phone number")
        verb.add_argument("--account", metavar="NAME", help="of one of the vendor's accounts (else of all)")
        if name == "add":
            verb.add_argument("--note", default="", help="why, for whoever reads the list")
        verb.set_defaults(run=_runs("optouts", name))


def _keys(commands: Commands) -> None:
    users = commands.add_parser("user", help="who may log in").add_subparsers(required=True, metavar="VERB")
    for name, run, words in (
        ("add", _runs("keys", "user_add"), "add a user; asks for the password"),
        ("passwd", _runs("keys", "user_passwd"), "change a password; asks for it"),
        ("remove", _runs("keys", "user_remove"), "remove a user"),
    ):
        verb = _with_config(users.add_parser(name, help=words))
        verb.add_argument("--smtp", action="store_true", required=True, help="an SMTP user")
        verb.add_argument("name", help="a mail address, or letters, digits, dots and dashes")
        verb.set_defaults(run=run)

    dkim = commands.add_parser("dkim", help="the key that signs our mails").add_subparsers(
        required=True, metavar="VERB"
    )
    keygen = dkim.add_parser("keygen", help="make a key and print its DNS record")
    keygen.add_argument(
        "--out", required=True, metavar="FILE", help="where the private key is written (0600)"
    )
    keygen.add_argument("--domain", required=True, help="the domain of the From addresses of our mails")
    keygen.add_argument("--selector", default="bridge", help="the name of this key in DNS (bridge)")
    keygen.set_defaults(run=_runs("keys", "dkim_keygen"))


def _privacy(commands: Commands) -> None:
    purge = _json(
        _with_config(
            commands.add_parser("purge", help="do away with what is kept for long enough (`retention`)")
        )
    )
    purge.add_argument(
        "--number",
        metavar="NUMBER",
        help="forget all that is known of this number, whatever its age; - reads it from standard input",
    )
    purge.add_argument("--dry-run", action="store_true", help="only say how much that would be")
    purge.add_argument(
        "--rewrite",
        action="store_true",
        help="then write all of the database anew, so that no remains lie in its files; no mail can be taken meanwhile",
    )
    purge.set_defaults(run=_runs("privacy", "purge"))

    verbs = commands.add_parser("audit", help="who did what").add_subparsers(required=True, metavar="VERB")
    rows = _json(_with_config(verbs.add_parser("list", help="newest first")))
    rows.add_argument("--since", metavar="WHEN", help="30m, 24h, 7d ago; or a day such as 2026-03-01")
    rows.add_argument("--limit", type=_rows, default=50, metavar="ROWS", help="how many at most (50)")
    rows.set_defaults(run=_runs("privacy", "audit_list"))
