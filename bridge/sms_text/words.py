"""The words by which mail clients mark quoted history, signatures and small print, in several languages.

Only word lists and patterns, each anchored or bounded so that no line can make one slow. A language
is added by adding its words to each list. Used by `cut`.
"""

import re


def _any(*words: str) -> str:
    return "(?:" + "|".join(words) + ")"


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("".join(parts), re.IGNORECASE)


# Labels of the header block that Outlook and others put above a quoted mail.
_FROM = _any(
    "from", "von", "de", "da", "van", "exp[ée]diteur", "mittente", "remitente", "remetente", "od", "från",
    "fra",
    "lähettäjä", "от", "发件人", "差出人", "寄件者",
)  # fmt: skip
_DATE = _any(
    "sent", "date", "gesendet(?: am)?", "datum", "envoy[ée](?: le)?", "date d['’]envoi",
    "enviado(?: el| em|a el)?",
    "enviada em", "fecha", "inviato(?: il)?", "data", "verzonden", "skickat", "sendt", "wysłano", "lähetetty",
    "päiväys", "отправлено", "дата", "发送时间", "送信日時", "日付", "日期",
)  # fmt: skip
_TO = _any(
    "to", "an", "à", "a", "para", "aan", "till", "til", "do", "per", "destinataires?", "destinatario",
    "vastaanottaja", "кому", "收件人", "宛先",
)  # fmt: skip
_SUBJECT = _any(
    "subject", "betreff", "objet", "asunto", "oggetto", "onderwerp", "assunto", "ämne", "emne", "temat",
    "aihe",
    "тема", "主题", "件名", "主旨",
)  # fmt: skip
LABEL = _pattern(
    r"[>\s*_]{0,10}",
    f"(?:(?P<from>{_FROM})|(?P<date>{_DATE})|(?P<to>{_TO})|(?P<subject>{_SUBJECT}))",
    r"\s?\*{0,2}\s?[:：]",  # French has a blank before the colon
)

# "-----Original Message-----", "---------- Forwarded message ---------" and the like.
_OLD = _any(
    "original", "forwarded", "reply", "ursprüngliche", "weitergeleitete", "d['’]origine", "transf[ée]r[ée]",
    "transmis", "reenviad[oa]", "inoltrato", "originale", "doorgestuurd", "oorspronkelijk", "encaminhada",
    "vidarebefordrat", "przekazana",
)  # fmt: skip
_MESSAGE = _any(
    "messages?", "e-?mail", "mail", "nachricht", "mensaje", "messaggio", "bericht", "mensagem", "courriel",
    "appointment", "termin", "meddelande", "wiadomość",
)  # fmt: skip
DIVIDER = _pattern(
    r"[>\s*]{0,10}[-_=]{2,40}\s?\*?\s?",
    _any(f"{_OLD}[ -]?{_MESSAGE}", f"{_MESSAGE} {_OLD}", "originalnachricht", r".{1,150}\bwrote\s?:?"),
    r"[^-\n]{0,40}\*?\s?[-_=]{2,40}\*?\s*",
)
FORWARD = _pattern(
    r"\s*",
    _any(
        "begin forwarded message",
        "anfang der weitergeleiteten (?:nachricht|e-mail)",
        "début du message (?:transféré|réexpédié)",
        "inicio del mensaje reenviado",
        "inizio (?:del )?messaggio inoltrato",
        "begin doorgestuurd bericht",
        "início da mensagem (?:encaminhada|reencaminhada)",
    ),
    r"\s?:\s*",
)

# "On 12 March 2024 at 10:00, Ann <ann@x> wrote:", in whatever order the language puts it.
ATTRIBUTION_BEGIN = _pattern(
    _any(
        "on", "at", "in a message dated", "am", "le", "el", "il", "op", "em", "den", "a", "no dia", "na",
        "w dniu", "dnia",
        "mon", "tue", "wed", "thu", "fri", "sat", "sun", "mo", "di", "mi", "do", "fr", "sa", "so",
        "lun", "mar", "mer", "jeu", "ven", "sam", "dim", r"\d{1,4}",
    ),
    r"(?![^\W\d])",
)  # fmt: skip
VERB = _pattern(
    r"\b",
    _any(
        "wrote", "writes", "schrieb", "geschrieben", "geschreven", "écrit", "escribió", "ha scritto",
        "scrisse",
        "schreef",
        "escreveu", "skrev", "pisze", r"napisał\(?a?\)?", "kirjoitti", "napsala?", "írta", "a scris",
        "yazdı", "пишет", r"написал\(?а?\)?",
    ),
    r"(?=\W|$)|写道|のメール",
)  # fmt: skip
WHEN = _pattern(
    _any(r"\d{1,2}\s?[:.h]\s?\d{2}", r"\b(?:19|20)\d{2}\b", r"\d{1,2}[./-]\d{1,2}[./-]\d{2}", "@")
)
DATED_ADDRESS = _pattern(r".{0,200}\d[^<\n]{0,200}<[^<>\s]{1,200}@[^<>\s]{1,200}>\s?[:：]")

AUTHOR = _pattern(_any("quoting", "zitat von", "citando(?: a)?", "quoting from"), r"\s.{1,200}")
GROUPWISE = _pattern(r">>>\s.{1,250}", _any(">>>", r"wrote\s?:"), r"\s*")

# A line by which an app signs for its user: "Sent from my iPhone". The whole line must be it.
_APP = _any(
    "outlook", "yahoo(?: mail)?", "gmail", r"gmx(?: mail)?(?: app)?", r"web\.de(?: mail)?(?: app)?", "aol",
    "tuta",
    "proton ?mail", "spark", "k-?9(?: mail)?", "fairemail", "zimbra", "canary", "airmail", "edison",
    "bluemail",
    "thunderbird", "icloud", "mail for windows",
)  # fmt: skip
_DEVICE = _any(
    _APP, "i ?phone", "i ?pad", "i ?pod", "apple watch", "mac(?:book)?", "android", "samsung", "galaxy",
    "huawei",
    "xiaomi", "pixel", "nokia", "blackberry", "htc", "lg", "sony", "xperia", "motorola", "oneplus", "oppo",
    "fairphone",
    "windows", r"mobil\w*", "smartphone", "handy", "phone", "tablet", "device", r"telefon\w*", "téléphone",
    "tel[ée]fono", "telefoon", "telemóvel", "celular", "móvil",
)  # fmt: skip
_SENT = _any(
    "sent (?:from|via|with|using)", "gesendet (?:von|mit|über)", "diese nachricht wurde",
    "envoy[ée] (?:de(?:puis)?|à partir|avec|via)", "enviad[oa] (?:desde|do|da|de|con|com|a partir|pelo)",
    "inviat[oa] (?:da|dal|dall['’]|con|tramite|via)", "(?:verzonden|verstuurd) (?:vanaf|met|via|vanuit|van)",
    "skickat från", "sendt fra", "wysłano z",
)  # fmt: skip
_GET = _any(
    "get", "download", "holen sie sich", "laden sie", "obtenir", "télécharge[rz]", "obtene[rz]", "obtén",
    "obtenga",
    "obter", "obtenha", "scarica", "ottieni",
)  # fmt: skip
_FOR = _any("for", "für", "pour", "para", "per", "voor")
SENT_FROM = _pattern(
    r"[\s*_-]{0,5}",
    _any(
        rf"sent from my .{{0,60}}\b{_DEVICE}\b.{{0,80}}",
        rf"{_SENT}(?:\b|(?<=['’]))[^.,:;!?]{{0,40}}\b{_DEVICE}\b.{{0,80}}",
        r"von (?:meine[mr]|unterwegs)[^.,:;!?]{0,60}\bgesendet\W{0,5}",
        r"(?:发自我的|从我的|отправлено (?:с|из) ).{1,60}",
        r".{1,40}から送信",
        rf"{_GET} (?:o |l['’])?{_APP} {_FOR} .{{0,40}}",
        rf"{_APP} {_FOR} .{{1,20}} (?:beziehen|downloaden|ophalen|herunterladen)\W{{0,5}}",
    ),
)

# Small print speaks of the mail itself, of secrecy, and of those who should not read it.
_THE_MAIL = _pattern(
    r"\b",
    _any(
        "this (?:e-?mail|electronic mail|message|communication|transmission)",
        "(?:the )?(?:information|contents?)[^.]{0,60} (?:e-?mail|message|communication|transmission)",
        "email", "e-mail", "diese[rs]? (?:nachricht|mail)", "ce (?:message|courriel|mail|courrier)",
        "(?:este|el presente) (?:mensaje|correo)",
        "(?:questo|presente|questa|il) (?:messaggio|comunicazione)",
        "dit bericht", "esta (?:mensagem|comunicação)",
    ),
)  # fmt: skip
_SECRECY = _pattern(
    _any("confiden", "vertrauli", "vertrouwelijk", "riservat", "privileged", "proprietary", "sigilo"),
)
_WRONG_READER = _pattern(
    _any(
        "intended (?:recipient|solely|only|for)", "addressee", "solely for", "notify (?:us|the sender)",
        "unauthori[sz]ed", "in error", "strictly prohibited", "irrtümlich", "unbefugt",
        r"(?:richtige|beabsichtigte|vorgesehene)\w* (?:adressat|empfänger)", "empfänger bestimmt",
        "destinataire", "par erreur", "non autoris", "destinat[aá]ri", "per errore", "por error",
        "por engano",
        "não autoriz", "geadresseerde", "abusievelijk", "ten onrechte", "uitsluitend bestemd",
    ),
)  # fmt: skip
_HEADING = _pattern(
    r"\W{0,20}",
    _any(
        "confidentiality (?:notice|note|statement)", "(?:e-?mail )?disclaimer", "legal (?:notice|disclaimer)",
        "privileged and confidential", "haftungsausschluss", "vertraulichkeitshinweis", "rechtlicher hinweis",
        "(?:avis|clause|note) de confidentialité", "avertissement", "aviso (?:legal|de confidencialida)",
        "nota (?:legal|de confidencialida)", "cláusula de confidencialidad", "avviso di riservatezza",
        "nota di riservatezza", "vertrouwelijkheid",
    ),
)  # fmt: skip
_FOOTER = _pattern(
    _any(
        "(?:consider|think (?:of|about)) the environment", "think before (?:you )?print",
        "denken sie (?:bitte )?an die umwelt", "umwelt.{0,60}drucken",
        "pense[zr] (?:à|avant).{0,40}(?:environnement|imprimer)", "antes de imprimir", "prima di stampare",
        "denk aan het milieu",
        "(?:checked|scanned) (?:for viruses|by).{0,60}(?:avast|avg|anti-?virus|software|mcafee)",
        r"\b(?:virus[- ]free|virenfrei|sans virus|libre de virus|privo di virus|virusvrij|livre de vírus)\b",
    ),
)  # fmt: skip
_BANNER = _pattern(
    r"\W{0,10}",
    _any(
        "caution", "external", "warning", "attention", "achtung", "vorsicht", "extern", "notice", "let op",
        "attenzione", "atención",
    ),
    r"\b.{0,80}",
    _any(
        "originated (?:from )?outside", "outside (?:of )?(?:the|your|our)",
        "external (?:sender|e-?mail|source)",
        r"extern\w* (?:absender|e-?mail|afzender|quelle)", "exp[ée]diteur externe", "mittente esterno",
        "remitente externo",
    ),
)  # fmt: skip

_MIN_SMALL_PRINT = 50  # characters: "this mail is confidential" alone may be what someone has to say
_MAX_LOOKED_AT = 2_000


def is_disclaimer(paragraph: str) -> bool:
    """Whether a paragraph is small print: it speaks of the mail, or of secrecy, and of wrong readers."""
    sample = paragraph[:_MAX_LOOKED_AT]
    if len(sample) < _MIN_SMALL_PRINT or not (_THE_MAIL.search(sample) or _SECRECY.search(sample)):
        return False
    return _WRONG_READER.search(sample) is not None or _HEADING.match(sample) is not None


def is_heading(paragraph: str) -> bool:
    """Whether a short line is only the heading of small print: ``CONFIDENTIALITY NOTICE``."""
    return len(paragraph) < _MIN_SMALL_PRINT and _HEADING.match(paragraph) is not None


def is_footer(paragraph: str) -> bool:
    """Whether a paragraph asks not to print, or praises a virus scanner."""
    return len(paragraph) < 600 and _FOOTER.search(paragraph) is not None


def is_banner(paragraph: str) -> bool:
    """Whether a paragraph is the warning that a mail server puts on top of mail from outside."""
    return _BANNER.match(paragraph) is not None
