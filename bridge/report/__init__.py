"""What we tell senders about their SMS, and when. Pure: no templates, no SMTP."""

from bridge.report.delivery import DeliveryReport, Recipient, delivery_report
from bridge.report.units import LocalTime
from bridge.report.values import MailKind, OutboxMail, StoredMail
from bridge.report.view import View, shortened, view

__all__ = [
    "DeliveryReport", "LocalTime", "MailKind", "OutboxMail", "Recipient", "StoredMail", "View", "delivery_report",
    "shortened", "view",
]  # fmt: skip
