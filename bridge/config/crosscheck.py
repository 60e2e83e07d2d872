"""What must hold between the keys of a file, section by section: errors, and warnings of what will hurt.

Each check takes the parts that could be read and yields findings; one that lacks its part says nothing.
"""

import difflib
import ipaddress
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

from bridge import phone
from bridge.config import files
from bridge.config.database import PASSWORD
from bridge.config.model import VendorModel
from bridge.config.parts import Parts
from bridge.config.problem import Finding, KeyPath

NO_PRICE = "needs vendor.price_per_segment: without it an SMS costs nothing until the vendor tells its price"


def check_all(parts: Parts) -> Iterator[Finding]:
    """Every finding about how the parts fit together."""
    for check in (
        _tls, _listeners, _connections, _web_addresses, _accounts, _prefixes, _aliases, _own_addresses,
        _smarthost, _signing, _database, _retention, _spend_cap,
    ):  # fmt: skip
        yield from check(parts)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that nothing has, with the one that was probably meant."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6) if len(names) <= 200 else []
    return f"there is no {what} {name}: " + (
        f"did you mean {near[0]}?" if near else f"there is {', '.join(names[:10])}"
    )


def _tls(parts: Parts) -> Iterator[Finding]:
    if parts.smtp:
        asked = next((one.tls for one in parts.smtp.listen if one.tls != "none"), None)
        yield from _certificate(
            "smtp", parts.smtp.certificate, parts.smtp.key, f"tls: {asked}" if asked else ""
        )
    if parts.http:
        yield from _certificate("http", parts.http.certificate, parts.http.key, "")


def _certificate(section: str, certificate: Path | None, key: Path | None, asked: str) -> Iterator[Finding]:
    """Both or neither, and that they fit; ``asked`` is what needs them, if anything does."""
    if certificate and key:
        unread = {name: files.unreadable(path) for name, path in (("certificate", certificate), ("key", key))}
        yield from (Finding((section, name), mistake) for name, mistake in unread.items() if mistake)
        mistake = None if any(unread.values()) else files.tls_mistake(certificate, key)
        if mistake:
            yield Finding((section, "certificate"), mistake)
        return
    for name, value, other in (("certificate", certificate, "key"), ("key", key, "certificate")):
        needed_by = asked or (f"{section}.{other}" if certificate or key else "")
        if needed_by and value is None:
            yield Finding((section, name), f"is missing: {needed_by} needs it")


def _listeners(parts: Parts) -> Iterator[Finding]:
    found: list[tuple[KeyPath, str, int]] = []
    if parts.smtp:
        found += [(("smtp", "listen", i), one.address, one.port) for i, one in enumerate(parts.smtp.listen)]
    if parts.http:
        found.append((("http", "listen"), parts.http.listen.address, parts.http.listen.port))
    if parts.desk:
        found.append((("desk", "listen"), parts.desk.listen.address, parts.desk.listen.port))
    for (_, address, port), (path, other, other_port) in combinations(found, 2):
        if port and port == other_port and _overlap(address, other):
            yield Finding(
                (*path, "port"), f"{address} port {port} is taken by another listener: choose another port"
            )


def _overlap(one: str, other: str) -> bool:
    """Whether two sockets would want the same place; ``::`` takes IPv4 as well on most systems."""
    addresses = {one, other}
    same_kind = ipaddress.ip_address(one).version == ipaddress.ip_address(other).version
    return len(addresses) == 1 or "::" in addresses or ("0.0.0.0" in addresses and same_kind)  # noqa: S104


def _connections(parts: Parts) -> Iterator[Finding]:
    if parts.smtp and parts.smtp.max_per_address > parts.smtp.max_connections:
        text = f"must be at most max_connections, {parts.smtp.max_connections}"
        yield Finding(("smtp", "max_per_address"), text)


def _web_addresses(parts: Parts) -> Iterator[Finding]:
    if parts.vendor:
        for name, url in (("send_url", parts.vendor.send_url), ("rest_url", parts.vendor.rest_url)):
            if url.startswith("http://") and not _on_loopback(url):
                yield Finding(
                    ("vendor", name), "the token would travel in the clear: write https://", "warning"
                )
    if parts.http and parts.http.url.startswith("http://") and not _on_loopback(parts.http.url):
        text = "webhooks, their secret and texts would travel in the clear: write https://"
        yield Finding(("http", "url"), text, "warning")


def _on_loopback(url: str) -> bool:
    authority = url.partition("://")[2].partition("/")[0]
    host = authority.rpartition("]")[0].strip("[") or authority.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _accounts(parts: Parts) -> Iterator[Finding]:
    vendor = parts.vendor
    if vendor and vendor.mode == "test":
        yield Finding(("vendor", "mode"), "test: no SMS reaches a phone", "warning")
    if vendor:
        yield from _polls(vendor)
    if parts.webhook and parts.webhook.sender and not parts.webhook.token:
        yield Finding(("webhook", "sender"), "needs webhook.token too, or neither")


def _polls(vendor: VendorModel) -> Iterator[Finding]:
    text = (
        "no auth_token: no polls, so a missed webhook is never made good, a wrong token is noticed late, "
        "and an SMS whose sending ended unclear cannot be looked up"
    )
    if vendor.auth_token is None:
        yield Finding(("vendor",), text, "warning")
    for name, account in vendor.accounts.items():
        if account.auth_token is None:
            yield Finding(("vendor", "accounts", name), text, "warning")


def _prefixes(parts: Parts) -> Iterator[Finding]:
    if not parts.prefixes:
        return
    for index, prefix in enumerate(parts.prefixes.allow):
        if prefix in parts.prefixes.deny:
            yield Finding(("prefixes", "allow", index), f"{prefix} is denied as well: keep one")


def _aliases(parts: Parts) -> Iterator[Finding]:
    prefixes, region = parts.prefixes, parts.region
    if not prefixes or not region or parts.number_types is None:
        return
    for name, numbers in parts.aliases.items():
        for index, written in enumerate(numbers):
            number = phone.parse(written, region)
            if number is None:
                text = f"is no number: write it as it is dialled in {region}, such as {phone.example(region)}"
            else:
                text = phone.allowed(number, prefixes.allow, prefixes.deny, parts.number_types) or ""
            if text:
                yield Finding(("aliases", name, index), text)


def _own_addresses(parts: Parts) -> Iterator[Finding]:
    """An address of ours that leads back to us would make SMS, or loops, of our own mails."""
    own = frozenset(parts.domains or ())
    addresses: list[tuple[KeyPath, str | None]] = [
        (("admin",), parts.admin),
        (("inbound_to",), parts.inbound_to),
    ]
    addresses += [(("senders", i, "reports", "to"), rule.reports.to) for i, rule in parts.senders.items()]
    for path, address in addresses:
        if address and _domain(address) in own:
            yield Finding(
                path, "lies in one of our own domains, so its mail would come back here: name another"
            )


def _smarthost(parts: Parts) -> Iterator[Finding]:
    outbox = parts.outbox
    if outbox is None:
        return
    if outbox.smarthost is None:
        text = "no outbox.smarthost: reports and replies are kept and shown on the desk, not sent"
        yield Finding(("outbox", "smarthost"), text, "warning")
    elif outbox.smarthost.user and not outbox.password:
        yield Finding(("outbox", "smarthost"), "names a user: give outbox.password too")
    if outbox.password and not (outbox.smarthost and outbox.smarthost.user):
        yield Finding(("outbox", "password"), "is used by nothing: name its user in outbox.smarthost")


def _signing(parts: Parts) -> Iterator[Finding]:
    """A From outside the signing domain is not aligned (RFC 7489, 3.1): such mails end as junk."""
    outbox = parts.outbox
    if not outbox or not outbox.smarthost or not outbox.dkim:
        return
    domain = outbox.dkim.domain
    if parts.domains and not _within(parts.domains[0], domain):
        text = f"our mails from {parts.domains[0]} are not within {domain}: signed in vain"
        yield Finding(("outbox", "dkim", "domain"), text, "warning")
    for name, brand in parts.brands.items():
        if brand.sender and not _within(_domain(brand.sender), domain):
            text = f"is not within the DKIM domain {domain}: signed in vain"
            yield Finding(("brands", name, "from"), text, "warning")


def _database(parts: Parts) -> Iterator[Finding]:
    asks = bool(parts.database and PASSWORD in parts.database)
    if asks and not parts.database_password:
        yield Finding(("database",), "has a place for a password: give database_password too")
    if parts.database_password and not asks:
        yield Finding(
            ("database_password",), "is used by nothing: write {password} into the address in database"
        )


_ANSWERED_MS = 8 * 86_400_000  # the vendor gives an answer to the last SMS of the seven days before


def _retention(parts: Parts) -> Iterator[Finding]:
    kept, duplicates, vendor = parts.retention, parts.duplicates, parts.vendor
    if kept is None:
        return
    if kept.text and kept.records and kept.text > kept.records:
        yield Finding(("retention", "text"), "is longer than retention.records: a text goes with its record")
    for name, value in (("text", kept.text), ("records", kept.records)):
        if value and duplicates and value < duplicates.window:
            text = "is shorter than duplicates.window, in which a mail is remembered: write at least as much"
            yield Finding(("retention", name), text)
    if not kept.records:
        return
    if vendor and kept.records < vendor.give_up_after:
        text = "is shorter than vendor.give_up_after, until when news of an SMS is waited for"
        yield Finding(("retention", "records"), text)
    elif kept.records < _ANSWERED_MS:
        text = "under 8d: an answer that comes later goes to inbound_to, not to the sender"
        yield Finding(("retention", "records"), text, "warning")


def _spend_cap(parts: Parts) -> Iterator[Finding]:
    if parts.spend_cap and parts.spend_cap.per_day and parts.vendor and not parts.vendor.price_per_segment:
        yield Finding(("spend_cap", "per_day"), NO_PRICE)


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
