"""What people and monitors look at: lists paged by key, one SMS with its story, counts."""

from typing import Final

from bridge.report.values import OutboxMail
from bridge.sms import Sms, State
from bridge.store import habits
from bridge.store.changing import sms_by_id, sms_by_message_id
from bridge.store.database import Tx
from bridge.store.queries import OUTBOX_FIELDS, SMS_FIELDS
from bridge.store.rows import event_of, history_of, mail_of, outbox_of, sms_of
from bridge.store.values import Counts, HistoryLine, SmsFilter, SmsLine, SmsPage, SmsStory, StoredEvent

NEWEST: Final = (1 << 63) - 1
MAX_READ: Final = 20_000  # rows that one page of a filtered list reads: some 50 ms
MAX_STORY: Final = 500  # lines of each kind
MAX_DIGITS: Final = 20
MIN_NATIONAL: Final = 8  # digits that are a number as people write it; fewer are its end
MIN_ENDING: Final = 4  # digits by which the index of numbers is worth asking


def touch(tx: Tx) -> None:
    """Write a row, to see whether that can be done. All nodes write the same, and none waits for another."""
    if not tx.run("touch", now=tx.now) and tx.one("cursor", name="last check") is None:
        tx.run("set_cursor", name="last check", value=tx.now)


def list_sms(tx: Tx, wanted: SmsFilter, before: int | None, limit: int) -> SmsPage:
    """Return a page, newest first; see `Store.list_sms`."""
    tail, whole = _tail(wanted.number or "")
    if wanted.number and not tail:
        return SmsPage((), None)
    values: dict[str, object] = {
        "state": wanted.state.value if wanted.state else None,
        "sender": wanted.sender or None,
        "mail_id": wanted.mail_id or None,
        "text": _like(wanted.text) if wanted.text else None,
        "tail": tail or None,
        "tail_end": tail + ":",  # the sign after "9"
        "before": NEWEST if before is None else before,
    }
    name = _index(wanted, tail, whole)
    floor = _floor(tx, name, wanted, values)
    rows = tx.all(name, floor=floor, limit=limit + 1, **values)
    lines = [SmsLine(sms_of(row), *row[len(SMS_FIELDS) :]) for row in rows]
    if len(lines) > limit:
        return SmsPage(lines[:limit], lines[limit - 1].sms.id)
    return SmsPage(lines, floor or None)


def _index(wanted: SmsFilter, tail: str, whole: bool) -> str:
    """Return the list whose index leaves the fewest rows to look through."""
    if wanted.mail_id:
        return "list_by_mail"
    if whole:
        return "list_by_number"
    if len(tail) >= MIN_ENDING:
        return "list_by_ending"
    if wanted.sender:
        return "list_by_sender"
    return "list_by_state" if wanted.state else "list_all"


def _floor(tx: Tx, name: str, wanted: SmsFilter, values: dict[str, object]) -> int:
    """Return the lowest id to look at, so that a search that finds little ends soon; 0 is no bound."""
    asked = [wanted.state, wanted.sender, wanted.number, wanted.text, wanted.mail_id]
    by_index_alone = sum(bool(one) for one in asked) == (name != "list_all")
    if by_index_alone or name in ("list_by_ending", "list_by_mail"):
        return 0
    names = ("state", "sender", "tail", "before")
    row = tx.one(f"{name}_floor", most=MAX_READ, **{name: values[name] for name in names})
    return int(row[0]) if row else 0


def _tail(number: str) -> tuple[str, bool]:
    """Return a number backwards as far as it was typed, and whether that is all of it."""
    typed = number.strip()
    digits = "".join(sign for sign in typed if sign.isascii() and sign.isdigit())[:MAX_DIGITS]
    whole = digits if typed.startswith("+") else _after_zeros(typed, digits)
    if whole:
        return f"+{whole}"[::-1], True
    if len(digits) >= MIN_NATIONAL:
        digits = digits.removeprefix("0")  # 0421… is +61421… without its country
    return digits[::-1], False


def _after_zeros(typed: str, digits: str) -> str:
    return digits[2:] if typed.startswith("00") and len(digits) > MIN_NATIONAL else ""


def _like(text: str) -> str:
    for sign in "\\%_":
        text = text.replace(sign, "\\" + sign)
    return f"%{text}%"


def show(tx: Tx, name: str) -> SmsStory | None:
    """Return an SMS by its MessageID or its number in lists, with all that happened to it."""
    sms = sms_by_message_id(tx, name)
    if sms is None and name.isascii() and name.isdigit() and len(name) < 19:
        sms = sms_by_id(tx, int(name))
    if sms is None:
        return None
    mail = tx.one("mail_by_id", id=sms.mail_id)
    assert mail is not None
    history = [history_of(row) for row in tx.all("history_of", sms_id=sms.id, limit=MAX_STORY)]
    events = tuple(event_of(row) for row in tx.all("events_of", sms_id=sms.id, limit=MAX_STORY))
    mails = tuple(
        outbox_of(row) for row in tx.all("outbox_of", sms_id=sms.id, mail_id=sms.mail_id, limit=MAX_STORY)
    )
    return SmsStory(sms, mail_of(mail), (_taken(sms), *history), events, mails)


def _taken(sms: Sms) -> HistoryLine:
    refused = sms.state is State.REFUSED
    state, note = (State.REFUSED, f"refused: {sms.result}") if refused else (State.QUEUED, "taken")
    return HistoryLine(sms.created_at, state, note, 0, 1, sms.created_at)


def list_outbox(tx: Tx, before: int | None, limit: int) -> tuple[OutboxMail, ...]:
    """Return mails of ours without their raw text, newest first."""
    rows = tx.all("list_outbox", before=NEWEST if before is None else before, limit=limit)
    return tuple(map(outbox_of, rows))


def outbox_mail(tx: Tx, outbox_id: int) -> OutboxMail | None:
    """Return one mail of ours, whole."""
    row = tx.one("outbox_mail", id=outbox_id)
    return outbox_of(row[: len(OUTBOX_FIELDS)], row[-1]) if row else None


def list_events(tx: Tx, before: int | None, limit: int) -> tuple[StoredEvent, ...]:
    """Return what the vendor said, newest first."""
    rows = tx.all("list_events", before=NEWEST if before is None else before, limit=limit)
    return tuple(map(event_of, rows))


def counts(tx: Tx) -> Counts:
    """Return how much there is of what."""
    by_state = {State(state): number for state, number in tx.all("count_sms")}
    row = tx.one("count_rest", now=tx.now)
    assert row is not None
    kept, alarms, oldest, optouts = row
    return Counts(by_state, dict(tx.all("count_outbox")), kept, alarms, oldest, habits.far_above(tx), optouts)
