"""The words by which a phone opts out of SMS and in again. A text counts only as a whole, never by its beginning.

Whoever writes "Stop, I can't come at 5" answers a mail. What is read past is case, width, accents, signs, emoji,
a please or a thank you, and the same word said again.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

Said = Literal["stop", "start"]

AUTO: Final = "auto"  # in a list of words: those below too
MAX_READ: Final = (
    100  # characters; nobody opts out in more, and what a stranger's phone sends is not worth more time
)

# Words that say "send me no SMS" and little else. Left out on purpose are those that also answer an SMS: CANCEL and
# END (which carriers of the US take for STOP) with their translations, Spanish ALTO, German ABMELDEN, Dutch AFMELDEN,
# and a bare REMOVE. An appointment reminder answered with "Cancel" must not cut a patient off; an operator whose law
# or carrier wants these words adds them to the list. Sources: the keywords that CTIA and the US carriers name
# (STOP, STOPALL, UNSUBSCRIBE, QUIT, REVOKE, OPTOUT), for Canada also in French (ARRET), and those that SMS of other
# countries offer: BAJA in Spain, SAIR in Brazil, RET in Turkey, TD in China, and so on.
_STOP: Final = (
    # English, and STOP where it is used as it is
    "stop; stop all; stopall; stop sms; stop text; stop texts; stop texting; stop texting me; stop message",
    "stop messages; stop messaging; stop messaging me; stop sms messages; stop text messages; stop sending sms",
    "stop sending texts; stop sending messages; stop sending me texts; stop sending me messages",
    "unsubscribe; unsubscribe me; unsubscribe all; unsub; quit; revoke; optout; opt out; opt me out",
    "no more sms; no more texts; no more messages",
    # German
    "stopp; stopp sms; abbestellen; sms abbestellen; keine sms; keine sms mehr; keine weiteren sms",
    # French
    "arret; arret sms; arreter; arretez; arretez les sms; desabonner; desabonnement; me desabonner",
    "desabonnez moi; desinscription; desinscrire; plus de sms",
    # Spanish
    "baja; baja sms; dar de baja; darme de baja; darse de baja; parar; detener; no mas sms; no mas mensajes",
    "cancelar suscripcion; desuscribir; desuscribirme",
    # Italian
    "disiscrivi; disiscrivimi; disiscrivermi; disiscrizione; basta sms; basta messaggi",
    "niente sms; ferma sms",
    # Dutch
    "stoppen; stop met sms; sms stoppen; uitschrijven; geen sms; geen sms meer; geen berichten meer",
    # Portuguese
    "sair; parar sms; pare; pare sms; descadastrar; desinscrever; cancelar inscricao; nao quero sms; sem sms",
    # Swedish, Norwegian, Danish, Finnish
    "avregistrera; sluta; ingen sms; inga sms; inga fler sms; avregistrer; ingen flere sms; lopeta; ei viesteja",
    # Polish, Czech, Slovak, Hungarian, Romanian
    "wypisz; wypisz mnie; odhlasit odber; odhlasit sms; leiratkozas; leiratkozom; dezabonare; dezabonez",
    # Russian, Ukrainian, Bulgarian, Greek
    "стоп; стоп смс; отписаться; отписка; отпишите; отпишите меня; відписатися; відписка; отписване; στοπ",
    # Turkish, Arabic, Hebrew
    "ret; توقف; إيقاف; إلغاء الاشتراك; الغاء الاشتراك; הסר; הסר אותי; הסירו אותי",
    # Hindi, Indonesian, Malay, Vietnamese, Thai
    "स्टॉप; berhenti; berhenti langganan; từ chối sms; tu choi sms; ยกเลิกรับข้อความ",
    # Chinese, Japanese, Korean
    "td; 退订; 退訂; 退订短信; 取消订阅; 取消訂閱; 停止; 配信停止; 配信停止希望; ストップ; 수신거부; 수신 거부; 스톱",
)
# YES is left out, which some carriers take for START: it answers what an SMS asked.
_START: Final = (
    "start; start sms; start all; startall; start texts; start messages; unstop; unstop all; unstopall; optin",
    "opt in; opt me in; subscribe; subscribe me; resubscribe",
    "alta; alta sms; suscribir; suscribirme; abonnieren; s abonner; m abonner; reabonner; iscrivimi; inschrijven",
    "inscrever; starta; старт; подписаться; підписатися; σταρτ; 订阅; 訂閱; スタート; 配信再開; 수신동의",
)
# Words around one that change nothing.
_POLITE: Final = (
    "please; pls; plz; pl; kindly; thanks; thank you; thank u; thankyou; thx; ty; cheers; bitte; danke; vielen dank",
    "s il vous plait; s il te plait; svp; stp; merci; por favor; porfavor; gracias; muchas gracias; per favore",
    "per piacere; grazie; alstublieft; alsjeblieft; aub; ajb; dank u; dank je; bedankt; obrigado; obrigada; tack",
    "snalla; takk; tak; kiitos; prosze; dziekuje; prosim; dekuji; пожалуйста; спасибо; будь ласка; дякую; lutfen",
    "tesekkurler; tolong; terima kasih; お願いします; 谢谢; 請; 请",
)
_SINGLE_LETTERS: Final = re.compile(r"[a-z0-9](?: [a-z0-9])+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Words:
    """The words that count, as `plain` leaves them. Empty sets are none at all."""

    stop: frozenset[str]
    start: frozenset[str]

    @classmethod
    def of(cls, stop: Iterable[str] = (AUTO,), start: Iterable[str] = (AUTO,)) -> "Words":
        """Return the words of two lists of an operator's, in which `AUTO` stands for ours."""
        return cls(_listed(stop, _STOP), _listed(start, _START))

    def said(self, text: str) -> Said | None:
        """Return what a phone says with ``text`` about SMS to it; None when it says something else."""
        bare = plain(text)
        if not bare:
            return None
        for known, said in ((self.stop, "stop"), (self.start, "start")):
            if bare in known or _without_politeness(bare) in known:
                return "stop" if said == "stop" else "start"
        return None


def plain(text: str) -> str:
    """Return the bare words of a short text: small letters without accents, one blank between, said once.

    Empty when there are none, or when the text is too long to be an opt-out.
    """
    text = text.strip()
    if len(text) > MAX_READ:
        return ""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    words = " ".join("".join(_letters(letters)).split())
    if _SINGLE_LETTERS.fullmatch(words):  # S.T.O.P.
        words = words.replace(" ", "")
    return _once(words)


def _letters(text: str) -> Iterator[str]:
    """Letters and digits as they are, nothing for accents and marks that are not seen, a blank for all the rest."""
    for sign in text:
        if sign.isalnum():
            yield sign
        elif unicodedata.category(sign) not in ("Mn", "Mc", "Me", "Cf"):
            yield " "


def _once(words: str) -> str:
    """``stop`` of ``stop stop stop``."""
    said = words.split()
    return said[0] if said and said.count(said[0]) == len(said) else words


def _without_politeness(words: str) -> str:
    """``words`` without what is polite before and behind it, unless nothing else is there."""
    before = ""
    while before != words:
        before = words
        for phrase in _polite():
            words = words.removeprefix(f"{phrase} ").removesuffix(f" {phrase}")
    return _once(words)


@cache
def _polite() -> tuple[str, ...]:
    """The longest first: of "muchas gracias" nothing may stay."""
    return tuple(sorted(_split(_POLITE), key=lambda phrase: (-len(phrase), phrase)))


@cache
def _split(lines: tuple[str, ...]) -> frozenset[str]:
    return frozenset(plain(phrase) for line in lines for phrase in line.split(";"))


def _listed(wanted: Iterable[str], ours: tuple[str, ...]) -> frozenset[str]:
    wanted = tuple(wanted)
    own = frozenset(plain(word) for word in wanted if word != AUTO) - {""}
    return own | _split(ours) if AUTO in wanted else own
