"""Do the name servers answer about the senders whom only DNS can prove? Without them their mails get 451."""

from bridge.cli.doctor.finding import Finding, fault, ok, warning
from bridge.config import Config
from bridge.errors import ConfigError
from bridge.proving import Resolver, Unanswered
from bridge.rules import Proof

_ASKS_DNS: frozenset[Proof] = frozenset({"dmarc", "spf"})
_MOST = 20  # domains asked about: more servers than these do not fail one by one


async def name_servers(config: Config) -> list[Finding]:
    """Return a finding for the servers that are asked, and one for each domain about which they say nothing."""
    domains = _domains(config)
    if not domains:
        return []
    try:
        resolver = Resolver(config.dns.servers, config.dns.timeout_ms / 1000)
    except ConfigError as error:
        return [fault("DNS of senders", str(error))]
    try:
        silent = [domain for domain in domains if not await _answered(resolver, domain)]
    finally:
        await resolver.close()
    if len(silent) == len(domains):
        say = f"no answer about {', '.join(domains)}: mails that need it get 451. Check dns.servers and the network"
        return [fault("DNS of senders", say)]
    found = [ok("DNS of senders", f"answers about {', '.join(one for one in domains if one not in silent)}")]
    say = "no answer about it: its mails get 451 until its name servers answer"
    return found + [warning(f"DNS {domain}", say) for domain in silent]


def _domains(config: Config) -> list[str]:
    """The domains of the rules that look into DNS, each once, at most so many."""
    found = dict.fromkeys(
        pattern.rpartition("@")[2].removeprefix("*.")
        for rule in config.policy.rules
        if rule.proof & _ASKS_DNS
        for pattern in rule.match
    )
    return list(found)[:_MOST]


async def _answered(resolver: Resolver, domain: str) -> bool:
    """Whether it is said what there is or that there is nothing."""
    try:
        await resolver.ask(f"_dmarc.{domain}", "TXT")
    except Unanswered:
        return False
    return True
