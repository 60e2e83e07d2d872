"""What the simulated vendor is told: where to listen, whose SMS to take, where its news goes.

Plain frozen values with defaults that suit a demo; the command line and the admin routes build them.
"""

from dataclasses import dataclass
from typing import Literal

Fields = Literal["A", "B", "v3"]
NotFound = Literal["record-400", "record-404", "entry", "message", "bare"]
Errors = Literal["string", "list", "text"]
Ids = Literal["echo", "own", "own-only"]

NOT_FOUND: tuple[NotFound, ...] = ("record-400", "record-404", "entry", "message", "bare")
ERRORS: tuple[Errors, ...] = ("string", "list", "text")
IDS: tuple[Ids, ...] = ("echo", "own", "own-only")
FIELDS: tuple[Fields, ...] = ("A", "B", "v3")


@dataclass(frozen=True, slots=True)
class Account:
    """One API user: the pair that sends, and the token that polls."""

    sender: str
    token: str
    auth_token: str = ""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the vendor posts its news, and in which dress.

    ``sender`` and ``token`` default to those of the SMS' account. Posts are repeated every ``retry_ms``
    until a 200, at most for ``give_up_ms`` (the vendor's rule: five minutes, 24 hours).
    """

    url: str
    format: Literal["json", "xml"] = "json"
    fields: Fields = "A"
    sender: str = ""
    token: str = ""
    retry_ms: int = 300_000
    give_up_ms: int = 86_400_000
    timeout_ms: int = 10_000
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class ReplyMail:
    """The SMTP server that takes the vendor's reply mails, and the address they come from."""

    host: str
    port: int = 25
    sender: str = "sms-reply@vendor.example"


DEMO_ACCOUNT = Account("application@example.com", "ta8wr7ymd", "demo-auth-token")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the vendor is told. Money is ten-thousandths, times are milliseconds.

    ``port`` 0 is any free one. ``strict`` False makes a wrong token answer 200 and fail silently.
    ``message_id``: ``echo`` answers with the caller's id; ``own`` with the vendor's, either finds the SMS;
    ``own-only``: the caller's id finds nothing. ``errors``: how a refusal is written.
    ``not_found``: how a poll says that there is no such SMS. ``max_segments``: longer texts are cut.
    ``magic`` False: numbers with special endings are like all others. ``hint``: a line for the empty page.
    """

    address: str = "127.0.0.1"
    port: int = 8081
    accounts: tuple[Account, ...] = (DEMO_ACCOUNT,)
    webhook: Webhook | None = None
    reply_mail: ReplyMail | None = None
    delivery_delay_ms: int = 1_000
    price_per_segment: int = 1_000
    strict: bool = True
    message_id: Ids = "echo"
    errors: Errors = "string"
    not_found: NotFound = "record-404"
    reject_duplicates: bool = True
    duplicate_window_ms: int = 60_000
    reply_window_ms: int = 7 * 86_400_000
    max_segments: int = 10
    max_records: int = 100_000
    country_code: str = "61"
    timezone: str = "Australia/Sydney"
    own_number: str = "+61480000100"
    magic: bool = True
    hint: str = ""
    webhook_workers: int = 4
