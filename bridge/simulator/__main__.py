"""``python -m bridge.simulator``."""

import sys

from bridge.simulator.command import main

sys.exit(main(sys.argv[1:]))
