"""The step "message": the bytes of a mail become an `InboundMail`, a frozen value bounded in depth, parts and
size.

Knows RFC 5322 and MIME alone; it must not know rules, numbers or how an SMS text is made of the mail.
"""

from bridge.message.mail import InboundMail, read

__all__ = ["InboundMail", "read"]
