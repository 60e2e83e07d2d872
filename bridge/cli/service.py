"""``smsbridge serve`` and ``smsbridge simulator``."""

from argparse import Namespace
from pathlib import Path

from bridge.cli.setting import configured


def serve(options: Namespace) -> int:
    """Run the service until SIGTERM or Ctrl-C."""
    import uvloop

    from bridge import log
    from bridge.app.service import run_service

    config = configured(options)
    log.set_up(config.log.level, config.log.format)
    named = str(Path(options.config).resolve()) if options.config else ""
    uvloop.run(run_service(config, options.only, file=named))
    return 0


def simulator(options: Namespace) -> int:
    """Run the vendor simulator alone."""
    from bridge.simulator.command import main as simulator_main

    return simulator_main(options.arguments)
