"""``smsbridge demo``: the bridge and the vendor simulator on loopback, so that all of it works with no account."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import smtplib
import socket
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import uvloop

from bridge import log, simulator
from bridge.app.files import config_folder
from bridge.app.parts import ALL
from bridge.app.service import run_service
from bridge.config import load
from bridge.errors import BridgeError, ConfigError
from bridge.store import SmsFilter, Store

_NUMBER: Final = "0421000001"
_SENDER: Final = "you@example.com"
_READY_WITHIN_S: Final = 30


@dataclass(frozen=True, slots=True)
class _Places:
    smtp: int
    desk: int
    hook: int
    vendor: int


def run(options: Namespace) -> int:
    """Run the demo in the foreground until Ctrl-C."""
    log.set_up("warning", "text")
    asked = {name: getattr(options, f"{name}_port") for name in ("smtp", "desk", "hook", "simulator")}
    places = _Places(*_ports(asked))
    folder = Path(options.state)
    config_file = _state(folder, places)
    uvloop.run(_run(config_file, places, options.inside))
    return 0


async def _run(config_file: Path, places: _Places, inside: str) -> None:
    config = load(config_file, os.environ)
    hook = f"{config.http.url}/hooks/sms/{config.webhook.secret.get_secret_value()}"
    settings = simulator.Settings(
        port=places.vendor,
        webhook=simulator.Webhook(url=hook),
        reply_mail=simulator.ReplyMail("127.0.0.1", places.smtp),
        hint=f"Send a mail to {_NUMBER}@sms.local, SMTP on 127.0.0.1:{places.smtp}.",
    )
    async with simulator.running(settings):
        await run_service(
            config,
            ALL,
            file=str(config_file),
            on_ready=lambda ports, store: _welcome(config_file, store, places, inside),
        )


async def _welcome(config_file: Path, store: Store, places: _Places, inside: str) -> None:
    if not await store.list_sms(SmsFilter(), None, 1):
        await asyncio.to_thread(_send_sample, places.smtp)
    program = _smsbridge(near=not inside)
    command = f"{inside} {shlex.join([*program, 'messages', 'list', '-c', str(config_file)])}".lstrip()
    print(
        f"""
ready

  mail goes to   {_NUMBER}@sms.local by SMTP on 127.0.0.1:{places.smtp}
  desk           http://127.0.0.1:{places.desk}/
  phone          http://127.0.0.1:{places.vendor}/
  webhook        http://127.0.0.1:{places.hook}/
  on the shell   {command}

Send a mail (paste this into another terminal), then look at the phone and the desk:

  {paste_line(places.smtp, inside)}

Ctrl-C stops it.
""",
        flush=True,
    )


def paste_line(port: int, inside: str = "") -> str:
    """Return one shell line that sends a mail with what this machine has, or by way of the command ``inside``."""
    if not inside and shutil.which("curl"):
        mail = f"From: {_SENDER}\\nTo: {_NUMBER}@sms.local\\nSubject: Hello\\n\\nHello from my inbox\\n"
        return (
            f"printf '{mail}' | curl -sS smtp://127.0.0.1:{port} --mail-from {_SENDER} "
            f"--mail-rcpt {_NUMBER}@sms.local --crlf -T -"
        )
    code = (
        f"import smtplib; smtplib.SMTP('127.0.0.1', {port}).sendmail('{_SENDER}', '{_NUMBER}@sms.local', "
        f"'From: {_SENDER}\\r\\nSubject: Hello\\r\\n\\r\\nHello from my inbox')"
    )
    return f'{inside} {shlex.quote(sys.executable)} -c "{code}"'.lstrip()


def _send_sample(port: int) -> None:
    mail = EmailMessage()
    mail["From"] = f"You <{_SENDER}>"
    mail["To"] = f"{_NUMBER}@sms.local"
    mail["Subject"] = "Your appointment"
    mail["Message-ID"] = f"<{secrets.token_hex(8)}@example.com>"
    mail.set_content(
        "Hello Sam, your appointment is tomorrow at 9:30. Answer YES to confirm.\n\n-- \nRiverside Clinic\n"
    )
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=_READY_WITHIN_S) as client:
            client.send_message(mail)
    except OSError as fault:  # smtplib's errors are OSErrors
        raise BridgeError(
            "the demo's own mail was not taken: is its folder writable, the disk full?"
        ) from fault


def _smsbridge(*, near: bool) -> list[str]:
    """Return the words that start this program again, short when the reader is ``near`` and they too."""
    beside = Path(sys.executable).with_name("smsbridge")
    if not beside.exists():
        return [sys.executable, "-m", "bridge"]
    below = os.path.relpath(beside)
    return [below if near and not below.startswith("..") else str(beside)]


def _ports(asked: Mapping[str, int]) -> list[int]:
    """Return the ports, with every 0 turned into one that is free: the parts must know each other's.

    Raises `ConfigError` for one that is taken.
    """
    with contextlib.ExitStack() as stack:
        return [_held(stack, name, port) for name, port in asked.items()]


def _held(stack: contextlib.ExitStack, name: str, port: int) -> int:
    holder = stack.enter_context(socket.socket())
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind(("127.0.0.1", port))
    except OSError as fault:
        reason = (fault.strerror or "no reason").lower()
        raise ConfigError(
            f"cannot listen on 127.0.0.1:{port}: {reason}; --{name}-port 0 takes any free one "
            f'(make run ARGS="--{name}-port 0")'
        ) from fault
    return int(holder.getsockname()[1])


def _state(folder: Path, places: _Places) -> Path:
    """Write the demo's configuration into its folder, with the ports it runs on; what it has stored stays."""
    ports = {"2525": places.smtp, "8080": places.desk, "8090": places.hook, "8081": places.vendor}
    try:
        text = (config_folder() / "demo.yaml").read_text(encoding="utf-8")
        text = re.sub(rf"\b(?:{'|'.join(ports)})\b", lambda found: str(ports[found.group()]), text)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config_file = folder / "bridge.yaml"
        database = json.dumps(f"sqlite://{folder.resolve() / 'bridge.db'}")
        config_file.write_text(f"{text}\ndatabase: {database}\n", encoding="utf-8")
    except OSError as fault:
        reason = (fault.strerror or "no reason").lower()
        raise ConfigError(
            f"cannot write the demo's files in {folder}: {reason}; name another with --state"
        ) from fault
    return config_file
