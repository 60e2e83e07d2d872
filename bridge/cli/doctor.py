"""``smsbridge doctor``: try everything the service needs; a line each, ok or what to do."""

import asyncio
import contextlib
import datetime
import re
import secrets
import smtplib
import socket
import ssl
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import dns.exception
import dns.resolver
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from bridge.app.database import open_store_of
from bridge.app.wiring import api_of
from bridge.cli.output import as_json
from bridge.cli.setting import configured
from bridge.config import Config, Smarthost
from bridge.errors import BridgeError
from bridge.sms import NEVER, Kind, Sms, State

Verdict = Literal["ok", "warning", "fault"]
_MARK: Final = {"ok": "ok     ", "warning": "warning", "fault": "FAULT  "}
_TIMEOUT_S: Final = 10
_SOON: Final = datetime.timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing tried. ``say`` is what was found and, unless ok, what to do."""

    verdict: Verdict
    what: str
    say: str


def run(options: Namespace) -> int:
    """Print the findings; exit code 1 when there is a fault."""
    config = configured(options)
    findings = asyncio.run(_examine(config))
    if options.json:
        as_json({"verdict": f.verdict, "what": f.what, "say": f.say} for f in findings)
    else:
        for finding in findings:
            print(f"{_MARK[finding.verdict]} {finding.what}: {finding.say}")
    return 1 if any(finding.verdict == "fault" for finding in findings) else 0


async def _examine(config: Config) -> list[Finding]:
    found = [*await _database(config), *_listeners(config), *_certificates(config)]
    found += await asyncio.to_thread(lambda: [*_dkim(config), *_reply_domain(config), *_smarthost(config)])
    return [*found, *await _vendor(config)]


async def _database(config: Config) -> list[Finding]:
    try:
        store = await open_store_of(config)
        try:
            await store.check()
        finally:
            await store.close()
    except BridgeError as fault:
        return [Finding("fault", "database", f"{config.database_path}: {fault}")]
    return [Finding("ok", "database", f"{config.database_path} is writable and up to date")]


def _listeners(config: Config) -> Iterator[Finding]:
    places = [(one.address, one.port, "SMTP") for one in config.smtp.listen]
    places += [(config.http.listen.address, config.http.listen.port, "webhook")]
    places += [(config.desk.listen.address, config.desk.listen.port, "desk")]
    for address, port, what in places:
        where = f"{what} {address}:{port}"
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((address, port))
            except OSError as fault:
                yield _taken(where, fault)
            else:
                yield Finding("ok", where, "free to listen on")


def _taken(where: str, fault: OSError) -> Finding:
    reason = (fault.strerror or "cannot listen").lower()
    if isinstance(fault, PermissionError):
        return Finding("fault", where, f"{reason}: ports below 1024 need CAP_NET_BIND_SERVICE")
    return Finding("warning", where, f"{reason}: fine if the bridge itself runs now")


def _certificates(config: Config) -> Iterator[Finding]:
    pairs = {(config.smtp.certificate, config.smtp.key), (config.http.certificate, config.http.key)}
    for certificate, key in sorted(pairs, key=str):
        if certificate is None or key is None:
            continue
        what = f"certificate {certificate}"
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
            ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
        except (OSError, ValueError) as fault:
            yield Finding("fault", what, f"cannot be used with its key: {fault}")
            continue
        left = ends - datetime.datetime.now(datetime.UTC)
        if left < datetime.timedelta(0):
            yield Finding("fault", what, f"expired on {ends:%d %b %Y}: renew it")
        elif left < _SOON:
            yield Finding("warning", what, f"expires on {ends:%d %b %Y}: renew it soon")
        else:
            yield Finding("ok", what, f"fits its key, valid until {ends:%d %b %Y}")


def _dkim(config: Config) -> Iterator[Finding]:
    dkim = config.outbox.dkim
    if config.outbox.smarthost is None:
        return
    if dkim is None:
        yield Finding("warning", "DKIM", "no outbox.dkim: mails are unsigned and may land in spam folders")
        return
    name = f"{dkim.selector}._domainkey.{dkim.domain}"
    record = "".join(_txt(name))
    if not record:
        yield Finding(
            "fault", f"DNS {name}", "no DKIM record found: publish the one that `dkim keygen` printed"
        )
    elif _public(record) != _public_of(dkim.key_pem):
        yield Finding("fault", f"DNS {name}", "the published key is not the one we sign with")
    else:
        yield Finding("ok", f"DNS {name}", "the published key is the one we sign with")
    for brand in config.brands.values():
        domain = brand.sender.rpartition("@")[2].lower()
        if domain != dkim.domain and not domain.endswith(f".{dkim.domain}"):
            say = f"its From domain {domain} is outside the DKIM domain {dkim.domain}: DMARC will not align"
            yield Finding("warning", f"brand {brand.key}", say)


def _public(record: str) -> bytes:
    found = re.search(r"(?:^|;)\s*p\s*=\s*([A-Za-z0-9+/=\s]*)", record)
    return re.sub(r"\s", "", found.group(1)).encode() if found else b""


def _public_of(pem: bytes) -> bytes:
    import base64

    key = serialization.load_pem_private_key(pem, None).public_key()
    raw, der = serialization.Encoding.Raw, serialization.Encoding.DER
    try:
        packed = key.public_bytes(raw, serialization.PublicFormat.Raw)
    except ValueError:
        packed = key.public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(packed)


def _reply_domain(config: Config) -> Iterator[Finding]:
    if config.outbox.smarthost is None:
        return
    domain = config.policy.domains[0]
    try:
        hosts = sorted(str(mx.exchange).rstrip(".") for mx in _resolve(domain, "MX"))
    except (dns.exception.DNSException, OSError):
        hosts = []
    if hosts:
        yield Finding(
            "ok", f"MX {domain}", f"answers from inboxes go to {', '.join(hosts)}: it must lead here"
        )
    else:
        say = "no MX: answers to our mails reach us only through a mail server that routes this domain here"
        yield Finding("warning", f"MX {domain}", say)


def _txt(name: str) -> list[str]:
    try:
        return [b"".join(answer.strings).decode("ascii", "replace") for answer in _resolve(name, "TXT")]
    except (dns.exception.DNSException, OSError):
        return []


def _resolve(name: str, kind: str) -> dns.resolver.Answer:
    return dns.resolver.resolve(name, kind, lifetime=_TIMEOUT_S)


def _smarthost(config: Config) -> Iterator[Finding]:
    smarthost = config.outbox.smarthost
    if smarthost is None:
        yield Finding(
            "warning", "smarthost", "none configured: reports are kept and shown on the desk, not sent"
        )
        return
    what = f"smarthost {smarthost.host}:{smarthost.port}"
    try:
        say = _greet(smarthost)
    except smtplib.SMTPAuthenticationError:
        yield Finding(
            "fault", what, "refuses the user or password: check outbox.smarthost and outbox.password"
        )
    except (OSError, smtplib.SMTPException) as fault:
        yield Finding("fault", what, f"{type(fault).__name__}: check host, port, firewall and certificate")
    else:
        yield Finding("ok", what, say)


def _greet(smarthost: Smarthost) -> str:
    context = ssl.create_default_context()
    client: smtplib.SMTP
    if smarthost.tls == "implicit":
        client = smtplib.SMTP_SSL(smarthost.host, smarthost.port, timeout=_TIMEOUT_S, context=context)
    else:
        client = smtplib.SMTP(smarthost.host, smarthost.port, timeout=_TIMEOUT_S)
    with client:
        client.ehlo()
        secure = smarthost.tls == "implicit"
        if not secure and client.has_extn("starttls"):
            client.starttls(context=context)
            client.ehlo()
            secure = True
        if smarthost.user and not secure:
            raise smtplib.SMTPException("no TLS for a login")
        if smarthost.user:
            client.login(smarthost.user, smarthost.password.get_secret_value() if smarthost.password else "")
    return f"answers, {'with TLS' if secure else 'without TLS'}{', login accepted' if smarthost.user else ''}"


async def _vendor(config: Config) -> list[Finding]:
    api = api_of(config)
    try:
        return [
            await _account(config, key, account.auth_token is not None, lambda sms: _polled(api.status(sms)))
            for key, account in config.vendor.accounts.items()
        ]
    finally:
        await api.close()


async def _polled(poll: Awaitable[object]) -> tuple[Kind, str]:
    polled = await poll
    given = polled.input  # type: ignore[attr-defined]
    return given.kind, given.why


async def _account(
    config: Config, key: str, pollable: bool, poll: Callable[[Sms], Awaitable[tuple[Kind, str]]]
) -> Finding:
    what = f"vendor account {key}"
    if not pollable:
        return Finding(
            "warning", what, "no auth_token: it cannot be tried, and a lost answer cannot be cleared up"
        )
    kind, why = await poll(_nobody(config, key))
    if kind is Kind.NO_ANSWER:
        return Finding("fault", what, f"the poll got no answer ({why}): check vendor.rest_url and auth_token")
    return Finding("ok", what, "a poll is answered")


def _nobody(config: Config, account: str) -> Sms:
    """An SMS that was never sent: the vendor must say that it has none."""
    made_up = config.policy.message_prefix + secrets.token_hex(8).upper()
    return Sms(
        id=0, message_id=made_up, mail_id="", number="+61400000000", text="", encoding="gsm7", segments=1,
        account=account, mode="test", on_unknown="hold", reply_key="", state=State.UNKNOWN, created_at=0,
        updated_at=0, due_at=NEVER, expires_at=NEVER,
    )  # fmt: skip
