"""The smallest right configuration, and what the tests do with changed forms of it."""

from collections.abc import Mapping
from pathlib import Path

from bridge import config
from bridge.config import Config

ENVIRON = {"SMS_TOKEN": "canary-token", "SMS_AUTH_TOKEN": "canary-auth", "HOOK_SECRET": "canary-hook-secret"}

SMALLEST = """\
domains: [sms.local]
region: AU
admin: admin@example.com
smtp:
  listen:
    - {address: 127.0.0.1, port: 2525, tls: none}
http:
  url: https://sms.example.com
vendor:
  sender: application@example.com
  token: {env: SMS_TOKEN}
  auth_token: {env: SMS_AUTH_TOKEN}
webhook: {secret: {env: HOOK_SECRET}}
senders:
  - match: ["*@example.com"]
    proof: [network]
    networks: [10.20.0.0/16]
prefixes: {allow: ["+614"]}
"""

KEPT = "outbox.smarthost: warning: no outbox.smarthost: reports and replies are kept and shown on the desk, not sent"


def changed(old: str = "", new: str = "", *, more: str = "") -> str:
    """The smallest configuration with one piece replaced, and lines added at its end."""
    assert old in SMALLEST, old
    return SMALLEST.replace(old, new, 1) + more


def write(folder: Path, text: str | bytes, name: str = "bridge.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str | bytes, environ: Mapping[str, str] = ENVIRON) -> Config:
    return config.load(write(folder, text), environ)


def said(folder: Path, text: str | bytes, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    """What is said about a file, errors and warnings, without its name and the warning that all samples share."""
    path = write(folder, text)
    lines = [str(problem) for problem in config.check(path, environ)]
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines if KEPT not in line]
