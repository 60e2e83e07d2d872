"""The counting vendor: raw HTTP, every POST and poll written down with what was made of it and what was answered.

It shares no code with the bridge or its simulator. Its polls tell only whether it has an SMS, never its end: what
became of an SMS is told by webhook alone, posted until it is answered 200, so that an event that got lost shows.
"""

import asyncio
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote

import httpx

from tests.crash.records import Hook, News, Poll, Post
from tests.flow.running import Loop

End = Literal["answer", "reset", "500", "503"]
RETRY_S: Final = 0.25
LOOK_S: Final = 0.01
AT_ONCE: Final = (
    20  # pieces of news on their way: with hundreds at once httpx is busy with its own queue alone
)
SENDER, TOKEN, AUTH = "application@example.com", "ta8wr7ymd", "demo-auth-token"
_NO_SUCH: Final = b'{"Result":"RecordNotFound"}'


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one POST. ``lies``: its polls say "no such message" for ever, and no news of it comes."""

    created: bool = True
    end: End = "answer"
    wait_s: float = 0.0
    lies: bool = False
    news: News = "delivered"
    reply: bool = False
    told_twice: bool = False


class Vendor:
    """A vendor on loopback; ``fate`` is asked for each POST (its form), ``poll_fails`` for each poll."""

    def __init__(self, loop: Loop, fate: Callable[[dict[str, str]], Fate] = lambda form: Fate()) -> None:
        self._loop = loop
        self.fate = fate
        self.poll_fails: Callable[[], bool] = lambda: False
        self.posts: list[Post] = []
        self.polls: list[Poll] = []
        self.hooks: list[Hook] = []
        self.addresses: list[str] = []  # of the webhook, one for each node
        self.stood_still_s = 0.0  # the longest that this machine kept its clock from being looked at
        self._known: dict[str, bool] = defaultdict(bool)
        self._telling: set[asyncio.Task[None]] = set()
        self._turn = itertools.count()
        self._lines = asyncio.Semaphore(AT_ONCE)
        self._client: httpx.AsyncClient | None = None
        self._server: asyncio.Server = loop.do(self._start())
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _start(self) -> asyncio.Server:
        self._client = httpx.AsyncClient(
            trust_env=False, timeout=10, limits=httpx.Limits(max_connections=AT_ONCE)
        )
        self._watch = asyncio.create_task(self._watch_the_machine())
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)

    async def _watch_the_machine(self) -> None:
        looked = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            before, looked = looked, time.monotonic()
            self.stood_still_s = max(self.stood_still_s, looked - before - LOOK_S)

    @property
    def send_url(self) -> str:
        return f"{self.url}/send"

    @property
    def rest_url(self) -> str:
        return self.url

    @property
    def telling(self) -> int:
        """How many pieces of news are not yet answered 200."""
        return len(self._telling)

    @property
    def taken(self) -> int:
        """How many pieces of news were answered 200."""
        return sum(hook.taken_at is not None for hook in self.hooks)

    def close(self) -> None:
        async def stop() -> None:
            self._server.close()
            for task in (self._watch, *self._telling):
                task.cancel()
            assert self._client is not None
            await self._client.aclose()

        self._loop.do(stop())

    # --- what is asked ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(
                    (line[16:] for line in head.lower().split("\r\n") if line.startswith("content-length: ")),
                    "0",
                )
                body = await reader.readexactly(int(length))
                said = await self._answer(head.split(" ", 2), body)
                if said is None:
                    writer.transport.abort()
                    return
                status, text = said
                answer = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
                writer.write(answer.encode() + text)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: list[str], body: bytes) -> tuple[int, bytes] | None:
        method, target = head[0], head[1]
        if method == "POST":
            return await self._send({name: values[0] for name, values in parse_qs(body.decode()).items()})
        if target.startswith("/get/status/"):
            return self._status(unquote(target.rpartition("/")[2]))
        return 200, b'{"Result":"Success","TotalRecords":0,"PageCount":1,"Page":1,"Messages":[]}'

    async def _send(self, form: dict[str, str]) -> tuple[int, bytes] | None:
        message_id, number, at = form["MessageID"], form["Number"], time.monotonic()
        fate = self.fate(form)
        self.posts.append(Post(at, message_id, number, fate.created, fate.end == "answer"))
        if fate.created:
            self._known[message_id.upper()] |= not fate.lies
            if not fate.lies:
                self._tell_of(message_id, number, fate)
        if fate.wait_s:
            await asyncio.sleep(fate.wait_s)
        if fate.end == "reset":
            return None
        if fate.end != "answer":
            return int(fate.end), b"{}"
        return 200, json.dumps({"Result": "Success", "MessageID": message_id}).encode()

    def _status(self, message_id: str) -> tuple[int, bytes]:
        found, failed = self._known[message_id.upper()], self.poll_fails()
        said: Literal["found", "no such", "nothing"] = (
            "nothing" if failed else "found" if found else "no such"
        )
        self.polls.append(Poll(time.monotonic(), message_id, said))
        if failed:
            return 500, b"{}"
        if not found:
            return 404, _NO_SUCH
        return 200, json.dumps({"Result": "Success", "MessageID": message_id, "Status": "Pending"}).encode()

    # --- what is told ---

    def _tell_of(self, message_id: str, number: str, fate: Fate) -> None:
        for _ in range(2 if fate.told_twice else 1):
            self._spawn(self._told(message_id, number, fate.news, ""))
        if fate.reply:
            for _ in range(2 if fate.told_twice else 1):
                self._spawn(self._told(message_id, number, "reply", f"reply from {number}"))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, message_id: str, number: str, news: News, text: str) -> None:
        """Post until it is answered 200, to one node after the other."""
        place = len(self.hooks)
        self.hooks.append(Hook(number, news, text, None))
        body = _event(message_id, number, news, text)
        while True:
            await asyncio.sleep(RETRY_S)
            async with self._lines:
                taken = await self._posted(body)
            if taken:
                self.hooks[place] = Hook(number, news, text, time.monotonic())
                return

    async def _posted(self, body: dict[str, str]) -> bool:
        addresses = self.addresses  # put by others
        if not addresses:
            return False
        assert self._client is not None
        try:
            answer = await self._client.post(addresses[next(self._turn) % len(addresses)], json=body)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


def _event(message_id: str, number: str, news: News, text: str) -> dict[str, str]:
    """Return the fields of a webhook as the vendor's page has them."""
    told = {
        "delivered": ("SUCCESS", "delivered"),
        "failed": ("FAILED", "Undelivered"),
        "reply": ("RECEIVED", "RECEIVED"),
    }
    status, result = told[news]
    return {
        "Sender": SENDER,
        "Token": TOKEN,
        "Type": "SMSReply" if news == "reply" else "SMS",
        "Destination": number,
        "ReceivedID": f"R{number[1:]}" if news == "reply" else "",
        "MessageID": message_id,
        "JobNumber": f"J{message_id}"[:20],
        "SentTime": "16/10/2023 13:43 p.m.",
        "Status": status,
        "Result": result,
        "Message": text,
        "Price": "" if news == "reply" else "0.10",
        "Detail": "SMSParts:1",
    }
