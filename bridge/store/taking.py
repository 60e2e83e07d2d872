"""A mail on its way into the store: what is known of it by now, while those that came with it are stored too."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bridge.decide.values import Accept, JoinSame, NewMail, NewSms, Refuse
from bridge.sms import Sms


@dataclass(slots=True)
class Waiting:
    """An SMS that joins the same texts until ``until``: begun by a mail that is being stored, or stored before.

    ``new`` is one of those texts as it came. ``most`` bounds the segments: those of the rule while it is new,
    afterwards those that it has, so that its cost stays. ``count`` is how many mails it stands for; ``mails`` are those
    of them that are being stored now, without the one that began it.
    """

    new: NewSms
    join: JoinSame
    until: int
    most: int
    count: int
    sms: Sms | None = None
    mails: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Taking:
    """One of the mails being stored: its id, which of its SMS are new and by which ``marks`` they were noted, and in
    which mails (``owners``) the others came before.

    ``joined`` counts numbers that another mail's SMS tells. ``begun`` are those of ``fresh``, by their place, that wait
    for others with the same text. ``dues``: when those of ``fresh`` that are not refused may be sent, empty for now.
    ``over``: a limit refuses the mail; ``again``: it repeats one that is refused, and is to be taken once more.
    """

    taken: Accept
    mail: NewMail
    sms: tuple[NewSms, ...]
    mail_id: str
    join: JoinSame | None
    fresh: list[NewSms] = field(default_factory=list)
    marks: list[bytes] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    batch: str = ""
    joined: int = 0
    begun: dict[int, Waiting] | None = None
    dues: tuple[int, ...] = ()
    over: Refuse | None = None
    again: bool = False

    @staticmethod
    def of(taken: Accept, mail_id: str) -> "Taking":
        """A mail of which nothing is known yet."""
        return Taking(taken, taken.mail, taken.sms, mail_id, taken.join)

    def settle(self, new: NewSms, mark: bytes | None, owner: str | None) -> None:
        """Note that ``new`` is new, or came in the mail ``owner`` before."""
        if owner is not None:
            self.owners.append(owner)
            return
        self.fresh.append(new)
        if mark is not None:
            self.marks.append(mark)

    @property
    def stored(self) -> bool:
        """Whether anything of it is to be stored."""
        return bool(self.fresh or self.joined) and not self.over and not self.again

    def when(self, now: int, never: int) -> Iterator[int]:
        """Return for each of ``fresh`` from when on it may be sent."""
        dues = iter(self.dues)
        for new in self.fresh:
            yield never if new.refused else next(dues, now)
