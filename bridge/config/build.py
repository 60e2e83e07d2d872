"""From the checked model of the file to the values the bridge works with; defaults that depend on others too.

Everything here has been checked; nothing fails.
"""

from collections.abc import Mapping
from typing import Any

from bridge import phone
from bridge.config.model import (
    AccountModel,
    BrandModel,
    FileModel,
    OutboxModel,
    SmtpModel,
    VelocityModel,
    VendorModel,
)
from bridge.config.rule_model import SenderModel, TextModel
from bridge.config.settings import (
    Account,
    Config,
    Database,
    Desk,
    Dkim,
    Dns,
    Endpoint,
    Http,
    Listener,
    Log,
    Outbox,
    Retention,
    Smarthost,
    Smtp,
    Vendor,
    Webhook,
)  # fmt: skip
from bridge.optout import Words
from bridge.rules import (
    DEFAULT_ACCOUNT,
    Brand,
    Limits,
    Over,
    Policy,
    ReportRule,
    SenderRule,
    TextRule,
    Upstream,
)  # fmt: skip
from bridge.velocity import Bounds

DEFAULT = DEFAULT_ACCOUNT
DEFAULT_BRAND_NAME = "SMS Bridge"

# Machines known by their network send alarms: shortened rather than refused, nothing taken for a signature.
_MACHINE_TEXT: dict[str, Any] = {"cut": "none", "too_long": "cut"}


def config_of(file: FileModel) -> Config:
    """The configuration that ``file`` says."""
    return Config(
        policy=policy_of(file),
        brands=_brands(file),
        timezone=file.timezone,
        admin=file.admin,
        inbound_to=file.inbound_to or file.admin,
        database=Database(file.database, file.database_password),
        smtp=_smtp(file.smtp),
        dns=Dns(tuple(file.dns.servers), file.dns.timeout),
        http=_http(file),
        desk=Desk(Endpoint(file.desk.listen.address, file.desk.listen.port)),
        vendor=_vendor(file),
        webhook=_webhook(file),
        replies_channel=file.replies.channel,
        velocity=_velocity(file.velocity),
        optout_words=Words.of(file.optouts.stop_words, file.optouts.start_words),
        outbox=_outbox(file.outbox),
        retention=Retention(file.retention.text, file.retention.records),
        log=Log(file.log.level, file.log.format),
    )


def policy_of(file: FileModel) -> Policy:
    """What decisions on mails need."""
    return Policy(
        domains=tuple(file.domains),
        region=file.region,
        rules=tuple(_rule(index, rule, file) for index, rule in enumerate(file.senders)),
        allow=tuple(file.prefixes.allow),
        deny=tuple(file.prefixes.deny),
        number_types=frozenset(file.number_types),
        aliases={name: numbers_of(written, file.region) for name, written in file.aliases.items()},
        prices=dict(file.vendor.prices),
        price_per_segment=file.vendor.price_per_segment,
        message_prefix=file.vendor.message_prefix,
        expire_after_ms=file.expire_after,
        duplicates_window_ms=file.duplicates.window,
        upstreams=tuple(Upstream(one.network, one.authserv_id, one.hops) for one in file.smtp.upstreams),
        spend_cap=file.spend_cap.per_day,
        timezone=file.timezone,
        mode=file.vendor.mode,
    )


def numbers_of(written: list[str], region: str) -> tuple[str, ...]:
    """The valid ones of ``written`` in E.164, each once."""
    found = (phone.parse(text, region) for text in written)
    return tuple(dict.fromkeys(number.e164 for number in found if number))


def _rule(index: int, rule: SenderModel, file: FileModel) -> SenderRule:
    test = "test" in (rule.mode, file.vendor.mode)
    return SenderRule(
        index=index,
        match=tuple(rule.match),
        proof=frozenset(rule.proof),
        users=tuple(rule.users or ()),
        networks=tuple(rule.networks),
        brand=rule.brand,
        account=rule.account,
        prefixes=tuple(rule.prefixes),
        limits=_limits(rule),
        text=_text(rule, file.text),
        reports=ReportRule(frozenset(rule.reports.when), rule.reports.to),
        mode="test" if test else "live",
        on_unknown=rule.on_unknown,
    )


def _limits(rule: SenderModel) -> Limits:
    """A machine known by its network says something once: what it says too fast is sent later, not lost."""
    usual: Over = "pace" if set(rule.proof) == {"network"} else "refuse"
    given = rule.limits.model_dump() | {"over": rule.limits.over or usual}
    return Limits(join_same_ms=given.pop("join_same"), **given)


def _text(rule: SenderModel, general: TextModel) -> TextRule:
    """The rule's own keys win, then those of machines for rules of networks alone, then the general ones."""
    merged = {name: getattr(general, name) for name in TextModel.model_fields}
    if set(rule.proof) == {"network"}:
        merged |= _MACHINE_TEXT
    merged |= {name: getattr(rule.text, name) for name in rule.text.model_fields_set}
    merged |= {name: tuple(merged[name]) for name in ("disclaimers", "stop_marks")}
    return TextRule(**merged)


def _brands(file: FileModel) -> Mapping[str, Brand]:
    sender = f"sms@{file.domains[0]}"
    brands = {DEFAULT: Brand(DEFAULT, DEFAULT_BRAND_NAME, sender)}
    return brands | {key: _brand(key, brand, sender) for key, brand in file.brands.items()}


def _brand(key: str, brand: BrandModel, sender: str) -> Brand:
    return Brand(
        key=key,
        name=brand.name,
        sender=brand.sender or sender,
        accent=brand.accent,
        footer=brand.footer,
        logo=brand.logo,
        templates=str(brand.templates) if brand.templates else None,
    )


def _smtp(smtp: SmtpModel) -> Smtp:
    return Smtp(
        listen=tuple(Listener(one.address, one.port, one.tls) for one in smtp.listen),
        certificate=smtp.certificate,
        key=smtp.key,
        max_size=smtp.max_size,
        max_connections=smtp.max_connections,
        max_per_address=smtp.max_per_address,
        balancers=tuple(smtp.balancers),
        users=smtp.users,
    )


def _http(file: FileModel) -> Http:
    http = file.http
    endpoint = Endpoint(http.listen.address, http.listen.port)
    return Http(endpoint, http.url, http.certificate, http.key, tuple(http.proxies))


def _vendor(file: FileModel) -> Vendor:
    vendor = file.vendor
    return Vendor(
        send_url=vendor.send_url,
        rest_url=vendor.rest_url,
        mode=vendor.mode,
        accounts=accounts_of(vendor),
        rate_per_second=vendor.rate,
        poll_rate_per_second=vendor.poll_rate,
        timezone=vendor.timezone or file.timezone,
        status_after_ms=vendor.status_after,
        settle_ms=vendor.settle,
        send_timeout_ms=vendor.send_timeout,
        give_up_after_ms=vendor.give_up_after,
        received_every_ms=vendor.received_every,
    )


def accounts_of(vendor: VendorModel) -> Mapping[str, Account]:
    """The vendor's accounts by name, its first pair as ``default``."""
    pairs: dict[str, VendorModel | AccountModel] = {DEFAULT: vendor, **vendor.accounts}
    return {key: Account(key, pair.sender, pair.token, pair.auth_token) for key, pair in pairs.items()}


def _webhook(file: FileModel) -> Webhook:
    hook = file.webhook
    if hook.token:
        sender = hook.sender or file.vendor.sender
        pairs = tuple((sender, token) for token in hook.token)
    else:
        pairs = tuple((account.sender, account.token) for account in accounts_of(file.vendor).values())
    return Webhook(hook.secret, pairs, tuple(hook.networks))


def _velocity(velocity: VelocityModel | None) -> Bounds | None:
    if velocity is None:
        return None
    return Bounds(
        above=velocity.above,
        sms=velocity.sms,
        new_numbers=velocity.new_numbers,
        one_number=velocity.one_number,
        learn_ms=velocity.learn,
        again_ms=velocity.again,
    )


def _outbox(outbox: OutboxModel) -> Outbox:
    to, dkim = outbox.smarthost, outbox.dkim
    return Outbox(
        smarthost=Smarthost(to.host, to.port, to.tls, to.user, outbox.password) if to else None,
        dkim=Dkim(dkim.domain, dkim.selector, dkim.key) if dkim else None,
    )
