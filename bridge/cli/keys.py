"""``smsbridge user`` and ``smsbridge dkim``: passwords and keys. Neither is ever an argument or printed."""

import asyncio
import getpass
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

from bridge.cli.actor import actor
from bridge.cli.output import clean, fail
from bridge.cli.setting import config_path, configured, opened
from bridge.config import Config, keep_readers, load_users, remove_user, set_user, smtp_users_path, user_name
from bridge.errors import BridgeError, ConfigError, StoreError
from bridge.store import is_there

_SHORTEST: Final = 10
_LONGEST: Final = 1_024  # octets: what the SMTP server takes at AUTH
_LATER: Final = "a running service knows it within seconds"


def user_add(options: Namespace) -> int:
    """Add an SMTP user."""
    return _set(options, new=True)


def user_passwd(options: Namespace) -> int:
    """Change an SMTP user's password."""
    return _set(options, new=False)


def user_remove(options: Namespace) -> int:
    """Remove an SMTP user."""
    path, name = smtp_users_path(config_path(options)), user_name(options.name)
    if not remove_user(path, name):
        return fail(f"there is no user {name} in {path}")
    print(f"removed {name}; {_LATER}")
    _record(options, "user remove", name)
    return 0


def _set(options: Namespace, *, new: bool) -> int:
    path, name = smtp_users_path(config_path(options)), user_name(options.name)
    known = name in load_users(path)
    if known and new:
        return fail(f"{name} is there already; `smsbridge user passwd --smtp {name}` changes the password")
    if not known and not new:
        return fail(f"there is no user {name} in {path}; `smsbridge user add --smtp {name}` adds it")
    set_user(path, name, _hash(_asked()))
    print(f"{'added' if new else 'changed'} {name}; {_LATER}")
    _record(options, "user add" if new else "user passwd", name)
    return 0


def _record(options: Namespace, what: str, name: str) -> None:
    """Note it in the audit record, if there is a database: users are often added before the first start."""

    async def note(config: Config) -> None:
        async with opened(config) as store:
            await store.privacy.note(actor(), what, name)

    try:
        config = configured(options)
        if is_there(config.database.whole()):
            asyncio.run(note(config))
    except (ConfigError, StoreError) as error:
        why = "the configuration has mistakes" if isinstance(error, ConfigError) else str(error)
        print(clean(f"smsbridge: not in the audit record: {why}"), file=sys.stderr)


def _hash(password: str) -> str:
    """OWASP's first choice for argon2id: 19 MiB, two passes. About 26 ms."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(password)


def _asked() -> str:
    """Return the password from the terminal, asked twice, or from the first line of standard input."""
    password = _typed() if sys.stdin.isatty() else _piped()
    if len(password) < _SHORTEST:
        raise BridgeError(f"the password is too short: {_SHORTEST} characters at least")
    if len(password.encode()) > _LONGEST:
        raise BridgeError(f"the password is too long: {_LONGEST} bytes at most")
    return password


def _typed() -> str:
    try:
        first = getpass.getpass("Password: ")
        second = getpass.getpass("Again: ")
    except (EOFError, UnicodeDecodeError):
        raise BridgeError("no password was given") from None
    if first != second:
        raise BridgeError("the two passwords differ")
    return first


def _piped() -> str:
    try:
        return sys.stdin.buffer.readline(_LONGEST + 3).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise BridgeError("the password is not UTF-8") from None


def dkim_keygen(options: Namespace) -> int:
    """Write a new private key, and print the DNS record and the setting that go with it."""
    from bridge.mail_out import Signer, keygen, zone_text

    private, record = keygen()
    try:
        signer = Signer(options.domain, options.selector, private.encode())
    except ValueError as fault:
        return fail(str(fault))
    try:
        _write_new(Path(options.out), private.encode())
    except FileExistsError:
        return fail(
            f"{options.out} is there already: a key is never overwritten; name another file with --out"
        )
    print(f"; {options.out} holds the private key: the service must be able to read it, nobody else.")
    print("; Publish this TXT record:")
    print(f"{signer.record_name()}. IN TXT {zone_text(record)}")
    print("; and name the key under outbox: in the configuration:")
    print(
        f"; dkim: {{domain: {signer.domain}, selector: {signer.selector}, key: {Path(options.out).resolve()}}}"
    )
    return 0


def _write_new(path: Path, content: bytes) -> None:
    """Write a file for its owner alone (and see `keep_readers`), whole or not at all. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            keep_readers(path, descriptor, new=True)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
