"""Every mail of `tests/mails` makes the text that stands beside it. A case is an .eml and a .json.

The .json holds `from`, `subject`, and `text, encoding, segments, cut`, or `empty`, or `too_long`; or it
holds only `refused`, a piece of the error. `rule` and `limit` change what the text is made with; `mail` names
further fields of the mail and their values.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import MailError
from bridge.message import InboundMail, read
from bridge.rules import TextRule
from bridge.sms_text import Empty, SmsText, TooLong, make

MAILS = Path(__file__).parent.parent / "mails"
CASES = sorted(path.stem for path in MAILS.glob("*.eml"))
LIMIT = 3  # parts of an SMS, unless the case says otherwise


def made_of(mail: InboundMail, wanted: dict[str, Any]) -> SmsText | TooLong | Empty:
    return make(
        plain=mail.plain,
        html=mail.html,
        subject=mail.subject,
        rule=TextRule(**wanted.get("rule", {})),
        segments_limit=wanted.get("limit", LIMIT),
        sender=mail.from_address or "",
        truncated=mail.truncated,
    )


def as_written(made: SmsText | TooLong | Empty) -> dict[str, Any]:
    if isinstance(made, SmsText):
        return {
            "text": made.text,
            "encoding": made.encoding,
            "segments": made.segments,
            "cut": list(made.cut),
        }
    if isinstance(made, TooLong):
        return {"too_long": {"segments": made.segments, "limit": made.limit, "encoding": made.encoding}}
    return {"empty": True}


@pytest.mark.parametrize("case", CASES)
def test_a_mail_makes_the_text_that_a_user_would_want(case: str) -> None:
    raw = (MAILS / f"{case}.eml").read_bytes()
    wanted = json.loads((MAILS / f"{case}.json").read_text("utf-8"))
    if "refused" in wanted:
        with pytest.raises(MailError, match=re.escape(wanted["refused"])):
            read(raw)
        return
    mail = read(raw)
    got = {"from": mail.from_address, "subject": mail.subject, **as_written(made_of(mail, wanted))}
    aside = ("rule", "limit", "mail")
    assert got == {key: value for key, value in wanted.items() if key not in aside}
    for name, value in wanted.get("mail", {}).items():
        assert plain_value(getattr(mail, name)) == value


def plain_value(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def test_every_mail_has_its_expectation_and_every_expectation_its_mail() -> None:
    assert sorted(path.stem for path in MAILS.glob("*.json")) == CASES
    assert len(CASES) >= 80
