"""Can a brand's own templates be used? Each kind of mail is made once, for an SMS that never was, and thrown away."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from bridge.app.wiring import renderer_of
from bridge.cli.doctor.finding import Finding, fault, ok
from bridge.config import Config
from bridge.errors import RenderError
from bridge.render import Renderer
from bridge.report.values import MailKind, OutboxMail, OutboxState, StoredMail
from bridge.rules import ReportRule
from bridge.sms import NEVER, Sms, State

_KINDS: Final = (
    (MailKind.FAILED, State.FAILED),
    (MailKind.DELIVERED, State.DELIVERED),
    (MailKind.SUMMARY, State.DELIVERED),
    (MailKind.REPLY, State.DELIVERED),
    (MailKind.INBOUND, State.DELIVERED),
    (MailKind.ALARM, State.DELIVERED),
)


def brands(config: Config) -> Iterator[Finding]:
    """Yield a finding for each brand with templates of its own."""
    renderer = renderer_of(config)
    for brand in config.brands.values():
        if not brand.templates:
            continue
        what = f"templates of brand {brand.key}"
        faults = dict.fromkeys(
            one for kind, state in _KINDS for one in _faults(renderer, brand.key, kind, state)
        )
        for one in faults:
            yield fault(what, f"{one}: mend it in {brand.templates}; until then ours is used")
        if not faults:
            yield ok(what, "each kind of mail can be made with them")


def _faults(renderer: Renderer, brand: str, kind: MailKind, state: State) -> tuple[str, ...]:
    mail = replace(_MAIL, kind=kind, brand=brand)
    try:
        return renderer.render(mail, _SOURCE, (replace(_SMS, state=state),)).faults
    except RenderError as error:
        return (str(error),)


_SMS: Final = Sms(
    id=1, message_id="BRDG00000000", mail_id="sample", number="+61400000000", text="See you at nine.",
    encoding="gsm7", segments=1, account="default", mode="live", on_unknown="hold", reply_key="",
    state=State.DELIVERED, created_at=0, updated_at=0, due_at=NEVER, expires_at=NEVER, attempts=1, reached=1,
)  # fmt: skip
_SOURCE: Final = StoredMail(
    id="sample", received_at=0, sender="sender@example.com", proof="auth", rule=0, client="127.0.0.1",
    subject="Your appointment", header_message_id="<sample@example.com>", references=(), brand="",
    reports=ReportRule(), size=1, cut=("signature",),
)  # fmt: skip
_MAIL: Final = OutboxMail(
    id=1, kind=MailKind.ALARM, state=OutboxState.DUE, to="sender@example.com", message_id="<1@example.com>",
    bounce_key="sample", created_at=0, due_at=0, attempts=0,
    facts=(("phone", "+61400000000"), ("text", "Yes, thanks"), ("alarm", "credit-hold")),
    correction=False, sms_id=1, mail_id="sample", group=None, brand="", subject="", raw=None, error="", bounced=False,
)  # fmt: skip
