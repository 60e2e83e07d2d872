"""A running vendor, a customer who talks to it, and a real small HTTP server that takes its webhooks."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pytest
from defusedxml import ElementTree

from bridge.simulator import Account, Settings, Simulator, running

CLINIC = Account("clinic@example.com", "clinic-token", "clinic-auth")
DEPOT = Account("depot@example.com", "depot-token", "depot-auth")
QUICK = Settings(port=0, accounts=(CLINIC, DEPOT), delivery_delay_ms=20)
WAIT_S = 20.0
T = TypeVar("T")


async def until(look: Callable[[], T | None], what: str = "it never came") -> T:
    """Return what ``look`` finds as soon as it finds something."""
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while asyncio.get_running_loop().time() < deadline:
        found = look()
        if found:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(what)


@dataclass
class Hook:
    """One webhook as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        """Its fields, from JSON or XML."""
        if self.headers["content-type"].startswith("text/xml"):
            return {node.tag: node.text or "" for node in ElementTree.fromstring(self.body)}
        fields: dict[str, Any] = json.loads(self.body)
        return fields


@dataclass
class Receiver:
    """The customer's webhook: keeps what comes and answers what it is told, 200 in the end."""

    url: str = ""
    hooks: list[Hook] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The webhooks of one Type."""
        return [hook.fields for hook in self.hooks if hook.fields.get("Type") == kind]

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak just enough HTTP/1.1 for one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")[1:-2]
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.hooks.append(Hook(headers, body))
                status = self.answers.pop(0) if self.answers else 200
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A webhook receiver on a free port."""
    taker = Receiver()
    server = await asyncio.start_server(taker.take, "127.0.0.1", 0)
    taker.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks/sms/secret"
    yield taker
    server.close()


class Customer:
    """Talks to one vendor over HTTP, as the bridge and as a judge behind the counter."""

    def __init__(self, simulator: Simulator, http: httpx.AsyncClient) -> None:
        self.simulator = simulator
        self.http = http

    async def send(self, number: str = "0421000001", text: str = "Hello", **more: str) -> httpx.Response:
        """Send one SMS; more fields by name."""
        form = {"Sender": CLINIC.sender, "Token": CLINIC.token, "Number": number, "Message": text, **more}
        return await self.http.post(self.simulator.send_url, data=form)

    async def poll(self, path: str, token: str = CLINIC.auth_token, **headers: str) -> httpx.Response:
        """Poll below the REST address."""
        wanted = {"Authorization": f"Basic {token}", **headers}
        return await self.http.get(f"{self.simulator.rest_url}/{path}", headers=wanted)

    async def status(self, message_id: str) -> dict[str, Any]:
        """The status document of an id."""
        document: dict[str, Any] = (await self.poll(f"get/status/{message_id}")).json()
        return document

    async def settled(self, message_id: str, word: str = "Completed") -> dict[str, Any]:
        """The status document once its Status is the word."""
        for _ in range(2_000):
            document = await self.status(message_id)
            if document.get("Status") == word:
                return document
            await asyncio.sleep(0.01)
        raise AssertionError(f"never {word}: {document}")

    async def admin(self, path: str, body: object = None, method: str = "") -> httpx.Response:
        """Ask an admin route: GET without a body, else POST."""
        verb = method or ("GET" if body is None else "POST")
        return await self.http.request(verb, f"{self.simulator.url}/admin/{path}", json=body)

    async def rule(self, **rule: Any) -> str:
        """Make a fault rule and return its id."""
        answer = await self.admin("rules", rule)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def log(self, query: str = "") -> list[dict[str, Any]]:
        """The journal."""
        entries: list[dict[str, Any]] = (await self.admin("log" + query)).json()["log"]
        return entries

    async def messages(self, query: str = "") -> list[dict[str, Any]]:
        """All SMS made and received."""
        found: list[dict[str, Any]] = (await self.admin("messages" + query)).json()["messages"]
        return found


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Customer]:
    """Run a vendor with those settings and a customer for it."""
    async with running(settings) as simulator, httpx.AsyncClient(timeout=WAIT_S, trust_env=False) as http:
        yield Customer(simulator, http)


@pytest.fixture
async def customer() -> AsyncIterator[Customer]:
    """A customer of a vendor with quick deliveries."""
    async with opened(QUICK) as someone:
        yield someone
