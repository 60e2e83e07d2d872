"""The keys of one sender rule, and of `text`, which a rule may set for itself."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from bridge.config import later, scalars
from bridge.config.fields import (
    Duration,
    Money,
    MoreWords,
    Name,
    NarrowNetwork,
    Pattern,
    Prefix,
    Section,
    SenderPattern,
    Template,
    Text,
    UserName,
    between,
    setting,
    words,
)  # fmt: skip
from bridge.rules import MAX_RECIPIENTS, MORE, Proof

StopMark = Annotated[Text, words(40)]


class TextModel(Section):
    """How the text of an SMS is made from a mail."""

    subject: Literal["auto", "ignore", "first", "only"] = setting(
        "auto", "auto (only if the body is empty), ignore, first, or only"
    )
    template: Template = setting("{{ body }}", "a template that knows body, subject and sender")
    cut: Literal["auto", "none"] = setting(
        "auto", "auto: quoted history, signature and disclaimer are cut; none: nothing"
    )
    disclaimers: Annotated[list[Pattern], Field(max_length=50)] = setting(
        [], "patterns of your own: a paragraph that holds one is cut"
    )
    stop_marks: Annotated[list[StopMark], Field(max_length=20)] = setting(
        ["##"], "what follows one of these is cut"
    )
    fold: Literal["none", "typographic", "ascii"] = setting(
        "typographic",
        "typographic: curly quotes, dashes and blanks become plain ones, so that the price stays",
    )
    too_long: Annotated[Literal["refuse", "cut"], BeforeValidator(later.too_long)] = setting(
        "refuse", "more segments than the limit: refuse the mail, or cut and tell"
    )
    more: MoreWords = setting(MORE, "what follows a text that came more often (limits.join_same)")


Most = Annotated[int, Field(ge=1, le=1_000_000)]


def _above_zero(amount: int) -> int:
    if not amount:
        raise ValueError("must be above 0: to let somebody send nothing, take their rule away")
    return amount


Amount = Annotated[Money, AfterValidator(_above_zero)]


class LimitsModel(Section):
    """Caps of one sender rule."""

    recipients: Annotated[int, Field(ge=1, le=MAX_RECIPIENTS)] = setting(
        MAX_RECIPIENTS, "numbers in one mail"
    )
    segments: Annotated[int, Field(ge=1, le=255)] = setting(1, "billed segments in one SMS")
    per_minute: Most | None = setting(None, "SMS of one sender in a minute; default: any number", example=30)
    per_hour: Most | None = setting(None, "SMS of one sender in an hour", example=300)
    per_day: Most | None = setting(None, "SMS of one sender in a day of `timezone`", example=1_000)
    spend_per_day: Amount | None = setting(
        None, "what one sender may spend in a day; default: any amount", example=5.00
    )
    spend_per_month: Amount | None = setting(None, "what one sender may spend in a month", example=50.00)
    over: Literal["refuse", "pace"] | None = setting(
        None,
        "what is above per_minute, per_hour or per_day: refuse it, or pace: take it and send it later; "
        "default: refuse, for rules of networks alone pace",
    )
    join_same: Annotated[Duration, between("0s", "24h")] = setting(
        "0s", "the same text to one number within it becomes one SMS that says how often it came; 0s: never"
    )


class ReportsModel(Section):
    """Which news a sender hears, and where."""

    when: list[Literal["failed", "delivered", "reply"]] = setting(
        ["failed", "delivered", "reply"], "failed, delivered, reply"
    )
    to: Annotated[
        Text, BeforeValidator(lambda value: value if value == "sender" else scalars.mail_address(value))
    ] = setting("sender", "sender, or a mail address")


def _reports(value: object) -> object:
    """``none`` and a bare address are short for a mapping."""
    if value == "none":
        return {"when": []}
    return {"to": value} if isinstance(value, str) else value


class SenderModel(Section):
    """One rule of the allowlist."""

    match: Annotated[list[SenderPattern], Field(min_length=1, max_length=1_000)] = setting(
        ..., "From addresses: ann@example.com, *@example.com, *@*.example.com", example=["*@example.com"]
    )
    proof: Annotated[list[Proof], Field(min_length=1)] = setting(
        ..., "how the sender is proven, any one of: auth, network, dmarc, spf, upstream", example=["auth"]
    )
    users: Annotated[list[UserName], Field(min_length=1, max_length=1_000)] | None = setting(
        None, "SMTP users who may use this rule; without it the user's name must be the From address"
    )
    networks: Annotated[list[NarrowNetwork], Field(max_length=1_000)] = setting(
        [], "networks of the proof `network`"
    )
    brand: Name = setting("default", "the look of the mails")
    account: Name = setting("default", "the vendor's account; default: its first pair")
    prefixes: Annotated[list[Prefix], Field(max_length=1_000)] = setting(
        [], "number prefixes, narrower than the global list"
    )
    limits: LimitsModel = setting({}, "caps of this rule")
    reports: Annotated[ReportsModel, BeforeValidator(_reports)] = setting(
        {}, "which news the sender hears: also none, or an address"
    )
    text: TextModel = setting({}, "any key of `text`")
    mode: Literal["live", "test"] | None = setting(None, "test: the vendor's test mode; default: vendor.mode")
    on_unknown: Literal["resend", "hold"] = setting(
        "hold", "when it cannot be known whether an SMS was sent: hold it for a person, or resend it once"
    )
