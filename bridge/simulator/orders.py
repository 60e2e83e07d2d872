"""A send request judged: an order for one SMS, or the exact reason the vendor gives against it. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from bridge.simulator.numbers import e164
from bridge.simulator.settings import Settings

MAX_FIELDS = 50
_MESSAGE_ID = re.compile(r"[A-Za-z0-9]{1,40}")  # the vendor's page: at most 40, alphanumeric
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\x00-\x1f]{1,64}@[^\s@<>,;:\"()\x00-\x1f]{1,255}")


@dataclass(frozen=True, slots=True)
class Order:
    """One SMS to make. ``silent``: wrong credentials at a lenient vendor, answered as if all were well."""

    account: str
    number: str
    text: str
    tracking_id: str = ""
    reply_mail: str = ""
    test: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there will be no SMS. ``number`` is what could be read of it."""

    http: int
    reason: str
    account: str = ""
    number: str = ""
    text: str = ""
    tracking_id: str = ""


def read_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form-urlencoded body, the first of equal names; none if there are too many."""
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def judge(form: dict[str, str], settings: Settings) -> Order | Refusal:
    """Return the order, or the vendor's documented reason against it, looked for in the vendor's order."""
    sender, token = form.get("Sender", ""), form.get("Token", "")
    typed, text = form.get("Number", ""), form.get("Message", "")
    tracking_id = form.get("MessageID", "")
    number = e164(typed, settings.country_code)
    refused = _bad_credentials(form, settings) or _bad_message(typed, number, text)
    if refused:
        return Refusal(*refused, sender[:320], number or typed[:40], text, tracking_id[:100])
    reply_mail = form.get("SMSEmailReply", "").strip()
    return Order(
        account=sender,
        number=number or "",
        text=text,
        tracking_id=tracking_id if _MESSAGE_ID.fullmatch(tracking_id) else "",
        reply_mail=reply_mail if _ADDRESS.fullmatch(reply_mail) else "",
        test=form.get("Mode", "").lower() == "test",
        silent=not _known(sender, token, settings),
    )


def _bad_credentials(form: dict[str, str], settings: Settings) -> tuple[int, str] | None:
    if not form:
        return 400, "Missing message data"
    if "Sender" not in form:
        return 400, "Missing Sender"
    if not form["Sender"].strip():
        return 401, "Missing or empty sender"
    if not form.get("Token", "").strip():
        return 400, "Missing APIKey"
    if not _ADDRESS.fullmatch(form["Sender"]):
        return 400, "Invalid sender format"
    if settings.strict and not _known(form["Sender"], form["Token"], settings):
        return 400, "Unauthorized"
    return None


def _bad_message(typed: str, number: str | None, text: str) -> tuple[int, str] | None:
    if not typed.strip() and not text.strip():
        return 400, "Missing message data"
    if not typed.strip():
        return 400, "Missing or empty destinations"
    if number is None:
        return 400, "Error - Could not find any valid destination(s)."
    if not text.strip():
        return 400, "Missing or empty message"
    return None


def _known(sender: str, token: str, settings: Settings) -> bool:
    return any(
        account.sender.lower() == sender.lower() and account.token == token for account in settings.accounts
    )
