"""The command line ``smsbridge``: options in, exit code out. The words of each command are in its own module.

Exit codes: 0 done, 1 failed, 2 usage, 78 configuration (EX_CONFIG of sysexits.h).
"""

import io
import os
import sys
from collections.abc import Sequence
from typing import Final

from bridge.cli.output import clean, fail
from bridge.cli.parser import parsed
from bridge.errors import BridgeError, ConfigError

EX_CONFIG: Final = 78
_EX_INTERRUPTED: Final = 130  # as shells count it: 128 and the number of SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Raises SystemExit for wrong usage, as argparse does."""
    _speak_any_language()
    try:
        options = parsed(argv)
        code = int(options.run(options))
        sys.stdout.flush()
    except ConfigError as fault:
        for line in str(fault).splitlines():
            print(clean(line), file=sys.stderr)
        return EX_CONFIG
    except BridgeError as fault:
        return fail(str(fault))
    except BrokenPipeError:
        _close_stdout()  # the reader (head, less) went away: not a word
        return 1
    except OSError as fault:
        _close_stdout()
        return fail(": ".join(str(part) for part in (fault.filename, fault.strerror or fault) if part))
    except KeyboardInterrupt:
        return _EX_INTERRUPTED
    return code


def _speak_any_language() -> None:
    """A terminal that cannot show a character gets its code: never an error half-way through a list."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _close_stdout() -> None:
    """What could not be written is given up, so that the interpreter does not try, and complain, at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # not a file: there is nothing to be written at exit
