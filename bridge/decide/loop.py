"""The loop and auto-reply guard: what answers a mail of its own accord never makes an SMS.

Honest machines pass: ``Auto-Submitted: auto-generated`` and ``Precedence: bulk`` say who wrote, not that it
answers (RFC 3834, 2 and 5).
"""

from bridge.message import InboundMail

_ANSWERING = frozenset(
    {
        "x-autoreply", "x-auto-reply", "x-autoreply-from", "x-autorespond", "x-mail-autoreply", "x-failed-recipients",
    }
)  # fmt: skip


def loop_reason(mail: InboundMail, *, null_sender: bool, known: bool, our_instance: str) -> str | None:
    """Why a mail must not make an SMS, as one ASCII sentence, or None.

    ``known``: the client is proven by network or login. ``our_instance`` is the mark in our own mails.
    """
    if mail.sent_by_us is not None:
        whose = "one of ours, come back" if mail.sent_by_us == our_instance else "from another SMS bridge"
        return f"mail loop: this mail is {whose}"
    if mail.is_report:
        return "this is a bounce or a receipt; it makes no SMS"
    if _is_answer(mail, null_sender):
        return "this is an automatic reply; it makes no SMS"
    if null_sender and not known:
        return "mail without an envelope sender is taken only from known networks and users"
    return None


def _is_answer(mail: InboundMail, null_sender: bool) -> bool:
    if mail.auto_submitted == "auto-replied" or mail.precedence in ("auto_reply", "auto-reply"):
        return True
    if mail.auto_headers & _ANSWERING:
        return True
    # Exchange marks its out-of-office replies as auto-generated: what answers a mail from <> is one of those.
    return null_sender and mail.auto_submitted.startswith("auto-") and bool(mail.references)
