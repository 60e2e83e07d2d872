"""The documents the vendor hands out: poll answers and webhooks, each as a mapping in the vendor's names.

`markup` writes them as JSON or XML. Pure: records in, mappings out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bridge.simulator.books import Item, Received, Sms
from bridge.simulator.settings import Account, Errors, Fields, NotFound


def price_text(price: int) -> str:
    """Return ten-thousandths as a decimal text with at least two places: 1000 is ``0.10``."""
    whole, rest = divmod(price, 10_000)
    places = f"{rest:04d}"
    return f"{whole}.{places[:2]}{places[2:].rstrip('0')}"


@dataclass(frozen=True, slots=True)
class Times:
    """One moment in the spellings of the vendor."""

    at: int
    timezone: str

    @property
    def local(self) -> str:
        """``2023-10-16 13:43:00`` in the account's zone."""
        return (
            self._moment.astimezone(ZoneInfo(self.timezone)).strftime("%Y-%m-%d %H:%M:%S") if self.at else ""
        )

    @property
    def utc(self) -> str:
        """``2023-10-16 02:43:00``."""
        return self._moment.strftime("%Y-%m-%d %H:%M:%S") if self.at else ""

    @property
    def rfc3339(self) -> str:
        """``2023-10-16T02:43:00.000Z``."""
        return self._moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.at % 1000:03d}Z" if self.at else ""

    @property
    def page(self) -> str:
        """``16/10/2023 13:43 p.m.``, the spelling of field set A."""
        local = self._moment.astimezone(ZoneInfo(self.timezone))
        return local.strftime("%d/%m/%Y %H:%M ") + ("a.m." if local.hour < 12 else "p.m.")

    @property
    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self.at / 1000, UTC)


def failure(reason: str, errors: Errors) -> dict[str, Any]:
    """Return a refusal; ``ErrorMessage`` is a text on some of the vendor's pages and a list on others."""
    return {"Result": "Failed", "ErrorMessage": [reason] if errors == "list" else reason}


def no_such_message(message_id: str, shape: NotFound) -> tuple[int, dict[str, Any]]:
    """Return HTTP status and body of "no such message"; an empty body stands for a bare 404 page."""
    if shape in ("record-400", "record-404"):
        return int(shape[-3:]), {"Result": "RecordNotFound", "MessageID": message_id}
    if shape == "entry":
        return 400, {"Result": "Failed", "MessageID": message_id, "ErrorMessage": ["Unable to find entry."]}
    if shape == "message":
        return 404, {"Result": "Failed", "MessageID": message_id, "Message": "Message(s) NOT found"}
    return 404, {}


def status(sms: Sms, timezone: str, *, state: str = "", replies: bool = False) -> dict[str, Any]:
    """Return the status poll's answer, with the answers of the phone for the reply poll.

    ``state`` overrides the message's status word. ``Result`` is the call's, not the SMS's.
    """
    word = state or sms.state
    settled = word == "Completed"
    created = Times(sms.at, timezone)
    return {
        "Result": "Success",
        "MessageID": sms.message_id,
        "Status": word,
        "JobNum": sms.job,
        "SubAccount": "",
        "Department": "",
        "CreatedTimeLocal": created.local,
        "CreatedTimeUTC": created.utc,
        "CreatedTimeUTC_RFC3339": created.rfc3339,
        "Timezone": timezone,
        "Count": 1,
        "Complete": int(settled),
        "Success": int(settled and sms.status == "SUCCESS"),
        "Failed": int(settled and sms.status == "FAILED"),
        "Price": price_text(sms.price),
        "Recipients": [] if word == "Unknown" else [_recipient(sms, timezone, state, replies)],
    }


def _recipient(sms: Sms, timezone: str, state: str, replies: bool) -> dict[str, Any]:
    overridden = bool(state) and state != "Completed"
    sent = Times(0 if overridden else sms.settled_at, timezone)
    fields: dict[str, Any] = {
        "Type": "SMS",
        "DestSeq": "00000001",
        "Destination": sms.number,
        "ContactID": "",
        "Status": "PENDING" if overridden else sms.status,
        "Result": state if overridden else sms.result,
        "SentTimeLocal": sent.local,
        "SentTimeUTC": sent.utc,
        "SentTimeUTC_RFC3339": sent.rfc3339,
        "RemoteID": f"R{sms.serial:09d}",
        "Price": price_text(sms.price),
    }
    if replies:
        fields["SMSReplies"] = [_reply(reply, timezone) for reply in sms.replies]
    return fields


def _reply(reply: Received, timezone: str) -> dict[str, Any]:
    times = Times(reply.at, timezone)
    return {
        "ReceivedID": reply.received_id,
        "ReceivedTimeLocal": times.local,
        "ReceivedTimeUTC": times.utc,
        "ReceivedTimeUTC_RFC3339": times.rfc3339,
        "Timezone": timezone,
        "From": reply.number,
        "MessageText": reply.text,
    }


def received(messages: Sequence[Received], total: int, page: int, size: int, timezone: str) -> dict[str, Any]:
    """Return one page of the received poll; ``total`` counts all pages."""
    return {
        "Result": "Success",
        "TotalRecords": total,
        "RecordsPerPage": size,
        "PageCount": -(-total // size),
        "Page": page,
        "Messages": [
            {
                "MessageID": message.sms.message_id if message.sms else "",
                "JobNum": message.sms.job if message.sms else "",
                "SubAccount": "",
                "Department": "",
                **_reply(message, timezone),
            }
            for message in messages
        ],
    }


@dataclass(frozen=True, slots=True)
class News:
    """What one webhook says, before it is dressed in a field set."""

    type: str
    destination: str
    message_id: str
    job: str
    at: int
    status: str
    result: str
    message: str = ""
    price: str = ""
    detail: str = ""
    received_id: str = ""


def news_of(item: Item, status: str, result: str, at: int) -> News:
    """Return the news of a step of an SMS, or of an SMS that a phone sent."""
    if isinstance(item, Received):
        kind, sms = ("SMSReply", item.sms) if item.sms else ("SMSInbound", None)
        known = (sms.message_id, sms.job) if sms else ("", "")
        return News(kind, item.number, *known, item.at, "RECEIVED", "RECEIVED", item.text,
                    received_id=item.received_id)  # fmt: skip
    return News("SMS", item.number, item.message_id, item.job, at, status, result,
                price=price_text(item.price), detail=f"SMSParts:{item.segments}")  # fmt: skip


def webhook_body(news: News, fields: Fields, account: Account, timezone: str) -> dict[str, Any]:
    """Return the webhook's fields: set ``A`` of the vendor's page, ``B`` of v2.04, or the spelling of v3."""
    times = Times(news.at, timezone)
    if fields == "A":
        return {
            "Sender": account.sender,
            "Token": account.token,
            "Type": news.type,
            "Destination": news.destination,
            "MessageID": news.message_id,
            "JobNumber": news.job,
            "SentTime": times.page,
            "Status": news.status,
            "Result": news.result,
            "Message": news.message,
            "Price": news.price,
            "Detail": news.detail,
        }
    spelled = fields == "v3"
    body = {
        "Version": "v3.00" if spelled else "2.04",
        "Sender": account.sender,
        "APIKey": account.token,
        "Type": news.type,
        "Destination": news.destination,
        "ContactID": "",
        "ReceivedID": news.received_id,
        "MessageID": news.message_id,
        "SubAccount": "",
        "Department": "",
        "JobNumber": news.job,
        "SentTimeLocal": times.local,
        "SendTimeUTC" if spelled else "SentTimeUTC-ISO8601": times.utc if spelled else times.rfc3339,
        "SentTimeUTC_RFC3339" if spelled else "SentTimeUTC-RFC3339": times.rfc3339,
        "Status": news.status.capitalize() if spelled else news.status,
        "Result": news.result,
        "Message": news.message,
        "Price": news.price,
        "Detail": news.detail,
        "URL": "",
    }
    return {name: value or None for name, value in body.items()} if spelled else body
