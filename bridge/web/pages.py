"""The desk's templates: escaped always, strict about names, with times in the operator's zone."""

import datetime
import hashlib
import re
import shlex
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bridge import phone
from bridge.render.templates import folder
from bridge.web import words

_STATIC: Final = {"desk.css": "text/css; charset=utf-8", "desk.js": "text/javascript; charset=utf-8"}
# Characters that act instead of showing: controls but for tab and line feed, lone surrogates (UTF-8 cannot
# carry them), the marks that turn round what stands behind them (UAX 9), so that "exe.gnp" looks like a
# picture, and those without any width, by which two names look alike. An operator sees them by their numbers.
# Joiners stay: scripts and emoji need them.
_ACTING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u180e\u200b\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


class Pages:
    """Renders ``templates/desk``. Every value is escaped; a name that is missing is an error, not a blank."""

    def __init__(self, timezone: ZoneInfo, version: str, config: str = "") -> None:
        self._timezone = timezone
        self._folder = folder().parent / "desk"
        self._static = {name: (self._folder / "static" / name).read_bytes() for name in _STATIC}
        self._environment = Environment(
            loader=FileSystemLoader(self._folder),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_shown,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "when": self._when,
            "iso": self._iso,
            "money": _money,
            "number": phone.display,
            "happened": words.happened,
        }
        self._environment.globals |= {
            "version": version,
            "named": f" -c {shlex.quote(config)}" if config else "",
            "timezone": timezone.key,
            "gone": "(not kept any more)",
            "meanings": words.MEANINGS,
            "static": {name: f"/static/{name}?v={_mark(content)}" for name, content in self._static.items()},
        }

    def render(self, template: str, **values: object) -> str:
        """Return the page ``template`` filled with ``values``."""
        return self._environment.get_template(template).render(**values)

    def static(self, name: str) -> tuple[bytes, str] | None:
        """Return content and media type of a static file, None when there is no such file."""
        return (self._static[name], _STATIC[name]) if name in _STATIC else None

    def _when(self, at: int) -> str:
        return self._local(at).strftime("%d %b %Y %H:%M:%S")

    def _iso(self, at: int) -> str:
        return self._local(at).isoformat(timespec="milliseconds")

    def _local(self, at: int) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(at / 1000, self._timezone)


def _shown(value: object) -> object:
    """Text as it may stand on a page. What is markup by now was made of such texts."""
    return _ACTING.sub(lambda found: f"‹U+{ord(found[0]):04X}›", value) if type(value) is str else value


def _mark(content: bytes) -> str:
    """Names a file by what is in it, so that a browser keeps it until it changes."""
    return hashlib.sha256(content).hexdigest()[:8]


def _money(amount: int) -> str:
    whole, _, part = f"{amount / 10_000:.4f}".partition(".")
    return f"{whole}.{part[:2]}{part[2:].rstrip('0')}"
