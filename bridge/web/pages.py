"""The desk's templates: escaped always, strict about names, with times in the operator's zone."""

import datetime
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bridge import phone
from bridge.render.templates import folder

_STATIC: Final = {"desk.css": "text/css; charset=utf-8", "desk.js": "text/javascript; charset=utf-8"}


class Pages:
    """Renders ``templates/desk``. Every value is escaped; a name that is missing is an error, not a blank."""

    def __init__(self, timezone: ZoneInfo, version: str) -> None:
        self._timezone = timezone
        self._folder = folder().parent / "desk"
        self._environment = Environment(
            loader=FileSystemLoader(self._folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["when"] = self._when
        self._environment.filters["money"] = _money
        self._environment.filters["number"] = phone.display
        self._environment.globals["version"] = version
        self._static = {name: (self._folder / "static" / name).read_bytes() for name in _STATIC}

    def render(self, template: str, **values: object) -> str:
        """Return the page ``template`` filled with ``values``."""
        return self._environment.get_template(template).render(**values)

    def static(self, name: str) -> tuple[bytes, str] | None:
        """Return content and media type of a static file, None when there is no such file."""
        return (self._static[name], _STATIC[name]) if name in _STATIC else None

    def _when(self, at: int | None) -> str:
        if at is None:
            return ""
        return datetime.datetime.fromtimestamp(at / 1000, self._timezone).strftime("%d %b %Y %H:%M:%S")


def _money(amount: int | None) -> str:
    return "" if amount is None else f"{amount / 10_000:.4f}".rstrip("0").rstrip(".")
