"""The health of the vendor's accounts, kept so that a restart does not forget that one stands still."""

from bridge.retry import Account, Answer, Stop, after_answer, resumed
from bridge.sms import HOUR, Sms
from bridge.store import alarms, audit
from bridge.store.database import Tx
from bridge.store.rows import account_of, account_text
from bridge.store.terms import Terms
from bridge.store.values import Actor

STOP_ALARM_EVERY_MS = HOUR  # a circuit that opens and closes all day is one alarm an hour


def get(tx: Tx, key: str) -> Account:
    """Return the account; one never heard of is well."""
    row = tx.one("account", key=key)
    return account_of(key, row[0]) if row else Account(key)


def to_change(tx: Tx, key: str) -> Account:
    """Return the account, so that nobody else changes it meanwhile."""
    tx.run("begin_account", key=key, health=account_text(Account(key)))
    row = tx.one("account_to_change", key=key)
    assert row is not None
    return account_of(key, row[0])


def to_probe(tx: Tx, key: str) -> Account | None:
    """Return the account, so that nobody else takes its probe; None while another node changes it: a mail may be
    stored in the same transaction, and must not wait for that."""
    row = tx.one("account_to_probe", key=key)
    return account_of(key, row[0]) if row else None


def everyone(tx: Tx) -> tuple[Account, ...]:
    """Return the accounts that anything is known of."""
    return tuple(account_of(key, health) for key, health in tx.all("accounts"))


def put(tx: Tx, account: Account) -> None:
    """Store the health of an account."""
    tx.run("put_account", key=account.key, health=account_text(account))


def hear(tx: Tx, terms: Terms, sms: Sms, answer: Answer, why: str) -> None:
    """Note what an answer about ``sms`` says of its account. One that stops is an alarm."""

    def heard(account: Account) -> Account:
        return after_answer(account, answer, sms.number, why, tx.now, sms.claimed_at)

    looked_at = get(tx, sms.account)
    if heard(looked_at) == looked_at:
        return  # most answers change nothing: the one row of all senders is locked for the others alone
    before = to_change(tx, sms.account)
    now = heard(before)
    if now == before:
        return
    put(tx, now)
    if now.stop is Stop.NONE:
        if before.stop is not Stop.NONE:
            tx.tell("sms")
    elif now.stop is not before.stop:
        facts = (("alarm", "stopped"), ("stop", now.stop.value), ("account", now.key), ("why", now.why))
        alarms.note(tx, terms, _alarm_key(now.key, now.stop), facts, STOP_ALARM_EVERY_MS)


def resume(tx: Tx, key: str | None, by: Actor) -> int:
    """Let one account send again, or all; return how many stood still."""
    stopped = [a for a in everyone(tx) if a.stop is not Stop.NONE and key in (None, a.key)]
    for account in stopped:
        put(tx, resumed(account))
        for stop in Stop:
            alarms.forget(tx, _alarm_key(account.key, stop))  # should it stop again, that is news
        audit.note(tx, by, "resume", account.key, stopped=account.stop.value)
    if stopped:
        tx.tell("sms")
    return len(stopped)


def _alarm_key(key: str, stop: Stop) -> str:
    return f"account:{key}:{stop.value}"
