"""The recipe of the service: the one place that puts the parts together and takes them apart in order."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from bridge import event_in
from bridge.app import wiring
from bridge.app.database import open_store_of
from bridge.app.heartbeat import Heartbeat, Pulse, alive, this_node
from bridge.app.http import http_server
from bridge.app.notify import notify
from bridge.app.parts import ALL, Part
from bridge.app.renewal import Renewable, Renewal
from bridge.app.signals import ended_by_signal
from bridge.app.supervise import Loop, supervise
from bridge.app.tls import ServedCertificate
from bridge.config import Config
from bridge.errors import StoreError
from bridge.mail_in import MailIn
from bridge.store import Store
from bridge.web import desk_app

_LOG: Final = logging.getLogger("bridge.app")
_PULSE: Final = Pulse()
# So long Python lets one thread reckon while another waits. At the usual 5 ms the loop, which waits at each call of the
# system, came to a standstill while mails were read in threads: a hundred strangers held a normal mail up for 3 s.
SWITCH_S: Final = 0.0005
DRAIN_S: Final = 30.0  # for mails and calls under way when we are told to stop


@dataclass(frozen=True, slots=True)
class Ports:
    """Where this process listens: SMTP by listener, webhook and desk if it runs them."""

    smtp: tuple[int, ...] = ()
    hook: int | None = None
    desk: int | None = None


OnReady = Callable[[Ports, Store], Awaitable[None]]


@dataclass(slots=True)
class _Health:
    """What `/readyz` asks: are we listening, is the database writable, are we not draining."""

    store: Store
    missing: str = "starting"

    async def __call__(self) -> str:
        if self.missing:
            return self.missing
        try:
            await self.store.check()
        except StoreError as fault:
            return str(fault)
        return ""


@dataclass(slots=True)
class _Service:
    config: Config
    store: Store
    here: Heartbeat
    health: _Health
    stack: contextlib.AsyncExitStack
    file: str
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    loops: dict[str, Loop] = field(default_factory=dict)
    renewables: list[Renewable] = field(default_factory=list)
    certificates: dict[Path, None] = field(default_factory=dict)
    mail_in: MailIn | None = None


async def run_service(
    config: Config,
    parts: Sequence[Part] = ALL,
    *,
    file: str = "",
    pulse: Pulse = _PULSE,
    on_ready: OnReady | None = None,
) -> None:
    """Run ``parts`` until we are told to end (see `signals`); then finish what is under way, and return.

    ``file`` is the configuration's, for the commands that the desk shows; empty when they find it themselves.
    ``pulse`` is how the nodes on one database watch each other.

    Raises `ConfigError` (a port is taken, a certificate cannot be used) and `StoreError` (the database cannot
    be opened, or another process runs one of the parts on it) before it is ready.
    """
    sys.setswitchinterval(SWITCH_S)
    async with contextlib.AsyncExitStack() as stack:
        store = await open_store_of(config)
        stack.push_async_callback(store.close)
        for part in parts:
            await stack.enter_async_context(store.part(part))
        gone_after_ms = pulse.silence_ms + config.vendor.send_timeout_ms
        here = await stack.enter_async_context(alive(store, this_node(parts, gone_after_ms), pulse))
        service = _Service(config, store, here, _Health(store), stack, file)
        ports = await _start(service, parts)
        renewal = Renewal(store, service.renewables, tuple(service.certificates))
        service.loops["renewal"] = renewal.run
        tasks = [
            asyncio.create_task(supervise(name, loop, service.stop), name=name)
            for name, loop in service.loops.items()
        ]
        ended = ended_by_signal(renewal.ask)
        service.health.missing = ""
        notify("READY=1")
        _LOG.info(
            "ready",
            extra={"parts": ",".join(parts), "smtp": ports.smtp, "hook": ports.hook, "desk": ports.desk},
        )
        if on_ready is not None:
            await on_ready(ports, store)
        await ended
        _LOG.info("stopping")
        notify("STOPPING=1")
        service.health.missing = "draining"
        await _drain(service, tasks)


async def _drain(service: _Service, tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Take no more mail and stop the loops, both at once: a mail that nobody sends any more is another's to take.

    Each finishes what it began. What takes too long is left for the next start to clear up.
    """
    service.stop.set()
    ending = [*tasks, asyncio.create_task(service.here.drain(), name="heartbeat")]
    if service.mail_in is not None:
        ending.append(asyncio.create_task(service.mail_in.drain(DRAIN_S), name="mail"))
    _, late = await asyncio.wait(ending, timeout=DRAIN_S + service.config.vendor.send_timeout_ms / 1000)
    if late:
        names = ",".join(sorted(task.get_name() for task in late))
        _LOG.error("some parts do not end by themselves, they are cut off", extra={"parts": names})
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


async def _start(service: _Service, parts: Sequence[Part]) -> Ports:
    """Start what listens, and collect the loops, in the order in which a mail passes them."""
    smtp: tuple[int, ...] = ()
    hook = desk = None
    if Part.SEND in parts or Part.EVENTS in parts:
        api = wiring.api_of(service.config)
        service.stack.push_async_callback(api.close)
        if Part.SEND in parts:
            service.loops["send"] = wiring.submitter_of(service.config, service.store, api, service.here).run
            purger = wiring.purger_of(service.config, service.store, service.here)
            if purger is not None:
                service.loops["purge"] = purger.run
        if Part.EVENTS in parts:
            service.loops["events"] = wiring.poller_of(service.config, service.store, api, service.here).run
    if Part.REPORTS in parts:
        reporter, mail_out = wiring.reporter_of(service.config, service.store, service.here)
        if mail_out is not None:
            service.stack.push_async_callback(mail_out.close)
        service.loops["reports"] = reporter.run
        watcher = wiring.watcher_of(service.config, service.store, service.here)
        if watcher is not None:
            service.loops["habits"] = watcher.run
    if Part.EVENTS in parts:
        hook = await _start_hook(service)
    if Part.WEB in parts:
        desk = await _start_desk(service)
    if Part.MAIL in parts:
        smtp = await _start_mail_in(service)
    return Ports(smtp, hook, desk)


async def _start_hook(service: _Service) -> int:
    http = service.config.http
    tls = _renewed(service, "the certificate of http", wiring.served(http))
    app = event_in.app(service.store, wiring.hook_settings_of(service.config), service.health)
    return await service.stack.enter_async_context(
        http_server(app, http.listen.address, http.listen.port, tls.context if tls else None)
    )


async def _start_desk(service: _Service) -> int:
    listen = service.config.desk.listen
    app = desk_app(service.store, wiring.desk_settings_of(service.config, service.file), service.health)
    return await service.stack.enter_async_context(http_server(app, listen.address, listen.port))


def _renewed(service: _Service, name: str, tls: ServedCertificate | None) -> ServedCertificate | None:
    """``tls``, from now on read again when its files change."""
    if tls is not None:
        service.renewables.append(Renewable(name, tls.files, tls.load, tls.use))
        service.certificates[tls.files[0]] = None
    return tls


async def _start_mail_in(service: _Service) -> tuple[int, ...]:
    users = service.config.smtp.users
    changes = users and Renewable(
        "the SMTP users",
        (users,),
        partial(wiring.users_again, users),
        lambda found: server.renew_users(found),
    )
    tls = _renewed(service, "the certificate of smtp", wiring.served(service.config.smtp))
    service.mail_in = server = wiring.mail_in_of(service.config, service.store, tls)
    ports = await server.start()
    service.renewables += [changes] if changes else []
    service.loops["optouts"] = server.watch_optouts
    service.stack.push_async_callback(service.mail_in.stop)
    return tuple(ports)
