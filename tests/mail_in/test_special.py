"""Mail to addresses of ours that make no SMS: postmaster, the vendor's replies, bounces of our own mails."""

import asyncio
import threading

import pytest

from bridge import message
from bridge.message import InboundMail, read
from bridge.report.values import MailKind
from tests.mail_in.client import Client
from tests.mail_in.conftest import STRANGERS, Running, Starter

REPLY = (
    b"From: vendor@elsewhere.example\r\nTo: x\r\nContent-Type: multipart/alternative; boundary=q\r\n\r\n"
    b"--q\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nYes, gerne \xf0\x9f\x91\x8d\r\n--q\r\n"
    b"Content-Type: text/html\r\n\r\n<p>Yes</p>\r\n--q--\r\n"
)


async def send(server: Running, recipient: str, mail: bytes, times: int = 1) -> list[str]:
    def talk() -> list[str]:
        with Client(server.port) as client:
            answers = []
            for number in range(times):
                answers += client.envelope(recipient, sender="", hello=number == 0)
                if answers[-1].startswith("250 2.1.5"):
                    answers[-1] = client.mail(mail)
                else:
                    client.say("RSET")
            return answers

    return await asyncio.to_thread(talk)


async def reply_key(server: Running) -> str:
    """The key of an SMS that the network client of ``server`` sent."""

    def talk() -> str:
        with Client(server.port) as client:
            client.envelope("0421000001@sms.local")
            return client.mail(b"From: ups@plant.example\r\n\r\nCome?\r\n")

    assert (await asyncio.to_thread(talk)).startswith("250 ")
    return (await server.sms())[0].reply_key


async def test_the_vendors_reply_mail_is_taken_from_anyone_and_its_text_recorded(start: Starter) -> None:
    server = await start()
    key = await reply_key(server)
    assert await send(server, f"reply+{key}@sms.local", REPLY) == ["250 2.0.0 OK"]
    assert await send(server, f"Reply+{key.upper()}@SMS.LOCAL", b"\r\n") == ["250 2.0.0 OK"]
    replies = [mail for mail in await server.store.list_outbox(None, 10) if mail.kind is MailKind.REPLY]
    assert any("Yes, gerne" in str(mail.facts) for mail in replies)
    assert len(await server.sms()) == 1


async def test_more_mails_to_one_key_than_an_honest_vendor_sends_are_put_off(start: Starter) -> None:
    server = await start()
    key = await reply_key(server)
    answers = await send(server, f"reply+{key}@sms.local", REPLY, 22)
    assert answers[0] == "250 2.0.0 OK"
    assert answers[-1] == "450 4.7.1 too many mails to that address; please try again later"


async def test_an_unreadable_mail_to_a_reply_address_still_asks(start: Starter) -> None:
    server = await start()
    key = await reply_key(server)
    broken = b"From: a@b.example, c@d.example\r\n\r\nhi\r\n"
    assert await send(server, f"reply+{key}@sms.local", broken) == ["250 2.0.0 OK"]


async def test_a_bounce_marks_our_mail_and_alarms_once(start: Starter) -> None:
    server = await start()
    key = await reply_key(server)
    await send(server, f"reply+{key}@sms.local", REPLY)
    reply = next(mail for mail in await server.store.list_outbox(None, 10) if mail.kind is MailKind.REPLY)
    answers = await send(
        server, f"bounce+{reply.bounce_key}@sms.local", b"Subject: no\r\n\r\nno such user\r\n", 2
    )
    assert answers == ["250 2.0.0 OK", "250 2.0.0 OK"]
    outbox = await server.store.list_outbox(None, 10)
    assert [mail.bounced for mail in outbox if mail.id == reply.id] == [True]
    assert sum(mail.kind is MailKind.ALARM for mail in outbox) == 1


async def test_an_absence_note_to_a_bounce_address_is_no_bounce(start: Starter) -> None:
    server = await start()
    key = await reply_key(server)
    await send(server, f"reply+{key}@sms.local", REPLY)
    reply = next(mail for mail in await server.store.list_outbox(None, 10) if mail.kind is MailKind.REPLY)
    note = (
        b"From: jo@clinic.example\r\nSubject: Away\r\nAuto-Submitted: auto-replied\r\n\r\nBack on Monday.\r\n"
    )
    assert await send(server, f"bounce+{reply.bounce_key}@sms.local", note) == ["250 2.0.0 OK"]
    outbox = await server.store.list_outbox(None, 10)
    assert [mail.bounced for mail in outbox if mail.id == reply.id] == [False]
    assert all(mail.kind is not MailKind.ALARM for mail in outbox)
    report = (
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n"
        + note.split(b"\r\n\r\n")[0]
    )
    report += b"\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n\r\n--b--\r\n"
    assert await send(server, f"bounce+{reply.bounce_key}@sms.local", report) == ["250 2.0.0 OK"]
    assert [mail.bounced for mail in await server.store.list_outbox(None, 10) if mail.id == reply.id] == [
        True
    ]


async def test_what_strangers_write_to_special_addresses_is_read_beside_the_loop(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of a second for one of 8 MB, and whoever had an answer of a phone knows a bounce address."""
    server = await start()
    key = await reply_key(server)
    read_in: list[str] = []

    def noted(raw: bytes) -> InboundMail:
        read_in.append(threading.current_thread().name)
        return read(raw)

    monkeypatch.setattr(message, "read", noted)
    await send(server, f"reply+{key}@sms.local", REPLY)
    reply = next(mail for mail in await server.store.list_outbox(None, 10) if mail.kind is MailKind.REPLY)
    big = b"Content-Type: text/html\r\n\r\n" + b"<p>no such user</p>\r\n" * 100_000
    assert await send(server, f"bounce+{reply.bounce_key}@sms.local", big) == ["250 2.0.0 OK"]
    assert [name.startswith("mail-read") for name in read_in] == [True, True]


async def test_a_mail_to_postmaster_is_handed_on_as_it_came(start: Starter) -> None:
    server = await start(policy=STRANGERS)
    mail = b"From: \xffa@b.example\r\nSubject: odd\r\n\r\n.dot\r\n" + b"text\r\n" * 20_000
    assert await send(server, "postmaster@sms.local", mail.replace(b"\r\n.", b"\r\n..")) == ["250 2.0.0 OK"]
    stored = [one for one in await server.store.list_outbox(None, 10) if one.kind is MailKind.POSTMASTER]
    whole = await server.store.outbox_mail(stored[0].id)
    assert whole is not None
    assert whole.raw == mail


async def test_more_than_ten_mails_an_hour_to_postmaster_are_put_off(start: Starter) -> None:
    server = await start(policy=STRANGERS)
    answers = await send(server, "postmaster@sms.local", b"Subject: x\r\n\r\nhi\r\n", 11)
    assert answers[:10] == ["250 2.0.0 OK"] * 10
    assert answers[10] == "450 4.7.1 at most 10 mails an hour to postmaster from your address"


async def test_a_big_mail_to_postmaster_is_refused(start: Starter) -> None:
    server = await start(policy=STRANGERS)
    answers = await send(server, "postmaster@sms.local", b"Subject: x\r\n\r\n" + b"text\r\n" * 200_000)
    assert answers == ["552 5.3.4 a mail to postmaster may have 1 MiB"]


@pytest.mark.parametrize(
    "recipient", ["reply+aaaaaaaaaaaaaaaa@sms.local", "bounce+aaaaaaaaaaaaaaaa@sms.local"]
)
async def test_a_key_that_is_not_ours_is_no_address(start: Starter, recipient: str) -> None:
    server = await start(policy=STRANGERS)
    assert await send(server, recipient, b"x\r\n") == ["550 5.1.1 no such address here"]


async def test_a_store_that_fails_puts_off_these_mails_too(start: Starter) -> None:
    server = await start(policy=STRANGERS)

    def begin() -> Client:
        client = Client(server.port)
        assert client.envelope("postmaster@sms.local")[0].startswith("250")
        return client

    client = await asyncio.to_thread(begin)
    await server.store.close()
    with client:
        assert (await asyncio.to_thread(client.mail, b"x\r\n")).startswith("451 4.3.0 ")
