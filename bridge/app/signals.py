"""What signals tell us: to end, to look at our files again, or that the terminal that we were started on is gone."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence


def ended_by_signal(
    look_again: Callable[[], None], streams: Sequence[int] = (0, 1, 2)
) -> "asyncio.Future[None]":
    """Return what is done when we are to end: on SIGTERM or SIGINT, and when our terminal has hung up.

    SIGHUP calls ``look_again``, as services do; it comes too when a terminal is closed (one of ``streams``, if any),
    and then nobody sees any more that we run.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    terminals = [stream for stream in streams if os.isatty(stream)]

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    def hung_up() -> None:
        if terminals and not any(map(os.isatty, terminals)):
            end()
        else:
            look_again()

    for number, tell in ((signal.SIGTERM, end), (signal.SIGINT, end), (signal.SIGHUP, hung_up)):
        loop.add_signal_handler(number, tell)
    return ended
