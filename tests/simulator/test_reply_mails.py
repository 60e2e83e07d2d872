"""The vendor's reply mails, taken by a real SMTP server."""

import asyncio
import email
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from bridge.simulator import ReplyMail

from .conftest import Customer, until


@dataclass
class Inbox:
    """Mails that came, and what to answer to the next ones."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the mail unless told to refuse it."""
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        parsed = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        return "250 ok"


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """An SMTP server on a free port."""
    box = Inbox()
    loop = asyncio.get_running_loop()
    make: Any = lambda: SMTP(box, hostname="mx.example", loop=loop)  # noqa: E731
    server = await loop.create_server(make, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()


async def test_an_answer_is_mailed_where_the_sms_asked(customer: Customer, inbox: Inbox) -> None:
    customer.simulator.configure(reply_mail=ReplyMail("127.0.0.1", inbox.port))
    await customer.send(MessageID="R1", SMSEmailReply="reply+k@sms.local", text="Dinner?")
    await customer.admin("reply", {"number": "0421000001", "text": "Yes <b>please</b> 👍"})
    (mail,) = await until(lambda: inbox.mails)
    assert (mail["To"], mail["Subject"]) == ("reply+k@sms.local", "SMS Reply from +61421000001")
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Yes <b>please</b> 👍" in plain.get_content()
    assert "Yes &lt;b&gt;please&lt;/b&gt; 👍" in html.get_content()
    await until(lambda: customer.simulator.vendor.journal.entries(kind="mail", answer="taken"))


async def test_nothing_is_mailed_that_was_not_asked_for(customer: Customer, inbox: Inbox) -> None:
    customer.simulator.configure(reply_mail=ReplyMail("127.0.0.1", inbox.port))
    await customer.send(MessageID="R1")
    await customer.admin("reply", {"number": "0421000001", "text": "one"})
    await customer.admin("reply", {"number": "0421000002", "text": "two"})
    await customer.send(number="0421000003", SMSEmailReply="a@b.example")
    await customer.admin("reply", {"number": "0421000003", "text": "three"})
    (mail,) = await until(lambda: inbox.mails)
    assert mail["To"] == "a@b.example"


async def test_a_mail_that_is_refused_is_tried_again(
    customer: Customer, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.simulator.reply_mails.PAUSE_S", 0.01)
    customer.simulator.configure(reply_mail=ReplyMail("127.0.0.1", inbox.port))
    inbox.answers = ["451 later", "550 no"]
    await customer.send(SMSEmailReply="a@b.example")
    await customer.admin("reply", {"number": "0421000001", "text": "one"})
    await until(lambda: inbox.mails)
    await until(lambda: customer.simulator.vendor.journal.entries(kind="mail", answer="taken"))
    assert [entry["answer"] for entry in await customer.log("?kind=mail")] == ["failed", "failed", "taken"]


async def test_the_vendor_gives_up_on_a_server_that_is_not_there(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.simulator.reply_mails.PAUSE_S", 0.01)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        customer.simulator.configure(reply_mail=ReplyMail("127.0.0.1", held.getsockname()[1]))
        await customer.send(SMSEmailReply="a@b.example")
        await customer.admin("reply", {"number": "0421000001", "text": "one"})
        journal = customer.simulator.vendor.journal
        await until(lambda: len(journal.entries(kind="mail", answer="failed")) == 5)
