"""The named steps of a mail's way at which the service is killed: how each is seen from outside, and what then holds.

A step is the points that a tracer waits for, in their order (see `tracer`), and how things stand right after the
kill: by the judges' records, and in the database that the dead process left. A kill that hit elsewhere shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.crash.tracer import Edge, Point

_DATA: Final = Point("receive", "exit", "\r\n.\r\n")
_ANSWER: Final = Point("receive", "exit", '"Success"')
_HOOK: Final = Point("receive", "exit", "POST /hooks/")
_OK: Final = Point("send", "exit", "OK\n")
_TAKEN: Final = Point("receive", "exit", "2.0.0 kept")


def _said(edge: Edge) -> Point:
    return Point("send", edge, " SMS queued")


def _post(edge: Edge) -> Point:
    return Point("send", edge, "POST /send")


def _form(edge: Edge) -> Point:
    return Point("send", edge, "MessageID=")


def _ok(edge: Edge) -> Point:
    return Point("send", edge, "HTTP/1.1 200")


def _dot(edge: Edge) -> Point:
    return Point("send", edge, "\r\n.\r\n")


@dataclass(frozen=True, slots=True)
class Commit:
    """How a commit looks from outside: about to begin, handed to the disk or the server, and safe.

    ``finish``: what tells the commit of a send's end from another that is under way when the vendor answers.
    """

    begins: Point
    between: Point
    safe: Point
    finish: tuple[Point, ...] = ()


COMMITS: Final = {
    "sqlite": Commit(
        begins=Point("send", "entry", path=".db-wal"),
        between=Point("sync", "entry", path=".db-wal"),
        safe=Point("sync", "exit", path=".db-wal"),
    ),
    "postgresql": Commit(
        begins=Point("send", "entry", "COMMIT"),
        between=Point("send", "exit", "COMMIT"),
        safe=Point("receive", "exit", "COMMIT"),
        finish=(Point("send", "entry", "submitted"),),
    ),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand after a kill. ``sms`` and ``mail`` are the states in the database, "" when there is none.

    Several are possible where two things happen at once. None: either is right.
    """

    answered: bool | None = None
    posts: int | None = None
    sms: tuple[str, ...] = ()
    taken: bool | None = None
    handed_over: int | None = None
    mail: tuple[str, ...] = ()

    def holds(self, seen: "Seen") -> bool:
        """Return whether it is so."""
        return (
            self.answered in (None, seen.answered)
            and self.posts in (None, seen.posts)
            and (not self.sms or seen.sms in self.sms)
            and self.taken in (None, seen.taken)
            and self.handed_over in (None, seen.handed_over)
            and (not self.mail or seen.mail in self.mail)
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found after a kill."""

    answered: bool
    posts: int
    sms: str
    taken: bool
    handed_over: int
    mail: str


@dataclass(frozen=True, slots=True)
class Step:
    """One moment to kill at. ``cut``: how things stand when only what was synced is left (None: as with a kill)."""

    name: str
    points: tuple[Point, ...]
    then: Standing
    cut: Standing | None = None


def steps(engine: str) -> Sequence[Step]:
    """Return all steps from the final dot to the report's mark, in the order in which a mail passes them."""
    c = COMMITS[engine]
    claimed = (_DATA, c.safe)  # what is accepted while nothing else waits is claimed in the same commit
    answered = (_form("exit"), _ANSWER, *c.finish)
    new = Standing(answered=False, posts=0, sms=("",))
    taking = Standing(answered=False, posts=0, sms=("", "sending"))
    unsent = Standing(posts=0, sms=("sending",))
    sent = Standing(posts=1, sms=("sending",), taken=False)
    told = Standing(posts=1, sms=("submitted",), taken=False)
    ended = Standing(posts=1, sms=("delivered",), taken=False, handed_over=0, mail=("due",))
    finishing = Standing(posts=1, sms=("sending", "submitted"))
    marking = Standing(handed_over=1, mail=("due", "sent"))
    owed = Standing(posts=1, sms=("delivered",), handed_over=0, mail=("due",))
    handed = Standing(posts=1, sms=("delivered",), handed_over=1, mail=("due",))
    done = Standing(posts=1, sms=("delivered",), handed_over=1, mail=("sent",))
    hooked = (_HOOK, c.safe)
    return (
        Step("before the commit of accept and claim", (_DATA, c.begins), new),
        Step("in the commit of accept and claim", (_DATA, c.between), taking, new),
        Step("after the commit of accept and claim", claimed, Standing(answered=False, posts=0, sms=("sending",))),
        Step("before 250 is written", (_DATA, _said("entry")), Standing(answered=False, sms=("sending",))),
        Step("after 250 is written", (_DATA, _said("exit")), Standing(answered=True, sms=("sending",))),
        Step("before the POST is written", (*claimed, _post("entry")), unsent),
        Step("when the POST is begun", (*claimed, _post("exit")), Standing(sms=("sending",), taken=False)),
        Step("after the POST is written", (*claimed, _form("exit")), sent),
        Step("when the vendor's answer is read", (*claimed, _form("exit"), _ANSWER), sent),
        Step("before the commit of finish", (_form("exit"), _ANSWER, c.begins), sent),
        Step("in the commit of finish", (*answered, c.between), finishing, sent),
        Step("after the commit of finish", (*answered, c.safe), told),
        Step("before the commit of an event", (_HOOK, c.begins), told),
        Step("in the commit of an event", (_HOOK, c.between), Standing(posts=1, sms=("submitted", "delivered")), told),
        Step("after the commit of an event", (_HOOK, c.safe), ended),
        Step("before its 200 is written", (_HOOK, _ok("entry")), ended),
        Step("after its 200 is written", (_HOOK, _ok("entry"), _OK), Standing(posts=1, sms=("delivered",), taken=True)),
        Step("before the commit that claims the mail", (*hooked, c.begins), owed),
        Step("after the commit that claims the mail", (*hooked, c.begins, c.safe), owed),
        Step("after the commit of the rendered mail", (*hooked, c.begins, c.safe, c.begins, c.safe), owed),
        Step("before the final dot to the smarthost", (*hooked, _dot("entry")), owed),
        Step("after the final dot to the smarthost", (*hooked, _dot("exit")), handed),
        Step("when the smarthost's 250 is read", (*hooked, _dot("exit"), _TAKEN), handed),
        Step("before the mail is marked as sent", (*hooked, _TAKEN, c.begins), handed),
        Step("in the commit of that mark", (*hooked, _TAKEN, c.between), marking, handed),
        Step("after the mail is marked as sent", (*hooked, _TAKEN, c.safe), done),
    )  # fmt: skip
