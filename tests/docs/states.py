"""Draw docs/states.md from the table of states: ``python -m tests.docs.states``."""

import itertools
from dataclasses import replace
from pathlib import Path

from bridge.sms import FINAL, FROM_SENDER, HOUR, NEVER, Input, Kind, Sms, State, Timing, after

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
_TIMING = Timing()
_NOW = 100 * HOUR
_HEAD = """# The life of an SMS

Drawn from the table in `bridge/sms/table.py` by `python -m tests.docs.states`; a test keeps it true.

An SMS is in one of five states while something is still to be done: **queued** (waits to be sent), **sending**
(claimed, the call to the vendor is under way), **submitted** (the vendor took it), **unknown** (it cannot be told
whether the vendor took it), **held** (a person decides). The other six are final; only later news from the vendor may
still change them.

"""


def samples(state: State) -> list[Sms]:
    """Rows of ``state`` that between them take every branch of its cells."""
    base = Sms(
        id=1, message_id="BRDG1", mail_id="M1", number="+61421000001", text="x", encoding="gsm7", segments=1,
        account="default", mode="live", on_unknown="hold", reply_key="k", state=state, created_at=0, updated_at=0,
        due_at=_NOW, expires_at=NEVER,
    )  # fmt: skip
    tried = [(1, 1), (2, 2)] if state is not State.QUEUED else [(0, 0), (1, 1), (2, 2)]
    rows = []
    for (attempts, reached), resends, no_such, rank, resend, young in itertools.product(
        tried, (0, 1), (0, 5), (0, 2, 3), (True, False), (True, False)
    ):
        since = _NOW - 1 if young else 0
        rows.append(
            replace(
                base,
                attempts=attempts,
                reached=reached,
                resends=resends,
                no_such=no_such,
                answered=no_such,
                rank=rank,
                on_unknown="resend" if resend else "hold",
                settle_from=since,
                submitted_at=since,
            )
        )
    return [*rows, *(replace(row, expires_at=_NOW - 1) for row in rows)]


def reached(state: State, kind: Kind) -> list[State]:
    """The states that ``kind`` may lead to from ``state``, the state itself left out."""
    found = {
        after(
            row, Input(kind, attempt=row.attempts if kind in FROM_SENDER else None), _NOW, _TIMING
        ).sms.state
        for row in samples(state)
    }
    return [target for target in State if target in found and target is not state]


def diagram() -> str:
    """The moves as a Mermaid state diagram, an arrow for each pair of states."""
    lines = [
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> queued: accepted, on disk",
        "    [*] --> refused: its number",
    ]
    for state in State:
        moves: dict[State, list[str]] = {}
        for kind in Kind:
            for target in reached(state, kind):
                moves.setdefault(target, []).append(_word(kind))
        lines += [
            f"    {state} --> {target}: {', '.join(dict.fromkeys(kinds))}" for target, kinds in moves.items()
        ]
    return "\n".join([*lines, "```"])


def matrix() -> str:
    """What each input does in each state; a dot: it is recorded and nothing changes."""
    states = list(State)
    lines = ["| input | " + " | ".join(states) + " |", "|---" * (len(states) + 1) + "|"]
    for kind in Kind:
        cells = [" or ".join(reached(state, kind)) or "·" for state in states]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page() -> str:
    """The whole page."""
    finals = ", ".join(sorted(FINAL))
    return (
        f"{_HEAD}{diagram()}\n\n## Every input in every state\n\nA dot: it is recorded, and nothing changes. "
        f"Final states: {finals}.\n\n{matrix()}\n"
    )


def _word(kind: Kind) -> str:
    return str(kind).replace(":", "")


if __name__ == "__main__":
    PAGE.write_text(page())
