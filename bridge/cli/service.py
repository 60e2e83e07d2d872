"""``smsbridge serve`` and ``smsbridge simulator``."""

import asyncio
from argparse import Namespace

from bridge import log
from bridge.app import run_service
from bridge.cli.setting import configured
from bridge.simulator.command import main as simulator_main


def serve(options: Namespace) -> int:
    """Run the service until SIGTERM or Ctrl-C."""
    config = configured(options)
    log.set_up(config.log.level, config.log.format)
    asyncio.run(run_service(config, options.only))
    return 0


def simulator(options: Namespace) -> int:
    """Run the vendor simulator alone."""
    return simulator_main(options.arguments)
