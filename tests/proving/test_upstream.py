"""The proof `upstream`: only the word of the named server, from its network, where nobody else could write."""

import pytest

from bridge.proving.fields import fields_of
from bridge.proving.upstream import look
from tests.mail_in.conftest import Starter
from tests.proving.desk import SERVER, STRANGER, UPSTREAM, answer, policy_of, proven_by, started
from tests.proving.name_server import NameServer
from tests.proving.signing import mail, signed

US = "mx.clinic.example"
TAKEN_IN = (
    f"Received: from evil.example ([192.0.2.9]) by {US}\r\n\twith ESMTPS; Mon, 1 Jan 2024 10:00:00 +0000\r\n"
)
PASS = f"Authentication-Results: {US};\r\n\tdmarc=pass (p=reject dis=none) header.from=clinic.example\r\n"
FAIL = f"Authentication-Results: {US}; dmarc=fail (p=none) header.from=clinic.example\r\n"
LOWER = "X-Mailer: y\r\nReceived: from b by c; Mon, 1 Jan 2024 10:00:00 +0000\r\n"
HELLO = "Received: from x by y; Mon, 1 Jan 2024 10:00:00 +0000\r\n"


def results(said: str, server: str = US) -> str:
    return f"Authentication-Results: {server}{said}\r\n"


HONEST = {
    "right behind Received, as milters of Postfix write it": TAKEN_IN + PASS,
    "on top, as rspamd and others write it": PASS + TAKEN_IN,
    "between other fields of the server": "X-Spam: no\r\n"
    + TAKEN_IN
    + "DKIM-Filter: OpenDKIM\r\n"
    + PASS
    + "X-Y: z\r\n",
    "above another of the same server without dmarc": TAKEN_IN
    + PASS
    + results("; dkim=pass header.d=clinic.example"),
    "with dkim and spf in the same field": TAKEN_IN
    + results(
        "; dkim=pass (2048-bit key; unprotected) header.d=clinic.example header.i=@clinic.example\r\n\theader.a=rsa"
        ' header.s=mail header.b="Ab/=="; spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a@clinic.example;\r\n'
        '\tdmarc=pass header.from=clinic.example (a; (nested\\) " comment) x)'
    ),
    "with a version, capitals and blanks": TAKEN_IN
    + "authentication-RESULTS: MX.Clinic.Example 1 ; DMARC = PASS  header . From = CLINIC.example ;\r\n",
    "with a reason in quotes": TAKEN_IN
    + results('; dmarc=pass reason="all; is (well)" header.from=clinic.example policy.dmarc=reject'),
    "below the results of a further server of ours": results(
        "; spf=pass smtp.mailfrom=x@y.example", "in.else.example"
    )
    + PASS
    + TAKEN_IN,
    "unsigned results of an earlier server below it": TAKEN_IN
    + PASS
    + LOWER
    + results("; dmarc=fail", "mx.other.example"),
    "its own older ones below it": TAKEN_IN + PASS + HELLO + FAIL,
}

FORGED = {
    "none at all": (TAKEN_IN, "no results"),
    "of another server": (
        TAKEN_IN + results("; dmarc=pass header.from=clinic.example", "mx.evil.example"),
        "no results",
    ),
    "of a server whose name begins alike": (
        TAKEN_IN + results("; dmarc=pass header.from=clinic.example", f"{US}.evil.example"),
        "no results",
    ),
    "below what another server wrote": (TAKEN_IN + HELLO + PASS, "no results"),
    "at the end of the header": (TAKEN_IN + LOWER + PASS, "no results"),
    "below a fail of the server": (TAKEN_IN + FAIL + PASS, "is no pass"),
    "below a field of the server that says nothing of dmarc": (
        TAKEN_IN + results("; dkim=pass header.d=clinic.example") + PASS,
        "no clear dmarc result",
    ),
    "below a field of the server that says none": (
        TAKEN_IN + results("; none") + PASS,
        "no clear dmarc result",
    ),
    "below a field of the server that cannot be read": (
        TAKEN_IN + results("; dmarc=fail (helo=x((x) header.from=clinic.example") + PASS,
        "no clear dmarc result",
    ),
    "below a field of the server with a sender's octets in it": (
        TAKEN_IN
        + results("; spf=none smtp.mailfrom=é@x.example; dmarc=fail header.from=clinic.example")
        + PASS,
        "no clear dmarc result",
    ),
    "for another domain": (TAKEN_IN + PASS.replace("from=clinic", "from=evil"), "another domain than From"),
    "for a domain above": (
        TAKEN_IN + PASS.replace("from=clinic.example", "from=example"),
        "another domain than From",
    ),
    "for no domain": (TAKEN_IN + results("; dmarc=pass"), "another domain than From"),
    "for two domains": (
        TAKEN_IN + results("; dmarc=pass header.from=evil.example header.from=clinic.example"),
        "another domain than From",
    ),
    "two results of dmarc": (
        TAKEN_IN + results("; dmarc=fail header.from=clinic.example; dmarc=pass header.from=clinic.example"),
        "no clear dmarc result",
    ),
    "dkim alone": (TAKEN_IN + results("; dkim=pass header.d=clinic.example"), "no clear dmarc result"),
    "spf alone": (TAKEN_IN + results("; spf=pass smtp.mailfrom=a@clinic.example"), "no clear dmarc result"),
    "in a comment": (
        TAKEN_IN + results("; dmarc=fail (dmarc=pass header.from=clinic.example)"),
        "is no pass",
    ),
    "behind a comment with a bracket in quotes": (
        TAKEN_IN + results('; dmarc=fail (")" ; dmarc=pass header.from=clinic.example)'),
        "",
    ),
    "in a value in quotes": (
        TAKEN_IN + results('; spf=fail smtp.mailfrom="; dmarc=pass header.from=clinic.example"'),
        "no clear dmarc result",
    ),
    "with a bracket that does not close": (
        TAKEN_IN + results("; dmarc=pass header.from=clinic.example (x"),
        "no clear dmarc result",
    ),
    "with a quote that does not close": (
        TAKEN_IN + results('; dmarc=pass header.from="clinic.example'),
        "no clear dmarc result",
    ),
    "with words that are no result": (
        TAKEN_IN + results("; dmarc=pass header.from=clinic.example; what is this"),
        "no clear dmarc result",
    ),
    "without a server, as Exchange Online writes it": (
        TAKEN_IN + "Authentication-Results: dmarc=pass header.from=clinic.example\r\n",
        "no results",
    ),
    "the server's name in a comment": (
        TAKEN_IN + results(f" ({US}); dmarc=pass header.from=clinic.example", "mx.evil.example"),
        "no results",
    ),
    "not ASCII": (TAKEN_IN + results("; dmarc=pass header.from=clinic.example (é)"), "no clear dmarc result"),
    "9 kB long": (
        TAKEN_IN + results(f"; dmarc=pass header.from=clinic.example ({'x' * 9_000})"),
        "no clear dmarc result",
    ),
    "under another field's name": (
        TAKEN_IN + PASS.replace("Authentication", "ARC-Authentication"),
        "no results",
    ),
}


def handed_on(fields: str, **changes: str) -> bytes:
    """A mail of the clinic with these fields on top."""
    return fields.encode() + mail(**changes)  # type: ignore[arg-type]


@pytest.mark.threat(10, "honest results refused", of="forms")
@pytest.mark.parametrize("name", HONEST)
def test_the_word_of_the_server_is_a_proof(name: str) -> None:
    fields = fields_of(handed_on(HONEST[name]))
    assert fields is not None
    found = look([UPSTREAM], fields, "clinic.example")
    assert found.holds, found


@pytest.mark.threat(10, "forged results believed", of="forms")
@pytest.mark.parametrize("name", FORGED)
def test_what_only_looks_like_it_is_none(name: str) -> None:
    forged, why = FORGED[name]
    fields = fields_of(handed_on(forged))
    assert fields is not None
    found = look([UPSTREAM], fields, "clinic.example")
    assert not found.holds
    assert why in found.why


async def test_a_mail_that_the_server_vouches_for_is_taken(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(proven_by("upstream"), upstreams=[UPSTREAM]))
    raw = handed_on(TAKEN_IN + PASS)
    said = await answer(server, raw, "oncall@sms.local", address=SERVER, sender="x@else.example")
    assert said.startswith("250 2.0.0 "), said
    [one, _] = await server.lines()
    assert one.sender == "anna@clinic.example"
    assert names.asked == []


@pytest.mark.threat(10, "forged results believed", of="forms")
async def test_the_same_mail_from_anywhere_else_is_not(start: Starter, names: NameServer) -> None:
    policy = policy_of(proven_by("upstream"), proven_by("dmarc"), upstreams=[UPSTREAM])
    server = await started(start, names, policy)
    said = await answer(server, handed_on(TAKEN_IN + PASS), address=STRANGER)
    assert "(upstream: the client is no server whose results count)" in said
    alone = await started(start, names, policy_of(proven_by("upstream"), upstreams=[UPSTREAM]))
    assert "no sender rule fits 127.0.0.9" in await answer(
        alone, handed_on(TAKEN_IN + PASS), address=STRANGER
    )


@pytest.mark.threat(10, "forged results believed", of="forms")
async def test_a_forged_word_through_the_server_itself_is_none(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(proven_by("upstream"), upstreams=[UPSTREAM]))
    forged = handed_on(TAKEN_IN + FAIL + TAKEN_IN + PASS)
    said = await answer(server, forged, address=SERVER)
    assert said.startswith("550 5.7.1 anna@clinic.example is not proven: "), said
    assert await server.sms() == ()


@pytest.mark.parametrize(
    ("hops", "above", "holds"), [(0, 0, True), (0, 1, False), (1, 2, False), (2, 2, True), (2, 3, False)]
)
def test_hops_are_the_received_fields_that_may_stand_above(hops: int, above: int, holds: bool) -> None:
    from dataclasses import replace

    fields = fields_of(handed_on(TAKEN_IN * above + PASS))
    assert fields is not None
    assert look([replace(UPSTREAM, hops=hops)], fields, "clinic.example").holds is holds


async def test_any_proof_of_a_rule_will_do(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(proven_by("upstream", "dmarc"), upstreams=[UPSTREAM]))
    assert (await answer(server, handed_on(TAKEN_IN + PASS), address=SERVER)).startswith("250 ")
    assert (await answer(server, signed(mail()), address=STRANGER)).startswith("250 ")
