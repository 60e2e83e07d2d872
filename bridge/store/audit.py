"""Who did what: rows that are only added to (both engines refuse to change or drop one), in the transaction of the
act. A number is masked and no text is told, so that forgetting a person need not touch them."""

import json
from typing import Final

from bridge.log import mask_text
from bridge.store.database import Tx
from bridge.store.values import Act, Actor

MAX_WORDS: Final = 200  # characters of one value
NEWEST: Final = (1 << 63) - 1


def note(tx: Tx, actor: Actor, what: str, about: object = "", **details: object) -> None:
    """Add that ``actor`` did ``what`` to ``about``, an id; details that are None or empty are left out."""
    kept = {name: _bounded(value) for name, value in details.items() if value not in (None, "")}
    tx.run(
        "add_audit",
        at=tx.now,
        who=_bounded(actor.who),
        via=actor.via,
        what=what,
        about=_bounded(about),
        details=json.dumps(kept),
    )


def listed(tx: Tx, since: int, before: int | None, limit: int) -> tuple[Act, ...]:
    """Return what was done, newest first; see `Privacy.acts`."""
    rows = tx.all("list_audit", since=since, before=NEWEST if before is None else before, limit=limit)
    return tuple(
        Act(act_id, at, who, via, what, about, tuple(json.loads(details).items()))
        for act_id, at, who, via, what, about, details in rows
    )


def _bounded(value: object) -> str:
    return mask_text(str(value))[:MAX_WORDS]
