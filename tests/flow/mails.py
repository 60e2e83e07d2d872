"""The mails that the tests of the whole flow hand in, and how."""

import smtplib
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Final

JO: Final = "jo@clinic.example"


def mail(
    text: str, to: str = "0421000001@sms.local", subject: str = "Appointment", sender: str = JO
) -> EmailMessage:
    """Return a mail as a mail client writes it."""
    made = EmailMessage()
    made["From"] = f"Jo <{sender}>"
    made["To"] = to
    made["Subject"] = subject
    made["Message-ID"] = make_msgid(domain="clinic.example")
    made.set_content(text)
    return made


def hand_in(port: int, made: EmailMessage, *recipients: str) -> None:
    """Hand a mail in; raises what smtplib raises when it is refused."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.send_message(made, JO, recipients or (made["To"],))
