"""The service under trial between its two judges: started, killed, frozen, started again, and at the end judged."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.crash.clients import Client
from tests.crash.clock import Clock
from tests.crash.database import (
    MOVES,
    OPEN_MAILS,
    OPEN_SMS,
    STORY_OF,
    Database,
    Engine,
    postgresql,
    sqlite_in,
)
from tests.crash.judge import Verdict, verdict
from tests.crash.records import Evidence, Poll, Post, Report, Row
from tests.crash.smarthost import Smarthost
from tests.crash.vendor import AUTH, SENDER, TOKEN, Vendor
from tests.flow.running import Bridge, Loop, command, serve, write_config

STARTS_WITHIN_S: Final = 300.0  # however busy the machine is: a long run is not to end by that
SETTLE_S: Final = 120.0  # the shortest that the configuration allows, by the service's clock


@dataclass(slots=True)
class World:
    """One database, ``nodes`` services on it, a vendor, a smarthost, a clock, and the clients that hand in."""

    database: Database
    clock: Clock
    vendor: Vendor
    smarthost: Smarthost
    configs: tuple[Path, ...]
    nodes: list[Bridge | None] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    cuts: list[float] = field(default_factory=list)
    frozen: list[tuple[float, float]] = field(default_factory=list)
    kills: int = 0

    @property
    def node(self) -> Bridge:
        """The first node, which is up."""
        assert self.nodes[0] is not None
        return self.nodes[0]

    @property
    def up(self) -> list[Bridge]:
        return [node for node in self.nodes if node is not None]

    def start(self, place: int = 0) -> Bridge:
        """Start a node and wait until it is ready."""
        node = serve(self.configs[place], env=self.clock.env, within_s=STARTS_WITHIN_S)
        self.nodes[place] = node
        self._tell()
        return node

    def start_all(self) -> None:
        for place in range(len(self.configs)):
            self.start(place)

    def kill(self, place: int = 0) -> None:
        """kill -9: a power cut, as far as a process can have one."""
        node = self.nodes[place]
        assert node is not None
        node.process.send_signal(signal.SIGKILL)
        self.is_dead(place)

    def is_dead(self, place: int = 0) -> None:
        """A node was killed, by whoever: note it."""
        node = self.nodes[place]
        assert node is not None
        node.process.wait(60)
        self.nodes[place] = None
        self.cuts.append(time.monotonic())
        self.kills += 1
        self._tell()

    def freeze(self, place: int, seconds: float) -> None:
        """Let a node stand still, as a machine that is suspended does, and go on."""
        node = self.nodes[place]
        assert node is not None
        begin = time.monotonic()
        node.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        node.process.send_signal(signal.SIGCONT)
        self.frozen.append((begin, time.monotonic()))

    def kill_while_starting(self, after_s: float, place: int = 0) -> None:
        """Start a node and kill it ``after_s`` later, ready or not."""
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "serve", "-c", str(self.configs[place])],
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.clock.env},
        )
        time.sleep(after_s)
        process.kill()
        process.wait(60)
        self.cuts.append(time.monotonic())
        self.kills += 1

    def crash_server(self) -> None:
        """Kill PostgreSQL, all of it."""
        assert self.database.server is not None
        self.database.server.crash()
        self.cuts.append(time.monotonic())

    def port(self) -> int:
        """Return where a client finds SMTP now; a port where nobody is when no node is up."""
        up = self.up
        return up[int(time.monotonic() * 50) % len(up)].smtp if up else 1

    def _tell(self) -> None:
        self.vendor.addresses = [node.hook for node in self.up]

    # --- the end ---

    def unsettled(self) -> int:
        """Return how many things are left to do or to be told."""
        return self.vendor.telling + self.database.count(OPEN_SMS) + self.database.count(OPEN_MAILS)

    def settled(self) -> bool:
        """Return whether nothing is left to do or to be told."""
        return not self.unsettled()

    def judged(self, within_s: float = 240.0, **more: Any) -> Verdict:
        """Let the clients finish and all settle; return the verdict.

        What is left when no SMS moved for so long is stuck: how much a busy machine does in it says nothing, and
        an SMS may have to wait for several polls, each after minutes, and then be sent again.
        """
        for client in self.clients:
            client.finish()
        seen, until = (0, 0), time.monotonic() + within_s
        while (left := self.unsettled()) and time.monotonic() < until:
            if seen != (now := (left, self.database.count(MOVES))):
                seen, until = now, time.monotonic() + within_s
            time.sleep(0.2)
        return verdict(self.evidence(**more))

    def story(self, name: str) -> str:
        """Return all that is known of the SMS to a number, or that a mail is about, for whoever has to look at it."""
        told = {report.message_id: report.number for report in self.smarthost.reports}
        number = told.get(name, name)
        asked = [post for post in self.vendor.posts if post.number == number]
        names = {post.message_id.upper() for post in asked}
        seen: list[Post | Poll | Report] = [*asked]
        seen += [poll for poll in self.vendor.polls if poll.message_id.upper() in names]
        seen += [report for report in self.smarthost.reports if report.number == number]
        seen.sort(key=lambda one: one.at)
        hooks = [hook for hook in self.vendor.hooks if hook.number == number]
        rows = self.database.look(STORY_OF.format(number))
        return "\n  ".join([f"{number}, now {time.monotonic():.1f}:", *map(str, [*rows, *seen, *hooks])])

    def evidence(self, **more: Any) -> Evidence:
        """Return what is known now."""
        listed = command(
            "messages", "list", "--json", "--limit", "1000000", "-c", str(self.configs[0]), env=self.clock.env
        )
        assert listed.returncode == 0, listed.stderr
        return Evidence(
            handed=tuple(mail for client in self.clients for mail in client.handed),
            posts=tuple(self.vendor.posts),
            polls=tuple(self.vendor.polls),
            hooks=tuple(self.vendor.hooks),
            reports=tuple(self.smarthost.reports),
            rows=_rows(listed.stdout),
            settle_s=SETTLE_S / self.clock.speed,
            cuts=tuple(self.cuts),
            frozen=tuple(self.frozen),
            mails_open=self.database.count(OPEN_MAILS),
            **more,
        )


def _rows(listed: str) -> tuple[Row, ...]:
    found = map(json.loads, listed.splitlines())
    return tuple(Row(one["number"], one["state"]) for one in found)


@contextlib.contextmanager
def world(
    engine: Engine = "sqlite",
    *,
    nodes: int = 1,
    speed: float = 1.0,
    home: Path | None = None,
    standby: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[World]:
    """Make a world of ``nodes`` services, none of them started; ``speed`` is that of their wall clock.

    ``home`` is where SQLite's file is to be; PostgreSQL may have a ``standby``. ``settings`` are the configuration's
    of the vendor.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bridge-crash-")))
        folder.chmod(0o755)  # the clock is read by PostgreSQL's own user too
        clock = Clock(folder, speed)
        loop = Loop()
        stack.callback(loop.close)
        vendor = Vendor(loop)
        stack.callback(vendor.close)
        smarthost = Smarthost(loop)
        stack.callback(smarthost.close)
        database = (
            sqlite_in(home or folder)
            if engine == "sqlite"
            else stack.enter_context(postgresql(clock, standby=standby))
        )
        configuration = _configuration(vendor, smarthost, database.url, settings or {})
        configs = []
        for place in range(nodes):
            own = folder / f"node{place}"
            own.mkdir()
            configs.append(write_config(own, vendor, None, **configuration))
        made = World(database, clock, vendor, smarthost, tuple(configs), [None] * nodes)
        stack.callback(_end, made)
        yield made


def _end(made: World) -> None:
    for node in made.up:
        node.kill()


def _configuration(
    vendor: Vendor, smarthost: Smarthost, url: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "database": url,
        "outbox": {"smarthost": f"smtp://127.0.0.1:{smarthost.port}"},
        "vendor": {
            "send_url": vendor.send_url,
            "rest_url": vendor.rest_url,
            "sender": SENDER,
            "token": TOKEN,
            "auth_token": AUTH,
            "rate": "500/s",
            "poll_rate": "500/s",
            "settle": "2m",
            "send_timeout": "5s",
            **settings,
        },
        "senders": [
            {
                "match": ["*@clinic.example"],
                "proof": ["network"],
                "networks": ["127.0.0.0/8"],
                "limits": {"recipients": 20},
                "reports": {"when": ["failed", "delivered", "reply"], "to": "sender"},
            }
        ],
    }
