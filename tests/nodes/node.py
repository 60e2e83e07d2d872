"""``smsbridge serve`` whose nodes find out sooner what became of each other: ``python -m tests.nodes.node``."""

import argparse
import os
from pathlib import Path

import uvloop

from bridge import log
from bridge.app.heartbeat import Pulse
from bridge.app.parts import ALL, Part
from bridge.app.service import run_service
from bridge.config import load


def main() -> None:
    """Run a node until it is told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", type=Path, required=True, dest="config")
    parser.add_argument("--only", default=",".join(ALL))
    options = parser.parse_args()
    config = load(options.config, os.environ)
    log.set_up(config.log.level, config.log.format)
    parts = [Part(name) for name in options.only.split(",")]
    uvloop.run(run_service(config, parts, file=str(options.config), pulse=QUICK))


# The silence is still longer than a claim may be old when its call begins (5 s), as in service.
QUICK = Pulse(beat_s=0.25, lease_ms=1_500, silence_ms=6_000, sweep_s=0.25)

if __name__ == "__main__":
    main()
