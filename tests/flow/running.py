"""The whole bridge as its users meet it: a process of its own, a vendor over HTTP, a smarthost over SMTP."""

import asyncio
import atexit
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

import httpx
import yaml
from aiosmtpd.smtp import SMTP, Envelope, Session

from bridge.simulator import Settings, Simulator, Webhook, running

T = TypeVar("T")

WITHIN_S: Final = 60.0  # generous: the machine may be busy with other tests
PATIENT_CLIENT: Final = 30.0


def wait_for(what: str, probe: Callable[[], T], within_s: float = WITHIN_S) -> T:
    """Return the first true value of ``probe``; fail, naming ``what``, when none comes in time."""
    deadline = time.monotonic() + within_s
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {within_s} s in vain for {what}"
        time.sleep(0.05)


class Loop:
    """An event loop in a thread of its own, for servers that the test talks to from outside."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENT_CLIENT)

    def close(self) -> None:
        self.do(_cancelled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENT_CLIENT)
        self._loop.close()


async def _cancelled() -> None:
    """End what still runs: a connection that nobody closed."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Vendor:
    """The simulator, which may be stopped and started again on the same port with its books kept."""

    def __init__(self, loop: Loop, settings: Settings) -> None:
        self._loop = loop
        self._stack = contextlib.AsyncExitStack()
        self.simulator: Simulator = loop.do(self._stack.enter_async_context(running(settings)))
        self.http = httpx.Client(base_url=self.simulator.url, timeout=PATIENT_CLIENT, trust_env=False)

    @property
    def send_url(self) -> str:
        return self.simulator.send_url

    @property
    def rest_url(self) -> str:
        return self.simulator.rest_url

    def sent(self, number: str = "") -> list[dict[str, Any]]:
        """The SMS that the vendor made, oldest first."""
        log = self.http.get("/admin/log", params={"kind": "send", "limit": 1000}).json()["log"]
        return [entry for entry in log if entry["created"] and number in (entry["number"] or "")]

    def log(self, **wanted: str) -> list[dict[str, Any]]:
        return cast(
            list[dict[str, Any]], self.http.get("/admin/log", params={"limit": 1000, **wanted}).json()["log"]
        )

    def rule(self, **rule: Any) -> None:
        answer = self.http.post("/admin/rules", json=rule)
        assert answer.status_code == 201, answer.text

    def reply(self, number: str, text: str) -> None:
        answer = self.http.post("/admin/reply", json={"number": number, "text": text})
        assert answer.status_code < 300, answer.text

    def tell(self, hook: str) -> None:
        """Post webhooks to ``hook`` from now on."""
        self._loop.do(self._configure(Webhook(url=hook, retry_ms=500)))

    def restart(self, settings: Settings) -> None:
        """End the vendor and start another, which knows nothing of the first, with ``settings``."""
        self.close()
        self._stack = contextlib.AsyncExitStack()
        self.simulator = self._loop.do(self._stack.enter_async_context(running(settings)))
        self.http = httpx.Client(base_url=self.simulator.url, timeout=PATIENT_CLIENT, trust_env=False)

    async def _configure(self, webhook: Webhook) -> None:
        self.simulator.configure(webhook=webhook)

    def close(self) -> None:
        self.http.close()
        self._loop.do(self._stack.aclose())


class _Keep:
    def __init__(self, smarthost: "Smarthost") -> None:
        self._smarthost = smarthost

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        mail = Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), content)
        answer = self._smarthost.at_data(mail)
        if answer is None:
            self._smarthost.mails.append(mail)
        return answer or "250 2.0.0 kept"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that reached the smarthost."""

    envelope_from: str
    to: tuple[str, ...]
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def text(self) -> str:
        body = self.parsed.get_body(("plain",))
        assert body is not None
        return str(body.get_content())


class Smarthost:
    """An SMTP server that keeps what it is handed; ``options`` are those of aiosmtpd's server.

    ``at_data`` is asked for each mail, after its last dot: an answer in place of 250, or None.
    """

    def __init__(self, loop: Loop, port: int = 0, **options: Any) -> None:
        self.mails: list[Mail] = []
        self.at_data: Callable[[Mail], str | None] = lambda mail: None
        self._port, self._options = port, {"hostname": "smarthost.test", "enable_SMTPUTF8": True, **options}
        self._loop = loop
        self._server = loop.do(self._start())
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _start(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: SMTP(_Keep(self), **self._options), "127.0.0.1", self._port
        )

    def about(self, text: str) -> list[Mail]:
        return [mail for mail in self.mails if text in mail.text]

    def close(self) -> None:
        async def stop() -> None:
            self._server.close()

        self._loop.do(stop())


@dataclass(slots=True)
class Bridge:
    """A running ``smsbridge serve``. Its log lines are JSON on stderr, read by a thread."""

    config: Path
    process: "subprocess.Popen[str]"
    ports: Mapping[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def smtp(self) -> int:
        return int(self.ports["smtp"][0])

    @property
    def desk(self) -> str:
        return f"http://127.0.0.1:{self.ports['desk']}"

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.ports['hook']}/hooks/sms/test-webhook-secret"

    def kill(self) -> None:
        """Power cut, as far as a process can have one."""
        self.process.kill()
        self.process.wait(WITHIN_S)

    def stop(self) -> int:
        """SIGTERM; returns the exit code. What it said is shown when the test fails."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.ended()
        finally:
            print("".join(self.lines))

    def ended(self) -> int:
        """Wait for its end and return the exit code; fail with where it stands, when it does not come."""
        try:
            return self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # see PYTHONFAULTHANDLER
            self.process.wait(WITHIN_S)
            raise AssertionError(f"it still ran {WITHIN_S} s after it was told to end") from None

    def messages(self, *options: str) -> list[dict[str, Any]]:
        """What ``smsbridge messages list --json`` prints, oldest first."""
        done = command("messages", "list", "--json", "--limit", "1000", "-c", str(self.config), *options)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()][::-1]


def command(
    *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run ``smsbridge`` with these arguments to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
        env={**os.environ, **(env or {})},
    )


SERVE: Final = ("bridge", "serve")


def serve(
    config: Path,
    *options: str,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = SERVE,
    within_s: float = WITHIN_S,
) -> Bridge:
    """Start the service and wait until it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", *program, "-c", str(config), *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1", **(env or {})},
    )
    atexit.register(process.kill)  # a test that fails before it stops it must not leave it running
    bridge = Bridge(config, process)
    ready: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(process, bridge.lines, ready), daemon=True).start()
    ended_or_ready = lambda: not ready.empty() or process.poll() is not None  # noqa: E731
    wait_for("the bridge to be ready or to end", ended_or_ready, within_s)
    assert not ready.empty(), "".join(bridge.lines)
    bridge.ports = ready.get()
    return bridge


def _read(process: "subprocess.Popen[str]", lines: list[str], ready: "queue.Queue[dict[str, Any]]") -> None:
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if told.get("say") == "ready":
                ready.put(told)
    process.stderr.close()


class Urls(Protocol):
    """A vendor as a configuration names it."""

    @property
    def send_url(self) -> str: ...

    @property
    def rest_url(self) -> str: ...


def write_config(folder: Path, vendor: Urls, smarthost: Smarthost | None, /, **changes: Any) -> Path:
    """Write a configuration of a clinic whose clients are known by network; ``changes`` replace top keys."""
    settings: dict[str, Any] = {
        "domains": ["sms.local"],
        "region": "AU",
        "timezone": "Australia/Sydney",
        "admin": "admin@clinic.example",
        "database": f"sqlite://{folder / 'bridge.db'}",
        "smtp": {"listen": [{"address": "127.0.0.1", "port": 0, "tls": "none"}]},
        "http": {"listen": {"address": "127.0.0.1", "port": 0}, "url": "http://127.0.0.1:8090"},
        "desk": {"listen": {"address": "127.0.0.1", "port": 0}},
        "vendor": {
            "send_url": vendor.send_url,
            "rest_url": vendor.rest_url,
            "sender": "application@example.com",
            "token": "ta8wr7ymd",
            "auth_token": "demo-auth-token",
            "price_per_segment": "0.10",
            "rate": "100/s",
        },
        "webhook": {"secret": "test-webhook-secret"},
        "senders": [
            {
                "match": ["*@clinic.example"],
                "proof": ["network"],
                "networks": ["127.0.0.0/8"],
                "brand": "clinic",
                "limits": {"segments": 3, "recipients": 20},
                "text": {"cut": "auto", "too_long": "refuse"},
            }
        ],
        "prefixes": {"allow": ["+614"]},
        "inbound_to": "reception@clinic.example",
        "brands": {"clinic": {"name": "Riverside Clinic", "from": "sms@sms.local", "accent": "#0a7d6c"}},
        "log": {"level": "info", "format": "json"},
    }
    if smarthost is not None:
        settings["outbox"] = {"smarthost": f"smtp://127.0.0.1:{smarthost.port}"}
    settings |= changes
    path = folder / "bridge.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@contextlib.contextmanager
def world(settings: Settings | None = None) -> Iterator[tuple[Vendor, Smarthost]]:
    """A vendor and a smarthost for the time of the block."""
    loop = Loop()
    try:
        vendor = Vendor(loop, settings or Settings(port=0, delivery_delay_ms=100, magic=False))
        smarthost = Smarthost(loop)
        try:
            yield vendor, smarthost
        finally:
            smarthost.close()
            vendor.close()
    finally:
        loop.close()
