"""What we tell senders about their SMS, and when. Pure: no templates, no SMTP."""

from bridge.report.units import LocalTime
from bridge.report.values import MailKind, OutboxMail, StoredMail
from bridge.report.view import View, shortened, view

__all__ = ["LocalTime", "MailKind", "OutboxMail", "StoredMail", "View", "shortened", "view"]
