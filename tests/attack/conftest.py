"""An SMTP server on a free port, as the tests of mail in have it."""

from tests.mail_in.conftest import certificate, start, trusting, users

__all__ = ["certificate", "start", "trusting", "users"]
