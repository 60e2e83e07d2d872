"""A vendor that shares no code with the bridge or the simulator: raw HTTP, written from the vendor's page alone.

It speaks one of several dialects; what it was sent, and how it told of it, is kept for the test to look at.
"""

import asyncio
import datetime
import json
import ssl
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import httpx

from tests.flow.running import Loop

Dialect = Literal["page", "older", "loud"]
SYDNEY: Final = ZoneInfo("Australia/Sydney")
Form = dict[str, str]
# (status, content type, body); None hangs up without a word.
Said = tuple[int, str, bytes] | None


@dataclass(slots=True)
class Made:
    """One SMS that the vendor made. ``id`` is the vendor's own, ``told`` the caller's."""

    form: Form
    id: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    job: str = field(default_factory=lambda: uuid.uuid4().hex[:8].upper())
    replies: list[str] = field(default_factory=list)

    @property
    def number(self) -> str:
        return self.form["Number"]

    @property
    def told(self) -> str:
        return self.form["MessageID"]


class Stranger:
    """The vendor.

    ``page``: JSON with a GUID of its own, by which alone it can be polled; webhooks of field set A, which name
    that GUID. ``older``: text/plain "OK Thanks", XML polls, XML webhooks of field set B that prove themselves
    by header. ``loud``: capitals where others have none, and no webhooks at all.
    ``at_send`` may answer in its place, before or after the SMS is made: it is given a function that makes it.
    """

    def __init__(self, loop: Loop, dialect: Dialect = "page", tls: ssl.SSLContext | None = None) -> None:
        self.dialect = dialect
        self.made: list[Made] = []
        self.asked: list[str] = []
        self.posts: list[Form] = []
        self.at_send: Callable[[Form, Callable[[], Made]], Said] | None = None
        self._scheme = "https" if tls else "http"
        self._loop = loop
        self._lock = threading.Lock()
        self._server = loop.do(asyncio_server(self._serve, tls))
        self._port = self._server.sockets[0].getsockname()[1]

    @property
    def send_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._port}/api/v2.04/HttpApi/SMS"

    @property
    def rest_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._port}/api/v2.04"

    def close(self) -> None:
        async def stop() -> None:
            self._server.close()

        self._loop.do(stop())

    # --- the API ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                names = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])
                }
                body = await reader.readexactly(int(names.get("content-length", "0")))
                # In a thread: a test's `at_send` may kill a process or wait.
                said = await asyncio.to_thread(self._answer, method, target, names, body)
                if said is None:
                    break
                status, kind, text = said
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                    + text
                )
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str, target: str, names: Form, body: bytes) -> Said:
        path = urlsplit(target).path
        if method == "POST" and path == "/api/v2.04/HttpApi/SMS":
            form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
            self.posts.append(form)
            if self.at_send is not None:
                return self.at_send(form, lambda: self._make(form))
            return self.success(self._make(form))
        self.asked.append(target)
        if not names.get("authorization", "").startswith("Basic "):
            return 401, "application/json", b'{"Result":"Failed","ErrorMessage":"Unauthorized"}'
        if path.startswith("/api/v2.04/get/status/"):
            return self._status(unquote(path.rpartition("/")[2]))
        if path == "/api/v2.04/get/sms/received":
            return self._received()
        return self._no_such()

    def _make(self, form: Form) -> Made:
        with self._lock:
            self.made.append(Made(form))
            return self.made[-1]

    def success(self, made: Made) -> Said:
        if self.dialect == "page":
            text = json.dumps({"Result": "Success", "MessageID": made.id}, indent=4)
            return 200, "application/json; charset=utf-8", text.encode()
        if self.dialect == "older":
            return 200, "text/plain", b"OK Thanks"
        return 200, "application/json", json.dumps({"RESULT": "SUCCESS", "messageid": made.told}).encode()

    def _no_such(self) -> Said:
        if self.dialect == "older":
            text = "<root><Result>Failed</Result><ErrorMessage>Unable to find entry.</ErrorMessage></root>"
            return 400, "application/xml", text.encode()
        return 404, "application/json", b'{"Result":"RecordNotFound"}'

    def _find(self, name: str) -> Made | None:
        own = self.dialect == "page"
        return next((one for one in self.made if name.upper() == (one.id if own else one.told).upper()), None)

    def _status(self, name: str) -> Said:
        found = self._find(name)
        if found is None:
            return self._no_such()
        utc = datetime.datetime.now(datetime.UTC)
        if self.dialect == "older":
            text = (
                "<?xml version='1.0' encoding='utf-8'?><root><Result>Success</Result>"
                f"<MessageID>{name}</MessageID><Status>Completed</Status><JobNum>{found.job}</JobNum>"
                "<Count>1</Count><Complete>1</Complete><Success>1</Success><Failed>0</Failed><Recipients>"
                f"<Recipient><Type>SMS</Type><Destination>{found.number}</Destination><Status>SUCCESS</Status>"
                "<Result>Sent OK</Result><Price>0.20</Price></Recipient></Recipients></root>"
            )
            return 200, "text/xml", text.encode()
        recipient = {
            "Type": "SMS",
            "DestSeq": "00000001",
            "Destination": found.number,
            "ContactID": None,
            "Status": "SUCCESS",
            "Result": "DELIVERED",
            "SentTimeUTC_RFC3339": utc.isoformat(),
            "Price": 0.2,
        }
        told = {"Result": "SUCCESS", "MessageID": name, "Status": "COMPLETED", "JobNum": found.job}
        return 200, "application/json", json.dumps(told | {"Count": 1, "Recipients": [recipient]}).encode()

    def _received(self) -> Said:
        local = datetime.datetime.now(SYDNEY).strftime("%Y-%m-%d %H:%M:%S")
        messages = [
            {
                "ReceivedID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{one.id} {text}")),
                "MessageID": one.told,
                "JobNum": one.job,
                "ReceivedTimeLocal": local,
                "From": one.number,
                "MessageText": text,
                "Timezone": "Sydney",
            }
            for one in self.made
            for text in one.replies
        ]
        listed = {"Result": "Success", "TotalRecords": len(messages), "PageCount": 1, "Page": 1}
        return 200, "application/json", json.dumps(listed | {"Messages": messages}).encode()

    # --- the webhooks ---

    def tell(
        self, hook: str, made: Made, status: str, result: str, text: str = "", **to: Any
    ) -> httpx.Response:
        """Post one webhook as the vendor's page describes it."""
        if self.dialect == "older":
            return self._tell_b(hook, made, status, result, text, **to)
        now = datetime.datetime.now(SYDNEY)
        fields = {
            "Sender": "application@example.com",
            "Token": "ta8wr7ymd",
            "Type": "SMSReply" if text else "SMS",
            "Destination": made.number,
            "MessageID": made.id,
            "JobNumber": made.job,
            "SentTime": now.strftime("%d/%m/%Y %H:%M ") + ("p.m." if now.hour >= 12 else "a.m."),
            "Status": status,
            "Result": result,
            "Message": text,
            "Price": "" if text else "0.20",
            "Detail": "SMSParts:1",
        }
        return httpx.post(hook, json=fields, trust_env=False, timeout=30, **to)

    def _tell_b(
        self, hook: str, made: Made, status: str, result: str, text: str, **to: Any
    ) -> httpx.Response:
        utc = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        fields = {
            "Version": "2.04",
            "Type": "SMSReply" if text else "SMS",
            "Destination": made.number,
            "ContactID": "",
            "ReceivedID": str(uuid.uuid4()) if text else "",
            "MessageID": made.told.lower(),
            "SubAccount": "",
            "JobNumber": made.job,
            "SentTimeLocal": datetime.datetime.now(SYDNEY).strftime("%Y-%m-%d %H:%M:%S"),
            "SentTimeUTC-RFC3339": utc,
            "Status": status.capitalize(),
            "Result": result,
            "Message": text,
            "Price": "0.20",
            "Detail": "SMSParts:1",
            "URL": hook,
        }
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
        headers = {
            "X-Timestamp": utc,
            "X-Sender": "Application@Example.com",
            "Authorization": "ta8wr7ymd",
            "Content-Type": "text/xml",
        }
        body = f'<?xml version="1.0" encoding="UTF-8"?><root>{inner}</root>'
        return httpx.post(hook, content=body.encode(), headers=headers, trust_env=False, timeout=30, **to)


async def asyncio_server(serve: Any, tls: ssl.SSLContext | None) -> asyncio.Server:
    """Listen on a free port of loopback."""
    return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
