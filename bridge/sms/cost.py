"""What an SMS counts against limits of money: reserved until it ends, then what the vendor has told. Pure."""

from bridge.sms.values import FINAL, Sms, State


def cost(sms: Sms) -> int:
    """Return the amount in ten-thousandths; 0 for one of which no money is counted.

    Until it ends, each attempt that may have reached the vendor counts once, and so does the one to come: an SMS that
    is sent again may be paid for twice. At the end the prices told count; when none was, each attempt that may have
    made one; nothing when none has.
    """
    if sms.reserved is None:
        return 0
    attempts = sms.reached + (sms.state is State.QUEUED)
    if sms.state not in FINAL:
        return max(sms.reserved * max(attempts, 1), sms.price or 0)
    if sms.price is not None:
        return sms.price
    if sms.rank:
        return sms.reserved * max(attempts, 1)  # the vendor has had news of it: there is at least one
    if sms.state is State.FAILED:
        attempts -= 1  # the vendor refused the last one
    return sms.reserved * max(attempts, 0)
