"""The body a reader would call "what was written": plain text or HTML chosen, stop marks obeyed, cuts made
or undone.
"""

import re
from collections.abc import Iterator, Sequence

from bridge.sms_text import cut, fold, history, html
from bridge.sms_text.cut import Rest
from bridge.sms_text.marks import HISTORY, SIGNATURE
from bridge.sms_text.small_print import Searching, without_small_print

_STUB = re.compile(
    r"mime[- ](?:format|version|compliant|capable|encoded)|multi-?part message"
    r"|html[- ](?:format|version|mail|e-?mail|message|compatible|capable|enabled)"
    r"|(?:view|read|display|see) (?:this|the) (?:e-?mail|message|newsletter|page)|enable html|version html"
    r"|(?:does not|doesn['’]t|cannot|not able to) (?:support|display|read|show) html"
    r"|html[- ](?:fähig|darstell|ansicht|nachricht)|im browser|en línea"
    r"|no (?:plain )?text (?:version|body)|text version not available|not available in (?:plain )?text",
    re.IGNORECASE,
)
_MAX_STUB = 400  # characters: a longer text says something of its own
_MAX_FORWARDS = 5  # a mail forwarded of a mail forwarded …
_MARKUP = re.compile(
    r"\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html|head|body|table|div|p|font|center|meta)\b",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://\S+")


def body_of(
    *,
    plain: str | None,
    markup: str | None,
    cutting: bool,
    disclaimers: Sequence[Searching],
    stop_marks: Sequence[str],
    subject_stands_in: bool,
) -> Rest:
    """The body of a mail as clean text, with the names of its cuts; empty when it says nothing.

    Cutting history is undone when it would leave nothing (a forwarded mail). So is cutting a signature,
    unless ``subject_stands_in``: then a body that is all signature counts as empty.
    """
    rest = Rest("")
    for source, is_markup in _sources(plain, markup):
        for reading, of_forward in _readings(source, is_markup, cutting):
            rest = _stopped(_tidied(reading) if cutting else reading, stop_marks)
            if cutting:
                rest = _cut(rest, disclaimers, undo=not subject_stands_in)
            nothing = of_forward and history.FORWARD_HEADER not in rest.cut
            if says_something(rest.text) and not nothing:
                return Rest(fold.tidy(rest.text), rest.cut)
            if subject_stands_in and (nothing or rest.cut == (SIGNATURE,)):
                break
    return Rest("", rest.cut)


def says_something(text: str) -> bool:
    """Whether a text holds anything but blanks, lines and quote marks; a lone emoji or "?" is an answer."""
    return any(not character.isspace() and character not in ">|-_=*" for character in text)


def _sources(plain: str | None, markup: str | None) -> Iterator[tuple[str, bool]]:
    """The forms of the body, best first, each with whether it is HTML."""
    if plain is not None and markup is None and is_markup(plain):
        plain, markup = None, plain
    stub = plain is None or is_stub(plain)
    if plain is not None and not stub:
        yield plain, False
    if markup is not None:
        yield markup, True
    if plain is not None and stub:
        yield plain, False


def is_stub(plain: str) -> bool:
    """Whether a plain text is empty or only says that the mail is to be read as HTML."""
    text = _URL.sub("", plain[: 20 * _MAX_STUB]).strip()
    if not says_something(text):
        return True
    return len(text) <= _MAX_STUB and _STUB.search(text) is not None


def is_markup(plain: str) -> bool:
    """Whether a "plain" text is HTML: some panels and old programs label it wrongly."""
    return _MARKUP.match(plain) is not None and "</" in plain


def _readings(source: str, is_markup: bool, cutting: bool) -> Iterator[tuple[Rest, bool]]:
    """The clean text of one form, and whether it counts only when it turns out to be a mail forwarded.

    HTML is read without what the client marked; when that leaves nothing, with the history, which a client
    marks in a forwarded mail too; then with all.
    """
    if not is_markup:
        yield Rest(fold.clean(source)), False
        return
    page = html.to_text(source, cut=cutting)
    yield Rest(fold.clean(page.text), page.cut), False
    if HISTORY in page.cut and SIGNATURE in page.cut:
        yield Rest(fold.clean(html.to_text(source, cut=True, history=False).text), (SIGNATURE,)), True
    if page.cut:
        yield Rest(fold.clean(html.to_text(source, cut=False).text)), False


def _tidied(rest: Rest) -> Rest:
    return _after(rest, cut.tidied(rest.text))


def _stopped(rest: Rest, stop_marks: Sequence[str]) -> Rest:
    """The text before the first stop mark."""
    found = [(rest.text.find(mark), mark) for mark in stop_marks if mark and mark in rest.text]
    if not found:
        return rest
    position, mark = min(found)
    note = (f"text after {mark}",) if says_something(rest.text[position + len(mark) :]) else ()
    return Rest(rest.text[:position], (*rest.cut, *note))


def _cut(rest: Rest, disclaimers: Sequence[Searching], *, undo: bool) -> Rest:
    """``rest`` without history, signature and small print. A mail forwarded without a word of one's own is
    unwrapped; other history is kept when nothing else is left.
    """
    for _ in range(_MAX_FORWARDS):
        answer = _after(rest, history.without_history(rest.text))
        if answer.cut == rest.cut:
            break
        trimmed = _trimmed(answer, disclaimers, undo=False)
        if says_something(trimmed.text):
            return trimmed
        wrapped = history.forwarded(rest.text)
        if wrapped is None:
            break
        rest = _after(rest, wrapped)
    whole = _or_undone(rest, history.without_history(rest.text), undo=True)
    return _trimmed(whole, disclaimers, undo=undo)


def _trimmed(rest: Rest, disclaimers: Sequence[Searching], *, undo: bool) -> Rest:
    signed = _or_undone(rest, cut.without_signature(rest.text), undo=undo)
    return _or_undone(signed, without_small_print(signed.text, disclaimers), undo=undo)


def _or_undone(before: Rest, after: Rest, *, undo: bool) -> Rest:
    if undo and not says_something(after.text) and says_something(before.text):
        return before
    return _after(before, after)


def _after(before: Rest, step: Rest) -> Rest:
    """What a step made of ``before``, with all cuts so far."""
    return Rest(step.text, tuple(dict.fromkeys((*before.cut, *step.cut))))
