"""``smsbridge serve`` and ``smsbridge simulator``."""

import gc
import hashlib
import logging
import resource
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import __version__
from bridge.cli.actor import actor
from bridge.cli.setting import config_path, configured
from bridge.errors import StoreError

if TYPE_CHECKING:
    from bridge.app.service import Ports
    from bridge.store import Store


def serve(options: Namespace) -> int:
    """Run the service until SIGTERM or Ctrl-C."""
    import uvloop

    from bridge import log
    from bridge.app.service import run_service

    config = configured(options)
    log.set_up(config.log.level, config.log.format)
    log.catch_the_rest()
    _leave_no_core()
    named = str(Path(options.config).resolve()) if options.config else ""
    mark = hashlib.sha256(config_path(options).read_bytes()).hexdigest()[:16]
    parts = ",".join(options.only)

    async def ready(_: "Ports", store: "Store") -> None:
        _spare_what_stays()
        by = replace(actor(), via="service")
        try:
            await store.privacy.note(by, "start", parts=parts, version=__version__, configuration=mark)
        except StoreError as error:
            logging.getLogger("bridge.app").warning("the start is not recorded", extra={"why": str(error)})

    uvloop.run(run_service(config, options.only, file=named, on_ready=ready))
    return 0


def _spare_what_stays() -> None:
    """Have the collector of garbage leave alone what was loaded to start, which stays to the end: to look through it
    held all mails up for some 30 ms now and then."""
    gc.collect()
    gc.freeze()


def _leave_no_core() -> None:
    """The memory of this process holds secrets, numbers and texts: the system writes none of it to a disk."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def simulator(options: Namespace) -> int:
    """Run the vendor simulator alone."""
    from bridge.simulator.command import main as simulator_main

    return simulator_main(options.arguments)
