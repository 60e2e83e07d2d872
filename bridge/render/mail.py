"""From an outbox row to a finished mail: view, templates, inlined styles, header, MIME. Step "report mail".

Owns what stands in which header field. The words are `report`'s, the looks the templates'; `mail_out` signs
and hands over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from email.utils import format_datetime
from pathlib import Path
from typing import Final

import css_inline

from bridge import report
from bridge.errors import RenderError
from bridge.render import colour, delivery_status, headers, logo, mime
from bridge.render.headers import Field
from bridge.render.templates import TemplateFault, Templates
from bridge.report import LocalTime, MailKind, OutboxMail, StoredMail, View, plain
from bridge.rules import Brand
from bridge.sms import Sms

MAX_OCTETS: Final = 100_000  # of a whole mail but for its parts for programs; clients cut or clip longer ones
MAX_SHORTENINGS: Final = 6  # each halves rows and texts
MAX_SUBJECT: Final = 200

_ABOUT_PHONE: Final = frozenset({MailKind.REPLY, MailKind.INBOUND})
_AUTOMATIC: Final = {
    MailKind.FAILED: "auto-replied",
    MailKind.DELIVERED: "auto-replied",
    MailKind.SUMMARY: "auto-replied",
    MailKind.ALARM: "auto-generated",
}  # RFC 3834, 5. A reply from a phone is a person's
_NOT_IN_SUBJECTS: Final = frozenset({"text", "quoted", "note"})  # what an SMS says never stands in a header


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished mail: ``raw`` in CRLF, 7-bit.

    ``faults`` names the brand's templates or logo that could not be used, one sentence each; ours stood in.
    """

    raw: bytes
    subject: str
    text: str
    html: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """A brand made ready: its templates, its logo if it can be shown, its colours, its faults."""

    brand: Brand
    templates: Templates
    logo: logo.Logo | None
    colours: Mapping[str, str]
    faults: tuple[str, ...]


class Renderer:
    """Makes our mails. ``domain`` is the first of our domains, ``instance`` the mark of our own mails.

    Blocking and thread-safe: some milliseconds of CPU a mail, files are read once.
    """

    def __init__(
        self,
        brands: Mapping[str, Brand],
        *,
        domain: str,
        instance: str,
        local: LocalTime,
        ours: Path | None = None,
    ) -> None:
        self._domain = domain
        self._instance = instance
        self._local = local
        self._ours = Templates(ours=ours)
        self._inliner = css_inline.CSSInliner(
            load_remote_stylesheets=False, keep_style_tags=False, keep_at_rules=True
        )
        self._looks = {key: _look(brand, domain, self._ours, ours) for key, brand in brands.items()}

    def render(self, mail: OutboxMail, source: StoredMail | None, sms: Sequence[Sms]) -> Rendered:
        """The finished mail of an outbox row. Raises `RenderError` when it cannot be made safely."""
        look = self._looks.get(mail.brand) or self._looks["default"]
        try:
            view = report.view(mail, source, sms, look.brand, self._local)
        except ValueError as error:
            raise RenderError(str(error)) from error
        for_programs = self._for_programs(mail, source, sms)
        more = sum(map(len, for_programs)) if for_programs else 0
        for _ in range(MAX_SHORTENINGS):
            rendered = self._laid_out(mail, source, view, look, for_programs)
            if len(rendered.raw) <= MAX_OCTETS + more:
                return rendered
            view = report.shortened(view)
        raise RenderError(f"the mail cannot be made shorter than {MAX_OCTETS:,} bytes")

    def _for_programs(
        self, mail: OutboxMail, source: StoredMail | None, sms: Sequence[Sms]
    ) -> tuple[bytes, bytes] | None:
        """The delivery status and the header fields for a client that asked for them."""
        told = report.delivery_report(mail, source, sms)
        if told is None or source is None:
            return None
        return delivery_status.status(told, self._domain, self._local), delivery_status.kept_headers(source)

    def _laid_out(
        self,
        mail: OutboxMail,
        source: StoredMail | None,
        view: View,
        look: _Look,
        for_programs: tuple[bytes, bytes] | None,
    ) -> Rendered:
        faults = list(look.faults)
        subject = plain.one_line(self._made(look, view, "subject.txt", faults), MAX_SUBJECT)
        text = self._made(look, view, "body.txt", faults)
        html = self._inlined(self._made(look, view, "body.html", faults))
        fields = self._fields(mail, source, view, look.brand, subject)
        raw = mime.build(fields, text, html, look.logo, for_programs)
        return Rendered(raw, subject, text, html, tuple(faults))

    def envelope_sender(self, mail: OutboxMail) -> str:
        """The envelope sender: empty for reports, ``bounce+<key>@`` for what a phone wrote."""
        return f"bounce+{mail.bounce_key}@{self._domain}" if mail.kind in _ABOUT_PHONE else ""

    def _made(self, look: _Look, view: View, file: str, faults: list[str]) -> str:
        """What the brand's template makes; ours when it has none or cannot be used."""
        name = f"{view.kind}/{file}"
        context = _context(view, look, in_subject=file == "subject.txt")
        try:
            return look.templates.render(name, context)
        except TemplateFault as fault:
            if look.templates is self._ours:
                raise RenderError(f"template {fault}") from fault
            faults.append(f"template {fault}")
        try:
            return self._ours.render(name, context)
        except TemplateFault as fault:
            raise RenderError(f"template {fault}") from fault

    def _inlined(self, html: str) -> str:
        try:
            return self._inliner.inline(html)
        except css_inline.InlineError:
            return html  # the style sheet in its head still works in most clients

    def _fields(
        self, mail: OutboxMail, source: StoredMail | None, view: View, brand: Brand, subject: str
    ) -> list[Field]:
        found = [
            ("From", self._from(view, brand)),
            ("To", headers.address(mail.to)),
            ("Subject", headers.text(subject)),
            ("Date", format_datetime(self._local(mail.created_at))),
            ("Message-ID", headers.message_ids([mail.message_id])),
            *_thread(source),
            ("Auto-Submitted", _AUTOMATIC.get(mail.kind, "")),
            ("X-Auto-Response-Suppress", "All"),
            ("X-SMSBridge", headers.text(self._instance)),
        ]
        return [(name, value) for name, value in found if value]

    def _from(self, view: View, brand: Brand) -> str:
        name = plain.one_line(brand.name, 60)
        if view.e164:
            return headers.mailbox(f"{view.number} ({name})", f"{view.e164}@{self._domain}")
        return headers.mailbox(name, brand.sender)


def _thread(source: StoredMail | None) -> list[Field]:
    """In-Reply-To and References, so that clients show a thread (RFC 5322, 3.6.4)."""
    if source is None or source.header_message_id is None:
        return []
    own = source.header_message_id
    answered = headers.message_ids([own])
    chain = headers.message_ids([one for one in source.references if one != own] + [own])
    return [("In-Reply-To", answered), ("References", chain)] if answered else []


def _context(view: View, look: _Look, *, in_subject: bool) -> dict[str, object]:
    """What templates may use: the view's fields, the colours, and the logo's address."""
    names = {field.name for field in fields(View)} - (_NOT_IN_SUBJECTS if in_subject else frozenset())
    shown: dict[str, object] = {name: getattr(view, name) for name in names}
    return shown | dict(look.colours) | {"logo": f"cid:{look.logo.cid}" if look.logo else ""}


def _look(brand: Brand, domain: str, ours: Templates, folder: Path | None) -> _Look:
    faults, picture = [], None
    accent = colour.valid(brand.accent)
    if brand.logo is not None:
        try:
            picture = logo.read(brand.logo, domain)
        except ValueError as error:
            faults.append(str(error))
    colours = {
        "accent": accent,
        "on_accent": colour.on(accent),
        "accent_text": colour.readable(accent, "#ffffff"),
        "accent_text_dark": colour.readable(accent, "#1f2937"),
    }
    own = Templates(Path(brand.templates), folder) if brand.templates else ours
    return _Look(brand, own, picture, colours, tuple(faults))
