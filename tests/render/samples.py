"""One of every mail we send, with the SMS and the mail it speaks of: for tests and for the pictures."""

import datetime
import struct
import zlib
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from bridge.render import Renderer
from bridge.report.values import MailKind, OutboxMail, OutboxState, StoredMail
from bridge.rules import Brand, ReportRule
from bridge.sms import RANK, Kind, Sms, State

SYDNEY = ZoneInfo("Australia/Sydney")
NOON = int(datetime.datetime(2026, 11, 22, 5, 16, tzinfo=datetime.UTC).timestamp() * 1000)


def local(at: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at / 1000, SYDNEY)


def png(width: int = 120, height: int = 40, colour: tuple[int, int, int] = (10, 125, 108)) -> bytes:
    """A small picture, with a lighter stripe so that one sees it is a logo."""
    rows = b""
    for y in range(height):
        inside = height // 3 < y < 2 * height // 3
        rows += b"\x00" + bytes((255, 255, 255) if inside else colour) * width

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


PLAIN = Brand("default", "SMS Bridge", "sms@sms.local")
CLINIC = Brand(
    "clinic",
    "Riverside Clinic",
    "sms@clinic.example",
    accent="#0a7d6c",
    footer="Riverside Clinic, 1 River St, Riverside NSW\nPhone 02 9999 0000",
    logo=png(),
)
SUN = replace(CLINIC, key="sun", name="Sunshine Garage", accent="#facc15", logo=None)


def stored(**changes: Any) -> StoredMail:
    mail = StoredMail(
        id="M1",
        received_at=NOON,
        sender="alex@clinic.example",
        proof="auth",
        rule=0,
        client="10.0.0.1",
        subject="Your appointment",
        header_message_id="<first@clinic.example>",
        references=("<thread@clinic.example>",),
        brand="clinic",
        reports=ReportRule(),
        size=1_500,
        cut=(),
    )
    return replace(mail, **changes)


def sms(**changes: Any) -> Sms:
    one = Sms(
        id=1,
        message_id="BRDGQ7X2M4K9PLZT",
        mail_id="M1",
        number="+61421000001",
        text="Hello Kim, your appointment is tomorrow (Monday) at 9:30. Please bring your Medicare card.",
        encoding="GSM-7",
        segments=1,
        account="default",
        mode="live",
        on_unknown="hold",
        reply_key="k1",
        state=State.DELIVERED,
        created_at=NOON,
        updated_at=NOON,
        due_at=NOON,
        expires_at=NOON,
        attempts=1,
        reached=1,
        rank=RANK[Kind.NEWS_DELIVERED],
        result="delivered",
    )
    return replace(one, **changes)


def outbox(kind: MailKind, **changes: Any) -> OutboxMail:
    mail = OutboxMail(
        id=7,
        kind=kind,
        state=OutboxState.DUE,
        to="alex@clinic.example",
        message_id="<r7.q8w@sms.local>",
        bounce_key="b7key",
        created_at=NOON + 95_000,
        due_at=NOON,
        attempts=0,
        facts=(),
        correction=False,
        sms_id=1,
        mail_id="M1",
        group=None,
        brand="clinic",
        subject="",
        raw=None,
        error="",
        bounced=False,
    )
    return replace(mail, **changes)


def renderer(*brands: Brand, domain: str = "sms.local") -> Renderer:
    table = {brand.key: brand for brand in (brands or (PLAIN, CLINIC, SUN))}
    table.setdefault("default", PLAIN)
    return Renderer(table, domain=domain, instance="i-1", local=local)


def group() -> tuple[Sms, ...]:
    """Twelve SMS of one mail in every kind of state."""
    states = [State.DELIVERED] * 7 + [
        State.FAILED,
        State.UNKNOWN,
        State.REFUSED,
        State.EXPIRED,
        State.SUBMITTED,
    ]
    results = [""] * 7 + [
        "Bad Number",
        "",
        "+61 190... is a premium number, which is not allowed here",
        "",
        "",
    ]
    return tuple(
        sms(id=n, number=f"+614210000{n:02d}", state=state, result=result, price=1_000, message_id=f"BRDG{n}")
        for n, (state, result) in enumerate(zip(states, results, strict=True), start=1)
    )


Sample = tuple[OutboxMail, StoredMail | None, tuple[Sms, ...]]


def every() -> dict[str, Sample]:
    """A mail of every kind and sort of news, by name."""
    failed: dict[str, dict[str, Any]] = {
        "failed": {"state": State.FAILED, "result": "Bad Number", "rank": 3},
        "failed-unknown-word": {"state": State.FAILED, "result": "Error 0x17 at gateway", "rank": 3},
        "unknown": {"state": State.UNKNOWN, "result": "read time-out", "rank": 0},
        "held": {"state": State.HELD, "rank": 0},
        "expired": {"state": State.EXPIRED, "rank": 0, "reached": 0},
        "expired-in-doubt": {"state": State.EXPIRED, "rank": 0},
        "cancelled": {"state": State.CANCELLED, "rank": 3},
        "unconfirmed": {"state": State.UNCONFIRMED, "rank": 0},
        "refused": {
            "state": State.REFUSED,
            "result": "+61 190... is a premium number, which is not allowed here",
        },
    }
    found: dict[str, Sample] = {
        name: (outbox(MailKind.FAILED), stored(), (sms(**change),)) for name, change in failed.items()
    }
    delivered = outbox(MailKind.DELIVERED)
    phone = (
        ("phone", "+61421000001"),
        ("text", "Thanks! Can I come at 10 instead?\nKim"),
        ("at", str(NOON + 60_000)),
    )
    cut = stored(cut=("quoted history", "12 characters after the limit"))
    refused = tuple(one for one in group() if one.state is State.REFUSED) * 2
    found |= {
        "delivered": (delivered, cut, (sms(price=1_050),)),
        "network": (delivered, stored(), (sms(rank=2),)),
        "corrected": (replace(delivered, correction=True), stored(), (sms(),)),
        "test": (delivered, stored(), (sms(mode="test"),)),
        "refused-several": (outbox(MailKind.FAILED, sms_id=None), stored(), refused),
        "summary": (outbox(MailKind.SUMMARY, sms_id=None, group="g"), stored(), group()),
        "summary-good": (outbox(MailKind.SUMMARY, sms_id=None, group="g"), stored(), group()[:7]),
        "reply": (outbox(MailKind.REPLY, facts=phone), stored(), (sms(),)),
        "reply-shared": (
            outbox(
                MailKind.REPLY,
                facts=(*phone, ("note", "Another sender wrote to this phone in the last days.")),
            ),
            stored(),
            (sms(),),
        ),
        "reply-stop": (
            outbox(MailKind.REPLY, facts=(("phone", "+61421000001"), ("text", "STOP"), ("said", "stop"))),
            stored(),
            (sms(),),
        ),
        "reply-arabic": (
            outbox(
                MailKind.REPLY, facts=(("phone", "+61421000001"), ("text", "شكرا جزيلا، أراك غدا في 9:30"))
            ),
            stored(),
            (sms(),),
        ),
        "inbound": (outbox(MailKind.INBOUND, sms_id=None, mail_id=None, facts=phone), None, ()),
        "alarm": (
            outbox(
                MailKind.ALARM,
                brand="default",
                to="admin@example.com",
                sms_id=None,
                facts=(
                    ("alarm", "account:default"),
                    ("account", "default"),
                    ("stop", "account"),
                    ("why", "401 Missing or empty sender"),
                ),
            ),
            None,
            (),
        ),
    }
    return found
