"""From the configuration to the components: each gets plain values, none sees the whole configuration."""

import contextlib
import datetime
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from bridge import __version__, event_in, mail_in
from bridge.app.heartbeat import Heartbeat
from bridge.app.tls import ServedCertificate
from bridge.config import Config, Http, Smtp, load_users, validity
from bridge.errors import ConfigError
from bridge.mail_out import MailOut, Signer, Smarthost
from bridge.poller import Poller
from bridge.proving import Prover, Resolver
from bridge.purger import Purger
from bridge.render import Renderer
from bridge.reporter import Reporter
from bridge.rules import BY_MAIL
from bridge.sms import Sms
from bridge.sms_api import Credentials, SmsApi
from bridge.store import Retention, Store
from bridge.submit import Submitter
from bridge.watcher import Watcher
from bridge.web import DeskSettings

Ready = Callable[[], Awaitable[str]]


def instance_of(config: Config) -> str:
    """Return the mark of our own mails: any mark is refused as a loop, so the domain says enough."""
    return config.policy.domains[0]


def api_of(config: Config) -> SmsApi:
    """Return the vendor's API with all accounts."""
    vendor = config.vendor
    return SmsApi(
        {
            key: Credentials(
                one.sender,
                one.token.get_secret_value(),
                one.auth_token.get_secret_value() if one.auth_token else None,
            )
            for key, one in vendor.accounts.items()
        },
        vendor.send_url,
        vendor.rest_url,
        mode=vendor.mode,
        send_timeout_ms=vendor.send_timeout_ms,
        vendor_timezone=vendor.timezone.key,
    )


def submitter_of(config: Config, store: Store, api: SmsApi, here: Heartbeat) -> Submitter:
    """Return the part that sends."""
    return Submitter(
        store,
        api,
        rate_per_second=config.vendor.rate_per_second,
        node=here.node.id,
        reply_address=_reply_address(config),
        is_ours=partial(here.holds, "send"),
        sweep_every_s=here.pulse.sweep_s,
    )


def _reply_address(config: Config) -> Callable[[Sms], str | None]:
    """SMSEmailReply: an address of ours, or on the channel ``vendor`` the sender, whom the vendor then mails."""
    if config.replies_channel == "vendor":
        return lambda sms: sms.sender if "@" in sms.sender else None
    domain = config.policy.domains[0]
    return lambda sms: f"reply+{sms.reply_key}@{domain}"


def poller_of(config: Config, store: Store, api: SmsApi, here: Heartbeat) -> Poller:
    """Return the part that polls."""
    return Poller(
        store,
        api,
        polls_per_second=config.vendor.poll_rate_per_second,
        received_every_ms=config.vendor.received_every_ms,
        is_ours=partial(here.holds, "events"),
    )


def renderer_of(config: Config) -> Renderer:
    """Return what makes our mails, in every brand."""
    return Renderer(
        config.brands,
        domain=config.policy.domains[0],
        instance=instance_of(config),
        local=lambda at: datetime.datetime.fromtimestamp(at / 1000, config.timezone),
    )


def reporter_of(config: Config, store: Store, here: Heartbeat) -> tuple[Reporter, MailOut | None]:
    """Return the part that mails, and the connection to the smarthost that it uses, if there is one."""
    smarthost, dkim = config.outbox.smarthost, config.outbox.dkim
    mail_out = None
    if smarthost is not None:
        password = smarthost.password.get_secret_value() if smarthost.password else ""
        mail_out = MailOut(
            Smarthost(smarthost.host, smarthost.port, smarthost.tls, smarthost.user or "", password),
            hello=socket.gethostname(),
        )
    signer = Signer(dkim.domain, dkim.selector, dkim.key_pem) if dkim else None
    ours = partial(here.holds, "reports")
    renderer = renderer_of(config)
    return Reporter(store, renderer, mail_out, signer, node=here.node.id, is_ours=ours), mail_out


def retention_of(config: Config) -> Retention:
    """Return how long is kept what is over."""
    return Retention(config.retention.text_ms, config.retention.records_ms)


def purger_of(config: Config, store: Store, here: Heartbeat) -> Purger | None:
    """Return what does away with the rest; None when all is kept for ever."""
    retention = retention_of(config)
    return Purger(store, retention, is_ours=partial(here.holds, "send")) if retention.is_given else None


def served(of: Smtp | Http) -> ServedCertificate | None:
    """Return the certificate of SMTP or HTTP, if it has one. Raises `ConfigError` when it cannot be used."""
    return ServedCertificate(of.certificate, of.key) if of.certificate and of.key else None


def certificate_files(config: Config) -> tuple[Path, ...]:
    """Return the certificates of ours, each once."""
    found = (config.smtp.certificate, config.http.certificate)
    return tuple(dict.fromkeys(path for path in found if path))


def certificate_ends(config: Config) -> Mapping[str, float]:
    """Return when each certificate of ours expires, in seconds UTC; without those that cannot be read."""
    ends = {}
    for path in certificate_files(config):
        with contextlib.suppress(ValueError):
            ends[str(path)] = validity(path).ends.timestamp()
    return ends


def watcher_of(config: Config, store: Store, here: Heartbeat) -> Watcher | None:
    """Return the part that watches what senders do; None when the operator wants none."""
    if config.velocity is None:
        return None
    ours = partial(here.holds, "reports")
    return Watcher(store, config.velocity, is_ours=ours, every_s=here.pulse.sweep_s)


def prover_of(config: Config) -> Prover | None:
    """Return what looks for the proofs that mails themselves show, if a rule names one. Raises `ConfigError`."""
    if not any(rule.proof & BY_MAIL for rule in config.policy.rules):
        return None
    return Prover(config.policy, Resolver(config.dns.servers, config.dns.timeout_ms / 1000))


def mail_in_of(config: Config, store: Store, tls: ServedCertificate | None) -> mail_in.MailIn:
    """Return the SMTP server, with the certificate that its listeners show. Raises `ConfigError`."""
    smtp = config.smtp
    return mail_in.MailIn(
        store,
        config.policy,
        mail_in.Settings(
            listeners=tuple(mail_in.Listener(one.address, one.port, one.tls) for one in smtp.listen),
            hostname=socket.gethostname(),
            instance=instance_of(config),
            timezone=config.timezone,
            tls=tls.context if tls else None,
            users=load_users(smtp.users) if smtp.users and smtp.users.exists() else {},
            max_size=smtp.max_size,
            max_connections=smtp.max_connections,
            max_per_address=smtp.max_per_address,
            balancers=smtp.balancers,
        ),
        prover_of(config),
    )


def users_again(path: Path) -> Mapping[str, str]:
    """Return the SMTP users in a file that was there before. Raises `ConfigError`."""
    if not path.exists():
        raise ConfigError(f"{path} is gone: `smsbridge user remove` takes users away")
    return load_users(path)


def hook_settings_of(config: Config) -> event_in.HookSettings:
    """Return who may post webhooks."""
    return event_in.HookSettings(
        secret=config.webhook.secret.get_secret_value(),
        pairs=tuple((sender, token.get_secret_value()) for sender, token in config.webhook.credentials),
        networks=config.webhook.networks,
        proxies=config.http.proxies,
        timezone=config.vendor.timezone.key,
    )


def desk_settings_of(config: Config, file: str) -> DeskSettings:
    """Return how the desk shows things."""
    return DeskSettings(
        timezone=config.timezone,
        version=__version__,
        config=file,
        certificate_ends=partial(certificate_ends, config),
    )
