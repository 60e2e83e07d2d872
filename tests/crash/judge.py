"""Lost, doubled, stuck: decided from the judges' own records alone, in the words of the design.

*Lost*: answered 250 and, at the end, neither made at the vendor, nor held for a decision, nor told as not sent.
*Avoidably doubled*: made twice, unless before the later POST the vendor answered "no such message" at every poll over
the settle time, or no poll was possible and the rule says ``resend``, or one of the two was written just after a
process, frozen since its last look at the clock, went on.
*Stuck*: at the end still in ``queued``, ``sending`` or ``unknown``.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

from tests.crash.records import Evidence, Hook, Poll, Post, Report, Sign

T = TypeVar("T")

OPEN: Final = frozenset({"queued", "sending", "unknown"})
ENOUGH_POLLS: Final = 3
THAWED_S: Final = 1.0  # a POST this soon after a process went on was looked at before it stood still
SIGN_OF: Final[Mapping[str, Sign]] = {"delivered": "✓", "failed": "✕", "reply": "↩"}


@dataclass(frozen=True, slots=True)
class Tally:
    """One stage: how many things it handled, and which of them went wrong (named by number or Message-ID)."""

    handled: int
    lost: tuple[str, ...] = ()
    avoidable: tuple[str, ...] = ()
    unavoidable: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return not (self.lost or self.avoidable or self.stuck)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The four stages from the final dot to the last report. ``held`` SMS wait for a person: no fault."""

    accept: Tally
    send: Tally
    event: Tally
    report: Tally
    held: int

    @property
    def good(self) -> bool:
        return all(tally.good for tally in self._tallies)

    @property
    def handled(self) -> int:
        """How many SMS, news and mails went through the stages."""
        return sum(tally.handled for tally in self._tallies)

    @property
    def wrong(self) -> int:
        """How many of them were lost, stuck or avoidably doubled."""
        return sum(len(one.lost) + len(one.avoidable) + len(one.stuck) for one in self._tallies)

    @property
    def _tallies(self) -> tuple[Tally, ...]:
        return self.accept, self.send, self.event, self.report

    def table(self) -> str:
        """Return the figures, each as a count and per 1,000 of what the stage handled."""
        lines = [f"{'stage':<8}{'handled':>9}" + "".join(f"{name:>22}" for name in _COLUMNS)]
        for stage in ("accept", "send", "event", "report"):
            tally: Tally = getattr(self, stage)
            counts = (tally.lost, tally.avoidable, tally.unavoidable, tally.stuck)
            lines.append(
                f"{stage:<8}{tally.handled:>9}" + "".join(_figure(len(one), tally.handled) for one in counts)
            )
        return "\n".join([*lines, f"held for a person: {self.held}"])

    def named(self) -> tuple[str, ...]:
        """Return what went wrong by name alone: numbers, and Message-IDs of mails."""
        tallies = (self.accept, self.send, self.event, self.report)
        names = [name for tally in tallies for name in (*tally.lost, *tally.avoidable, *tally.stuck)]
        return tuple(dict.fromkeys(names))

    def faults(self) -> str:
        """Return what went wrong, by name, for whoever has to look at it."""
        return "\n".join(
            f"{stage} {how}: {', '.join(names[:20])}"
            for stage in ("accept", "send", "event", "report")
            for how in ("lost", "avoidable", "stuck")
            if (names := getattr(getattr(self, stage), how))
        )


_COLUMNS: Final = ("lost", "avoidably doubled", "unavoidably doubled", "stuck")


def _figure(count: int, of: int) -> str:
    return f"{count:>10} ({count * 1000 / of if of else 0:6.2f} ‰)"


def verdict(seen: Evidence) -> Verdict:
    """Return what became of everything that was promised."""
    states: dict[str, list[str]] = defaultdict(list)
    for row in seen.rows:
        states[row.number].append(row.state)
    return Verdict(
        accept=_accept(seen, states),
        send=_send(seen, states),
        event=_event(seen, states),
        report=_report(seen, states),
        held=sum(row.state == "held" for row in seen.rows),
    )


def _accept(seen: Evidence, states: Mapping[str, Sequence[str]]) -> Tally:
    """A promise is a number of a mail that was answered 250. Doubled: one mail made two SMS of ours."""
    promised = [number for mail in seen.handed if mail.answered_at is not None for number in mail.numbers]
    known = set(states) | {post.number for post in seen.posts if post.created}
    names = _grouped((post.number, post.message_id.upper()) for post in seen.posts)
    twice = {n for n, found in states.items() if len(found) > 1} | {
        n for n, ids in names.items() if len(set(ids)) > 1
    }
    return Tally(
        handled=len(promised),
        lost=tuple(number for number in promised if number not in known),
        avoidable=tuple(sorted(twice)),
    )


def _send(seen: Evidence, states: Mapping[str, Sequence[str]]) -> Tally:
    made = {post.number for post in seen.posts if post.created}
    told = {report.number for report in seen.reports if report.sign == "✕"}
    lost = [
        number
        for number, found in states.items()
        if number not in made | told and not set(found) & (OPEN | {"held"})
    ]
    avoidable, unavoidable = _doubles(seen)
    return Tally(
        handled=len(states),
        lost=tuple(lost),
        avoidable=avoidable,
        unavoidable=unavoidable,
        stuck=tuple(number for number, found in states.items() if set(found) & OPEN),
    )


def _doubles(seen: Evidence) -> tuple[tuple[str, ...], tuple[str, ...]]:
    avoidable: list[str] = []
    unavoidable: list[str] = []
    polls = _grouped((poll.message_id.upper(), poll) for poll in seen.polls)
    for name, posts in _grouped(
        (post.message_id.upper(), post) for post in seen.posts if post.created
    ).items():
        posts.sort(key=lambda post: post.at)
        for earlier, later in pairwise(posts):
            excused = _excused(seen, polls.get(name, []), earlier, later)
            (unavoidable if excused else avoidable).append(later.number)
    return tuple(avoidable), tuple(unavoidable)


def _excused(seen: Evidence, polls: Iterable[Poll], earlier: Post, later: Post) -> bool:
    """Whether the later POST had to be made, for all that the vendor let be known before it."""
    between = [poll for poll in polls if earlier.at < poll.at < later.at]
    answered = [poll for poll in between if poll.said != "nothing"]
    if any(end <= post.at <= end + THAWED_S for post in (earlier, later) for _, end in seen.frozen):
        return True
    if not answered:
        return seen.resend and later.at - earlier.at >= seen.settle_s
    return (
        all(poll.said == "no such" for poll in answered)
        and len(answered) >= ENOUGH_POLLS
        and max(poll.at for poll in answered) - earlier.at >= seen.settle_s
    )


def _event(seen: Evidence, states: Mapping[str, Sequence[str]]) -> Tally:
    """News that was answered 200 is promised too: it shows in the state, or as a mail. Doubled: told twice."""
    taken = [hook for hook in seen.hooks if hook.taken_at is not None]
    return Tally(
        handled=len(taken),
        lost=tuple(hook.number for hook in taken if not _shows(seen, states, hook)),
        avoidable=_told_twice(seen.reports),
        stuck=tuple(hook.number for hook in seen.hooks if hook.taken_at is None),
    )


def _shows(seen: Evidence, states: Mapping[str, Sequence[str]], hook: Hook) -> bool:
    if hook.news == "reply":
        return any(report.sign == "↩" and hook.text in report.text for report in seen.reports)
    better = {"delivered", hook.news}  # an SMS made twice may have failed once and come once
    return bool(set(states.get(hook.number, ())) & better)


def _told_twice(reports: Iterable[Report]) -> tuple[str, ...]:
    """Return the numbers about which one thing was told in two different mails."""
    mails = {(report.number, report.sign, _answer_in(report), report.message_id) for report in reports}
    counted = Counter((number, sign, text) for number, sign, text, _ in mails)
    return tuple(number for (number, _, _), times in counted.items() if times > 1)


def _answer_in(report: Report) -> str:
    return report.text.strip() if report.sign == "↩" else ""


def _report(seen: Evidence, states: Mapping[str, Sequence[str]]) -> Tally:
    told = {(report.number, report.sign) for report in seen.reports if report.answered}
    wanted = [
        (number, SIGN_OF[state]) for number, found in states.items() for state in found if state in SIGN_OF
    ]
    avoidable: list[str] = []
    unavoidable: list[str] = []
    cuts = sorted(seen.cuts)
    for name, copies in _grouped((report.message_id, report) for report in seen.reports).items():
        copies.sort(key=lambda report: report.at)
        for first, again in pairwise(copies):
            cut = bisect_left(cuts, first.opened_at) < bisect_left(cuts, again.at)
            (unavoidable if cut or not first.answered else avoidable).append(name)
    return Tally(
        handled=len({report.message_id for report in seen.reports}),
        lost=tuple(number for number, sign in wanted if (number, sign) not in told),
        avoidable=tuple(avoidable),
        unavoidable=tuple(unavoidable),
        stuck=("mails not yet handed over",) * seen.mails_open,
    )


def _grouped(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return found
