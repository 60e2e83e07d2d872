"""The nodes that work on one database: their heartbeats, and the work that one of them does at a time.

A node that is silent for long is gone: what it was sending is given up by others (see `sending`). Times are
the database's.
"""

from typing import Final

from bridge.sms import HOUR
from bridge.store import sending
from bridge.store.database import Tx
from bridge.store.terms import Terms
from bridge.store.values import LeaseLine, Node, NodeLine

# Parts with work that one node at a time does: polls (events), what ends by time and purges (send), mails due by time
# (reports).
LEASED: Final = ("events", "reports", "send")
WAITED_MS: Final = 60_000  # more than a transaction may be older than one that was before it
SEEN_FOR_MS: Final = HOUR  # a node that is gone is shown so long


def beat(tx: Tx, node: Node, lease_ms: int, *, draining: bool) -> frozenset[str]:
    """Note that ``node`` lives, renew its leases and take those that nobody holds; see `Store.beat`."""
    if not tx.run("beat", id=node.id, now=tx.now, draining=int(draining)):
        _join(tx, node, draining=draining)
    if draining:
        tx.run("give_leases_back", node=node.id)
        return frozenset()
    return frozenset(part for part in LEASED if part in node.parts and _lease(tx, node.id, part, lease_ms))


def _lease(tx: Tx, node: str, part: str, lease_ms: int) -> bool:
    until = tx.now + lease_ms
    latest = until + WAITED_MS
    return bool(tx.run("take_lease", part=part, node=node, until=until, now=tx.now, latest=latest))


def _join(tx: Tx, node: Node, *, draining: bool) -> None:
    tx.run(
        "join_nodes",
        id=node.id,
        host=node.host,
        pid=node.pid,
        parts=",".join(node.parts),
        now=tx.now,
        gone_after=node.gone_after_ms,
        draining=int(draining),
    )


def leave(tx: Tx, terms: Terms, node: str) -> int:
    """Take a node off in good order: give back its leases, and mails whose hand-over it cut off; return how many SMS
    it leaves that nobody sends now."""
    left = sending.adopt_lost(tx, terms, node)
    tx.run("give_outbox_of_node_back", node=node, now=tx.now)
    tx.run("give_leases_back", node=node)
    tx.run("leave_nodes", id=node)
    return left


def clean(tx: Tx) -> None:
    """Drop nodes that are gone for long."""
    tx.run("drop_nodes", before=tx.now - SEEN_FOR_MS)


def listed(tx: Tx) -> tuple[NodeLine, ...]:
    """Return the nodes, the oldest first, those that are gone for less than an hour too."""
    found = []
    for node_id, host, pid, parts, started_at, beat_at, gone_after, draining in tx.all("nodes"):
        node = Node(node_id, host, pid, tuple(parts.split(",")), gone_after)
        found.append(NodeLine(node, started_at, max(0, tx.now - beat_at), bool(draining)))
    return tuple(found)


def leases(tx: Tx) -> tuple[LeaseLine, ...]:
    """Return the leases that are held."""
    return tuple(LeaseLine(part, node) for part, node, until in tx.all("leases") if until > tx.now)
