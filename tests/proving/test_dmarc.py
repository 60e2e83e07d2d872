"""The proof `dmarc`: honest signatures are taken, everything that only looks like one is not."""

import asyncio
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.attack.clients import From
from tests.mail_in.conftest import NETWORK_RULE, Starter, until
from tests.proving.desk import CLINIC, STRANGER, answer, policy_of, proven_by, started
from tests.proving.name_server import NameServer
from tests.proving.signing import DOMAIN, KEYS, SIGNED, forged_tags, mail, signed, signed_by_us
from tests.threats import found

NOW = int(time.time())
DAY = 86_400
Make = Callable[[], bytes]

HONEST: dict[str, Make] = {
    "relaxed": lambda: signed(mail()),
    "simple": lambda: signed(mail(), form=(b"simple", b"simple")),
    "relaxed header, simple body": lambda: signed(mail(), form=(b"relaxed", b"simple")),
    "by the bridge's own signer, Ed25519": lambda: signed_by_us(mail()),
    "by the bridge's own signer, RSA": lambda: signed_by_us(mail(), "rsa"),
    "subdomain signed by its organisation": lambda: signed(mail(sender="a@ward.clinic.example")),
    "To with a name, several, the number in Cc": lambda: signed(
        mail("Cc: Jo <0421000001@SMS.local>", to="Bob <bob@else.example>, x@y.example")
    ),
    "number written otherwise in To": lambda: signed(mail(to="+61421000001@sms.local")),
    "blanks, tabs and empty lines in the body": lambda: signed(
        mail(body="a  b\t c \r\n\r\n \r\n\r\nd   \r\n\r\n\r\n")
    ),
    "no Content-Type at all": lambda: signed(mail(kind=None)),
    "second of two signatures, the first of a stranger": lambda: signed(signed(mail()), domain="esp.example"),
    "good one behind two broken ones of the domain": lambda: (
        broken(signed(mail())) + broken(signed(mail())) + signed(mail())
    ),
    "a big mail, of which only the text is kept": lambda: signed(with_attachment(300_000)),
    "a mail a little over what is held whole": lambda: signed(with_attachment(70_000)),
    "a signature that is folded oddly": lambda: forged_tags(
        mail(), tags={"h": " : ".join(SIGNED).replace(" : to", "\r\n\t:to")}
    ),
    "without a time, but with a Date": lambda: forged_tags(mail(), tags={"t": None}),
    "with x= in the future": lambda: forged_tags(mail(), tags={"t": str(NOW), "x": str(NOW + DAY)}),
    "with a tag that nobody knows": lambda: forged_tags(mail(), tags={"zz": "1"}),
    "with i= below the domain": lambda: forged_tags(mail(), tags={"i": "jo@ward.clinic.example"}),
    "Message-ID not covered": lambda: signed(mail(), names=tuple(n for n in SIGNED if n != "message-id")),
    "Message-ID of a server that adds fields on top": lambda: (
        b"Received: from x by y; now\r\nX-Spam: no\r\n" + signed(mail())
    ),
    "as Google signs, in parts": lambda: as_google(quoting()),
    "as Google signs, in parts under Thunderbird's preamble": lambda: as_google(
        mail(
            body="This is a multi-part message in MIME format.\r\n--b\r\n\r\nHello\r\n--b--",
            kind="multipart/mixed; boundary=b",
        )
    ),
    "as Google signs, text alone": lambda: as_google(mail()),
    "as Google signs, markup alone": lambda: as_google(
        mail(body="<p>Hello</p>", kind="text/html; charset=UTF-8")
    ),
    "as Google signs, big": lambda: as_google(with_attachment(300_000)),
    "as Yahoo signs": lambda: signed(
        mail(), names=("date", "from", "to", "subject", "references", "from", "subject")
    ),
    "how it is read not covered, and said as it is without": lambda: signed(
        mail("Content-Transfer-Encoding: 8bit", "Content-Disposition: inline")
    ),
    "non-ASCII body": lambda: signed(mail(body="Grüße – später")),
}


def broken(one: bytes) -> bytes:
    """The signature field alone of a signed mail, with a digest that fits nothing."""
    field = one[: one.index(b"\r\nFrom:") + 2]
    place = field.index(b"bh=") + 3
    return field[:place] + b"AAAA" + field[place + 4 :]


def after(raw: bytes, old: bytes, new: bytes) -> bytes:
    """A signed mail changed on its way."""
    assert old in raw, old
    return raw.replace(old, new, 1)


def with_attachment(size: int) -> bytes:
    """A mail with a text and an attachment of that many octets, with blanks and tabs here and there."""
    lines = ["A" * 60 + ("  \t" if place % 7 == 0 else "") for place in range(size // 62)]
    parts = ["--b", "Content-Type: text/plain", "", "Hello from the clinic", "--b", "Content-Type: image/png",
             "", *lines, "--b--", "", ""]  # fmt: skip
    return mail(body="\r\n".join(parts), kind="multipart/mixed; boundary=b")


def as_google(raw: bytes) -> bytes:
    """Signed as Google does: each field that matters, but for Content-Type."""
    names = "mime-version:message-id:date:subject:cc:to:from:from:to:cc:subject:date:message-id:reply-to"
    return signed(raw, names=tuple(names.split(":")))


def quoting() -> bytes:
    """An answer in two parts, which quotes a text that looks like a part itself."""
    evil = ["--evil", "Content-Type: text/plain", "", "Pay now", "--evil--"]
    parts = ["--b", "Content-Type: text/plain; charset=utf-8", "", "Hello", "", "On Monday Eve wrote:", *evil,
             "--b", "Content-Type: text/html; charset=utf-8", "", "<p>Hello</p>", "--b--"]  # fmt: skip
    return mail(body="\r\n".join(parts), kind="multipart/alternative; boundary=b")


def without(name: str) -> tuple[str, ...]:
    """The fields that a signer covers, but for one."""
    return tuple(n for n in SIGNED if n != name)


FORGED: dict[str, tuple[Make, str]] = {
    "no signature": (mail, "no DKIM signature of its domain"),
    "another domain's signature": (
        lambda: signed(mail(), domain="evil.example"),
        "no DKIM signature of its domain",
    ),
    "a neighbour below the same public suffix": (
        lambda: signed(mail(), domain="example"),
        "no DKIM signature of its domain",
    ),
    "a domain that only ends alike": (
        lambda: signed(mail(), domain="evilclinic.example"),
        "no DKIM signature of its domain",
    ),
    "the body changed": (lambda: after(signed(mail()), b"Hello", b"Hallo"), "the body was changed"),
    "text appended": (lambda: signed(mail()) + b"more\r\n", "the body was changed"),
    "text appended under l=": (lambda: signed(mail(), length=True) + b"more\r\n", "(l=)"),
    "l= with nothing appended": (lambda: signed(mail(), length=True), "(l=)"),
    "the Subject changed": (lambda: after(signed(mail()), b"Rounds", b"Sounds"), "not that of its key"),
    "the From changed": (lambda: after(signed(mail()), b"<anna@", b"<boss@"), "not that of its key"),
    "a second Subject above": (lambda: b"Subject: Pay\r\n" + signed(mail()), "two subject fields"),
    "a second Subject below": (
        lambda: after(signed(mail()), b"\r\n\r\n", b"\r\nSubject: P\r\n\r\n"),
        "two subject",
    ),
    "a second Subject with a blank before its colon": (
        lambda: b"Subject : Pay\r\n" + signed(mail()),
        "two subject fields",
    ),
    "a second To": (lambda: b"To: 0421000002@sms.local\r\n" + signed(mail()), "two to fields"),
    "two To fields, both signed": (
        lambda: signed(mail("To: 0421000002@sms.local"), names=(*SIGNED, "to")),
        "two to fields",
    ),
    "a second Content-Type": (
        lambda: b"Content-Type: text/html\r\n" + signed(mail()),
        "two content-type fields",
    ),
    "a Content-Type added to a mail without": (
        lambda: b"Content-Type: text/html\r\n" + signed(mail(kind=None), names=without("content-type")),
        "does not cover Content-Type",
    ),
    "Content-Type not signed, a part inside named as boundary": (
        lambda: after(as_google(quoting()), b"boundary=b", b"boundary=evil"),
        "does not cover Content-Type",
    ),
    "Content-Type not signed, parts read as one": (
        lambda: after(as_google(quoting()), b"multipart/alternative; boundary=b", b"text/plain"),
        "does not cover Content-Type",
    ),
    "Content-Type not signed, another charset": (
        lambda: after(as_google(mail()), b"charset=utf-8", b"charset=utf-16"),
        "does not cover Content-Type",
    ),
    "Content-Type not signed, text read as markup": (
        lambda: after(as_google(mail()), b"text/plain", b"text/html"),
        "does not cover Content-Type",
    ),
    "Content-Type not signed, an encoding added": (
        lambda: b"Content-Transfer-Encoding: base64\r\n" + as_google(mail()),
        "does not cover Content-Transfer-Encoding",
    ),
    "neither signed, an encoding added": (
        lambda: b"Content-Transfer-Encoding: base64\r\n" + as_google(mail(kind=None)),
        "does not cover Content-Transfer-Encoding",
    ),
    "an encoding added under a signed Content-Type": (
        lambda: b"Content-Transfer-Encoding: base64\r\n" + signed(mail()),
        "does not cover Content-Transfer-Encoding",
    ),
    "made an attachment, so that the Subject is sent": (
        lambda: b"Content-Disposition: attachment; filename=a\r\n" + signed(mail()),
        "does not cover Content-Disposition",
    ),
    "Content-Type not signed, taken away from parts": (
        lambda: after(as_google(quoting()), b"Content-Type: multipart/alternative; boundary=b\r\n", b""),
        "does not cover Content-Type",
    ),
    "Content-Type not signed, of an odd kind": (
        lambda: as_google(mail(kind="text/calendar")),
        "does not cover Content-Type",
    ),
    "a Subject added to a mail without": (
        lambda: b"Subject: Pay\r\n" + signed(mail(subject=None), names=without("subject")),
        "does not cover Subject",
    ),
    "Subject not signed": (lambda: signed(mail(), names=without("subject")), "does not cover Subject"),
    "From not signed": (
        lambda: forged_tags(mail(), tags={"h": "to:subject:date:content-type"}),
        "does not cover From",
    ),
    "neither To nor Cc signed": (lambda: signed(mail(), names=without("to")), "covers neither To nor Cc"),
    "no To at all": (lambda: signed(mail(to=None)), "covers neither To nor Cc"),
    "a second Transfer-Encoding": (
        lambda: b"Content-Transfer-Encoding: 7bit\r\n" * 2 + signed(mail()),
        "two content-transfer-encoding fields",
    ),
    "rsa-sha1": (lambda: forged_tags(mail(), tags={"a": "rsa-sha1"}), "rsa-sha1"),
    "an unknown algorithm": (lambda: forged_tags(mail(), tags={"a": "rsa-md5"}), "algorithm is not known"),
    "a key of 648 bits": (lambda: signed(mail(), key="short"), "bits: at least 1024 are needed"),
    "another key": (lambda: signed(mail(), key="other", selector="mail"), "not that of its key"),
    "no such key": (lambda: signed(mail(), selector="nowhere"), "its key is not in DNS"),
    "expired": (lambda: forged_tags(mail(), tags={"t": str(NOW - 900), "x": str(NOW - 1)}), "has expired"),
    "expired before it was signed": (
        lambda: forged_tags(mail(), tags={"t": str(NOW + 500), "x": str(NOW + 400)}),
        "has expired",
    ),
    "signed in the future": (lambda: forged_tags(mail(), tags={"t": str(NOW + 2 * 3600)}), "from the future"),
    "written in the future": (lambda: signed_at_date(NOW + 3 * DAY), "from the future"),
    "signed before what is remembered": (
        lambda: forged_tags(mail(), tags={"t": str(NOW - 2 * DAY)}),
        "older than mails are remembered",
    ),
    "written before what is remembered": (
        lambda: signed_at_date(NOW - 2 * DAY),
        "older than mails are remembered",
    ),
    "neither t= nor Date": (
        lambda: forged_tags(mail(), tags={}, names=without("date")),
        "neither a time nor a Date",
    ),
    "a NUL in the selector": (lambda: forged_tags(mail(), tags={"s": "mail\0x"}), "521"),
    "odd characters in the selector": (lambda: forged_tags(mail(), tags={"s": "mail/../x"}), "no clean name"),
    "blanks in the domain": (lambda: forged_tags(mail(), tags={"d": "clinic .example"}), "no clean name"),
    "an empty label in the domain": (
        lambda: forged_tags(mail(), tags={"d": "x..clinic.example"}),
        "no clean name",
    ),
    "a domain that is not ASCII": (
        lambda: forged_tags(mail(), tags={"d": "clínic.example"}),
        "no clean name",
    ),
    "i= of another domain": (
        lambda: forged_tags(mail(), tags={"i": "a@evil.example"}),
        "another domain (i=)",
    ),
    "a version that is not 1": (lambda: forged_tags(mail(), tags={"v": "2"}), "not well-formed"),
    "a tag twice": (
        lambda: forged_tags(mail(), tags={"d": "clinic.example; d=clinic.example"}),
        "not well-formed",
    ),
    "another way to the key": (lambda: forged_tags(mail(), tags={"q": "http"}), "not in DNS"),
    "another canonical form": (lambda: forged_tags(mail(), tags={"c": "nofws"}), "canonical form"),
    "a hundred and eight fields": (
        lambda: forged_tags(mail(), tags={"h": ":".join([*SIGNED, *["x"] * 100])}),
        "list of fields",
    ),
    "a signature of 9 kB": (lambda: forged_tags(mail(), tags={"zz": "x" * 9_000}), "not well-formed"),
    "a fourth signature": (lambda: broken(signed(mail())) * 3 + signed(mail()), "the body was changed"),
    "a line that is no field": (
        lambda: after(signed(mail()), b"From:", b"no field here\r\nFrom:"),
        "550 5.6.0",
    ),
    "an mbox line on top": (
        lambda: b"From anna Mon Jan  1\r\n" + signed(mail()),
        "a line in its header is no field",
    ),
    "nothing signed and nothing of it": (
        lambda: (
            b"DKIM-Signature: v=1; a=rsa-sha256; d=clinic.example; s=mail; h=from:to:subject:content-type:date; "
            b"bh=; b=\r\n" + mail()
        ),
        "the body was changed",
    ),
    "the attachment of a big mail changed": (
        lambda: after(signed(with_attachment(300_000)), b"AAAAA", b"AAAAB"),
        "the body was changed",
    ),
}


def signed_at_date(at: float) -> bytes:
    """A mail of that Date, whose signature says no time."""
    return forged_tags(mail(at=at), tags={"t": None})


@pytest.mark.threat(11, "honest signatures refused", of="forms")
@pytest.mark.parametrize("name", HONEST)
async def test_an_honest_signature_is_a_proof(name: str, start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(CLINIC))
    said = await answer(server, HONEST[name]())
    assert said.startswith("250 2.0.0 "), said
    [line] = await server.lines()
    assert line.sender in ("anna@clinic.example", "a@ward.clinic.example")


@pytest.mark.threat(11, "taken for a proof", of="signatures that prove nothing")
@pytest.mark.parametrize("name", FORGED)
async def test_what_only_looks_like_a_signature_proves_nothing(
    name: str, start: Starter, names: NameServer
) -> None:
    server = await started(start, names, policy_of(CLINIC))
    make, why = FORGED[name]
    said = await answer(server, make())
    assert said.startswith("5"), said
    assert why in said
    assert await server.sms() == ()


RECORDS = {
    "withdrawn": ("v=DKIM1; k=rsa; p=", "withdrawn"),
    "for tests": (KEYS["rsa"].record + "; t=y", "for tests"),
    "for another service": (KEYS["rsa"].record + "; s=tlsrpt", "not for mail"),
    "for SHA-1": (KEYS["rsa"].record + "; h=sha1", "another algorithm"),
    "of another kind": (KEYS["ed25519"].record, "another algorithm"),
    "no base64": ("v=DKIM1; k=rsa; p=!!!!", "cannot be read"),
    "no key": ("v=DKIM1; k=rsa; p=AAAA", "cannot be read"),
    "of another version": (KEYS["rsa"].record.replace("DKIM1", "DKIM2"), "not in DNS"),
}


@pytest.mark.threat(11, "taken for a proof", of="signatures that prove nothing")
@pytest.mark.parametrize("name", RECORDS)
async def test_a_key_that_does_not_count_proves_nothing(name: str, start: Starter, names: NameServer) -> None:
    record, why = RECORDS[name]
    names.txt("mail._domainkey.clinic.example", record)
    server = await started(start, names, policy_of(CLINIC))
    said = await answer(server, signed(mail()))
    assert said.startswith("550 5.7.1 anna@clinic.example is not proven: "), said
    assert why in said


async def test_a_key_for_its_own_name_alone_does_not_speak_for_names_below(
    start: Starter, names: NameServer
) -> None:
    names.txt("mail._domainkey.clinic.example", KEYS["rsa"].record + "; t=s")
    server = await started(start, names, policy_of(CLINIC))
    assert (await answer(server, signed(mail()))).startswith("250 ")
    below = forged_tags(mail(), tags={"i": "jo@ward.clinic.example"})
    assert "domains below its own" in await answer(server, below)


async def test_a_key_beside_other_texts_is_found_and_two_keys_are_none(
    start: Starter, names: NameServer
) -> None:
    server = await started(start, names, policy_of(CLINIC))
    names.txt("mail._domainkey.clinic.example", "v=spf1 -all", KEYS["rsa"].record, "hello")
    assert (await answer(server, signed(mail()))).startswith("250 ")
    again = await started(start, names, policy_of(CLINIC))
    names.txt("mail._domainkey.clinic.example", KEYS["other"].record, KEYS["rsa"].record)
    assert "several keys" in await answer(again, signed(mail()))


@pytest.mark.parametrize(
    ("where", "record", "sender", "taken"),
    [
        ("_dmarc.clinic.example", "v=DMARC1; p=none", "a@ward.clinic.example", True),
        ("_dmarc.clinic.example", "v=DMARC1; p=reject; adkim=r", "a@ward.clinic.example", True),
        ("_dmarc.clinic.example", "v=DMARC1; p=none; adkim=s", "a@ward.clinic.example", False),
        ("_dmarc.clinic.example", "v=DMARC1; p=none; adkim=s", "a@clinic.example", True),
        ("_dmarc.ward.clinic.example", "v=DMARC1;p=none;adkim=s;", "a@ward.clinic.example", False),
        ("_dmarc.ward.clinic.example", "v=DMARC1; p=none", "a@ward.clinic.example", True),
        ("_dmarc.clinic.example", "v=DMARC1; adkim=x", "a@ward.clinic.example", True),
        ("_dmarc.clinic.example", "adkim=s; v=DMARC1; p=none", "a@ward.clinic.example", True),
    ],
)  # fmt: skip
async def test_the_alignment_that_the_domain_asks_for_is_honoured(
    where: str, record: str, sender: str, taken: bool, start: Starter, names: NameServer
) -> None:
    names.txt(where, record)
    server = await started(start, names, policy_of(CLINIC))
    said = await answer(server, signed(mail(sender=sender)))
    assert said.startswith("250 ") is taken, said
    assert taken or "(adkim=s)" in said


async def test_the_record_of_the_very_name_goes_before_that_of_its_organisation(
    start: Starter, names: NameServer
) -> None:
    names.txt("_dmarc.clinic.example", "v=DMARC1; p=none; adkim=s")
    names.txt("_dmarc.ward.clinic.example", "v=DMARC1; p=none")
    server = await started(start, names, policy_of(CLINIC))
    assert (await answer(server, signed(mail(sender="a@ward.clinic.example")))).startswith("250 ")


async def test_several_records_are_none(start: Starter, names: NameServer) -> None:
    names.txt("_dmarc.ward.clinic.example", "v=DMARC1; p=none; adkim=s", "v=DMARC1; p=reject; adkim=s")
    names.txt("_dmarc.clinic.example", "v=DMARC1; p=none; adkim=s")
    server = await started(start, names, policy_of(CLINIC))
    assert (await answer(server, signed(mail(sender="a@ward.clinic.example")))).startswith("250 ")


# Replay: whoever has seen a signed mail can hand it in again, to anybody.


@pytest.mark.threat(11, "replayed to numbers not addressed", of="ways")
@pytest.mark.parametrize(
    ("to", "recipients", "queued"),
    [
        ("0421000001@sms.local", ("0421000003@sms.local",), []),
        ("0421000001@sms.local", ("0421000001@sms.local", "0421000003@sms.local"), ["+61421000001"]),
        ("0421000001@else.example", ("0421000001@sms.local",), []),
        ('"0421000001@sms.local" <x@else.example>', ("0421000001@sms.local",), []),
        ("oncall@sms.local", ("oncall@sms.local",), ["+61421000001", "+61421000002"]),
        ("oncall@sms.local", ("0421000002@sms.local",), ["+61421000002"]),
        ("0421000001@sms.local", ("oncall@sms.local",), ["+61421000001"]),
        ("bob@clinic.example", ("oncall@sms.local",), []),
    ],
)
async def test_a_signed_mail_goes_only_where_it_was_addressed(
    to: str, recipients: tuple[str, ...], queued: list[str], start: Starter, names: NameServer
) -> None:
    server = await started(start, names, policy_of(CLINIC))
    said = await answer(server, signed(mail(to=to)), *recipients)
    assert said.startswith("250 " if queued else "550 5.7.1 "), said
    if not queued:
        assert "its sender signed no To or Cc that names this number" in said
    lines = await server.sms()
    assert sorted(sms.number for sms in lines if sms.state == "queued") == queued


@pytest.mark.threat(11, "paid for twice by replay", of="replays")
@pytest.mark.parametrize("covered", [True, False], ids=["Message-ID signed", "Message-ID not signed"])
async def test_a_mail_handed_in_again_is_not_paid_for_again(
    covered: bool, start: Starter, names: NameServer
) -> None:
    server = await started(start, names, policy_of(CLINIC))
    once = mail(message_id="<one@clinic.example>")
    raw = signed(once, names=SIGNED if covered else without("message-id"))
    assert "1 SMS queued" in await answer(server, raw)
    again = raw if covered else after(raw, b"<one@clinic.example>", b"<two@evil.example>")
    assert "already taken, not sent again" in await answer(server, again)
    if not covered:
        nameless = after(raw, b"Message-ID: <one@clinic.example>\r\n", b"")
        assert "already taken, not sent again" in await answer(server, nameless)
    assert len(await server.sms()) == 1


@pytest.mark.threat(11, "paid for twice by replay", of="replays")
async def test_a_mail_that_loses_one_of_its_signatures_is_not_paid_for_again(
    start: Starter, names: NameServer
) -> None:
    server = await started(start, names, policy_of(CLINIC))
    nameless = without("message-id")
    inner = forged_tags(mail(), tags={"t": str(NOW - 50)}, names=nameless)
    assert "1 SMS queued" in await answer(server, forged_tags(inner, tags={"t": str(NOW)}, names=nameless))
    assert "already taken, not sent again" in await answer(server, inner)


def read_otherwise() -> list[bytes]:
    """One mail signed as Google does, under each Content-Type that its body does not gainsay."""
    flowed = "text/plain; charset=utf-8"
    text = as_google(mail(body="Hello \r\nfrom the \r\nclinic", kind=flowed))
    parts = as_google(quoting())
    alternative = b"multipart/alternative"
    return [
        text,
        after(text, flowed.encode(), b"text/plain; format=flowed; delsp=yes"),
        parts,
        after(parts, alternative, b"multipart/mixed"),
        after(parts, alternative, b"multipart/related"),
    ]


@pytest.mark.threat(11, "paid for twice by replay", of="replays")
async def test_a_mail_read_otherwise_is_not_paid_for_again(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(CLINIC))
    text, text_changed, parts, *parts_changed = read_otherwise()
    for raw in (text, parts):
        assert "1 SMS queued" in await answer(server, raw)
    for raw in (text_changed, *parts_changed):
        assert "already taken, not sent again" in await answer(server, raw)
    assert len(await server.sms()) == 2


@pytest.mark.threat(11, "paid for twice by replay", of="replays")
@pytest.mark.parametrize("message_id", [f"<{'a' * 600}@clinic.example>", "< >"], ids=["long", "empty"])
async def test_a_message_id_that_cannot_be_read_lets_nothing_come_again(
    message_id: str, start: Starter, names: NameServer
) -> None:
    server = await started(start, names, policy_of(CLINIC))
    raw = signed(mail(message_id=message_id))

    def hand_in_and_hear() -> str:
        with From(STRANGER, server.port) as client:
            client.answer()
            for command in ("EHLO x", "MAIL FROM:<a@clinic.example>", "RCPT TO:<0421000001@sms.local>"):
                client.say(command)
            said = client.mail(raw)
            client.say("RSET")  # shows that the 250 arrived: what comes then would be meant
            return said

    assert "1 SMS queued" in await asyncio.to_thread(hand_in_and_hear)
    assert "already taken, not sent again" in await asyncio.to_thread(hand_in_and_hear)
    assert len(await server.sms()) == 1


# Trouble with DNS is never an answer for good.


@pytest.mark.threat(12, "not answered 451", of="DNS failures")
@pytest.mark.parametrize("trouble", ["silence", "servfail"])
@pytest.mark.parametrize("where", ["_dmarc.clinic.example", "mail._domainkey.clinic.example"])
async def test_dns_that_does_not_answer_lets_the_mail_come_again(
    where: str, trouble: str, start: Starter, names: NameServer
) -> None:
    names.zone.pop(where, None)
    names.trouble[where] = trouble  # type: ignore[assignment]
    server = await started(start, names, policy_of(CLINIC))
    said = await answer(server, signed(mail()))
    assert said.startswith("451 4.4.3 "), said
    assert await server.sms() == ()


async def test_a_big_mail_is_not_held_while_dns_is_asked(start: Starter, names: NameServer) -> None:
    names.zone.pop("_dmarc.clinic.example", None)
    names.trouble["_dmarc.clinic.example"] = "silence"
    server = await started(start, names, policy_of(CLINIC))
    text = ["--b", "Content-Type: text/plain", "", *["a line of a long text" + "." * 50] * 40_000]
    raw = signed(mail(body="\r\n".join([*text, *text, "--b--"]), kind="multipart/mixed; boundary=b"))
    tracemalloc.start()
    try:
        handing_in = asyncio.create_task(asyncio.to_thread(_without_copies, server.port, raw))
        await until(lambda: bool(names.asked))
        assert tracemalloc.get_traced_memory()[0] < len(raw) / 2
    finally:
        tracemalloc.stop()
    assert (await handing_in).startswith("451 4.4.3 ")


def _without_copies(port: int, raw: bytes) -> str:
    with From(STRANGER, port) as client:
        client.answer()
        for command in ("EHLO x", "MAIL FROM:<a@clinic.example>", "RCPT TO:<0421000001@sms.local>", "DATA"):
            client.say(command)
        client.send(raw)
        return client.say(".")


async def test_a_forged_mail_asks_no_name_server(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(CLINIC))
    await answer(server, mail())
    await answer(server, signed(mail(), domain="evil.example"))
    await answer(server, signed(mail(sender="eve@evil.example"), domain="evil.example"))
    assert names.asked == []


async def test_a_client_proven_otherwise_costs_no_look_up(start: Starter, names: NameServer) -> None:
    inside = replace(NETWORK_RULE, match=("*@clinic.example",))
    server = await started(start, names, policy_of(inside, CLINIC))
    assert (await answer(server, signed(mail()))).startswith("250 ")
    assert names.asked == []


async def test_the_first_rule_that_holds_is_looked_for_even_when_a_later_one_would_do(
    start: Starter, names: NameServer
) -> None:
    inside = replace(NETWORK_RULE, match=("*@clinic.example",))
    server = await started(start, names, policy_of(CLINIC, inside))
    assert (await answer(server, signed(mail()))).startswith("250 ")
    assert (await answer(server, mail())).startswith("250 ")
    stories = [await server.store.show(str(sms.id)) for sms in await server.sms()]
    assert [one.mail.proof for one in stories if one] == ["dmarc", "network"]
    again = await started(start, names, policy_of(CLINIC, inside))
    names.trouble["_dmarc.clinic.example"] = "servfail"
    names.zone.pop("_dmarc.clinic.example", None)
    assert (await answer(again, signed(mail()))).startswith("451 ")


async def test_answers_are_kept(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(CLINIC))
    for _ in range(3):
        assert (await answer(server, signed(mail()))).startswith("250 ")
    assert sorted(names.asked) == [
        ("_dmarc.clinic.example", "TXT"),
        ("mail._domainkey.clinic.example", "TXT"),
    ]


async def test_a_stranger_may_not_hand_in_odd_line_ends(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(CLINIC))
    said = await answer(server, signed(mail()).replace(b"Hello", b"Hel\nlo"))
    assert said.startswith("521 5.5.2 ")


async def test_no_null_sender_without_network_or_login(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(CLINIC))
    said = await answer(server, signed(mail()), sender="")
    assert said.startswith("550 5.7.1 mail without an envelope sender")
    assert names.asked == []


async def test_an_automatic_reply_is_refused_before_anything_is_looked_up(
    start: Starter, names: NameServer
) -> None:
    server = await started(start, names, policy_of(CLINIC))
    said = await answer(server, signed(mail("Auto-Submitted: auto-replied")))
    assert said.startswith("550 5.7.1 this is an automatic reply")
    assert names.asked == []


@pytest.mark.threat(24, "told to a stranger", of="names tried")
async def test_a_stranger_learns_no_alias_before_a_proof(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(CLINIC))
    tried = ["oncall", "nobody", "ONCALL", '"oncall"', "bob.smith", "x"]
    said = {await answer(server, mail(), f"{name}@sms.local") for name in tried}
    found(len(said) - 1, of=len(tried))
    assert len(said) == 1, said


async def test_a_proven_sender_is_told_of_a_name_that_is_none(start: Starter, names: NameServer) -> None:
    server = await started(start, names, policy_of(CLINIC))
    said = await answer(server, signed(mail(to="oncal@sms.local")), "oncal@sms.local")
    assert said.startswith("550 5.1.1 oncal is no phone number or alias here"), said


async def test_a_number_that_no_rule_allows_is_refused_to_a_stranger_at_rcpt(
    start: Starter, names: NameServer
) -> None:
    server = await started(start, names, policy_of(CLINIC))
    assert "not in a number range" in await answer(server, mail(), "+33612345678@sms.local")


async def test_without_a_rule_of_such_proofs_a_stranger_is_refused_at_rcpt(
    start: Starter, names: NameServer
) -> None:
    server = await started(start, names, policy_of(proven_by("auth")))
    assert "no sender rule fits 127.0.0.9" in await answer(server, mail())
    assert DOMAIN
