"""The file of SMTP users: names and argon2id hashes, `users: {name: {hash: …}}`, written whole or not at all.

Never holds or logs a password. The command line writes it; the SMTP side reads it.
"""

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bridge.config import yaml_tree
from bridge.config.fields import USER_NAME
from bridge.config.files import is_there, keep_readers, read_bytes
from bridge.config.problem import Problem, key_path, printable
from bridge.config.scalars import mail_address
from bridge.config.yaml_tree import Node
from bridge.errors import ConfigError

_HASH = re.compile(r"\$argon2id\$[A-Za-z0-9+/=,$]{20,300}", re.ASCII)


def user_name(written: str) -> str:
    """A name as it is stored: in small letters, a mail address or letters, digits, dots and dashes.

    Raises `ConfigError` for anything else.
    """
    name = written.lower()
    try:
        return name if USER_NAME.fullmatch(name) else mail_address(name)
    except ValueError:
        text = "is no user name: write a mail address, or letters, digits, dots and dashes"
        raise ConfigError(f"{printable(written[:80])!r} {text}") from None


def load_users(path: Path) -> Mapping[str, str]:
    """Names and argon2id hashes; empty when there is no file yet.

    Raises `ConfigError` with a line per mistake.
    """
    if not is_there(path):
        return {}
    shown = printable(str(path))
    try:
        text = read_bytes(path, yaml_tree.MAX_BYTES).decode()
    except ValueError as error:
        reason = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ConfigError(str(Problem(shown, 1, 1, "", reason))) from None
    if not text.strip():
        return {}
    root, problems = yaml_tree.compose(text, shown)
    users: dict[str, str] = {}
    if root is not None:
        problems += _read_into(users, root, shown)
    if problems:
        raise ConfigError("\n".join(map(str, problems)))
    return users


def set_user(path: Path, name: str, argon2_hash: str) -> None:
    """Adds a user or changes the hash. Raises `ConfigError` when the name, hash or file is wrong."""
    if not _HASH.fullmatch(argon2_hash):
        raise ConfigError("a user needs an argon2id hash")
    key = user_name(name)
    with _alone(path):
        _write(path, {**load_users(path), key: argon2_hash})


def remove_user(path: Path, name: str) -> bool:
    """Takes a user away; False when there was none."""
    key = user_name(name)
    with _alone(path):
        users = dict(load_users(path))
        if users.pop(key, None) is None:
            return False
        _write(path, users)
    return True


def _read_into(users: dict[str, str], root: Node, file: str) -> Iterator[Problem]:
    listed = root.child("users")
    if not isinstance(root.value, Mapping) or set(root.value) - {"users"} or listed is None:
        yield Problem(file, root.line, root.column, "", "must hold the one key users:")
        return
    if listed.value is None:
        return
    if not isinstance(listed.value, Mapping):
        yield Problem(file, listed.line, listed.column, "users", "must be a mapping of names")
        return
    for name, node in listed.value.items():
        where = (file, node.key_line, node.key_column, key_path(("users", name)))
        entry = node.child("hash")
        try:
            if user_name(name) != name:
                yield Problem(*where, f"must be written in small letters: {name.lower()}")
                continue
        except ConfigError:
            yield Problem(
                *where, "is no user name: write a mail address, or letters, digits, dots and dashes"
            )
            continue
        wrong = entry is None or not isinstance(entry.value, str) or not _HASH.fullmatch(entry.value)
        if wrong or entry is None or not isinstance(node.value, Mapping) or len(node.value) != 1:
            yield Problem(
                *where, "must hold one key, hash, an argon2id hash: `smsbridge user passwd` makes it"
            )
            continue
        users[name] = str(entry.value)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two commands at once must not lose a user: a lock on the folder, held by this process alone."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _cannot_write(path, error) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, users: Mapping[str, str]) -> None:
    """Writes the whole file beside the old one, then puts it in its place; readable for its owner alone, and for the
    service (see `keep_readers`)."""
    lines = [f"  {json.dumps(name)}: {{hash: {json.dumps(users[name])}}}\n" for name in sorted(users)]
    content = "# SMTP users, written by `smsbridge user`.\nusers:" + (
        "\n" + "".join(lines) if lines else " {}\n"
    )
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            keep_readers(path, descriptor)
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _cannot_write(path, error) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{printable(str(path))}: cannot be written: {(error.strerror or 'it fails').lower()}")
