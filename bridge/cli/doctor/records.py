"""DNS, as the receivers of our mails see it: the DKIM record, the From domains, the MX of our own domain."""

import re
from collections.abc import Iterator
from typing import Any

import dns.exception
import dns.resolver

from bridge.cli.doctor.finding import TIMEOUT_S, Finding, fault, ok, warning
from bridge.config import Config
from bridge.mail_out import Signer


def dkim_record(config: Config) -> Iterator[Finding]:
    """Yield whether the published key is the one that we sign with."""
    dkim = config.outbox.dkim
    if config.outbox.smarthost is None:
        return
    if dkim is None:
        yield warning(
            "DKIM", "no outbox.dkim: mails are unsigned, and land in spam unless the smarthost signs them"
        )
        return
    signer = Signer(dkim.domain, dkim.selector, dkim.key_pem)
    what = f"DNS {signer.record_name()}"
    try:
        records = [b"".join(one.strings) for one in _resolved(signer.record_name(), "TXT")]
    except _Unanswered as error:
        yield warning(what, f"the DKIM record cannot be looked up: {error}")
        return
    yield _judged(what, [_key(record.decode("ascii", "replace")) for record in records], signer)


def _judged(what: str, published: list[str], signer: Signer) -> Finding:
    wanted = _key(signer.record())
    if not published:
        return fault(what, f"no DKIM record: publish a TXT record with {signer.record()}")
    if published == [wanted]:
        return ok(what, "the published key is the one we sign with")
    if wanted in published:
        return fault(what, f"has {len(published)} TXT records, and receivers may read any: leave one")
    return fault(what, f"the published key is not the one we sign with: publish {signer.record()}")


def _key(record: str) -> str:
    """The public key of a record: its tag ``p``, without blanks (RFC 6376, 3.6.1)."""
    found = re.search(r"(?:^|;)\s*p\s*=([A-Za-z0-9+/=\s]*)", record)
    return re.sub(r"\s", "", found.group(1)) if found else ""


def from_domains(config: Config) -> Iterator[Finding]:
    """Yield each brand whose From no signature of ours can speak for (DMARC: relaxed alignment)."""
    dkim = config.outbox.dkim
    if config.outbox.smarthost is None or dkim is None:
        return
    signing = dkim.domain.lower()
    for brand in config.brands.values():
        domain = brand.sender.rpartition("@")[2].lower()
        if domain != signing and not domain.endswith(f".{signing}"):
            yield warning(
                f"brand {brand.key}",
                f"its From domain {domain} is outside the DKIM domain {signing}: DMARC fails, mails may be lost",
            )


def reply_domain(config: Config) -> Iterator[Finding]:
    """Yield where answers to our mails go."""
    if config.outbox.smarthost is None:
        return
    domain = config.policy.domains[0]
    what = f"DNS {domain}"
    try:
        hosts = sorted(str(mx.exchange).rstrip(".") for mx in _resolved(domain, "MX"))
    except _Unanswered as error:
        yield warning(what, f"the MX cannot be looked up: {error}")
        return
    if hosts:
        yield ok(what, f"mail for it goes to {', '.join(hosts)}: that must lead here")
    else:
        yield warning(
            what, "no MX: answers to our mails come back only if your mail server routes this domain here"
        )


class _Unanswered(Exception):
    """DNS did not say yes or no."""


def _resolved(name: str, kind: str) -> list[Any]:
    """Return the records, none when there are none. Raises _Unanswered."""
    try:
        return list(dns.resolver.resolve(f"{name}.", kind, lifetime=TIMEOUT_S))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.resolver.LifetimeTimeout, dns.resolver.NoNameservers, OSError):
        raise _Unanswered("the name servers do not answer") from None
    except dns.exception.DNSException as error:
        raise _Unanswered(type(error).__name__) from None
