"""What the admin should know: once per key and time as a mail, always as a row."""

from collections.abc import Sequence
from typing import Final

from bridge.report.values import MailKind, NewNotice
from bridge.store import outbox
from bridge.store.database import Tx
from bridge.store.rows import facts_of, facts_text
from bridge.store.terms import Terms
from bridge.store.values import DAY, AlarmLine

MAX_ALARMS: Final = 1_000  # rows; the oldest go first


def note(tx: Tx, terms: Terms, key: str, facts: Sequence[tuple[str, str]], every_ms: int = DAY) -> bool:
    """Record an alarm; return whether a mail was written (none without an admin, or told too lately)."""
    tx.run("begin_alarm", key=key, now=tx.now)
    row = tx.one("alarm_told_at", key=key)
    assert row is not None
    told_at, times = row
    fresh = tx.now - told_at >= every_ms
    tx.run("put_alarm", key=key, now=tx.now, told_at=tx.now if fresh else told_at, facts=facts_text(facts))
    if not times:
        tx.run("drop_old_alarms", most=MAX_ALARMS)
    if not fresh or not terms.settings.admin:
        return False
    outbox.write(tx, terms, NewNotice(MailKind.ALARM, terms.settings.admin, tuple(facts)))
    return True


def forget(tx: Tx, key: str) -> None:
    """Forget that an alarm was told, so that it is told again at once."""
    tx.run("forget_alarm", key=key)


def listed(tx: Tx, limit: int) -> tuple[AlarmLine, ...]:
    """Return the latest alarms, newest first."""
    found = []
    for key, first_at, last_at, told_at, times, facts in tx.all("list_alarms", limit=limit):
        found.append(AlarmLine(key, first_at, last_at, told_at, times, facts_of(facts)))
    return tuple(found)
