"""The step "mail in": the SMTP server. It hands bytes on, and answers 250 only after the commit.

The only package that knows SMTP as a server. It meets the other loops in the store alone.
"""

from bridge.mail_in.service import MailIn
from bridge.mail_in.settings import Listener, Settings, Timeouts, Tls, server_context

__all__ = ["Listener", "MailIn", "Settings", "Timeouts", "Tls", "server_context"]
