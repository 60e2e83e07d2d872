"""The sections of a file for checks across sections, also while some of their keys are still wrong.

So that a wrong port does not hide a missing brand: what is wrong is left out, or replaced by something that no
check objects to.
"""

import copy
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import SecretStr, TypeAdapter, ValidationError

from bridge.config.files import Surroundings
from bridge.config.model import (
    BrandModel,
    DeskModel,
    DuplicatesModel,
    FileModel,
    HttpModel,
    OutboxModel,
    PrefixesModel,
    RetentionModel,
    SmtpModel,
    SpendCapModel,
    VendorModel,
    WebhookModel,
)  # fmt: skip
from bridge.config.problem import KeyPath
from bridge.config.rule_model import SenderModel

_EACH = ("senders", "brands")  # read one entry at a time, so that one wrong entry does not hide the others

_SENDER, _BRAND = TypeAdapter(SenderModel), TypeAdapter(BrandModel)
Value = TypeVar("Value")

# What stands in for a wrong or missing value, by the name of its key. All else that is wrong is left out.
_STAND_INS: Mapping[str, Any] = {
    "max_connections": 20_000,
    "max_per_address": 1,
    "number_types": ["any"],
    "listen": [{"address": "127.0.0.1", "port": 0, "tls": "none"}],
    "address": "127.0.0.1",
    "port": 0,
    "tls": "none",
    "url": "http://127.0.0.1",
    "sender": "stand-in@example.com",
    "token": "stand-in",
    "auth_token": "stand-in",
    "secret": "stand-in-stand-in",
    "match": ["*@example.com"],
    "proof": ["auth", "network"],
    "networks": ["127.0.0.1"],
    "network": "127.0.0.1",
    "authserv_id": "stand-in.example",
    "smarthost": "smtp://stand-in:{password}@127.0.0.1",
    "password": "stand-in",
    "database": "postgresql://stand-in:{password}@127.0.0.1/stand-in",
    "database_password": "stand-in",
    "price_per_segment": 1,
    "name": "stand-in",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the file can be checked. A section that cannot be saved is None, an entry is left out.

    ``brand_names`` and ``account_names`` hold wrong entries too, since a rule that names one is not wrong for
    it; they are None when they cannot be known. ``rules`` counts the entries of `senders`, wrong ones too.
    """

    senders: Mapping[int, SenderModel]
    brands: Mapping[str, BrandModel]
    brand_names: Set[str] | None
    account_names: Set[str] | None
    rules: int
    domains: list[str] | None = None
    region: str | None = None
    admin: str | None = None
    inbound_to: str | None = None
    smtp: SmtpModel | None = None
    http: HttpModel | None = None
    desk: DeskModel | None = None
    vendor: VendorModel | None = None
    webhook: WebhookModel | None = None
    prefixes: PrefixesModel | None = None
    number_types: list[str] | None = None
    aliases: Mapping[str, list[str]] = field(default_factory=dict)
    spend_cap: SpendCapModel | None = None
    outbox: OutboxModel | None = None
    duplicates: DuplicatesModel | None = None
    retention: RetentionModel | None = None
    database: str | None = None
    database_password: SecretStr | None = None


def parts_of(data: Mapping[str, Any], wrong: Iterable[KeyPath], surroundings: Surroundings) -> Parts:
    """All of ``data`` that can be checked when the values at the paths ``wrong`` have been found wrong."""
    repaired = copy.deepcopy(dict(data))
    for path in wrong:
        _repair(repaired, path)
    found: dict[str, Any] = {}
    for name in set(Parts.__dataclass_fields__) & set(FileModel.model_fields) - set(_EACH):
        section = FileModel.model_fields[name]
        if name in repaired or not section.is_required():
            adapter = TypeAdapter(section.rebuild_annotation())
            value = _read(adapter, repaired.get(name, section.default), surroundings)
            found |= {} if value is None else {name: value}
    senders, brands = _items(repaired.get("senders")), repaired.get("brands")
    looks = (brands if isinstance(brands, dict) else {}).items()
    return Parts(
        senders={i: rule for i, raw in enumerate(senders) if (rule := _read(_SENDER, raw, surroundings))},
        brands={name: brand for name, raw in looks if (brand := _read(_BRAND, raw, surroundings))},
        brand_names=_names(data.get("brands")),
        account_names=_names(_child(data.get("vendor"), "accounts")),
        rules=len(_items(data.get("senders"))),
        **found,
    )


def _repair(data: dict[str, Any], path: KeyPath) -> None:
    """Replaces or removes the value of the innermost key on ``path``; a whole list goes for a wrong entry."""
    key = max((place for place, step in enumerate(path) if isinstance(step, str)), default=-1)
    if key < 0 or (path[key] in _EACH and key == 0):
        return
    parent: Any = data
    for step in path[:key]:
        parent = _child(parent, step)
    name = path[key]
    if not isinstance(parent, dict):
        return
    if name in _STAND_INS:
        parent[name] = copy.deepcopy(_STAND_INS[str(name)])
    else:
        parent.pop(name, None)


def _child(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None


def _read(adapter: TypeAdapter[Value], raw: Any, surroundings: Surroundings) -> Value | None:
    """The value, or None when it is wrong; what is wrong has been told already."""
    try:
        return adapter.validate_python(raw, context=surroundings)
    except ValidationError:
        return None


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _names(value: Any) -> Set[str] | None:
    if value is not None and not isinstance(value, dict):
        return None
    return {"default", *(value or ())}
