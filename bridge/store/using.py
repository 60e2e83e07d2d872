"""What senders use of their limits: counted and reserved in the transaction that takes a mail, settled where an SMS
changes. `decide.use` judges; this keeps the rows.

A batch of mails is counted in memory, one after the other, between one look at the rows and one write. Nodes do it
one at a time for each sender (`Tx.alone`). Whoever ends an SMS only adds a row to what is settled: it waits for nobody.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from bridge.decide.over import later_words, limit_words, refusal
from bridge.decide.use import ALL, PACED, UNLIMITED, Cap, Key, Over, Use, caps_for, judge, key_of, latest
from bridge.decide.values import Accept, Refuse
from bridge.decide.windows import Span, moment, window
from bridge.errors import OverLimit
from bridge.rules import money
from bridge.sms import HOUR, Sms, cost
from bridge.store import alarms
from bridge.store.database import Row, Tx
from bridge.store.taking import Taking
from bridge.store.terms import Terms
from bridge.store.values import DAY, LimitCounts, UseLine

NEAR: Final = 80  # per cent of a money limit: the admin hears of it
FULL: Final = 100
SETTLED_WAITING: Final = 50  # more rows than these are added up by whoever counts next
SETTLED_AT_ONCE: Final = 1_000
KEPT_MS: Final = DAY  # so long a row stays after its window: none is dropped while it is being written
LONGEST_MS: Final = 32 * DAY  # no window is longer
_MONEY_SPANS: Final[Mapping[str, Span]] = {
    "spend_per_month": "month",
    "spend_per_day": "day",
    "spend_cap": "day",
}
_CAP: Final = (ALL, "spend_cap")
_REFUSED_BY: Final = "refused by "
_LEAST_MS: Final = {"minute": HOUR, "hour": HOUR, "day": DAY, "month": DAY}  # between two alarms of paced SMS

Dues = tuple[int, ...]


@dataclass(slots=True)
class _Counted:
    """A row while mails are counted. ``used`` holds what is settled, of which ``settled`` is not in the stored row."""

    sender: str
    name: str
    begins: int
    ends: int
    used: int = 0
    most: int | None = None
    told: int = 0
    refused: int = 0
    settled: int = 0
    changed: bool = False

    @staticmethod
    def of(row: Row) -> "_Counted":
        sender, name, begins, ends, used, most, told, refused, settled, _ = row
        return _Counted(sender, name, begins, ends, used + settled, most, told, refused, settled)

    @property
    def use(self) -> Use:
        return Use(self.begins, self.ends, max(self.used, 0))

    def become(self, use: Use, cap: Cap) -> None:
        """Take over what is used with one more mail; in another window nothing was told."""
        if use.begins != self.begins:
            self.begins, self.ends = use.begins, use.ends
            self.used = self.told = self.refused = self.settled = 0
        self.used += use.used - max(self.used, 0)
        self.most = None if cap.most == UNLIMITED else cap.most
        self.changed = True

    def tell(self, level: int) -> bool:
        """Note that the admin hears of this level, and return whether that is new in this window."""
        new = self.told < level
        self.told = max(self.told, level)
        return new


@dataclass(frozen=True, slots=True)
class _News:
    """Something for the admin, at most once in ``every_ms``."""

    key: str
    facts: tuple[tuple[str, str], ...]
    every_ms: int


class Counting:
    """The use of all senders of a batch. First be alone with `marks`, then `look`, `take` each mail, and `write`.
    Mails without limits cost no statement."""

    def __init__(self, terms: Terms, mails: Collection[Accept]) -> None:
        self._zone = terms.settings.timezone
        self._caps = {id(mail): caps_for(mail, terms.settings.spend_cap) for mail in mails}
        self._senders = {key_of(cap, mail.mail.sender)[0] for mail in mails for cap in self._caps[id(mail)]}
        self._rows: dict[tuple[str, str], _Counted] = {}
        self._news: list[_News] = []
        self._refusals: Counter[str] = Counter()

    @property
    def marks(self) -> list[str]:
        """What nobody else may be counting meanwhile."""
        return [f"use {sender}" for sender in self._senders]

    def look(self, tx: Tx) -> None:
        """Read what is used so far."""
        asked = [{"sender": sender} for sender in sorted(self._senders)]
        rows = tx.each("used_of", asked)
        behind = sorted({row[0] for row in rows if row[-1] > SETTLED_WAITING})
        for sender in behind:
            _add_up(tx, sender)
        for row in tx.each("used_of", asked) if behind else rows:
            self._rows[row[0], row[1]] = _Counted.of(row)
        if ALL in self._senders:
            self._begin_cap(tx)

    def _begin_cap(self, tx: Tx) -> None:
        """Let the cap of all begin with what each has spent today: it may be set when others are counted already, and
        what those give back later is to be in it."""
        row = self._rows.get(_CAP)
        if row is None or row.ends <= tx.now:
            spent = tx.one("spent_by_all", now=tx.now)
            day = window("day", tx.now, self._zone)
            self._rows[_CAP] = _Counted(*_CAP, day.begins, day.ends, used=spent[0] if spent else 0)

    def take(self, tx: Tx, one: Taking) -> Dues | Refuse:
        """Reserve what the new SMS of a mail use; return when each that is not refused is due, nothing for now.
        Or return why the mail is refused; nothing of it is counted then."""
        mail = one.taken
        caps = self._caps[id(mail)]
        good = [new for new in one.fresh if not new.refused] if caps else ()
        if not good:
            return ()
        keys = [key_of(cap, mail.mail.sender) for cap in caps]
        found = [self._rows.get(key) for key in keys]
        so_far = [row.use if row else None for row in found]
        costs = [cost_of(one, place) or 0 for place, new in enumerate(one.fresh) if not new.refused]
        judged = judge(caps, so_far, costs, tx.now, latest(good, tx.now), self._zone)
        if isinstance(judged, Over):
            return self._refuse(tx, judged, mail)
        for key, cap, use in zip(keys, caps, judged.after, strict=True):
            row = self._rows.setdefault(key, _Counted(*key, use.begins, use.ends))
            row.become(use, cap)
            self._tell(tx, cap, row)
        return judged.due if judged.due[-1] > tx.now else ()

    def _refuse(self, tx: Tx, over: Over, mail: Accept) -> Refuse:
        cap = over.cap
        key = key_of(cap, mail.mail.sender)
        row = self._rows.setdefault(key, _Counted(*key, over.use.begins, over.use.ends))
        row.become(over.use, cap)
        row.refused += 1
        self._refusals[cap.name] += 1
        if not over.never and row.tell(FULL):
            self._add_news(tx, cap, row, FULL)
        return refusal(over, tx.now, self._zone)

    def _tell(self, tx: Tx, cap: Cap, row: _Counted) -> None:
        """Let the admin hear that money runs out, and that SMS have begun to wait."""
        level = 0
        if cap.money and cap.most != UNLIMITED and row.used:
            share = row.used * 100 // cap.most
            level = FULL if share >= FULL else NEAR if share >= NEAR else 0
        elif cap.paced and row.begins > tx.now:
            level = FULL
        if level and row.tell(level):
            self._add_news(tx, cap, row, level)

    def _add_news(self, tx: Tx, cap: Cap, row: _Counted, level: int) -> None:
        kind = ("spend-cap" if cap.of_all else "limit-paced" if cap.paced else "limit") + (
            "-near" if level < FULL else ""
        )
        facts = [("alarm", kind), ("sender", row.sender), ("allowed", limit_words(cap))]
        if not cap.paced:
            facts.append(("used", money(max(row.used, 0)) if cap.money else f"{row.used:,}"))
            facts.append(("resets", moment(row.ends, tx.now, self._zone)))
        # A minute is full again each minute; the window of paced SMS moves on with each of them.
        every = _LEAST_MS[cap.span] if cap.paced or cap.span == "minute" else 0
        key = f"{kind}:{cap.name} {row.sender}"
        self._news.append(_News(key, tuple(fact for fact in facts if fact[1]), every))

    def write(self, tx: Tx, terms: Terms) -> None:
        """Store what was counted, and tell what is to be told."""
        changed = [row for _, row in sorted(self._rows.items()) if row.changed]
        if changed:
            tx.add("put_used", [_values(row) for row in changed])
        for news in self._news:
            alarms.note(tx, terms, news.key, news.facts, news.every_ms)
        for name, times in sorted(self._refusals.items()):
            tx.run("count_refusals", name=_REFUSED_BY + name, times=times)


def cost_of(one: Taking, place: int) -> int | None:
    """Return what is reserved for the SMS at ``place`` of what is new in a mail. One that others will be joined to may
    grow to the segments of its rule."""
    new = one.fresh[place]
    if new.cost is None or not one.begun or place not in one.begun:
        return new.cost
    return new.cost // new.segments * max(one.begun[place].most, new.segments)


def check(tx: Tx, terms: Terms, before: Sms, after: Sms) -> None:
    """Return if what an SMS will cost more fits the limits of money as they were when its sender's last mail came.
    Raises `OverLimit`."""
    more = cost(after) - cost(before)
    if more <= 0:
        return
    tx.alone(*(f"use {sender}" for sender in (ALL, after.sender)))
    for row in tx.each("used_of", [{"sender": sender} for sender in (ALL, after.sender)]):
        used = _Counted.of(row)
        span = _MONEY_SPANS.get(used.name)
        if span is None or used.most is None or not used.begins <= after.created_at < used.ends:
            continue
        if used.used + more > used.most:
            cap = Cap(used.name, span, used.most, money=True, of_all=used.sender == ALL)
            raise OverLimit(refusal(Over(cap, used.use, more), tx.now, terms.settings.timezone).text)


def later(dues: Dues, now: int, terms: Terms) -> str:
    """Return what the sender is told of SMS that are due later than ``now``, nothing when all are due."""
    return later_words(dues, now, terms.settings.timezone) if dues else ""


def settle(tx: Tx, before: Sms, after: Sms) -> None:
    """Note by how much what an SMS costs has changed."""
    if after.reserved is None:
        return
    change = cost(after) - cost(before)
    if change:
        tx.run("settle", sender=after.sender, at=after.created_at, money=change)


def clean(tx: Tx, terms: Terms, limit: int) -> None:
    """Drop what was used in windows that are over, and of a cap that is none any more: what is taken meanwhile is not
    in it."""
    if terms.settings.spend_cap is None:
        tx.run("drop_cap")
    tx.run("drop_used", before=tx.now - KEPT_MS)
    tx.run("drop_settled", before=tx.now - LONGEST_MS, limit=limit)


def of_sender(tx: Tx, sender: str) -> dict[Key, Use]:
    """Return what counts for a sender's next mail: its own use, and that of all."""
    rows = tx.each("used_of", [{"sender": whose} for whose in (ALL, sender)])
    return {(row[0], row[1]): _Counted.of(row).use for row in rows}


def listed(tx: Tx, limit: int) -> tuple[UseLine, ...]:
    """Return the windows that are running, that of all senders together first."""
    found = []
    for sender, name, begins, ends, used, most, _, refused, settled in tx.all(
        "used_now", now=tx.now, limit=limit
    ):
        found.append(UseLine(sender, name, begins, ends, max(used + settled, 0), most, refused))
    return tuple(found)


def counts(tx: Tx, cap: int | None) -> LimitCounts:
    """Return what the metrics show."""
    spent = next((line for line in listed(tx, 1) if line.sender == ALL), None)
    return LimitCounts(
        refusals={name.removeprefix(_REFUSED_BY): times for name, times in tx.all("refusals")},
        at_limit={name.removeprefix(PACED): number for name, number in tx.all("at_limit", now=tx.now)},
        spent=spent.used if spent else 0,
        cap=cap,
    )


def _add_up(tx: Tx, sender: str) -> None:
    """Bring what was settled into the rows, some at once: rows and what still waits say the same before and after."""
    taken = tx.all("take_settled", sender=sender, limit=SETTLED_AT_ONCE)
    rows = [_Counted.of(row) for row in tx.each("used_of", [{"sender": sender}])]
    for row in rows:
        row.used += sum(change for at, change in taken if row.begins <= at < row.ends)
    tx.add("put_used", [_values(row) for row in rows if row.name.startswith("spend")])


def _values(row: _Counted) -> dict[str, object]:
    return {
        "sender": row.sender,
        "name": row.name,
        "begins": row.begins,
        "ends": row.ends,
        "used": row.used - row.settled,
        "most": row.most,
        "told": row.told,
        "refused": row.refused,
    }
