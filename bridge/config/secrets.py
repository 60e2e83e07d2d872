"""Secrets of the file: `{env: NAME}`, `{file: PATH}` or text, resolved at their place and then masked.

No error of this module holds anything of a secret, not even a name that may be one by mistake.
"""

import re

from pydantic import SecretStr

from bridge.config import scalars
from bridge.config.files import MAX_SECRET, Surroundings, read_bytes

MAX_LENGTH = 4_096
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}", re.ASCII)
_WAYS = "write {env: NAME}, {file: PATH} or text"


def resolve(value: object, surroundings: Surroundings) -> SecretStr:
    """The secret that ``value`` names. Raises ValueError with one sentence without the secret."""
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ValueError(f"is a list: {_WAYS}")
        return _checked(scalars.text(value), "it")
    if len(value) != 1 or next(iter(value)) not in ("env", "file"):
        raise ValueError(f"is no secret: {_WAYS}")
    [(way, target)] = value.items()
    if not isinstance(target, str):
        raise ValueError(f"is no secret: {_WAYS}")
    return _from_environment(target, surroundings) if way == "env" else _from_file(target, surroundings)


def _from_environment(name: str, surroundings: Surroundings) -> SecretStr:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("env takes the name of an environment variable in capitals, such as SMS_TOKEN")
    if name not in surroundings.environ:
        raise ValueError(f"the environment variable {name} is not set: set it before the start")
    return _checked(surroundings.environ[name], f"the environment variable {name}")


def _from_file(written: str, surroundings: Surroundings) -> SecretStr:
    try:
        content = read_bytes(surroundings.existing(scalars.path(written)), MAX_SECRET).decode()
    except UnicodeDecodeError:
        raise ValueError("the secret's file is not UTF-8 text") from None
    return _checked(re.sub(r"\r?\n\Z", "", content), "the secret's file")


def _checked(secret: str, source: str) -> SecretStr:
    """A secret goes into HTTP headers and SMTP commands: nothing in it may end a line."""
    if not secret:
        raise ValueError(f"{source} is empty: {_WAYS}")
    if len(secret) > MAX_LENGTH or not secret.isprintable():
        raise ValueError(
            f"{source} holds a line end, a control character or more than {MAX_LENGTH:,} characters"
        )
    return SecretStr(secret)
