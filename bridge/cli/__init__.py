"""The command line ``smsbridge``: options in, exit code out. The words of each command are in its own module.

Exit codes: 0 done, 1 failed, 2 usage, 78 configuration (EX_CONFIG of sysexits.h).
"""

import sys
from collections.abc import Sequence
from typing import Final

from bridge.cli.parser import parser
from bridge.errors import BridgeError, ConfigError

EX_CONFIG: Final = 78


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(argv)
    try:
        return int(options.run(options))
    except ConfigError as fault:
        print(fault, file=sys.stderr)
        return EX_CONFIG
    except BridgeError as fault:
        print(f"smsbridge: {fault}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader (head, less) went away: no second complaint at exit
        return 1
    except KeyboardInterrupt:
        return 130
