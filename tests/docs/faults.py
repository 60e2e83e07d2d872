"""Write docs/faults.md from the tables that the tests hold true: ``python -m tests.docs.faults``."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.crash.steps import steps
from tests.flow import test_matrix as answers
from tests.flow import test_news as news
from tests.poller import test_faults as unclear

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
_HEAD = """# Faults of the vendor, and where each SMS ends

Written from the tables of the tests by `python -m tests.docs.faults`: each cell is a case that runs against a vendor
over HTTP, which counts what it made. [states.md](states.md) explains the words.
"""
_UNCLEAR = """## A send that ends unclear

The vendor made the SMS or it did not, and its answer does not tell. Where an SMS ends, and the POSTs that it takes, by
what its polls say and by the rule's `on_unknown`:
"""
_ANSWERS = """## Answers to a send, and odd polls

A case's fault is that of the first POST, unless polls are named. *Made* counts SMS at the vendor. Two are made only
where its polls deny one that it has.
"""
_NEWS = """## News by webhook

In the order in which it comes: doubled, late, out of order, before the answer to the POST, or never. *Mails* are the
reports to the sender: ✓ it arrived, ✕ it did not; a second one corrects the first. No case makes a second SMS.
"""
_KILLS = """## The service killed

At each of these moments it is killed from outside and started again; its client hands in again what was not answered.
*Then* is the state that the SMS is found in; in the end each is made once, and its report shows once. Where a commit is
cut, only what was synced is left. `make crash` does all this with each moment, and then kills it 500 times at random;
with `ARGS="--engine postgresql --nodes 3"` three nodes on PostgreSQL.
"""


def page() -> str:
    """The whole page."""
    parts = (_HEAD, _UNCLEAR, unclear_ends(), _ANSWERS, answered(), _NEWS, told(), _KILLS, killed())
    return "\n".join(parts)


def unclear_ends() -> str:
    """Each unclear end of a POST, made or not, by what polls do and the rule says."""
    columns = [(polls, rule) for polls in ("work", "fail", "none") for rule in ("hold", "resend")]
    heads = {"work": "polls answer", "fail": "polls fail", "none": "no auth_token"}
    ends: dict[tuple[str, bool], dict[tuple[str, str], str]] = {}
    for cell in unclear.cells():
        state, posts = unclear.expected(cell)
        ends.setdefault((cell.end, cell.made), {})[cell.polls, cell.on_unknown] = f"{state}, {posts}"
    return _table(
        ["the POST ends with", "made", *(f"{heads[polls]}, {rule}" for polls, rule in columns)],
        (
            [end, "yes" if made else "no", *(found[one] for one in columns)]
            for (end, made), found in ends.items()
        ),
    )


def answered() -> str:
    """Each answer to a POST."""
    return _table(
        ["the vendor", "the SMS ends", "POSTs", "made", "sending"],
        (
            [
                cell.name,
                str(cell.ends),
                f"{cell.posts} and probes" if cell.stop else str(cell.posts),
                str(cell.made),
                f"stops ({cell.stop})" if cell.stop else "goes on",
            ]
            for cell in answers.CELLS
        ),
    )


def told() -> str:
    """Each course that news may take."""
    return _table(
        ["case", "answer to the POST", "webhooks", "the SMS ends", "mails"],
        (
            [
                cell.name,
                "none" if cell.reset else "200",
                ", ".join(news.WORDS[one] for one in cell.told) or "none",
                str(cell.ends),
                " ".join(cell.mails) or "none",
            ]
            for cell in news.CELLS
        ),
    )


def killed() -> str:
    """Each moment of the way at which the service is killed."""
    found = []
    for step in steps("sqlite"):
        then = step.cut or step.then
        found.append(
            [step.name, " or ".join(state or "none" for state in then.sms) or "any", " or ".join(then.mail)]
        )
    return _table(["moment", "then the SMS", "then its mail"], found)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page())
