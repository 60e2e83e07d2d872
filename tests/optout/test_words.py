"""By which answers a phone opts out of SMS and in again: whole ones alone, however they are dressed."""

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.optout import AUTO, Words, plain
from bridge.optout.words import MAX_READ, _polite

OURS = Words.of()
STOP, START = sorted(OURS.stop), sorted(OURS.start)


@pytest.mark.parametrize(
    "text",
    [
        *("STOP", "stop.", "Stop!!!", "“Stop”", "'STOP'", "*STOP*", "S.T.O.P.", "s t o p", "stop stop", "ＳＴＯＰ"),
        *("Please stop", "STOP PLEASE", "stop pls, thanks", "🛑 STOP 🛑", "ST\u200bOP", "\n stop \r\n", "Stop SMS"),
        *("STOPALL", "stop all", "Unsubscribe", "UNSUBSCRIBE ME", "quit", "Revoke", "OPTOUT", "opt-out", "Opt out"),
        *("STOPP", "Stopp, bitte!", "Keine SMS mehr", "ARRET", "Arrêt", "ARRÊTEZ les SMS svp", "désabonner"),
        *("BAJA", "Darme de baja por favor", "no más SMS", "Basta SMS", "Disiscrivimi, grazie", "Geen SMS meer"),
        *("SAIR", "Sair, obrigado", "LOPETA", "Wypisz mnie", "СТОП", "Отписаться", "ΣΤΟΠ", "RET", "TD", "退订", "退訂"),
        *("配信停止", "ストップ", "수신 거부", "إيقاف", "توقف", "הסר", "स्टॉप", "Berhenti"),
    ],
)  # fmt: skip
def test_these_opt_out(text: str) -> None:
    assert OURS.said(text) == "stop"


@pytest.mark.parametrize("text", ["START", "start.", "Unstop", "please START", "OPT-IN", "Старт", "Alta"])
def test_these_opt_in(text: str) -> None:
    assert OURS.said(text) == "start"


@pytest.mark.parametrize(
    "text",
    [
        *("Stop, I can't come at 5", "stop by at 5?", "Please stop the pump", "The bus stop", "STOP 5", "nonstop"),
        *("Stop it", "I'll stop by, thanks", "Don't stop", "Start at 9?", "we start", "unstoppable", "arrêt de bus"),
        *("Cancel", "CANCEL", "cancel please", "End", "Annuler", "Cancelar", "Absagen", "Abmelden", "Afmelden"),
        *("Alto", "Remove", "No", "N", "YES", "yes please", "OK", "", " ", "?", "please", "thanks", "please thanks"),
        *("Loved “Reply STOP to opt out”", "STOP\n\nJo Smith, Riverside", "stop " * 30 + "now"),
    ],
)  # fmt: skip
def test_these_say_something_else(text: str) -> None:
    assert OURS.said(text) is None


BLANKS = st.text(alphabet=" \t\n\u00a0\u2003", max_size=3)
SIGNS = st.text(alphabet=".!?,;:'\"“”‘’«»()[]*_-…/\\\u200b\u200e🛑👍❤", max_size=4)
CASES = st.sampled_from([str.upper, str.lower, str.title, str.capitalize, lambda text: text])


def wide(text: str) -> str:
    """``text`` as phones in East Asia may write it."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@given(st.sampled_from(STOP), CASES, SIGNS, BLANKS, SIGNS, st.booleans())
def test_every_word_is_known_however_it_is_dressed(word: str, case, before, blank, behind, widely) -> None:  # type: ignore[no-untyped-def]
    dressed = f"{blank}{before}{wide(case(word)) if widely else case(word)}{behind}{blank}"
    assert OURS.said(dressed) == "stop"


def test_every_word_is_known_with_a_please_or_a_thank_you() -> None:
    for word, polite in product(STOP, _polite()):
        assert OURS.said(f"{polite}, {word}") == "stop", (polite, word)
        assert OURS.said(f"{word} {polite}!") == "stop", (word, polite)


ADDED = st.text(alphabet=st.characters(categories=("Lu", "Ll", "Lo", "Nd")), min_size=2, max_size=8)


@given(st.sampled_from(STOP + START), st.lists(ADDED, min_size=1, max_size=6), st.booleans())
@example("stop", ["by", "at", "five"], False)
def test_no_word_counts_inside_of_a_sentence(word: str, others: list[str], before: bool) -> None:
    text = " ".join([*others, word] if before else [word, *others])
    known = OURS.stop | OURS.start | set(_polite()) | {word}
    if all(set(plain(other).split()) & set(" ".join(known).split()) for other in others):
        return  # made of such words alone, as "stop please"
    assert OURS.said(text) is None


@given(st.text(max_size=2 * MAX_READ))
def test_any_text_is_read_in_bounds(text: str) -> None:
    bare = plain(text)
    assert bare == plain(bare) or len(bare) > MAX_READ or " " in bare
    assert OURS.said(text) in (None, "stop", "start")


def test_no_word_means_both() -> None:
    assert not OURS.stop & OURS.start
    assert "" not in OURS.stop | OURS.start


def test_an_operators_list_takes_the_place_of_ours_or_adds_to_them() -> None:
    own = Words.of(["Ruhe!"], [])
    assert [own.said(text) for text in ("RUHE", "stop", "start")] == ["stop", None, None]
    more = Words.of([AUTO, "CANCEL", "End"])
    assert [more.said(text) for text in ("Cancel.", "end", "stop", "start")] == [
        "stop",
        "stop",
        "stop",
        "start",
    ]
    assert Words.of([], []).said("STOP") is None
