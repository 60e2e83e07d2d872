"""The webhooks that the tests post: every field set of the vendor, about any SMS."""

from typing import Any

import httpx

from bridge.sms import Sms

SECRET = "hook-secret-1"
PATH = f"/hooks/sms/{SECRET}"
PAIRS = (("app@example.com", "t0k3n"), ("app@example.com", "new-t0k3n"), ("Other@example.com", "0ther"))


def set_a(sms: Sms, **changes: Any) -> dict[str, Any]:
    """Field set A: delivered."""
    return {
        "Sender": "app@example.com",
        "Token": "t0k3n",
        "Type": "SMS",
        "Destination": sms.number,
        "MessageID": sms.message_id,
        "JobNumber": "10C7B9A0",
        "SentTime": "16/10/2023 13:43 p.m.",
        "Status": "SUCCESS",
        "Result": "delivered",
        "Message": "",
        "Price": "0.20",
        "Detail": "SMSParts:2",
        **changes,
    }


def set_b(sms: Sms, **changes: Any) -> dict[str, Any]:
    """Field set B: delivered."""
    fields = {name: value for name, value in set_a(sms).items() if name not in ("Token", "SentTime")}
    return {
        **fields,
        "Version": "2.04",
        "APIKey": "t0k3n",
        "ReceivedID": "",
        "SentTimeUTC-RFC3339": "2023-10-16T02:43:00.000Z",
        "Price": 0.2,
        **changes,
    }


def set_v3(sms: Sms, **changes: Any) -> dict[str, Any]:
    """The spelling of v3: delivered."""
    fields = {name: value or None for name, value in set_b(sms).items() if "-" not in name}
    return {
        **fields,
        "Version": "v3.00",
        "SendTimeUTC": "2023-10-16 02:43:00",
        "Status": "Success",
        **changes,
    }


def a_reply(sms: Sms, **changes: Any) -> dict[str, Any]:
    """An answer of the phone."""
    return set_b(
        sms,
        **{
            "Type": "SMSReply",
            "Status": "RECEIVED",
            "Result": "RECEIVED",
            "Message": "Yes 👍",
            "ReceivedID": "R1",
        }
        | changes,
    )


def as_xml(fields: dict[str, Any]) -> bytes:
    """The same fields as XML."""
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><root>{inner}</root>'.encode()


async def post(client: httpx.AsyncClient, body: object, path: str = PATH, **headers: str) -> int:
    """Post a body (bytes as they are, else JSON) and return the answer's status."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, bytes):
        answer = await client.post(path, content=body, headers=names)
    else:
        answer = await client.post(path, json=body, headers=names)
    assert "t0k3n" not in answer.text
    assert len(answer.text) < 100
    return answer.status_code
