"""A report's parts for programs as octets: the delivery status, and of the mail it answers the fields that we keep.

Sources: RFC 3464 (2.2 per message, 2.3 per recipient), RFC 6522 (3: text/rfc822-headers).
"""

from email.utils import format_datetime

from bridge.errors import RenderError
from bridge.render import headers
from bridge.render.headers import Field
from bridge.report import DeliveryReport, LocalTime, Recipient, StoredMail


def status(report: DeliveryReport, domain: str, local: LocalTime) -> bytes:
    """The content of message/delivery-status. Every value is printable ASCII, so that no field can end early."""
    of_mail = [
        ("Reporting-MTA", f"dns; {domain}"),
        ("Original-Envelope-Id", report.envelope_id),
        ("Arrival-Date", format_datetime(local(report.arrived_at))),
    ]
    groups = [of_mail, *(_of_recipient(one, domain, local) for one in report.recipients)]
    return b"\r\n".join(_group(fields) for fields in groups)


def _of_recipient(one: Recipient, domain: str, local: LocalTime) -> list[Field]:
    kind, _, address = one.original.partition(";")
    return [
        ("Original-Recipient", f"{kind}; {address}" if address else ""),
        ("Final-Recipient", f"rfc822; {one.number}@{domain}"),
        ("Action", one.action),
        ("Status", one.status),
        ("Diagnostic-Code", f"x-sms; {one.diagnostic}" if one.diagnostic else ""),
        ("Last-Attempt-Date", format_datetime(local(one.tried_at)) if one.tried_at else ""),
    ]


def _group(fields: list[Field]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields if value).encode("ascii", "replace")


def kept_headers(source: StoredMail) -> bytes:
    """The content of text/rfc822-headers, for RET=HDRS and FULL alike: a mail is not kept once it has become SMS."""
    try:
        sender = headers.address(source.sender)
    except RenderError:
        sender = ""
    own = headers.message_ids([source.header_message_id] if source.header_message_id else [])
    found = [("From", sender), ("Subject", headers.text(source.subject)), ("Message-ID", own)]
    return headers.write([(name, value) for name, value in found if value])
