"""The words by which mail clients mark quoted history and signatures, in several languages.

Only word lists and patterns, each anchored or bounded so that no line can make one slow. A language
is added by adding its words to each list. Used by `history` and `cut`; those of small print are in `small_print`.
"""

import re


def _any(*words: str) -> str:
    return "(?:" + "|".join(words) + ")"


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("".join(parts), re.IGNORECASE)


# Labels of the header block that Outlook and others put above a quoted mail.
_FROM = _any(
    "from", "von", "de", "da", "van", "exp[ée]diteur", "mittente", "remitente", "remetente", "od", "från", "fra",
    "lähettäjä", "feladó", "kimden", "gönderen", "de la", "από", "от", "от кого", "від", "发件人", "差出人",
    "寄件者", "보낸 ?사람",
)  # fmt: skip
_DATE = _any(
    "sent", "date", "gesendet(?: am)?", "datum", "envoy[ée](?: le)?", "date d['’]envoi",
    "enviad[oa](?: el| em|a el)?", "fecha", "inviato(?: il)?", "data", "verzonden", "skickat", "sendt", "dato",
    "wysłano", "odesláno", "odoslané", "lähetetty", "päiväys", "küldve", "dátum", "gönderildi", "tarih", "trimis",
    "στάλθηκε", "ημερομηνία", "отправлено", "дата", "надіслано", "发送时间", "日期", "送信日時", "日付", "寄件日期",
    "보낸 ?날짜", "날짜",
)  # fmt: skip
_TO = _any(
    "to", "an", "à", "a", "para", "aan", "till", "til", "do", "per", "destinataires?", "destinatario", "komu",
    "vastaanottaja", "címzett", "kime", "alıcı", "către", "προς", "кому", "收件人", "宛先", "收件者", "받는 ?사람",
)  # fmt: skip
_SUBJECT = _any(
    "subject", "betreff", "objet", "asunto", "oggetto", "onderwerp", "assunto", "ämne", "emne", "temat",
    "předmět", "predmet", "aihe", "tárgy", "konu", "subiect", "θέμα", "тема", "主题", "主題", "件名", "主旨", "제목",
)  # fmt: skip
LABEL = _pattern(
    r"[>\s*_]{0,10}",
    f"(?:(?P<from>{_FROM})|(?P<date>{_DATE})|(?P<to>{_TO})|(?P<subject>{_SUBJECT}))",
    r"\s?\*{0,2}\s?[:：]",  # French has a blank before the colon
)

# "-----Original Message-----", "---------- Forwarded message ---------" and the like.
_OLD = _any(
    "original", "forwarded", "reply", "ursprüngliche", "weitergeleitete", "d['’]origine", "transf[ée]r[ée]",
    "transmis", "reenviad[oa]", "inoltrato", "originale", "doorgestuurd", "oorspronkelijk", "origineel",
    "encaminhada", "reencaminhada", "vidarebefordra[dt]", "ursprungligt", "original", "oprindelig", "opprinnelig",
    "videresendt", "przekazana", "oryginalna", "původní", "pôvodná", "alkuperäinen", "eredeti", "исходное",
    "пересылаемое", "原始", "转发",
)  # fmt: skip
_MESSAGE = _any(
    "messages?", "e-?mail", "mail", "nachricht", "mitteilung", "mensaje", "messaggio", "bericht", "mensagem",
    "courriel", "appointment", "termin", "meddelande", "meddelelse", "melding", "besked", "wiadomość", "zpráva",
    "správa", "viesti", "üzenet", "сообщение", "邮件",
)  # fmt: skip
DIVIDER = _pattern(
    r"[>\s*]{0,10}[-_=]{2,40}\s?\*?\s?",
    _any(
        f"{_OLD}[ -]?{_MESSAGE}",
        f"{_MESSAGE} {_OLD}",
        "original",
        "originalnachricht",
        "originalmeddelande",
        r".{1,150}\bwrote\s?:?",
    ),
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
        "start på videresendt (?:besked|melding)",
        "vidarebefordrat brev",
        "początek przekazywanej wiadomości",
    ),
    r"\s?:\s*",
)

# "On 12 March 2024 at 10:00, Ann <ann@x> wrote:", in whatever order the language puts it.
ATTRIBUTION_BEGIN = _pattern(
    _any(
        "on", "at", "in a message dated", "am", "le", "el", "il", "op", "em", "den", "a", "no dia", "na", "dne", "dňa",
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
        "escreveu", "skrev", "pisze", r"napisał\(?a?\)?", "kirjoitti", r"napsal\(?a?\)?", r"napísal\(?a?\)?",
        "írta", "a scris", "yazdı", "пишет", "пише", r"написал\(?а?\)?", "έγραψε", "đã viết", "kirjutas",
    ),
    r"(?=\W|$)|写道|寫道|のメール|님이 작성",
)  # fmt: skip
WHEN = _pattern(
    _any(r"\d{1,2}\s?[:.h]\s?\d{2}", r"\b(?:19|20)\d{2}\b", r"\d{1,2}[./-]\d{1,2}[./-]\d{2}", "@")
)

AUTHOR = _pattern(_any("quoting", "zitat von", "citando(?: a)?", "quoting from"), r"\s.{1,200}")
# "Please type your reply above this line", by which help desks find the answer in a mail.
# They stand within a line, so that their case is known.
REPLY_ABOVE = re.compile(
    "above this line|ABOVE THIS LINE|oberhalb dieser (?:Linie|Zeile)|au-dessus de cette ligne|encima de esta línea"
    "|arriba de esta línea|sopra (?:a )?questa (?:riga|linea)|boven deze (?:regel|lijn)|acima desta linha"
    "|over denne linje|ovanför denna rad"
)
BEHIND_REPLY_ABOVE = re.compile(r"(?: to (?:add|reply|respond|answer)\b.{0,40})?[\W_]{0,60}")
ANSWER = _pattern(
    _any(
        "reply", "respon", "answer", "write", "type", "antwort", "schreib", "répon", "écri", "escrib", "rispo",
        "scriv", "antwoord", "schrijf", "typ", "escrev", "digit", "svar",
    )
)  # fmt: skip
GROUPWISE = _pattern(r">>>\s.{1,250}", _any(">>>", r"wrote\s?:"), r"\s*")

# A line by which an app signs for its user: "Sent from my iPhone". The whole line must be it.
_APP = _any(
    "outlook", "yahoo(?: mail)?", "gmail", r"gmx(?: mail)?(?: app)?", r"web\.de(?: mail)?(?: app)?", "aol",
    "tuta(?:nota)?", "proton ?mail", "spark", "k-?9(?: mail)?", "fairemail", "zimbra", "canary", "airmail", "edison",
    "bluemail", "thunderbird", "icloud", "mail for windows", "mymail", r"mail\.ru", "mailspring", "shortwave",
    "superhuman", "zoho(?: mail)?", "boxer", "type ?app", "libero ?mail", "mail orange", "(?:mail|e-?mail) app",
    "windows 1[01]",
)  # fmt: skip
_DEVICE = _any(
    _APP, "i ?phone", "i ?pad", "i ?pod", "apple watch", "mac(?:book)?", "android", "samsung", "galaxy", "huawei",
    "xiaomi", "pixel", "nokia", "blackberry", "htc", "lg", "sony", "xperia", "motorola", "oneplus", "oppo",
    "fairphone", "windows", r"mobi\w*", "smartphone", "smarttelefon", "handy", "phone", "tablet", "device",
    r"telefon\w*", "téléphone", "tel[ée]fono", "telefoon", "telemóvel", "celular", "cellulare", "móvil",
)  # fmt: skip
_SENT = _any(
    "sent (?:from|via|with|using)", "securely sent (?:from|with)", "gesendet (?:von|mit|über)",
    "diese (?:nachricht|e-?mail) wurde", "envoy[ée] (?:de(?:puis)?|à partir|avec|via)", "provenance :",
    "enviad[oa] (?:desde|do|da|de|con|com|via|a partir|pelo)", "inviat[oa] (?:da|dal|dall['’]|con|tramite|via)",
    "(?:verzonden|verstuurd) (?:vanaf|met|via|vanuit|van)", "skickat (?:från|med)", "sendt (?:fra|med)",
    "wysłan[oe] z", "odesláno z", "lähetetty",
)  # fmt: skip
_GET = _any(
    "get", "download", "holen sie sich", "laden sie", "obtenir", "obtenez", "télécharge[rz]", "obtene[rz]", "obtén",
    "obtenga", "obter", "obtenha", "baixar", "baixe", "scarica", "ottieni", "hent", "få", "hämta", "skaffa",
    r"pobierz(?: \w+)?",
)  # fmt: skip
_SYSTEM = r"(?:systemu )?(?:ios|android|mac(?:os)?|windows|iphone|ipad|mobile)\b[^.,:;!?]{0,15}"
_FOR = _any("for", "für", "pour", "para", "per", "voor", "til", "för", "dla")
SENT_FROM = _pattern(
    r"[\s*_-]{0,5}",
    _any(
        rf"sent from my .{{0,60}}\b{_DEVICE}\b[^:]{{0,80}}:?",
        rf"{_SENT}(?:\b|(?<=['’]))[^.,:;!?]{{0,40}}\b{_DEVICE}\b[^:]{{0,80}}:?",
        r"(?:mit freundlichen grüßen )?von (?:meine[mr]|unterwegs)[^.,:;!?]{0,60}\bgesendet\W{0,5}",
        rf"von {_DEVICE}\b[^.,:;!?]{{0,40}} gesendet\W{{0,5}}",
        r"(?:wysłan|odeslán|lähetet)\w{1,3} [^.,:;!?]{0,30}\b(?:iphon|ipad|telefon|galaxy)[^.,:;!?]{0,20}",
        r"(?:发自我的|从我的|從我的|отправлено (?:с|из) ).{1,60}",
        r".{1,40}(?:から送信|에서 보냄|['’]\w{2,6} gönderildi)",
        rf"{_GET} (?:o |l['’])?{_APP} {_FOR} {_SYSTEM}",
        rf"{_APP} {_FOR} .{{1,20}} (?:beziehen|downloaden|ophalen|herunterladen)\W{{0,5}}",
    ),
)
