"""The step "report mail", its end: a finished mail is signed and handed to the smarthost."""

from bridge.mail_out.dkim_sign import Signer, keygen, zone_text
from bridge.mail_out.hand_over import MailOut
from bridge.mail_out.values import Dead, Later, Result, Sent, Smarthost

__all__ = [
    "Dead", "Later", "MailOut", "Result", "Sent", "Signer", "Smarthost", "keygen", "zone_text",
]  # fmt: skip
