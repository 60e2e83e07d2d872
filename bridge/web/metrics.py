"""Prometheus metrics, read from the store at each scrape: true after a restart, and the same on every node."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.process_collector import ProcessCollector

from bridge.retry import Account
from bridge.store import Counts


def exposition(counts: Counts, accounts: Iterable[Account]) -> bytes:
    """Return the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    sms = Gauge("smsbridge_sms", "SMS in the store, by state", ["state"], registry=registry)
    for state, number in counts.by_state.items():
        sms.labels(state).set(number)
    mails = Gauge("smsbridge_outbox_mails", "Mails of ours, by state", ["state"], registry=registry)
    for kept, number in counts.outbox_by_state.items():
        mails.labels(kept).set(number)
    stopped = Gauge(
        "smsbridge_account_stopped",
        "1 while sending with this account of the vendor stands still",
        ["account"],
        registry=registry,
    )
    for account in accounts:
        stopped.labels(account.key).set(1 if account.stop else 0)
    return generate_latest(registry)
