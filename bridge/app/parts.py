"""The parts of the bridge that a process may run, and what each adds to it."""

from enum import StrEnum


class Part(StrEnum):
    """What ``serve --only`` picks from. Each may run in one process per database at a time."""

    MAIL = "mail"  # SMTP in
    SEND = "send"  # claims and POSTs
    EVENTS = "events"  # webhook and polls
    REPORTS = "reports"  # mails out
    WEB = "web"  # the desk


ALL = tuple(Part)
