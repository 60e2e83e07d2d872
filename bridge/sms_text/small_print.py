"""Small print out of a text: warnings that a mail server puts on top, disclaimers and footers below.

Works on paragraphs, in one pass, linear and bounded. Used by `body`, which decides what is undone.
"""

import re
from collections.abc import Sequence
from typing import Protocol

from bridge.sms_text.cut import MAX_LINE, MAX_LINES, Rest, without_rule

DISCLAIMER = "disclaimer"
BANNER = "warning banner"

_MIN_SMALL_PRINT = 50  # characters: "this mail is confidential" alone may be what someone has to say
_MAX_LOOKED_AT = 2_000
_MAX_FOOTER = 600
_MAX_BANNER = 800
_MAX_BANNER_LINES = 10
_WRAPPED = 60  # characters: a longer line without an end may go on in the next

_PARAGRAPH_END = re.compile(r"\n[ \t\u00a0]*\n")
_PROOFPOINT = re.compile(r"ZjQcmQRYFpfptBannerStart.{0,2000}?ZjQcmQRYFpfptBannerEnd", re.DOTALL)


def _pattern(*words: str) -> re.Pattern[str]:
    """Any of ``words``, in lower-case text: ignoring case would make each search five times slower."""
    return re.compile("|".join(words))


# A disclaimer speaks of the mail itself, or of secrecy, and of those who should not read it.
_THE_MAIL = _pattern(
    r"\bthis (?:e-?mail|electronic mail|message|communication|transmission)",
    r"\b(?:information|contents?)[^.]{0,60} (?:e-?mail|message|communication|transmission)",
    r"\be-?mail\b", r"\bdiese[rs]? (?:nachricht|mail)", r"\bce (?:message|courriel|mail|courrier)",
    r"\b(?:este|el presente) (?:mensaje|correo)", r"\b(?:questo|presente|questa|il) (?:messaggio|comunicazione)",
    r"\bdit (?:e-?mail)?bericht", r"\besta (?:mensagem|comunicação)", r"\bdenne (?:meddelelse|melding)",
    r"\bdetta (?:e-?post)?meddelande", r"\b(?:ta|niniejsza) wiadomość",
)  # fmt: skip
_SECRECY = _pattern(
    "confiden", "vertrauli", "vertrouwelijk", "riservat", "privileged", "proprietary", "sigilo", "fortrolig",
    "konfidenti", "poufn",
)  # fmt: skip
_WRONG_READER = _pattern(
    "intended (?:recipient|solely|only|for)", "addressee", "solely for", "notify (?:us|the sender)",
    "unauthori[sz]ed", "in error", "strictly prohibited", "irrtümlich", "unbefugt",
    r"(?:richtige|beabsichtigte|vorgesehene|bezeichnete)\w* (?:adressat|empfänger)", "empfänger bestimmt",
    "destinataire", "par erreur", "non autoris", "destinat[aá]ri", "per errore", "por error", "è vietat",
    "por engano", "não autoriz", "geadresseerde", "abusievelijk", "ten onrechte", "uitsluitend bestemd",
    "beoogde ontvanger", "rette modtager", "ved en fejl", "avsett för", "av misstag", "adresata", "przez pomyłkę",
)  # fmt: skip
_HEADING = re.compile(
    r"\W{0,20}(?:confidentiality (?:notice|note|statement)|(?:e-?mail )?disclaimer|legal (?:notice|disclaimer)"
    r"|privileged and confidential|haftungsausschluss|vertraulichkeitshinweis|rechtlicher hinweis"
    r"|(?:avis|clause|note) de confidentialité|avertissement|aviso (?:legal|de confidencialida)"
    r"|nota (?:legal|de confidencialida)|cláusula de confidencialidad|avviso di riservatezza"
    r"|nota di riservatezza|vertrouwelijkheid)"
)
# Each begins with a letter, so that a search skips to it.
_FOOTER = _pattern(
    "consider the environment", "think (?:of|about) the environment", "think before (?:you )?print",
    "denken sie (?:bitte )?an die umwelt", "umwelt.{0,60}drucken",
    "pense[zr] (?:à|avant).{0,40}(?:environnement|imprimer)", "antes de imprimir", "prima di stampare",
    "denk aan het milieu",
    *(
        f"{was} (?:checked|scanned) (?:for|by).{{0,60}}(?:virus|spam|avast|avg|software|mcafee|symantec|security)"
        for was in ("has been", "was", "were")
    ),
    "virus[- ]free", "virenfrei", "sans virus", "libre de virus", "privo di virus", "virusvrij", "livre de vírus",
    "not (?:guarantee|warrant|accept).{0,100}virus", "report this (?:e-?mail|message) as spam",
    # mailing lists and help desks; "to unsubscribe reply STOP" is for the phone and stays
    "you (?:are receiving|received|have received) this(?: e-?mail| message| notification)? because you\\b(?!r )",
    r"to unsubscribe\b(?!.{0,60}\b(?:reply|text|txt|sms)\b).{0,100}(?:\blist|group|click|visit|e-?mail|https?:)",
    "yahoo groups links", r"groups\.io links", "view/reply online", "reply to this e-?mail directly",
    # the imprint of a company, and how it treats personal data
    r"registered (?:office|in (?:england|scotland|wales|ireland)).{0,100}(?:no\b|number|office|road|street)",
    *(
        f"{who}.{{0,200}}(?:amtsgericht|handelsregister|registergericht|\\bhrb)"
        for who in ("geschäftsführ", "vorstand", "sitz der")
    ),
    *(
        f"{where}.{{0,200}}(?:geschäftsführ|vorstand|ust-?id)"
        for where in ("amtsgericht", "handelsregister", "registergericht", "hrb ")
    ),
    *(
        f"{what}.{{0,100}}https?://"
        for what in ("datenschutz", "data protection", "privacy policy", "politique de confidentialité", "gdpr")
    ),
    *(
        f"{law} \\(ue\\).{{0,200}}(?:tratad|trattat|traité)"
        for law in ("reglamento", "regolamento", "règlement")
    ),
)  # fmt: skip

# The warning that a mail server puts on top of a mail from outside: where it came from, or who sent it.
_OUTSIDE = _pattern(
    r"(?:originat\w+|sent|came|comes|received|is) (?:from |by )?(?:an? |someone |somebody )?(?:external|outside)",
    r"au(?:ß|ss)erhalb (?:der|unserer|ihrer|von)", "extérieur de (?:l['’]|la |votre |notre )",
    "fuera de (?:la|su|nuestra) (?:organización|empresa)",
    "esterno (?:dell|della|di) ?['’]?(?:organizz|azienda)", "buiten (?:de|uw|onze) organisatie",
    "(?:de |origem )fora d[ae] (?:sua |nossa )?(?:organização|empresa)", "spoza (?:organizacji|firmy)",
)  # fmt: skip
_STRANGER = _pattern(
    r"\bexternal (?:sender|e-?mail|source|message|address)", r"\bextern\w* (?:absender|e-?mail|afzender|avsändare)",
    "exp[ée]diteur externe", "(?:e-?mail|courriel) externe", "remitente externo", "correo (?:electrónico )?externo",
    "mittente esterno", "e-?mail esterna", "remetente externo", "e-?mail externo",
    r"\bekstern (?:afsender|avsender|e-?mail|mail)",
)  # fmt: skip
_WARNS = re.compile(
    r"\W{0,10}(?:caution|warning|attention|notice|be aware|external|achtung|vorsicht|externe?|let op|attenzione"
    r"|atención|precaución|atenção|cuidado|advarsel|varning|uwaga|this|diese|cet?|este|questa|deze|denne|detta|ta)\b"
)
_ADVICE = _pattern(
    "(?:not|don['’]t) (?:click|open|follow|reply)", "(?:use|exercise) caution", "be (?:careful|cautious)",
    "links? (?:or|and) attachments?", "recogni[sz]e (?:the|this) (?:sender|source)", "content is safe",
    "klicken sie nicht", "cliquez pas", "haga clic", "non cliccare", "klik niet", "não clique", "klik ikke",
    "klicka inte", "nie klikaj", "report suspicious",
)  # fmt: skip
_OF_MAIL = _pattern(
    "mail",
    "message",
    "nachricht",
    "courriel",
    "correo",
    "messaggio",
    "bericht",
    "mensa",
    "meddel",
    "wiadomość",
)
_LABEL = re.compile(
    r"\W{0,10}(?:(?:caution|warning|attention|achtung)\W{1,5})?"
    r"(?:\[(?:external|extern|externe|externo|esterno)\]|(?:external|externe?|externo|esterna?)[ -]?"
    r"(?:e-?mail|mail|message|sender|absender|nachricht|afzender|bericht))(?:\W{1,10}use caution)?\W{0,10}"
)
# One of these is in each banner: most texts have none, and are not looked at further.
_OF_BANNERS = re.compile(
    "extern|outside|außerhalb|ausserhalb|extérieur|fuera|estern|buiten|fora |origem|ekstern|spoza|aka\\.ms"
)
_EXTERNAL = re.compile(r"\W{0,10}external\b")
_FIRST_CONTACT = "aka.ms/learnaboutsenderidentification"  # Exchange: "You don't often get email from …"


class Searching(Protocol):
    """A pattern of the operator's."""

    def search(self, text: str, /) -> object:
        """Return something true if the text holds it."""


def without_small_print(text: str, disclaimers: Sequence[Searching]) -> Rest:
    """``text`` without disclaimers (and what follows one), footers, banners on top, and the operator's own
    patterns.
    """
    cut: list[str] = []
    if "ZjQcmQRYFpfpt" in text:
        text, found = _PROOFPOINT.subn("", text)
        cut += [BANNER] * found
    paragraphs = _PARAGRAPH_END.split(text)
    kept: list[str] = []
    looked_at = paragraphs[:MAX_LINES]
    for index, paragraph in enumerate(looked_at):
        said = _text_in(kept)
        if not said and (end := _banner_end(paragraph)):
            cut.append(BANNER)
            kept.append(paragraph[end:])
        elif _is_own(paragraph, disclaimers) or (said and _is_footer(paragraph)):
            cut.append(DISCLAIMER)
        elif said and _begins_disclaimer(looked_at, index):
            return _rest(kept, [*cut, DISCLAIMER])
        else:
            kept.append(paragraph)
    return _rest(kept + paragraphs[MAX_LINES:], cut) if cut else Rest(text)


def _rest(kept: list[str], cut: list[str]) -> Rest:
    """What was kept, less the lines drawn above what was cut from its end."""
    text = "\n\n".join(kept)
    if DISCLAIMER in cut:
        text = "\n".join(without_rule(text.split("\n")))
    return Rest(text, tuple(dict.fromkeys(cut)))


def _text_in(paragraphs: list[str]) -> bool:
    return any(character.isalnum() for paragraph in paragraphs[:50] for character in paragraph[:MAX_LINE])


def _is_own(paragraph: str, disclaimers: Sequence[Searching]) -> bool:
    return any(pattern.search(paragraph[: 10 * MAX_LINE]) for pattern in disclaimers)


def _begins_disclaimer(paragraphs: list[str], index: int) -> bool:
    """Whether a disclaimer begins here: in this paragraph, or in the next one under a heading."""
    paragraph = paragraphs[index].strip().lower()
    following = paragraphs[index + 1].strip().lower() if index + 1 < len(paragraphs) else ""
    return _is_disclaimer(paragraph) or (_is_heading(paragraph) and _is_disclaimer(following))


def _is_disclaimer(paragraph: str) -> bool:
    sample = paragraph[:_MAX_LOOKED_AT]
    if len(sample) < _MIN_SMALL_PRINT or not (_THE_MAIL.search(sample) or _SECRECY.search(sample)):
        return False
    return _WRONG_READER.search(sample) is not None or _HEADING.match(sample) is not None


def _is_heading(paragraph: str) -> bool:
    """Whether a short line is only the heading of a disclaimer: ``CONFIDENTIALITY NOTICE``."""
    return len(paragraph) < _MIN_SMALL_PRINT and _HEADING.match(paragraph) is not None


def _is_footer(paragraph: str) -> bool:
    """Whether a paragraph asks not to print, praises a virus scanner, or tells of a list, a company or its rules."""
    return len(paragraph) < _MAX_FOOTER and _FOOTER.search(" ".join(paragraph.lower().split())) is not None


def _banner_end(paragraph: str) -> int:
    """Where the warning of a mail server ends that this paragraph begins with, 0 for none."""
    sample = paragraph[:_MAX_BANNER]
    lines = sample.split("\n")[:_MAX_BANNER_LINES]
    while len(lines) > 1 and not lines[0].strip():
        lines[:2] = [f"{lines[0]}\n{lines[1]}"]
    if not _begins_banner(lines[0].lower(), " ".join(lines[:3]).lower()):
        return 0
    end = 1
    while end < len(lines) and _banner_goes_on(lines[end - 1].rstrip(), lines[end]):
        end += 1
    return (
        len(paragraph) if len("\n".join(lines[:end])) >= len(paragraph) else len("\n".join(lines[:end])) + 1
    )


def _begins_banner(first: str, sample: str) -> bool:
    if not _OF_BANNERS.search(sample):
        return False
    if _LABEL.fullmatch(first) or _FIRST_CONTACT in sample:
        return True
    advised = _ADVICE.search(sample) is not None
    if _OUTSIDE.search(first):
        return advised or _OF_MAIL.search(sample) is not None
    if not _WARNS.match(first):
        return False
    if _STRANGER.search(first):
        return advised or _OF_MAIL.search(first) is not None
    return advised and _EXTERNAL.match(first) is not None


def _banner_goes_on(before: str, line: str) -> bool:
    small = line.lower()
    if any(pattern.search(small) for pattern in (_ADVICE, _OUTSIDE)) or _FIRST_CONTACT in small:
        return True
    return len(before) > _WRAPPED and before[-1] not in ".!?])*|>" and line[:1].islower()
