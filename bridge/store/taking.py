"""A mail on its way into the store: what is known of it by now, while those that came with it are stored too."""

from dataclasses import dataclass, field

from bridge.decide.values import JoinSame, NewMail, NewSms
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
    """One of the mails being stored: its id, which of its SMS are new, and where it was seen before.

    ``joined`` counts numbers that another mail's SMS tells. ``begun`` are those of ``fresh``, by their place, that wait
    for others with the same text.
    """

    mail: NewMail
    sms: tuple[NewSms, ...]
    mail_id: str
    join: JoinSame | None
    fresh: list[NewSms] = field(default_factory=list)
    first: str | None = None
    batch: str = ""
    joined: int = 0
    begun: dict[int, Waiting] | None = None

    def settle(self, new: NewSms, owner: str | None) -> None:
        """Note that ``new`` is new, or came in the mail ``owner`` before."""
        if owner is None:
            self.fresh.append(new)
        elif self.first is None:
            self.first = owner
