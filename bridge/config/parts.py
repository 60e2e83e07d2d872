"""The sections of a file that could be read, for checks across sections while others are still wrong."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bridge.config.files import Surroundings
from bridge.config.model import (
    BrandModel,
    DeskModel,
    FileModel,
    HttpModel,
    OutboxModel,
    PrefixesModel,
    SmtpModel,
    VendorModel,
    WebhookModel,
)  # fmt: skip
from bridge.config.rule_model import SenderModel

_EACH = ("senders", "brands")  # read one entry at a time, so that one wrong entry does not hide the others


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the file is right. A section that is wrong or missing is None, a wrong entry is left out.

    ``brand_names`` and ``account_names`` hold wrong entries too: a rule that names one is not wrong for it.
    """

    senders: Mapping[int, SenderModel]
    brands: Mapping[str, BrandModel]
    brand_names: Set[str]
    account_names: Set[str]
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
    outbox: OutboxModel | None = None


def parts_of(data: Mapping[str, Any], surroundings: Surroundings) -> Parts:
    """All sections of ``data`` that can be read by themselves."""
    found: dict[str, Any] = {}
    for name in set(Parts.__dataclass_fields__) & set(FileModel.model_fields) - set(_EACH):
        section = FileModel.model_fields[name]
        if name in data or not section.is_required():
            value = _read(section.rebuild_annotation(), data.get(name, section.default), surroundings)
            found |= {} if value is None else {name: value}
    senders, brands = data.get("senders"), data.get("brands")
    rules = enumerate(senders if isinstance(senders, list) else [])
    looks = (brands if isinstance(brands, dict) else {}).items()
    return Parts(
        senders={index: rule for index, raw in rules if (rule := _read(SenderModel, raw, surroundings))},
        brands={name: brand for name, raw in looks if (brand := _read(BrandModel, raw, surroundings))},
        brand_names=_names(data, "brands"),
        account_names=_names(data, "vendor", "accounts"),
        **found,
    )


def _read(annotation: Any, raw: Any, surroundings: Surroundings) -> Any:
    """The value, or None when it is wrong; what is wrong has been told already."""
    try:
        return TypeAdapter(annotation).validate_python(raw, context=surroundings)
    except ValidationError:
        return None


def _names(data: Mapping[str, Any], *path: str) -> Set[str]:
    value: Any = data
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return {"default", *(value if isinstance(value, dict) else ())}
