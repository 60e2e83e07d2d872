"""``smsbridge demo``: the bridge and the vendor simulator on loopback, so that all of it works with no account."""

import asyncio
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
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from bridge import log, simulator
from bridge.app.service import Ports, run_service
from bridge.app.files import config_folder
from bridge.app.parts import ALL
from bridge.config import load
from bridge.errors import ConfigError
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
    places = _Places(*_ports(options.smtp_port, options.desk_port, options.hook_port, options.simulator_port))
    folder = Path(options.state)
    config_file = _state(folder, places)
    asyncio.run(_run(config_file, places))
    return 0


async def _run(config_file: Path, places: _Places) -> None:
    config = load(config_file, os.environ)
    hook = f"{config.http.url}/hooks/sms/{config.webhook.secret.get_secret_value()}"
    settings = simulator.Settings(
        port=places.vendor,
        webhook=simulator.Webhook(url=hook),
        reply_mail=simulator.ReplyMail("127.0.0.1", places.smtp),
        hint=f"Send a mail to {_NUMBER}@sms.local, SMTP on 127.0.0.1:{places.smtp}.",
    )
    try:
        async with simulator.running(settings):
            await run_service(
                config, ALL, on_ready=lambda ports, store: _welcome(config_file, ports, store, places)
            )
    except OSError as fault:
        raise ConfigError(
            f"cannot listen on 127.0.0.1:{places.vendor} (simulator): {(fault.strerror or 'no reason').lower()}; "
            "--simulator-port 0 takes any free one"
        ) from fault


async def _welcome(config_file: Path, ports: Ports, store: Store, places: _Places) -> None:
    if not await store.list_sms(SmsFilter(), None, 1):
        await asyncio.to_thread(_send_sample, places.smtp)
    command = f"{shlex.quote(_smsbridge())} messages list -c {shlex.quote(str(config_file))}"
    print(
        f"""
ready

  mail goes to   {_NUMBER}@sms.local by SMTP on 127.0.0.1:{places.smtp}
  desk           http://127.0.0.1:{places.desk}/
  phone          http://127.0.0.1:{places.vendor}/
  webhook        http://127.0.0.1:{places.hook}/
  on the shell   {command}

Send a mail (paste this into another terminal), then look at the phone and the desk:

  {paste_line(places.smtp)}

Ctrl-C stops it.
""",
        flush=True,
    )


def paste_line(port: int) -> str:
    """Return one shell line that sends a mail with what this machine has."""
    if shutil.which("curl"):
        mail = f"From: {_SENDER}\\nTo: {_NUMBER}@sms.local\\nSubject: Hello\\n\\nHello from my inbox\\n"
        return (
            f"printf '{mail}' | curl -sS smtp://127.0.0.1:{port} --mail-from {_SENDER} "
            f"--mail-rcpt {_NUMBER}@sms.local --crlf -T -"
        )
    code = (
        f"import smtplib; smtplib.SMTP('127.0.0.1', {port}).sendmail('{_SENDER}', '{_NUMBER}@sms.local', "
        f"'From: {_SENDER}\\r\\nSubject: Hello\\r\\n\\r\\nHello from my inbox')"
    )
    return f'{shlex.quote(sys.executable)} -c "{code}"'


def _send_sample(port: int) -> None:
    mail = EmailMessage()
    mail["From"] = f"You <{_SENDER}>"
    mail["To"] = f"{_NUMBER}@sms.local"
    mail["Subject"] = "Your appointment"
    mail["Message-ID"] = f"<{secrets.token_hex(8)}@example.com>"
    mail.set_content(
        "Hello Sam, your appointment is tomorrow at 9:30. Answer YES to confirm.\n\n-- \nRiverside Clinic\n"
    )
    with smtplib.SMTP("127.0.0.1", port, timeout=_READY_WITHIN_S) as client:
        client.send_message(mail)


def _smsbridge() -> str:
    beside = Path(sys.executable).with_name("smsbridge")
    return os.path.relpath(beside) if beside.exists() else f"{sys.executable} -m bridge"


def _ports(*asked: int) -> list[int]:
    """Return the ports, with every 0 turned into one that is free: the parts must know each other's."""
    held = []
    for _ in asked:
        holder = socket.socket()
        holder.bind(("127.0.0.1", 0))
        held.append(holder)
    found = [port or holder.getsockname()[1] for port, holder in zip(asked, held, strict=True)]
    for holder in held:
        holder.close()
    return found


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
