"""From fields as they really come: every honest shape is read, no trick makes a sender of somebody else.

Honest ones must all pass; of the others none may be read as an address at ``clinic.example``, which stands for the one
on the list.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.errors import MailError
from bridge.message import read

JO = "jo@clinic.example"

HONEST = {
    "bare": JO,
    "in angles": f"<{JO}>",
    "name": f"Jo Smith <{JO}>",
    "no blank before the angle": f"Jo Smith<{JO}>",
    "capitals": "JO@CLINIC.EXAMPLE",
    "Outlook": f'"Smith, Jo (Ward 3)" <{JO}>',
    "Outlook without quotes": f"Smith, Jo (Ward 3) <{JO}>",
    "Outlook, name is the address": f"{JO} <{JO}>",
    "Outlook, the address in single quotes": f"'{JO}' <{JO}>",
    "Exchange, a directory name": f"/O=CLINIC/OU=FIRST/CN=JO <{JO}>",
    "Exchange, delegate": f"Jo Smith on behalf of Ward <{JO}>",
    "Gmail, encoded": f"=?UTF-8?Q?J=C3=B6rg_M=C3=BCller?= <{JO}>",
    "Gmail, two encoded words": f"=?UTF-8?B?SsO2cmcg?= =?UTF-8?B?TcO8bGxlcg==?= <{JO}>",
    "encoded within quotes": f'"=?utf-8?B?SsO2cmc=?=" <{JO}>',
    "Apple Mail, Japanese": f"=?iso-2022-jp?B?GyRCOzNFRBsoQg==?= <{JO}>",
    "Chinese": f"=?gb2312?B?zfXQocP3?= <{JO}>",
    "SMTPUTF8, name as it is": f"Jörg Müller <{JO}>",
    "SMTPUTF8, in quotes": f'"Müller, Jörg" <{JO}>',
    "SMTPUTF8, Chinese": f"王小明 <{JO}>",
    "a dash beyond ASCII": f"Jo Smith – Ward <{JO}>",
    "list with via": f'"Jo via Ward list" <{JO}>',
    "list, Mailman": f"Jo via Ward <{JO}>",
    "list, Google Groups": f"'Jo Smith' via Ward <{JO}>",
    "Google Docs": f'"bob@else.example (via Google Docs)" <{JO}>',
    "long name": f"{'Department of very long names ' * 20}<{JO}>",
    "quotes within quotes": f'"J. \\"Jo\\" Smith" <{JO}>',
    "titles and commas": f"J. R. Smith, M.D. <{JO}>",
    "signs in the name": f"Jo & Bob / Ward | 3 *NEW* <{JO}>",
    "brackets": f"[Ward 3] Alarms <{JO}>",
    "a colon": f"Clinic: Ward <{JO}>",
    "cron": f"{JO} (Cron Daemon)",
    "cron, newer": f'"root (Cron Daemon)" <{JO}>',
    "comment in front": f"(Cron Daemon) <{JO}>",
    "comment within comment": f"{JO} (Nagios \\(core\\) (x))",
    "comment behind the angle": f"Jo <{JO}> (Ward)",
    "folded": f"Jo Smith of the\r\n ward <{JO}>",
    "folded with a tab": f"=?utf-8?Q?Jo?=\r\n\t<{JO}>",
    "an empty name": f'"" <{JO}>',
    "two quoted names": f'"Jo" "Smith" <{JO}>',
    "a comma behind": f"{JO},",
    "quotes around the local part": 'Jo <"jo"@clinic.example>',
}

OTHER_SHAPES = {
    "jo+ward=3@clinic.example": "jo+ward=3@clinic.example",
    "o'neill@clinic.example": "o'neill@clinic.example",
    "SRS0=ab=12=clinic.example=jo@relay.example": "SRS0=ab=12=clinic.example=jo@relay.example",
    "a..b.@docomo.example": "a..b.@docomo.example",
    "root@localhost": "root@localhost",
    "ups@[10.0.0.5]": "ups@[10.0.0.5]",
    "Jo <jo@bücher.example>": "jo@xn--bcher-kva.example",
    "jo@xn--bcher-kva.example": "jo@xn--bcher-kva.example",
    "jo@例え.テスト": "jo@xn--r8jz45g.xn--zckzah",
}

# Each must be refused, or read as an address that is not at clinic.example.
TRICKS = {
    "display name": f"{JO} <eve@evil.example>",
    "display name in quotes": f'"{JO}" <eve@evil.example>',
    "display name encoded": "=?utf-8?q?jo=40clinic=2Eexample?= <eve@evil.example>",
    "encoded word alone": "=?utf-8?q?jo=40clinic=2Eexample?=",
    "encoded angles": "=?utf-8?q?=3Cjo=40clinic=2Eexample=3E?= <eve@evil.example>",
    "encoded address in angles": "<=?utf-8?q?jo=40clinic=2Eexample?=>",
    "two addresses": f"{JO}, eve@evil.example",
    "two addresses, ours last": f"eve@evil.example, {JO}",
    "two angles": f"<{JO}> <eve@evil.example>",
    "two angles, ours last": f"<eve@evil.example> <{JO}>",
    "words behind the angle": f"<{JO}> eve@evil.example",
    "group": f"friends: {JO}, eve@evil.example;",
    "group of one": f"friends: {JO};",
    "route": "<@clinic.example:eve@evil.example>",
    "route to ours": f"<@evil.example:{JO}>",
    "two at signs": f"{JO}@evil.example",
    "two at signs, ours last": "eve@evil.example@clinic.example",
    "quoted address as local part": f'"{JO}"@evil.example',
    "quoted address as local part in angles": f'<"{JO}"@evil.example>',
    "quoted local part hiding an angle": '"jo@clinic.example> <eve"@evil.example',
    "comment between": "jo@clinic.example(x)@evil.example",
    "comment that hides the rest": "jo(@clinic.example)@evil.example",
    "comment that does not close": f"{JO} (eve@evil.example",
    "escape in a comment": f"({JO} \\) <eve@evil.example>",
    "quote that does not close": f'"{JO} <eve@evil.example>',
    "subdomain of evil": "jo@clinic.example.evil.example",
    "domain that only ends alike": "jo@evilclinic.example",
    "literal": "jo@[clinic.example]",
    "percent": "jo%clinic.example@evil.example",
    "bang": "clinic.example!jo@evil.example",
    "NUL behind": f"{JO}\0@evil.example",
    "NUL at the end": f"{JO}\0",
    "DEL": f"{JO}\x7f",
    "Cyrillic letter": "jo@сlinic.example",
    "Cyrillic letter in angles": "Jo <jo@clіnic.example>",
    "its A-label": "jo@xn--linic-2sf.example",
    "mixed scripts": "jo@clιnic.example",
    "wide letters": "jo@ｃlinic.example",
    "another dot": "jo@clinic。example",
    "Kelvin sign": "jo@clinic.eXample".replace("X", "\u212a"),
    "long s": "jo@clinicſ.example",
    "zero width": "jo@clinic\u200b.example",
    "soft hyphen": "jo@cli\u00adnic.example",
    "direction mark": "jo@clinic.example\u202e",
    "raw 8-bit": "jo@clinic\xff.example",
    "dotless i": "jo@clınıc.example",
    "empty": "",
    "null": "<>",
    "angle in angle": f"<<{JO}>@evil.example>",
    "blank in it": "jo@clinic .example",
}


def sender_of(field: str, encoding: str = "utf-8") -> str | None:
    return read(f"From: {field}\r\n\r\nx".encode(encoding)).from_address


@pytest.mark.threat(10, "real mails wrongly refused", of="shapes of From")
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_from_is_read(name: str) -> None:
    assert (sender_of(HONEST[name]) or "").lower() == JO


@pytest.mark.threat(10, "real mails wrongly refused", of="shapes of From")
@pytest.mark.parametrize("field", OTHER_SHAPES)
def test_odd_but_honest_addresses_are_read(field: str) -> None:
    assert sender_of(field) == OTHER_SHAPES[field]


@pytest.mark.threat(10, "forgeries read as the one on the list", of="forms")
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("name", TRICKS)
def test_no_trick_is_read_as_an_address_on_the_list(name: str, encoding: str) -> None:
    if encoding == "latin-1" and not all(ord(sign) < 256 for sign in TRICKS[name]):
        return
    try:
        sender = sender_of(TRICKS[name], encoding)
    except MailError:
        return
    assert sender is not None
    assert sender.rpartition("@")[2] != "clinic.example"


FIELDS = {
    "two From": f"From: {JO}\r\nFrom: eve@evil.example",
    "two From, the other first": f"From: eve@evil.example\r\nFrom: {JO}",
    "blank before the colon": f"From : {JO}",
    "a second one with a blank before its colon": f"From: eve@evil.example\r\nFrom : {JO}",
    "a tab before the colon": f"From\t: {JO}",
    "behind a line that is no field": f"X: y\r\nno field\r\nFrom: {JO}",
    "folded behind another field": f"X: y\r\n From: {JO}",
    "other letters": f"Frоm: {JO}",
    "with a NUL in its name": f"Fr\0om: {JO}",
    "Sender alone": f"Sender: {JO}",
    "Resent-From alone": f"Resent-From: {JO}",
    "Reply-To": f"From: eve@evil.example\r\nReply-To: {JO}",
    "Sender": f"From: eve@evil.example\r\nSender: {JO}",
    "in the body": f"From: eve@evil.example\r\n\r\nFrom: {JO}",
}


@pytest.mark.threat(10, "forgeries read as the one on the list", of="forms")
@pytest.mark.parametrize("name", FIELDS)
def test_no_field_but_one_plain_from_is_the_sender(name: str) -> None:
    try:
        sender = read(f"Subject: x\r\n{FIELDS[name]}\r\n\r\nx".encode()).from_address
    except MailError:
        return
    assert sender != JO


@given(st.text(max_size=12))
@example("\u212a")
def test_only_the_very_domain_is_that_domain(between: str) -> None:
    """Whatever stands within a domain, it is another domain, or none."""
    if between in ("", "."):
        return
    try:
        sender = sender_of(f"jo@clin{between}ic.example")
    except (MailError, UnicodeEncodeError):
        return
    assert sender is None or sender.rpartition("@")[2] != "clinic.example"
