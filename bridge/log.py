"""Logs: one line an event, as JSON or text, with numbers and texts masked whatever wrote them.

Fields given as ``extra={…}`` become keys of the line. Masking is done on the finished line's values, so that
a library's own message or a traceback cannot show a phone number either. What an error says is shown where it cannot
quote what somebody wrote; of others the type and the place are.
"""

import datetime
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Literal

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MAX_VALUE: Final = 2_000  # characters; a line stays readable and a hostile value cannot fill the disk

# Seven digits and more, with or without a plus and the usual separators, standing alone: a phone number.
# Our ids hold letters, our times and sizes have at most six digits in a row or are written as numbers. After a
# colon only digits in one row count: "tel:0421000001", and not the end of a time and the date behind it.
_SHORTEST_NUMBER: Final = 7
# The plus may be written as in an address of the web; a bracket that closes has a blank behind it.
_NUMBER: Final = re.compile(
    r"(?:(?:(?<![\w.:-])|(?<=%2[Bb]))\+?\d(?:(?:[ ().-]|\) )?\d){6,16}|(?<=:)\+?\d{7,17})(?![\w-])"
)

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

# Errors whose words are made of names in the code, constants and places; those of others may quote a text, a number
# or what a server said. Ours (`errors`) hold nothing of anybody's.
_PLAIN: Final = (
    AssertionError,
    AttributeError,
    ImportError,
    MemoryError,
    NameError,
    NotImplementedError,
    RecursionError,
    TimeoutError,
    TypeError,
    UnicodeError,
    ZeroDivisionError,
)
_OURS: Final = "bridge."
_MAX_CHAIN: Final = 10  # errors behind an error
_MAX_FRAMES: Final = 60

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
        line["say"] = _said(record)
        if record.exc_info and record.exc_info[1]:
            line["trace"] = _trace(record.exc_info[1])
        return _escaped(_encoded(line))


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        said = f"{record.name}: {_said(record)}{fields}"
        lines = [f"{_utc(record)} {record.levelname.lower():7} {_escaped(said)}"]
        if record.exc_info and record.exc_info[1]:
            lines += [f"    {_escaped(one)}" for one in _trace(record.exc_info[1]).split("\n")]
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
    return {key: _shown(value) for key, value in vars(record).items() if key not in _STANDARD}


def _shown(value: object) -> object:
    """``value`` as it may stand in a line: numbers and truths as they are, all else as masked text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(one) for one in value]
    if isinstance(value, Mapping):
        return {mask_text(str(key)): _shown(one) for key, one in value.items()}
    return mask_text(_words(value) if isinstance(value, BaseException) else str(value))


def _said(record: logging.LogRecord) -> str:
    if isinstance(record.args, tuple) and any(isinstance(arg, BaseException) for arg in record.args):
        record.args = tuple(_words(arg) if isinstance(arg, BaseException) else arg for arg in record.args)
    said = record.getMessage()
    # Behind the first line of asyncio's stands what it had in its hands, an error with its words among it.
    return mask_text(said.partition("\n")[0] if record.name == "asyncio" else said)


def _words(error: BaseException) -> str:
    """What an error says, if that is nothing of anybody's."""
    kind = type(error)
    if kind.__module__.startswith(_OURS) or isinstance(error, _PLAIN):
        return str(error)
    if isinstance(error, OSError):
        return f"[Errno {error.errno}] {error.strerror}" if error.strerror else kind.__name__
    if kind.__module__ == "sqlite3":
        return str(error)  # names of columns, at most
    code = getattr(error, "sqlstate", None)
    return f"{kind.__name__} {code}" if code else kind.__name__


def _trace(error: BaseException) -> str:
    """Where an error was raised, and those behind it, the first of them first; words as in `_words`."""
    parts = ["Traceback, the first error first:"]
    for one in reversed(list(_behind(error))):
        frames = traceback.format_tb(one.__traceback__)[-_MAX_FRAMES:]
        words = _words(one)
        name = type(one).__name__
        parts.append(
            f"{''.join(map(mask_text, frames))}{name}{'' if words == name else f': {mask_text(words)}'}"
        )
    return "\n".join(parts)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """``error``, what it came from, and so on."""
    found: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        if found is None:
            return
        yield found
        if isinstance(found, BaseExceptionGroup):
            yield from found.exceptions[:_MAX_CHAIN]
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


class _Handler(logging.StreamHandler[Any]):
    """Writes lines; one that cannot be made says so, and nothing of what was to be in it."""

    def handleError(self, record: logging.LogRecord) -> None:
        fault = sys.exc_info()[1]
        with suppress(OSError, ValueError):  # stderr itself may be closed, and the service goes on
            self.stream.write(f"a line of {record.name} cannot be written: {type(fault).__name__}\n")


def set_up(level: str = "info", form: Literal["json", "text"] = "json") -> None:
    """Send all logs to stderr in ``form`` from ``level`` up; talkative libraries only from ERROR."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Where a line was written and by which thread is not in it; to find that out costs a fifth of a line.
    logging._srcfile = None  # as "Optimization" in the docs of `logging` says
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def catch_the_rest() -> None:
    """Have what Python would print by itself, the words of what ends this process or a thread of it, be logged."""
    sys.excepthook = _died
    threading.excepthook = lambda found: _unseen(found.exc_value)
    sys.unraisablehook = lambda found: _unseen(found.exc_value)


def _died(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("bridge").critical("ended by a fault of ours", exc_info=error)


def _unseen(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        logging.getLogger("bridge").error("a fault that nobody waited for", exc_info=error)
