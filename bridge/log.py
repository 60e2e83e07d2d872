"""Logs: one line an event, as JSON or text, with numbers and texts masked whatever wrote them.

Fields given as ``extra={…}`` become keys of the line. Masking is done on the finished line's values, so that
a library's own message or a traceback cannot show a phone number either.
"""

import datetime
import json
import logging
import re
import sys
from typing import Any, Final, Literal

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MAX_VALUE: Final = 2_000  # characters; a line stays readable and a hostile value cannot fill the disk

# Seven digits and more, with or without a plus and the usual separators, standing alone: a phone number.
# Our ids hold letters, our times and sizes have at most six digits in a row or are written as numbers. After a
# colon only digits in one row count: "tel:0421000001", and not the end of a time and the date behind it.
_SHORTEST_NUMBER: Final = 7
_NUMBER: Final = re.compile(r"(?:(?<![\w.:-])\+?\d(?:[ ().-]?\d){6,16}|(?<=:)\+?\d{7,17})(?![\w-])")

# What would end the line, steer the terminal that shows it, or turn its direction: a name or a reason from
# outside must not look like a line of ours.
# All of it is "not printable" to Python, which is quicker to ask.
_ACTING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# Libraries that log addresses, URLs with secrets, or base64 passwords at INFO and DEBUG.
_QUIET: Final = (
    "httpx",
    "httpcore",
    "mail.log",
    "aiosmtplib",
    "uvicorn",
    "uvicorn.error",
    "asyncio",
    "hpack",
)

_encoded: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode


def mask(number: str) -> str:
    """Return a number with its middle hidden: ``+61421000001`` → ``+61421•••001``."""
    compact = re.sub(r"[ ().-]", "", number)
    if len(compact) < 7:
        return "•" * len(compact)
    return f"{compact[: len(compact) - 6]}•••{compact[-3:]}"


def mask_text(text: str) -> str:
    """Return ``text`` with every phone number in it masked, and cut to a bounded length."""
    if len(text) < _SHORTEST_NUMBER:
        return text
    cut = text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…"
    return _NUMBER.sub(lambda found: mask(found.group()), cut)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"at": _utc(record), "level": record.levelname.lower(), "from": record.name}
        line |= _fields(record)
        line["say"] = mask_text(record.getMessage())
        if record.exc_info:
            line["trace"] = mask_text(self.formatException(record.exc_info))
        return _escaped(_encoded(line))


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        said = f"{record.name}: {mask_text(record.getMessage())}{fields}"
        lines = [f"{_utc(record)} {record.levelname.lower():7} {_escaped(said)}"]
        if record.exc_info:
            trace = mask_text(self.formatException(record.exc_info))
            lines += [f"    {_escaped(one)}" for one in trace.split("\n")]
        return "\n".join(lines)


def _escaped(line: str) -> str:
    """``line`` with what acts instead of showing written as JSON writes it."""
    if line.isprintable():
        return line
    return _ACTING.sub(lambda found: json.dumps(found.group())[1:-1], line)


def _utc(record: logging.LogRecord) -> str:
    at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {
        key: mask_text(value) if isinstance(value, str) else value
        for key, value in vars(record).items()
        if key not in _STANDARD
    }


def set_up(level: str = "info", form: Literal["json", "text"] = "json") -> None:
    """Send all logs to stderr in ``form`` from ``level`` up; talkative libraries only from ERROR."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Where a line was written and by which thread is not in it; to find that out costs a fifth of a line.
    logging._srcfile = None  # as "Optimization" in the docs of `logging` says
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
