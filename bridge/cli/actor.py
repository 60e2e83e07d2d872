"""Who gives a command: for the audit record and the history of a message."""

import os
import pwd
from pathlib import Path
from typing import Final

from bridge.store import Actor

_LOGIN: Final = Path("/proc/self/loginuid")  # audit(7): set at login, kept by su and sudo
_NOBODY: Final = (1 << 32) - 1


def actor() -> Actor:
    """Return the user of this process, and who became it: by the kernel's word, else by sudo's."""
    us = os.getuid()
    login = _login()
    if login is not None and login != us:
        return Actor(f"{_name(us)}, logged in as {_name(login)}")
    before = os.environ.get("SUDO_USER", "")
    return Actor(f"{_name(us)}, by sudo from {before}" if before and login is None else _name(us))


def _login() -> int | None:
    try:
        found = int(_LOGIN.read_text())
    except (OSError, ValueError):
        return None
    return None if found == _NOBODY else found


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
