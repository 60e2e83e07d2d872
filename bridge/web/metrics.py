"""Prometheus metrics, read from the store at each scrape: true after a restart, and the same on every node."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.process_collector import ProcessCollector

from bridge.retry import Account
from bridge.store import Counts, LeaseLine, LimitCounts, NodeLine, PurgeFigures

_MONEY: Final = 10_000


def exposition(
    counts: Counts,
    accounts: Iterable[Account],
    nodes: Sequence[NodeLine],
    leases: Iterable[LeaseLine],
    certificate_ends: Mapping[str, float],
    purged: PurgeFigures,
    limits: LimitCounts,
) -> bytes:
    """Return the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    sms = Gauge("smsbridge_sms", "SMS in the store, by state", ["state"], registry=registry)
    for state, number in counts.by_state.items():
        sms.labels(state).set(number)
    if counts.oldest_queued_at is not None:
        waiting = Gauge(
            "smsbridge_oldest_queued_timestamp_seconds",
            "when the SMS that has been queued longest was taken; absent while none is queued",
            registry=registry,
        )
        waiting.set(counts.oldest_queued_at / 1000)
    mails = Gauge("smsbridge_outbox_mails", "Mails of ours, by state", ["state"], registry=registry)
    for stands, number in counts.outbox_by_state.items():
        mails.labels(stands).set(number)
    kept = Gauge("smsbridge_events_kept", "Events of the vendor that match no SMS yet", registry=registry)
    kept.set(counts.events_kept)
    above = Gauge(
        "smsbridge_senders_above_habit",
        "Senders that were far above their habit within the last hour, by what was too much",
        ["what"],
        registry=registry,
    )
    for what, number in counts.far_above.items():
        above.labels(what.removeprefix("sender-")).set(number)
    optouts = Gauge("smsbridge_optouts", "Phones that want no SMS of an account", registry=registry)
    optouts.set(counts.optouts)
    stopped = Gauge(
        "smsbridge_account_stopped",
        "1 while sending with this account of the vendor stands still",
        ["account"],
        registry=registry,
    )
    for account in accounts:
        stopped.labels(account.key).set(1 if account.stop else 0)
    _of_nodes(registry, nodes, leases)
    ends = Gauge(
        "smsbridge_certificate_expiry_timestamp_seconds",
        "when a certificate of ours expires, by file",
        ["file"],
        registry=registry,
    )
    for file, at in certificate_ends.items():
        ends.labels(file).set(at)
    _of_purges(registry, purged)
    _of_limits(registry, limits)
    return generate_latest(registry)


def _of_purges(registry: CollectorRegistry, purged: PurgeFigures) -> None:
    if purged.at is None:
        return
    last = Gauge(
        "smsbridge_last_purge_timestamp_seconds",
        "When a purge last came to its end; absent while there was none",
        registry=registry,
    )
    last.set(purged.at / 1000)
    rows = Gauge("smsbridge_purged_rows", "Rows purged so far, by what of them", ["what"], registry=registry)
    rows.labels("text").set(purged.texts)
    rows.labels("record").set(purged.records)


def _of_nodes(registry: CollectorRegistry, nodes: Sequence[NodeLine], leases: Iterable[LeaseLine]) -> None:
    many = Gauge("smsbridge_nodes", "Processes on the database, by state", ["state"], registry=registry)
    states = ["gone" if node.gone else "draining" if node.draining else "alive" for node in nodes]
    for state in ("alive", "draining", "gone"):
        many.labels(state).set(states.count(state))
    silent = Gauge(
        "smsbridge_node_silent_seconds",
        "Seconds since a process last showed that it lives",
        ["node"],
        registry=registry,
    )
    for line in nodes:
        silent.labels(line.node.id).set(line.silent_ms / 1_000)
    alone = Gauge(
        "smsbridge_lease_held",
        "1 for the process that does what one at a time does for a part",
        ["part", "node"],
        registry=registry,
    )
    for lease in leases:
        alone.labels(lease.part, lease.node).set(1)


def _of_limits(registry: CollectorRegistry, limits: LimitCounts) -> None:
    """By the names of the limits, which are few; never by sender."""
    refused = Counter(
        "smsbridge_limit_refusals",
        "Mails refused since they were above a limit",
        ["limit"],
        registry=registry,
    )
    for name, times in limits.refusals.items():
        refused.labels(name).inc(times)
    reached = Gauge(
        "smsbridge_limit_senders_at",
        "Senders who have reached a limit in the minute, hour, day or month that is running",
        ["limit"],
        registry=registry,
    )
    for name, number in limits.at_limit.items():
        reached.labels(name).set(number)
    if limits.cap is not None:
        spent = Gauge("smsbridge_spent_today", "What all senders have spent today", registry=registry)
        spent.set(limits.spent / _MONEY)
        cap = Gauge("smsbridge_spend_cap", "What all senders may spend in a day", registry=registry)
        cap.set(limits.cap / _MONEY)
