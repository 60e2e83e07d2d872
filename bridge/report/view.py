"""What a mail of ours says, as one frozen value that templates only lay out. Step "report mail".

Pure: `view` takes the outbox row, the mail it answers, its SMS and the brand, and returns a `View`. It knows
no templates, no HTML and no SMTP; everything in a `View` is plain text, safe to show once escaped.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bridge import phone
from bridge.report import alarms, asked, plain, sentences
from bridge.report.sentences import Outcome, Tone
from bridge.report.units import LocalTime, price, when
from bridge.report.values import MailKind, OutboxMail, StoredMail
from bridge.rules import Brand
from bridge.sms import Sms, State

MAX_ROWS: Final = 120  # rows of a summary, some 75 kB of HTML; the rest is counted
MAX_QUOTE: Final = 600  # characters of our own SMS under a reply

_ORDER: Final = {Tone.BAD: 0, Tone.WAIT: 1, Tone.GOOD: 2, Tone.NEWS: 3}  # what needs a person comes first
_E164: Final = re.compile(r"\+[0-9]{5,15}", re.ASCII)
_RE: Final = re.compile(r"^(?:\s*(?:re|aw|sv|antw)\s*(?:\[\d+\])?:)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Detail:
    """One line of small print: ``label`` is ours, ``value`` may be anybody's text."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Row:
    """One number of several: in a summary, or refused together."""

    number: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class View:
    """Everything the templates of one mail need.

    ``number`` is written for people, ``e164`` for machines; both are empty in summaries and alarms.
    ``text`` is the SMS (or the answer from the phone), ``quoted`` the SMS of ours that a phone answered.
    ``note`` is a remark the reader should know, ``hint`` says what answering this mail does. ``more`` counts
    the rows that are not shown. ``subject`` is that of the mail that was sent to us, without its ``Re:``.
    """

    kind: MailKind
    tone: Tone
    icon: str
    word: str
    heading: str
    sentence: str
    advice: str
    number: str
    e164: str
    subject: str
    text: str
    quoted: str
    at: str
    quoted_at: str
    details: tuple[Detail, ...]
    rows: tuple[Row, ...]
    more: int
    correction: bool
    test: bool
    note: str
    hint: str
    brand: str
    footer: str


def view(
    mail: OutboxMail, source: StoredMail | None, sms: Sequence[Sms], brand: Brand, local: LocalTime
) -> View:
    """What ``mail`` says. ``sms`` is the one it is about, or all of its group; none for an alarm.

    Raises ValueError when the row lacks what its kind needs.
    """
    facts = dict(mail.facts)
    make = _MAKERS[mail.kind]
    sms = asked.tellable(sms, source) if len(sms) > 1 else sms
    return replace(
        make(mail, facts, source, sms, local),
        subject=_bare_subject(source),
        brand=plain.one_line(brand.name, 80),
        footer=plain.several_lines(brand.footer, 600),
        test=any(one.mode == "test" for one in sms),
    )


def shortened(view: View) -> View:
    """The same news in about half the room, for a mail that grew too big."""
    rows = view.rows[: len(view.rows) // 2]
    return replace(
        view,
        text=plain.several_lines(view.text, max(len(view.text) // 2, 160)),
        quoted=plain.several_lines(view.quoted, max(len(view.quoted) // 2, 160)),
        rows=rows,
        more=view.more + len(view.rows) - len(rows),
    )


def _blank(mail: OutboxMail, tone: Tone, at: int, local: LocalTime) -> View:
    return View(
        kind=mail.kind,
        tone=tone,
        icon=sentences.ICONS[tone],
        word="",
        heading="",
        sentence="",
        advice="",
        number="",
        e164="",
        subject="",
        text="",
        quoted="",
        at=when(at, local),
        quoted_at="",
        details=(),
        rows=(),
        more=0,
        correction=mail.correction,
        test=False,
        note="",
        hint="",
        brand="",
        footer="",
    )


# --- failed, delivered: about one SMS (or several numbers refused together) -------------------------------


def _about_sms(
    mail: OutboxMail,
    facts: Mapping[str, str],
    source: StoredMail | None,
    sms: Sequence[Sms],
    local: LocalTime,
) -> View:
    if not sms:
        raise ValueError(f"a {mail.kind} mail without an SMS")
    if len(sms) > 1:
        return _refused(mail, source, sms, local)
    (one,) = sms
    told = _outcome(one, facts)
    number = phone.display(one.number)
    sentence = told.sentence
    if mail.correction:
        sentence = f"{_CORRECTION[mail.kind]} {sentence}"
    return replace(
        _blank(mail, told.tone, one.created_at, local),
        word=told.word,
        icon=told.icon,
        heading=f"{_HEADING.get(told.word, told.word)} {_unbroken(number)}",
        sentence=sentence,
        advice=told.advice,
        number=number,
        e164=one.number,
        text=plain.several_lines(one.text),
        details=_details(one, source),
        hint=""
        if told.word == "Not sent" and one.state is State.REFUSED
        else _hint("send another SMS to", number),
    )


_CORRECTION: Final = {
    MailKind.FAILED: "This corrects our earlier mail, which said something else.",
    MailKind.DELIVERED: "Good news, and a correction of our earlier mail.",
}
_HEADING: Final = {
    "Delivered": "Delivered to",
    "Not delivered": "Not delivered to",
    "Not sent": "Not sent to",
    "Cancelled": "Cancelled: your SMS to",
    "On hold": "On hold: your SMS to",
    "Cannot tell yet": "Not sure yet: your SMS to",
    "Not confirmed": "Not confirmed: your SMS to",
    "Sent to the network": "On its way to",
    "Waiting": "Waiting: your SMS to",
    "Sending": "Sending to",
    "Sent": "Sent to",
}


def _outcome(sms: Sms, facts: Mapping[str, str]) -> Outcome:
    """As it was when the mail was decided on: the SMS may have moved on until the mail is made."""
    named = facts.get("state", sms.state)
    state = State(named) if named in frozenset(State) else sms.state
    return sentences.outcome(sms, state, facts.get("result", sms.result))


def _text(sms: Sms) -> str:
    """The text of an SMS; of one that is kept no longer there is still news."""
    return plain.several_lines(sms.text) if sms.text else "(This text is not kept any more.)"


def _details(sms: Sms, source: StoredMail | None) -> tuple[Detail, ...]:
    characters = f"{len(sms.text):,} characters, " if sms.text else ""
    parts = [Detail("Length", characters + _count(sms.segments, "segment"))]
    if sms.price is not None:
        parts.append(Detail("Price", price(sms.price)))
    if source and source.cut:
        parts.append(Detail("Left out", plain.one_line(", ".join(source.cut))))
    if sms.joined:
        parts.append(Detail("Stands for", f"{_count(sms.joined, 'mail')} with the same text"))
    if sms.resubmit_of:
        parts.append(Detail("Sent again for", sms.resubmit_of))
    parts.append(Detail("Message ID", sms.message_id))
    return tuple(parts)


def _refused(mail: OutboxMail, source: StoredMail | None, sms: Sequence[Sms], local: LocalTime) -> View:
    """Several numbers of one mail that may not be sent to, told in one mail."""
    refused = [one for one in sms if one.state is State.REFUSED] or list(sms)
    if len(refused) == 1:
        return _about_sms(mail, {}, source, refused, local)
    others = len(sms) - len(refused)
    rest = f"The other {_count(others, 'number')} of your mail {'is' if others == 1 else 'are'} not affected."
    return replace(
        _blank(mail, Tone.BAD, refused[0].created_at, local),
        word="Not sent",
        heading=f"Not sent to {len(refused)} numbers",
        sentence="We may not send to these numbers." + (f" {rest}" if others else ""),
        advice="Nothing was sent to them and nothing was charged. If you think a number should be allowed, "
        "please ask your administrator.",
        text=_text(refused[0]),
        rows=_rows(refused)[:MAX_ROWS],
        more=max(0, len(refused) - MAX_ROWS),
    )


# --- summary ----------------------------------------------------------------------------------------------


def _summary(
    mail: OutboxMail,
    facts: Mapping[str, str],
    source: StoredMail | None,
    sms: Sequence[Sms],
    local: LocalTime,
) -> View:
    if not sms:
        raise ValueError("a summary of no SMS")
    outcomes = [sentences.outcome(one, one.state, one.result) for one in sms]
    count = {tone: sum(1 for told in outcomes if told.tone is tone) for tone in Tone}
    tone = Tone.BAD if count[Tone.BAD] else Tone.WAIT if count[Tone.WAIT] else Tone.GOOD
    known = sum(one.price or 0 for one in sms)
    segments = sum(one.segments for one in sms if one.state is not State.REFUSED)
    details = [Detail("In all", f"{len(sms)} SMS, {_count(segments, 'segment')}")]
    if known:
        details.append(
            Detail("Price so far" if any(_may_cost_yet(one) for one in sms) else "Price", price(known))
        )
    if source and source.cut:
        details.append(Detail("Left out", plain.one_line(", ".join(source.cut))))
    return replace(
        _blank(mail, tone, sms[0].created_at, local),
        word=_SUMMARY_WORD[tone],
        heading=f"{count[Tone.GOOD]} of {len(sms)} delivered",
        sentence=_summary_sentence(count, len(sms)),
        advice="Please check the numbers that did not work, or reach these people in another way."
        if count[Tone.BAD]
        else "",
        text=_text(sms[0]),
        details=tuple(details),
        rows=_rows(sms)[:MAX_ROWS],
        more=max(0, len(sms) - MAX_ROWS),
    )


_SUMMARY_WORD: Final = {Tone.GOOD: "All delivered", Tone.BAD: "Some failed", Tone.WAIT: "Some still open"}


def _may_cost_yet(sms: Sms) -> bool:
    return sms.price is None and sms.state not in (State.REFUSED, State.EXPIRED, State.CANCELLED)


def _summary_sentence(count: Mapping[Tone, int], total: int) -> str:
    if count[Tone.GOOD] == total:
        return "Your SMS has reached everyone."
    parts = []
    if count[Tone.BAD]:
        parts.append(f"{_count(count[Tone.BAD], 'number')} did not work")
    if count[Tone.WAIT]:
        parts.append(
            f"{_count(count[Tone.WAIT], 'number')} {'is' if count[Tone.WAIT] == 1 else 'are'} still open"
        )
    ending = " We write again if an open one fails." if count[Tone.WAIT] else ""
    return f"{' and '.join(parts)}.{ending}"


def _rows(sms: Sequence[Sms]) -> tuple[Row, ...]:
    rows = [Row(phone.display(one.number), sentences.outcome(one, one.state, one.result)) for one in sms]
    return tuple(sorted(rows, key=lambda row: _ORDER[row.outcome.tone]))


# --- reply, inbound ---------------------------------------------------------------------------------------


def _from_phone(
    mail: OutboxMail,
    facts: Mapping[str, str],
    source: StoredMail | None,
    sms: Sequence[Sms],
    local: LocalTime,
) -> View:
    ours = sms[0] if sms else None
    said = plain.one_line(facts.get("phone") or (ours.number if ours else ""), 40)
    number = phone.display(said) or "an unknown number"
    e164 = said if _E164.fullmatch(said) else ""  # a name, or a short code: no mail can be answered to it
    answered = mail.kind is MailKind.REPLY
    told = replace(
        _blank(mail, Tone.NEWS, _at(facts, mail.created_at), local),
        word="Reply" if answered else "New SMS",
        heading=f"{'Reply' if answered else 'SMS'} from {_unbroken(number)}",
        sentence="" if answered else "It does not answer an SMS of yours that we know of.",
        number=number,
        e164=e164,
        text=plain.several_lines(facts.get("text", "")),
        note=plain.one_line(facts.get("note", "")),
        hint=_hint("send an SMS back to", number) if e164 and facts.get("said") != "stop" else "",
    )
    if ours is None:
        return told
    return replace(
        told, quoted=plain.several_lines(ours.text, MAX_QUOTE), quoted_at=when(ours.created_at, local)
    )


def _at(facts: Mapping[str, str], otherwise: int) -> int:
    """The vendor's time of a reply when it is sane, else the time of our row."""
    said = facts.get("at", "")
    at = int(said) if said.isascii() and said.isdigit() and len(said) < 15 else 0
    return at if 0 < at <= otherwise + 86_400_000 else otherwise


# --- alarm ------------------------------------------------------------------------------------------------


def _alarm(
    mail: OutboxMail,
    facts: Mapping[str, str],
    source: StoredMail | None,
    sms: Sequence[Sms],
    local: LocalTime,
) -> View:
    words = alarms.words(facts)
    return replace(
        _blank(mail, Tone.BAD, mail.created_at, local),
        icon="!",
        word="Alarm",
        heading=words.heading,
        sentence=words.sentence,
        advice=words.advice,
        details=tuple(Detail(label, value) for label, value in words.details),
    )


_Maker = Callable[[OutboxMail, Mapping[str, str], StoredMail | None, Sequence[Sms], LocalTime], View]
_MAKERS: Final[Mapping[MailKind, _Maker]] = {
    MailKind.FAILED: _about_sms,
    MailKind.DELIVERED: _about_sms,
    MailKind.SUMMARY: _summary,
    MailKind.REPLY: _from_phone,
    MailKind.INBOUND: _from_phone,
    MailKind.ALARM: _alarm,
}


def _bare_subject(source: StoredMail | None) -> str:
    return _RE.sub("", plain.one_line(source.subject, 200)).strip() if source else ""


def _hint(what: str, number: str) -> str:
    return f"Answer this mail to {what} {number}."


def _unbroken(number: str) -> str:
    return number.replace(" ", "\u00a0")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
