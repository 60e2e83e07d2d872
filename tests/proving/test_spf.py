"""The proof `spf`, where a rule names it: aligned with the From, bounded, and never a pass when DNS fails."""

import asyncio

import pytest

from tests.mail_in.conftest import NETWORK_RULE, Starter
from tests.proving.desk import CLINIC, answer, policy_of, proven_by, started
from tests.proving.name_server import NameServer
from tests.proving.signing import mail
from tests.threats import found

PERMITS = "v=spf1 ip4:127.0.0.9 -all"


@pytest.mark.parametrize(
    ("sender", "who"),
    [
        ("anna@clinic.example", "anna@clinic.example"),
        ("anna@clinic.example", "bounces+x=y@mail.clinic.example"),
        ("anna@ward.clinic.example", "x@clinic.example"),
        ("anna@clinic.example", "X@CLINIC.example"),
    ],
)
async def test_a_server_that_the_domain_permits_is_a_proof(
    sender: str, who: str, start: Starter, names: NameServer
) -> None:
    names.txt("clinic.example", "other", PERMITS)
    names.txt("mail.clinic.example", PERMITS)
    server = await started(start, names, policy_of(proven_by("spf")))
    said = await answer(server, mail(sender=sender), sender=who)
    assert said.startswith("250 2.0.0 "), said
    [one] = await server.lines()
    assert one.sender == sender


FORGED = {
    "fail": ("v=spf1 -all", {}, "does not permit"),
    "softfail": ("v=spf1 ~all", {}, "does not permit"),
    "neutral": ("v=spf1 ?all", {}, "says nothing"),
    "none": ("hello", {}, "no SPF record"),
    "wrong": ("v=spf1 ipv5:1 +all", {}, "is wrong"),
    "two records": (None, {}, "is wrong"),
    "passed by another domain than From": (PERMITS, {"sender": "x@evil.example"}, "another domain than From"),
    "passed by the domain of the client's name alone": (
        PERMITS,
        {"hello": "clinic.example", "sender": "x@evil.example"},
        "another",
    ),
    "more than ten look-ups": ("v=spf1 " + "a:a.clinic.example " * 11 + "+all", {}, "is wrong"),
    "three void look-ups": (
        "v=spf1 a:v1.clinic.example a:v2.clinic.example a:v3.clinic.example +all",
        {},
        "is wrong",
    ),
    "including itself without end": ("v=spf1 include:clinic.example +all", {}, "is wrong"),
    "redirecting to itself without end": ("v=spf1 redirect=clinic.example", {}, "is wrong"),
    "eleven mail servers": ("v=spf1 mx +all", {}, "is wrong"),
    "a sender that is no plain address": (PERMITS, {"sender": '"a b"@clinic.example'}, "no plain address"),
}


@pytest.mark.threat(12, "taken for a proof", of="SPF results that are none")
@pytest.mark.parametrize("name", FORGED)
async def test_anything_but_a_pass_of_the_froms_domain_is_none(
    name: str, start: Starter, names: NameServer
) -> None:
    record, who, why = FORGED[name]
    names.txt("clinic.example", *([record] if record else [PERMITS, PERMITS + " "]))
    names.txt("evil.example", PERMITS)
    names.put("a.clinic.example", "A", "192.0.2.1")
    names.put("clinic.example", "MX", *(f"{n} m{n}.clinic.example." for n in range(11)))
    server = await started(start, names, policy_of(proven_by("spf")))
    said = await answer(server, mail(), **who)
    assert said.startswith(
        "550 5.7.1 anna@clinic.example is not proven: send from a server of its SPF record"
    ), said
    assert why in said
    assert await server.sms() == ()


async def test_the_strict_alignment_of_the_domain_is_honoured(start: Starter, names: NameServer) -> None:
    names.txt("_dmarc.clinic.example", "v=DMARC1; p=none; aspf=s")
    for domain in ("clinic.example", "mail.clinic.example"):
        names.txt(domain, PERMITS)
    server = await started(start, names, policy_of(proven_by("spf")))
    assert (await answer(server, mail())).startswith("250 ")
    assert "another domain than From" in await answer(server, mail(), sender="x@mail.clinic.example")


async def test_for_the_null_sender_the_clients_name_stands(start: Starter, names: NameServer) -> None:
    names.txt("mail.clinic.example", "v=spf1 ip4:127.0.0.1 -all")
    server = await started(start, names, policy_of(proven_by("spf"), NETWORK_RULE))
    raw = mail()
    assert (await answer(server, raw, sender="", address="127.0.0.1")).startswith("250 ")
    said = await answer(server, mail(), sender="", hello="else.example", address="127.0.0.1")
    assert "another domain than From" in said


@pytest.mark.threat(12, "not answered 451", of="DNS failures")
@pytest.mark.parametrize("trouble", ["silence", "servfail"])
@pytest.mark.parametrize("where", ["clinic.example", "_dmarc.clinic.example", "in.clinic.example"])
async def test_dns_that_does_not_answer_is_neither_a_pass_nor_a_refusal(
    where: str, trouble: str, start: Starter, names: NameServer
) -> None:
    names.txt("clinic.example", "v=spf1 include:in.clinic.example ip4:127.0.0.9 -all")
    names.zone.pop(where, None)
    names.trouble[where] = trouble  # type: ignore[assignment]
    server = await started(start, names, policy_of(proven_by("spf")))
    said = await answer(server, mail())
    assert said.startswith("451 4.4.3 "), said
    assert await server.sms() == ()


async def test_spf_is_no_proof_where_no_rule_names_it(start: Starter, names: NameServer) -> None:
    names.txt("clinic.example", PERMITS)
    server = await started(start, names, policy_of(CLINIC))
    assert "no DKIM signature" in await answer(server, mail())
    assert names.asked == []


async def test_a_record_of_a_stranger_is_never_followed(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(proven_by("spf")))
    await answer(server, mail(), sender="x@evil.example")
    assert not [name for name, _ in names.asked if name.endswith("evil.example")]


@pytest.mark.threat(12, "a mail meanwhile", of="mails", unit="s", at_most=2)
async def test_slow_dns_of_one_keeps_nobody_else_waiting(start: Starter, names: NameServer) -> None:
    names.txt("clinic.example", PERMITS)
    names.trouble["ward.clinic.example"] = "silence"
    server = await started(start, names, policy_of(proven_by("spf")))
    slow = [
        asyncio.create_task(
            answer(server, mail(sender="a@ward.clinic.example"), sender="a@ward.clinic.example")
        )
        for _ in range(6)
    ]
    while not any(name == "ward.clinic.example" for name, _ in names.asked):
        await asyncio.sleep(0.01)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await answer(server, mail())).startswith("250 ")
    found(loop.time() - began)
    assert {said[:9] for said in await asyncio.gather(*slow)} == {"451 4.4.3"}
