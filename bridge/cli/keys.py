"""``smsbridge user`` and ``smsbridge dkim``: passwords and keys. Neither is ever an argument or printed."""

import getpass
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher

from bridge.cli.output import fail
from bridge.cli.setting import configured
from bridge.config import users
from bridge.errors import ConfigError
from bridge.mail_out import keygen, zone_text

# OWASP's first choice for argon2id: 19 MiB, two passes. About 26 ms.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_SHORTEST: Final = 10


def user_add(options: Namespace) -> int:
    """Add an SMTP user."""
    return _set(options, new=True)


def user_passwd(options: Namespace) -> int:
    """Change an SMTP user's password."""
    return _set(options, new=False)


def user_remove(options: Namespace) -> int:
    """Remove an SMTP user."""
    path = _file(options)
    if options.name.lower() not in users.load_users(path):
        return fail(f"there is no user {options.name} in {path}")
    users.remove_user(path, options.name)
    print(f"removed {options.name.lower()}")
    return 0


def _set(options: Namespace, *, new: bool) -> int:
    path = _file(options)
    known = options.name.lower() in (users.load_users(path) if path.exists() else {})
    if known and new:
        return fail(
            f"{options.name} is there already; `smsbridge user passwd --smtp {options.name}` changes it"
        )
    if not known and not new:
        return fail(f"there is no user {options.name} in {path}")
    password = _asked()
    if len(password) < _SHORTEST:
        return fail(f"the password is too short: {_SHORTEST} characters at least")
    users.set_user(path, options.name, HASHER.hash(password))
    print(f"{'added' if new else 'changed'} {options.name.lower()}")
    return 0


def _file(options: Namespace) -> Path:
    path = configured(options).smtp.users
    if path is None:
        raise ConfigError("smtp.users is not set: name the file that holds the SMTP users")
    return Path(path)


def _asked() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise ConfigError("the two passwords differ")
    return first


def dkim_keygen(options: Namespace) -> int:
    """Write a new private key and print the DNS record that goes with it."""
    private, record = keygen()
    try:
        handle = os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return fail(f"{options.out} is there already: a key is never overwritten")
    except OSError as fault:
        return fail(f"cannot write {options.out}: {fault.strerror}")
    with os.fdopen(handle, "wb") as file:
        file.write(private.encode())
    print(f"# key written to {options.out}; publish this TXT record:")
    print(f"{options.selector}._domainkey.{options.domain}.  IN TXT  {zone_text(record)}")
    return 0
