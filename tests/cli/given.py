"""A configuration in a temporary folder, its database filled through the store, and commands run on it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from bridge.cli import main
from bridge.store import Store
from tests.given_store import opened

T = TypeVar("T")

TOKENS = {"token": "canary-token-1", "auth_token": "canary-auth-2", "secret": "canary-hook-secret-3"}


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Bench:
    """A folder with a configuration; `run` is the command line on it."""

    def __init__(self, folder: Path, captured: "pytest.CaptureFixture[str]") -> None:
        self.folder = folder
        self.config = folder / "bridge.yaml"
        self._captured = captured
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Write the configuration; ``changes`` replace top keys, None takes one away."""
        settings: dict[str, Any] = {
            "domains": ["sms.local"],
            "region": "AU",
            "timezone": "Australia/Sydney",
            "admin": "admin@clinic.example",
            "database": f"sqlite://{self.folder / 'bridge.db'}",
            "smtp": {"listen": [{"address": "127.0.0.1", "port": 0, "tls": "none"}]},
            "http": {"listen": {"address": "127.0.0.1", "port": 0}, "url": "http://127.0.0.1:8090"},
            "desk": {"listen": {"address": "127.0.0.1", "port": 0}},
            "vendor": vendor("http://127.0.0.1:9"),
            "webhook": {"secret": TOKENS["secret"]},
            "senders": [
                {
                    "match": ["*@clinic.example"],
                    "proof": ["network"],
                    "networks": ["10.20.0.0/16"],
                    "limits": {"segments": 2, "recipients": 5},
                    "text": {"cut": "auto", "too_long": "refuse"},
                }
            ],
            "prefixes": {"allow": ["+614"]},
            "aliases": {"oncall": ["0421000001", "0421000002"]},
            "brands": {"default": {"name": "Clinic", "from": "sms@clinic.example"}},
        } | changes
        kept = {key: value for key, value in settings.items() if value is not None}
        self.config.write_text(yaml.safe_dump(kept, sort_keys=False))

    def run(self, *arguments: str) -> Done:
        """Run a command without ``-c``."""
        self._captured.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        printed = self._captured.readouterr()
        assert "Traceback" not in printed.err
        assert not [canary for canary in TOKENS.values() if canary in printed.out + printed.err]
        return Done(code, printed.out, printed.err)

    def __call__(self, *arguments: str) -> Done:
        """Run a command on this configuration."""
        return self.run(*arguments, "-c", str(self.config))

    def store(self, work: Callable[[Store], Awaitable[T]]) -> T:
        """Let ``work`` do something with the database of the configuration."""

        async def run() -> T:
            async with opened(self.folder) as store:
                return await work(store)

        return asyncio.run(run())


def vendor(url: str, **changes: Any) -> dict[str, Any]:
    """The key ``vendor`` for an API at ``url``."""
    return {
        "send_url": f"{url}/sms",
        "rest_url": url,
        "sender": "application@example.com",
        "token": TOKENS["token"],
        "auth_token": TOKENS["auth_token"],
        "price_per_segment": "0.10",
    } | changes
