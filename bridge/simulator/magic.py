"""Magic numbers: the last four digits of a number choose its fate, so that anyone can try every case by hand.

The phone page shows this table. Pure.
"""

from dataclasses import dataclass

from bridge.simulator.faults import Action
from bridge.simulator.outcomes import OUTCOMES, Step


@dataclass(frozen=True, slots=True)
class Magic:
    """One ending: what it is for, and either an outcome after a good answer or a fault of the answer."""

    ending: str
    about: str
    outcome: str = "delivered"
    action: Action | None = None
    replies: str = ""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The script that an SMS to such a number follows once it is made."""
        return OUTCOMES[self.outcome]


AFTER_SENDING = (
    Magic("9901", "fails: Undelivered", "undelivered"),
    Magic("9902", "fails: Bad Number", "bad-number"),
    Magic("9903", "fails: Destination is blacklisted (opted out, not billed)", "blacklisted"),
    Magic("9904", "reaches the network; the handset never confirms", "network"),
    Magic("9905", "reaches the network, later the handset", "network-delivered"),
    Magic("9906", "nothing is ever heard of it", "never"),
    Magic("9907", "Delayed, delivered much later", "late"),
    Magic("9908", "CreditHold: waits for money, no webhook", "credit-hold"),
    Magic("9909", "LinkNotPermitted: fails, no webhook", "link"),
    Magic("9910", "rejected: country blocked by account policy", "country"),
    Magic("9911", "rejected: message content issue", "content"),
    Magic("9912", "rejected: invalid sender id", "sender-id"),
    Magic("9913", "reaches the network, then fails", "network-failed"),
    Magic("9914", "fails, then is delivered after all", "failed-delivered"),
    Magic("9915", "Control Deleted: taken back, not billed", "aborted"),
    Magic("9916", "status Unknown at every poll, no webhook", "unknown"),
    Magic("9917", "PENDING first, then delivered", "pending-delivered"),
    Magic("9918", "delivered, and the phone answers by itself", replies="Got it, thanks! 👍"),
    Magic("9919", "fails: No Permit Record", "permit"),
    Magic("9920", "fails with a word nobody knows", "new-word"),
    Magic("9921", "delivered, but the webhook is lost", "untold"),
)

AT_THE_ANSWER = (
    Magic("9951", "400: could not find any valid destination", action=Action(
        "refuse", status=400, reason="Error - Could not find any valid destination(s).")),
    Magic("9952", "429, Retry-After 5 s", action=Action(
        "refuse", status=429, reason="Too many requests", retry_after="5")),
    Magic("9953", "500, not sent", action=Action("refuse", status=500, reason="Internal Server Error")),
    Magic("9954", "500, but sent all the same", action=Action(
        "refuse", created=True, status=500, reason="Internal Server Error")),
    Magic("9955", "no answer, not sent", action=Action("timeout")),
    Magic("9956", "no answer, but sent", action=Action("timeout", created=True)),
    Magic("9957", "connection reset, not sent", action=Action("reset")),
    Magic("9958", "connection reset, but sent", action=Action("reset", created=True)),
    Magic("9959", "200 with junk, sent", action=Action(
        "raw", created=True, body="<html><body>Welcome to nginx!</body></html>", content_type="text/html")),
    Magic("9960", "200 Success, never sent (as with a wrong token)", action=Action("silent")),
    Magic("9961", "400: Unauthorized", action=Action("refuse", status=400, reason="Unauthorized")),
    Magic("9962", "200, Result Failed", action=Action(
        "refuse", status=200, reason="Error occurred while creating job")),
)  # fmt: skip

MAGIC: dict[str, Magic] = {magic.ending: magic for magic in AFTER_SENDING + AT_THE_ANSWER}
ORDINARY = Magic("", "delivered")


def magic_of(number: str) -> Magic:
    """Return what the number's last four digits stand for; most numbers are ordinary and deliver."""
    return MAGIC.get(number[-4:], ORDINARY)
