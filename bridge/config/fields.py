"""The types of the keys: each reads a value of the tree, and tells editors what to offer.

Binds `scalars`, `files` and `secrets` to pydantic. Must not know which key has which type.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    model_validator,
)  # fmt: skip
from pydantic import WithJsonSchema as Schema

from bridge import optout, phone, sms_text
from bridge.config import files, scalars, secrets
from bridge.config.database import database_address
from bridge.config.files import Surroundings
from bridge.rules import Network as IpNetwork
from bridge.sms_text.own_pattern import OwnPattern

MAX_PATTERN = 200  # characters of an operator's pattern
MAX_OPTOUT_WORDS = 100
MAX_OPTOUT_WORD = 60  # characters
USER_NAME = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_ALIAS = re.compile(r"[a-z][a-z0-9._-]{0,63}", re.ASCII)
_RESERVED = frozenset({"postmaster", "abuse", "reply", "bounce", "mailer-daemon"})


class Section(BaseModel):
    """A mapping of the file. Unknown keys are mistakes; values are read by rules of ours alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def without_empty_keys(cls, value: Any) -> Any:
        """A key without a value counts as not set, so that all below it can be made a comment."""
        if isinstance(value, dict):
            known = {field.alias or name for name, field in cls.model_fields.items()}
            return {name: item for name, item in value.items() if item is not None or name not in known}
        return {} if value is None else value


def setting(default: Any, description: str, *, example: Any = None, **constraints: Any) -> Any:
    """A key, its default as the file writes it (``...``: it must be given) and a line of explanation."""
    shown = default if example is None else example
    examples = None if shown is ... or shown is None else [shown]
    return Field(default, description=description, examples=examples, validate_default=True, **constraints)


def reads(parse: Callable[[object], Any], schema: dict[str, Any]) -> tuple[PlainValidator, Schema]:
    return PlainValidator(parse), Schema(schema)


def between(least: str, most: str, reason: str = "") -> AfterValidator:
    """Bounds of a duration, both allowed, with the reason for them."""
    least_ms, most_ms = scalars.duration(least), scalars.duration(most)

    def check(value: int) -> int:
        if not least_ms <= value <= most_ms:
            raise ValueError(f"must lie between {least} and {most}{f': {reason}' if reason else ''}")
        return value

    return AfterValidator(check)


def sized(least: str, most: str) -> AfterValidator:
    """Bounds of a size, both allowed."""

    def check(value: int) -> int:
        if not scalars.size(least) <= value <= scalars.size(most):
            raise ValueError(f"must lie between {least} and {most}")
        return value

    return AfterValidator(check)


def words(most: int, *, least: int = 1) -> AfterValidator:
    """Text of one line with ``least`` to ``most`` characters."""

    def check(value: str) -> str:
        if not least <= len(value) <= most or not value.isprintable():
            raise ValueError(f"must be one line of {least} to {most} characters")
        return value

    return AfterValidator(check)


def _surroundings(info: ValidationInfo) -> Surroundings:
    if not isinstance(info.context, Surroundings):
        raise TypeError("a configuration is read with its surroundings")
    return info.context


def _secret(value: object, info: ValidationInfo) -> SecretStr:
    return secrets.resolve(value, _surroundings(info))


def _hook_secret(secret: SecretStr) -> SecretStr:
    """It is a part of a URL, and all that tells the vendor from a forger who knows the token."""
    if not re.fullmatch(r"[A-Za-z0-9_~-]{16,200}", secret.get_secret_value(), re.ASCII):
        raise ValueError("must have 16 to 200 letters, digits, - or _: make one with `openssl rand -hex 24`")
    return secret


def _path(value: object, info: ValidationInfo) -> Path:
    return _surroundings(info).locate(scalars.path(value))


def _existing(value: object, info: ValidationInfo) -> Path:
    return _surroundings(info).existing(scalars.path(value))


def _user(value: object) -> str:
    written = scalars.text(value).lower()
    if USER_NAME.fullmatch(written):
        return written
    try:
        return scalars.mail_address(written)
    except ValueError:
        raise ValueError(
            "is no user name: write a mail address, or letters, digits, dots and dashes"
        ) from None


def _region(value: object) -> str:
    written = scalars.text(value)
    if phone.known_region(written):
        return written
    if phone.known_region(written.upper()):
        raise ValueError(f"must be written in capitals: {written.upper()}")
    raise ValueError("is no country: write its two letters (ISO 3166), such as AU, NZ or NO")


def _name(value: object) -> str:
    written = scalars.text(value)
    if not _NAME.fullmatch(written):
        raise ValueError("is no name: write 1 to 40 small letters, digits, - or _")
    return written


def _account_name(value: object) -> str:
    written = _name(value)
    if written == "default":
        raise ValueError("default is the vendor's first pair: give this account another name")
    return written


def _alias(value: object) -> str:
    written = scalars.text(value).lower()
    if not _ALIAS.fullmatch(written):
        raise ValueError("is no alias: write small letters, digits, dots and dashes, a letter first")
    if written in _RESERVED:
        raise ValueError(f"{written}@ has a meaning of its own: take another name")
    return written


def _accent(value: object) -> str:
    written = scalars.text(value).lower()
    if not re.fullmatch(r"#[0-9a-f]{6}", written, re.ASCII):
        raise ValueError('is no colour: write six hexadecimal digits in quotes, such as "#0a7d6c"')
    return written


def _more_words(value: object) -> str:
    written = scalars.text(value)
    wrong = None if written.isprintable() and written else "must be one line"
    wrong = wrong or sms_text.check_more(written)
    if wrong:
        raise ValueError(f"{wrong}; such as (+{{{{ count }}}} more)")
    return written


_template_mistake = lru_cache(maxsize=64)(sms_text.check_template)  # every rule has the default


def _template(value: object) -> str:
    written = scalars.text(value)
    wrong = _template_mistake(written)
    if wrong:
        raise ValueError(f"{wrong}; such as {{{{ body }}}}")
    return written


def _pattern(value: object) -> OwnPattern:
    written = scalars.text(value)
    if not 1 <= len(written) <= MAX_PATTERN:
        raise ValueError(f"must have 1 to {MAX_PATTERN} characters")
    try:
        return OwnPattern(written)
    except ValueError as error:
        raise ValueError(f"is no regular expression of RE2: {error}") from None


def _optout_words(value: object) -> tuple[str, ...]:
    """A list of words, in which ``auto`` stands for ours; ``auto`` or ``none`` alone."""
    if value in (optout.AUTO, "none"):
        return (optout.AUTO,) if value == optout.AUTO else ()
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_OPTOUT_WORDS:
        raise ValueError(
            f"write auto, none, or a list of 1 to {MAX_OPTOUT_WORDS} words such as [auto, CANCEL]"
        )
    written = tuple(scalars.text(word) for word in value)
    for word in written:
        if not optout.plain(word) or len(word) > MAX_OPTOUT_WORD:
            raise ValueError(f"each word must be 1 to {MAX_OPTOUT_WORD} characters, with a letter or digit")
    return written


def _message_prefix(value: object) -> str:
    written = scalars.text(value)
    if not re.fullmatch(r"[A-Z0-9]{4}", written, re.ASCII):
        raise ValueError("must be four capital letters or digits, such as BRDG")
    return written


_TEXT = {"type": "string"}
_ADDRESS = {"type": "string", "format": "email"}
_DIGITS = {"type": ["string", "integer"]}
_WORDS = {
    "oneOf": [{"enum": ["auto", "none"]}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
}
_URL = {"type": "string", "format": "uri"}
_NETWORK = {"type": "string", "examples": ["10.20.0.0/16"]}
_SECRET: dict[str, Any] = {
    "oneOf": [
        {"type": "string", "description": "the secret itself"},
        {
            "type": "object",
            "properties": {
                "env": {"type": "string", "description": "the environment variable that holds it"},
                "file": {
                    "type": "string",
                    "description": "the file that holds it; one line end at its end is cut",
                },
            },
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    ]
}

Text = Annotated[str, *reads(scalars.text, _TEXT)]
Duration = Annotated[int, *reads(scalars.duration, {"type": "string", "pattern": r"^(\d+(d|h|m|s|ms))+$"})]
Size = Annotated[int, *reads(scalars.size, {"type": "string", "pattern": r"^\d+([kMG]B|[KMG]iB)$"})]
Rate = Annotated[float, *reads(scalars.rate, {"type": "string", "pattern": r"^\d+(\.\d+)?/[smh]$"})]
Money = Annotated[int, *reads(scalars.money, {"type": ["number", "string"], "minimum": 0})]
Prefix = Annotated[str, *reads(scalars.prefix, {"type": ["string", "integer"], "examples": ["+614"]})]
PhoneText = Annotated[str, *reads(scalars.text, _DIGITS)]
HostName = Annotated[str, *reads(scalars.host_name, {"type": "string", "format": "hostname"})]
MailAddress = Annotated[str, *reads(scalars.mail_address, _ADDRESS)]
SenderPattern = Annotated[
    str, *reads(scalars.sender_pattern, {"type": "string", "examples": ["*@example.com"]})
]
Network = Annotated[IpNetwork, *reads(scalars.network, _NETWORK)]
NarrowNetwork = Annotated[IpNetwork, *reads(scalars.narrow_network, _NETWORK)]
ListenAddress = Annotated[str, *reads(scalars.ip_address, {"type": "string", "examples": ["127.0.0.1"]})]
NameServer = Annotated[
    tuple[str, int],
    *reads(scalars.name_server, {"type": "string", "examples": ["127.0.0.1", "10.0.0.1:5353"]}),
]
BaseUrl = Annotated[str, *reads(scalars.base_url, _URL)]
Origin = Annotated[str, *reads(scalars.origin, _URL)]
Smarthost = Annotated[scalars.SmarthostUrl, *reads(scalars.smarthost, _URL)]
DatabaseAddress = Annotated[
    str, *reads(database_address, {"type": "string", "pattern": "^(sqlite|postgres(ql)?)://"})
]
TimeZone = Annotated[ZoneInfo, *reads(scalars.time_zone, {"type": "string"})]
Region = Annotated[str, *reads(_region, {"type": "string", "pattern": "^[A-Z]{2}$"})]
UserName = Annotated[str, *reads(_user, _TEXT)]
Name = Annotated[str, *reads(_name, _TEXT)]
AccountName = Annotated[str, *reads(_account_name, _TEXT)]
AliasName = Annotated[str, *reads(_alias, _TEXT)]
Accent = Annotated[str, *reads(_accent, {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"})]
MoreWords = Annotated[str, *reads(_more_words, _TEXT)]
Template = Annotated[str, *reads(_template, _TEXT)]
Pattern = Annotated[OwnPattern, *reads(_pattern, {"type": "string", "format": "regex"})]
OptoutWords = Annotated[tuple[str, ...], *reads(_optout_words, _WORDS)]
MessagePrefix = Annotated[str, *reads(_message_prefix, {"type": "string", "pattern": "^[A-Z0-9]{4}$"})]

Secret = Annotated[SecretStr, PlainValidator(_secret), Schema(_SECRET)]
HookSecret = Annotated[Secret, AfterValidator(_hook_secret)]
FilePath = Annotated[Path, PlainValidator(_path), Schema(_TEXT)]
ExistingPath = Annotated[Path, PlainValidator(_existing), Schema(_TEXT)]
FolderPath = Annotated[ExistingPath, AfterValidator(files.existing_folder)]
Logo = Annotated[
    bytes, PlainValidator(lambda value, info: files.read_logo(_existing(value, info))), Schema(_TEXT)
]
DkimKey = Annotated[
    bytes, PlainValidator(lambda value, info: files.read_dkim_key(_existing(value, info))), Schema(_TEXT)
]
