"""Rules with the proofs of mails, a server that has them, and a client from anywhere on loopback."""

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from bridge.proving import Prover, Resolver
from bridge.rules import Limits, Policy, Proof, SenderRule, Upstream
from tests.attack.clients import From
from tests.mail_in.conftest import POLICY, Running, Starter
from tests.proving.name_server import NameServer

CLINIC = SenderRule(
    index=0,
    match=("*@clinic.example", "*@*.clinic.example"),
    proof=frozenset({"dmarc"}),
    limits=Limits(segments=5),
)
STRANGER = "127.0.0.9"
SERVER = "127.0.0.7"
UPSTREAM = Upstream(ipaddress.ip_network("127.0.0.7/32"), "mx.clinic.example")


def policy_of(*rules: SenderRule, upstreams: Sequence[Upstream] = ()) -> Policy:
    """The policy of these rules alone, in their order."""
    placed = tuple(replace(rule, index=place) for place, rule in enumerate(rules))
    return replace(POLICY, rules=placed, upstreams=tuple(upstreams))


def proven_by(*proofs: Proof) -> SenderRule:
    """The clinic's rule with other proofs."""
    return replace(CLINIC, proof=frozenset(proofs))


async def started(start: Starter, names: NameServer, policy: Policy) -> Running:
    """A server of that policy that asks ``names``."""
    return await start(policy=policy, prover=Prover(policy, Resolver([names.address], 1.0)))


def hand_in(
    port: int,
    raw: bytes,
    *recipients: str,
    address: str = STRANGER,
    sender: str = "anna@clinic.example",
    hello: str = "mail.clinic.example",
) -> str:
    """The answer to the mail, or to the first recipient that was refused."""
    with From(address, port) as client:
        assert client.answer().startswith("220 ")
        assert client.say(f"EHLO {hello}").startswith("250")
        assert client.say(f"MAIL FROM:<{sender}>").startswith("250 ")
        for recipient in recipients or ("0421000001@sms.local",):
            answer = client.say(f"RCPT TO:<{recipient}>")
            if not answer.startswith("250 "):
                return answer
        return client.mail(raw.replace(b"\r\n.", b"\r\n.."))  # RFC 5321, 4.5.2


async def answer(server: Running, raw: bytes, *recipients: str, **who: str) -> str:
    """`hand_in` beside the server's loop."""
    return await asyncio.to_thread(lambda: hand_in(server.port, raw, *recipients, **who))
