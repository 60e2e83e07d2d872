"""Which processes work on the database, and does each still show that it lives?"""

from typing import Final

from bridge.cli.doctor.finding import Finding, ok, warning
from bridge.store import NodeLine, Store

_QUIET_MS: Final = 15_000  # three heartbeats: a database that is slow for a moment is no news
_ALONE: Final = {
    "send": "ends what is too old or left behind",
    "events": "polls the vendor",
    "reports": "tells of what falls due by time",
}


async def nodes(store: Store) -> list[Finding]:
    """Return a finding for each node; none when nothing runs."""
    leases = await store.leases()
    found = []
    for line in await store.nodes():
        alone = [_ALONE[lease.part] for lease in leases if lease.node == line.node.id]
        found.append(_finding(line, alone))
    return found


def _finding(line: NodeLine, alone: list[str]) -> Finding:
    node = line.node
    what = f"node {node.id}"
    say = f"runs {', '.join(node.parts)} as process {node.pid} on {node.host}"
    silent = f"its last heartbeat was {line.silent_ms // 1_000} s ago"
    if line.gone:
        return warning(what, f"{silent}: it is gone without an end in good order; others have taken over")
    if line.silent_ms >= _QUIET_MS:
        return warning(
            what, f"{say}, but {silent}: look whether it stands still or cannot reach the database"
        )
    if line.draining:
        return ok(what, f"{say}; it is draining")
    return ok(what, f"{say}; alone it {' and '.join(alone)}" if alone else say)
