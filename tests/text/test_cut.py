"""The line scanner on texts; whole mails are in `tests/mails`."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules import TextRule
from bridge.sms_text import SmsText, cut, history, make, words
from bridge.sms_text.cut import Rest
from bridge.sms_text.small_print import without_small_print

ATTRIBUTIONS = [
    "On Tue, 12 Mar 2024 at 09:58, Bob Ray <bob@example.net> wrote:",
    "On 3/12/2024 9:58 AM, Bob Ray wrote:",
    "On Mar 12, 2024, at 9:58 AM, Bob Ray <bob@example.net> wrote:",
    "Am 12.03.2024 um 09:58 schrieb Bernd Rau:",
    "Am Di., 12. März 2024 um 09:58 Uhr schrieb Bernd Rau <bernd@example.net>:",
    "Le mar. 12 mars 2024 à 09:58, Benoît Roy <benoit@example.net> a écrit :",
    "Le 12/03/2024 à 09:58, Benoît Roy a écrit\u00a0:",
    "El mar, 12 mar 2024 a las 9:58, Benito Ruiz (<benito@example.net>) escribió:",
    "Il giorno mar 12 mar 2024 alle ore 09:58 Bruno Rossi <bruno@example.net> ha scritto:",
    "Il 12/03/2024 09:58, Bruno Rossi ha scritto:",
    "Op di 12 mrt 2024 om 09:58 schreef Bram <bram@example.net>:",
    "Op 12-03-2024 om 09:58 schreef Bram:",
    "Em ter., 12 de mar. de 2024 às 09:58, Bruno Ramos <bruno@example.net> escreveu:",
    "Den tis 12 mars 2024 kl 09:58 skrev Bo Ros <bo@example.net>:",
    "W dniu 12.03.2024 o 09:58, Jan Nowak pisze:",
    "In a message dated 3/12/2024 9:58:11 AM Eastern Standard Time, bob@example.net writes:",
    "Op 17-feb.-2015, om 13:18 heeft Bram <bram@example.net> het volgende geschreven:",
    "Bernd Rau <bernd@example.net> schrieb am Di., 12. März 2024, 09:58:",
    "2024-03-12 9:58 GMT+11:00 Bob Ray <bob@example.net>:",
    "2024年3月12日(火) 9:58 Taro <taro@example.net>:",
]
SENT_FROM = [
    "Sent from my iPhone", "Sent from my Verizon, Samsung Galaxy smartphone", "发自我的iPhone", "iPhoneから送信",
    "Sent from my Samsung Galaxy smartphone.", "Sent from Yahoo Mail on Android",
    "Sent from Mail for Windows 10", "Sent from Outlook", "Get Outlook for Android",
    "Get Outlook for iOS (https://aka.ms/o0ukef)",
    "Sent with Proton Mail secure email.", "Sent via BlackBerry", "*Sent from my iPad*",
    "Sent from my Android device with K-9 Mail. Please excuse my brevity.",
    "Von meinem iPhone gesendet", "Gesendet von Outlook für Android", "Gesendet mit der GMX Mail App",
    "Holen Sie sich Outlook für iOS",
    "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.", "Outlook für iOS beziehen",
    "Envoyé de mon iPhone", "Envoyé depuis mon téléphone", "Télécharger Outlook pour iOS",
    "Obtenir Outlook pour Android",
    "Enviado desde mi iPhone", "Obtener Outlook para iOS", "Inviato da iPhone", "Inviato dal mio telefono",
    "Ottieni Outlook per iOS", "Verstuurd vanaf mijn iPhone", "Verzonden vanuit Outlook",
    "Outlook voor iOS downloaden",
    "Enviado do meu iPhone", "Obter o Outlook para Android", "Enviado via iPhone", "Baixar o Outlook para Android",
    "Sendt fra min iPhone", "Hent Outlook til iOS", "Skickat från min iPhone", "Hämta Outlook för Android",
    "Wysłane z iPhone'a", "Pobierz aplikację Outlook dla systemu iOS", "Odesláno z iPhonu", "Lähetetty iPhonesta",
    "iPhone'umdan gönderildi", "從我的 iPhone 傳送", "나의 iPhone에서 보냄", "Отправлено с iPhone",
    "Von Yahoo Mail für iPhone gesendet", "Von Samsung Mobile gesendet", "Gesendet mit der Telekom Mail App",
    "Envoyé depuis l'application Mail Orange", "Inviato dal mio cellulare", "Verstuurd vanaf mijn mobiel",
    "Sent with Mailspring", "Sent from Workspace ONE Boxer", "Sent using Zoho Mail",
]  # fmt: skip
SMALL_PRINT = [
    "This e-mail and any files transmitted with it are confidential and intended solely for the use of the individual.",
    "If you are not the intended recipient of this message, you must not copy it or disclose its contents to anyone.",
    "CONFIDENTIALITY NOTICE: The contents of this email message may contain privileged information.",
    "The information contained in this communication is legally privileged and for the addressee only.",
    "Diese Nachricht ist vertraulich. Sollten Sie nicht der vorgesehene Empfänger sein, so bitten wir um Mitteilung.",
    "Ce courriel est confidentiel. Si vous l'avez reçu par erreur, merci de le détruire.",
    "Este mensaje es confidencial y se dirige exclusivamente a su destinatario. Si lo ha recibido por error, bórrelo.",
    "Questo messaggio è riservato ed è destinato al solo destinatario indicato. Se ricevuto per errore, distruggerlo.",
    "Dit bericht is vertrouwelijk en uitsluitend bestemd voor de geadresseerde.",
    "Esta mensagem é confidencial. Se a recebeu por engano, por favor apague-a e avise o remetente.",
]


@pytest.mark.parametrize("line", ATTRIBUTIONS)
@pytest.mark.parametrize("quote", ["> Are you there?\n> Bob", "Are you there?\nBob"])
def test_an_attribution_and_its_quote_are_history(line: str, quote: str) -> None:
    assert history.without_history(f"Yes.\n\n{line}\n\n{quote}\n").text.strip() == "Yes."


@pytest.mark.parametrize("line", [line for line in ATTRIBUTIONS if line.isascii()])
def test_an_attribution_may_be_wrapped(line: str) -> None:
    half = line.rfind(" ", 0, len(line) // 2 + 5)
    assert history.without_history(f"Yes.\n\n{line[:half]}\n{line[half + 1 :]}\n> x").text.strip() == "Yes."


@pytest.mark.parametrize("line", SENT_FROM)
def test_a_line_by_which_an_app_signs_is_cut(line: str) -> None:
    rest = cut.without_signature(f"Yes.\n\n{line}")
    assert (rest.text.strip(), rest.cut) == ("Yes.", ("signature",))


@pytest.mark.parametrize("paragraph", SMALL_PRINT)
def test_small_print_is_cut_with_all_that_follows(paragraph: str) -> None:
    rest = without_small_print(f"Yes.\n\n{paragraph}\n\nAcme Ltd, London", ())
    assert (rest.text.strip(), rest.cut) == ("Yes.", ("disclaimer",))


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, Alex",
        "Kind regards,\nAnn Lee\nRiverside Clinic",
        "Sent from the front desk: your lift is ready",
        "Get the phone from Ann and call me",
        "I sent the mail you asked for",
        "On Monday Bob wrote: all good",
        "At 10:30 the bus leaves:\nbe there",
        "From: Sydney\nTo: Perth\nDate: 12 March",
        "Ann wrote:\ncome at 8",
        "a > b\n-> next",
        ">>> ALARM <<<",
        "---\nnext\n---",
        "-- not a signature",
        "Sent by mail on Monday, look at your phone",
        "Ihr Handy wurde heute gesendet",
        "Von meinem Handy aus rufe ich an",
        "This mail is confidential.",
        "Disclaimer: none",
        "If you got this text in error ring 1234",
        "Caution: wet floor outside",
        "External doors are locked from 6",
        "The message is: meet outside the company at 6",
        "To unsubscribe reply STOP",
        "The board (Vorstand) meets at 10",
        "Our GDPR training is at 10",
        "Please reply above the line on the form",
        "______",
    ],
)
def test_words_of_people_stay(text: str) -> None:
    whole = f"Hello.\n\n{text}"
    assert history.without_history(whole).text == whole
    assert cut.without_signature(whole).text == whole
    assert without_small_print(whole, ()).text == whole


@pytest.mark.parametrize(
    "line",
    [
        "-----Original Message-----", "----- Original Message -----", "-------- Original message --------",
        "-----Ursprüngliche Nachricht-----", "-------- Weitergeleitete Nachricht --------",
        "-----Message d'origine-----",
        "---------- Message transféré ---------", "-----Mensaje original-----",
        "-----Messaggio originale-----",
        "-----Oorspronkelijk bericht-----", "-----Mensagem original-----",
        "---------- Forwarded message ---------",
        "Begin forwarded message:", "Début du message transféré :",
        "---- On Tue, 12 Mar 2024 09:58:11 Bob wrote ----",
        "*-----Original Message-----*", ">>> Bob Ray 12.03.2024 09:58 >>>",
        ">>> On 12/3/2024 at 09:58, Bob wrote:",
    ],
)  # fmt: skip
def test_a_divider_ends_the_text(line: str) -> None:
    assert history.without_history(f"Yes.\n\n{line}\nold").text.strip() == "Yes."


def test_a_mail_of_nothing_but_history_loses_all_here() -> None:
    assert history.without_history("> a\n> b").text == ""


KEPT = [
    "Please reply above this line of the form is where you sign",
    "Attention: external contractors arrive at 10", "WARNING: server web1 is down, reached from outside the network",
    "CAUTION: High temperature. Check the link between A and B", "Message from external alarm: zone 3",
    "Notice: the mail server is down", "Your message is scanned for spam by 10am",
    "Datenschutz: Schulung am Montag um 10", "Amtsgericht München: Termin 10 Uhr, Saal 3",
    "Registered office: please bring the parcel to door 3", "Get Outlook for the new PC, ask Ann",
    "Sent from warehouse device 7: stock low", "Sent via courier, tracking number 1234",
    "Inviato con corriere: il telefono arriva domani", "Få mælk til kaffen", "iPhone 12 ready for pickup",
    "Von: Zürich\nNach: Bern\nDatum: 12.3.", "Od: 8:00\nDo: 10:00\nTemat: spotkanie",
    "Subject: Maths\nFrom: 9:00\nTo: 10:00\nDate: Monday", "begin 5 minutes early\nend at 6",
    "You received this message because your card expired", "Message externe: porte 3 ouverte",
    "Extern: 5, intern: 3", "The message is: meet outside the company at 6",
]  # fmt: skip


@pytest.mark.parametrize("words_of_a_person", KEPT)
def test_words_of_people_stay_above_and_below_others(words_of_a_person: str) -> None:
    for text in (f"Hello Bob.\n\n{words_of_a_person}", f"{words_of_a_person}\n\nRing 5550 1234."):
        made = make(plain=text, html=None, subject="x", rule=TextRule(), segments_limit=3)
        assert isinstance(made, SmsText)
        assert made.text == text


def test_an_attribution_at_the_end_is_dropped() -> None:
    assert history.without_history("Yes.\nOn 12/3/24 09:58, Bob wrote:\n\n").text.strip() == "Yes."


def test_the_header_block_may_be_spaced_and_bold() -> None:
    block = "*From:* Bob\n\n*Sent:* today\n\n*To:* Ann\n\n*Subject:* x\n\nold"
    assert history.without_history(f"Yes.\n{'_' * 32}\n{block}").text == "Yes."


def test_the_header_block_may_begin_with_its_date_when_it_is_whole() -> None:
    block = "Date: today\nFrom: bob@example.net\nTo: ann@example.net\nSubject: x\n\nold"
    assert history.without_history(f"Yes.\n\n{block}").text == "Yes."
    fax = "Fax received\nDate: today\nFrom: 0421\nSubject: fax\nPages: 2"
    assert history.without_history(fax).text == fax


def test_the_author_of_a_quote_may_stand_alone_above_it() -> None:
    for line in ("Quoting Bob <bob@example.net>:", "Zitat von Bob:", "Bob wrote:", "Mo Ray wrote:"):
        assert history.without_history(f"Yes.\n\n{line}\n\n> old\n\nNo.").text.split() == ["Yes.", "No."]


def test_links_that_a_text_shows_are_not_doubled() -> None:
    text = "see x.example/a<https://x.example/a/>, ann@x.example<mailto:ann@x.example> or here<https://x.example/b> <https://c>"
    assert cut.tidied(text).text == "see x.example/a, ann@x.example or here (https://x.example/b) <https://c>"


def test_a_bare_dash_signature_must_be_short() -> None:
    assert cut.without_signature("Yes.\n--\nAnn").text == "Yes."
    long = "Yes.\n--\n" + "line\n" * 30
    assert cut.without_signature(long).text == long


def test_the_operators_own_patterns_cut_their_paragraph() -> None:
    rest = without_small_print("Yes.\n\nABN 12 345\n\nNo.", (re.compile("ABN"),))
    assert (rest.text, rest.cut) == ("Yes.\n\nNo.", ("disclaimer",))


def test_a_heading_goes_with_its_small_print() -> None:
    assert without_small_print(f"Yes.\n\nDISCLAIMER\n\n{SMALL_PRINT[0]}", ()).text == "Yes."


@pytest.mark.parametrize(
    ("banner", "rest"),
    [
        ("CAUTION: This email originated from outside the company.\n\nYes.", "Yes."),
        ("[EXTERNAL EMAIL] Notice: external sender\nYes.", "Yes."),
        ("ATTENTION: external sender. Open links only\nif you know the content is safe.\nYes.", "Yes."),
        ("ACHTUNG: Diese E-Mail stammt von einem externen Absender.\n\nJa.", "Ja."),
        ("[EXTERNAL]\nYes.", "Yes."),
        ("*** EXTERNAL EMAIL ***\n\nYes.", "Yes."),
        ("EXTERNAL EMAIL: Use caution with links and attachments.\nYes.", "Yes."),
        ("This email was sent from someone outside of your organization.\nYes.", "Yes."),
        (
            "CAUTION: This email originated from outside of the organization. Do not\nclick links.\nYes.",
            "Yes.",
        ),
        ("Attention, ce courriel provient d'un expéditeur externe\noui, à 10 h", "oui, à 10 h"),
        ("PRECAUCIÓN: Este correo se originó fuera de la organización. No haga clic en enlaces.\nSí.", "Sí."),
        ("ATTENZIONE: questa e-mail proviene dall'esterno dell'organizzazione.\n\nSì.", "Sì."),
        ("CUIDADO: Este e-mail teve origem fora da organização.\n\nSim.", "Sim."),
        ("ADVARSEL: Denne mail er sendt fra en ekstern afsender.\n\nJa.", "Ja."),
        ("VARNING: Detta e-postmeddelande kommer från en extern avsändare.\n\nJa.", "Ja."),
        ("UWAGA: Ta wiadomość pochodzi spoza organizacji. Nie klikaj w linki.\n\nTak.", "Tak."),
    ],
)
def test_the_banner_of_a_mail_server_is_cut_from_the_top(banner: str, rest: str) -> None:
    assert without_small_print(banner, ()).text.strip() == rest


@pytest.mark.parametrize(
    "footer",
    [
        "This email has been scanned for spam & viruses. Click here to report this email as spam.",
        "Acme Pty Ltd does not guarantee that this email is free of viruses.",
        "Registered in England and Wales No. 1234567. Registered office: 1 High St, London.",
        "_______________\nTo unsubscribe from the STAFF list, click the following link:\nhttps://x.example/u",
        "Reply to this email directly or view it on GitHub: https://github.example/a/b/1",
        "Denne e-mail er fortrolig. Hvis du ikke er den rette modtager, bedes du slette den.",
        "Detta meddelande är konfidentiellt och endast avsett för mottagaren.",
        "Ta wiadomość jest poufna i przeznaczona wyłącznie dla adresata. Prosimy o jej usunięcie.",
    ],
)
def test_a_footer_is_cut_with_the_line_above_it(footer: str) -> None:
    assert without_small_print(f"Yes.\n\n----------\n\n{footer}", ()).text == "Yes."


HEADER_BLOCKS = [
    "Fra: Bo\nSendt: 12. marts 2024 09:50\nTil: Ann\nEmne: Besøg",
    "Från: Bo\nSkickat: den 12 mars 2024 09:50\nTill: Ann\nÄmne: Besök",
    "Od: Jan\nWysłano: wtorek, 12 marca 2024 09:50\nDo: Ann\nTemat: Wizyta",
    "Od: Jan\nOdesláno: úterý 12. března 2024 9:50\nKomu: Ann\nPředmět: Návštěva",
    "Feladó: Jan\nKüldve: 2024. március 12., kedd 9:50\nCímzett: Ann\nTárgy: x",
    "Kimden: Jan\nGönderildi: 12 Mart 2024 Salı 09:50\nKime: Ann\nKonu: x",
    "De la: Jan\nTrimis: marți, 12 martie 2024 09:50\nCătre: Ann\nSubiect: x",
    "Από: Jan\nΣτάλθηκε: Τρίτη, 12 Μαρτίου 2024 9:50\nΠρος: Ann\nΘέμα: x",
    "寄件者: Jan\n寄件日期: 2024年3月12日 9:50\n收件者: Ann\n主旨: x",
    "보낸 사람: Jan\n보낸 날짜: 2024년 3월 12일\n받는 사람: Ann\n제목: x",
]


@pytest.mark.parametrize("block", HEADER_BLOCKS)
def test_the_header_block_is_known_in_more_languages(block: str) -> None:
    assert history.without_history(f"Yes.\n\n{block}\n\nold").text.strip() == "Yes."
    unwrapped = history.forwarded(f"{block}\n\nold\nwords")
    assert unwrapped is not None
    assert unwrapped.text.strip() == "old\nwords"


def test_a_forwarded_header_ends_where_its_fields_end() -> None:
    spaced = "*From:* Bob\n\n*Sent:* today\n\n*To:* Ann\n\n*Subject:* x\n\nold: words"
    tight = "From: Bob <b@x.example>\nSent: today\nTo: Ann;\n Zoe\nCc: Max\nSubject: x\nImportance: High\nold words"
    assert [(history.forwarded(text) or Rest("")).text.strip() for text in (spaced, tight)] == [
        "old: words",
        "old words",
    ]


def test_an_answer_is_no_forward() -> None:
    assert history.forwarded("On 12/3/24 09:58, Bob wrote:\n\nold") is None
    assert history.forwarded("> old") is None
    assert history.forwarded("From: Bob\nSent: today\nTo: Ann\nSubject: x\n\n") is None


def test_an_answer_may_stand_below_what_a_header_block_quotes() -> None:
    block = "From: bob@example.net\nSent: today\nTo: ann@example.net\nSubject: x\n\n> old\n\nYes."
    assert history.without_history(block).text.strip() == "Yes."


@pytest.mark.parametrize(
    "line", ["##- Please type your reply above this line -##", "--- Répondez au-dessus de cette ligne ---"]
)
def test_the_line_above_which_to_answer_ends_an_answer_and_leaves_a_help_desks_mail(line: str) -> None:
    assert cut.tidied(f"Yes.\n\n-----\n{line}\nold").text == "Yes."
    assert cut.tidied(f"{line}\n\nSolved.").text.strip() == "Solved."


def test_what_stands_behind_thousands_of_lines_is_left_alone() -> None:
    text = "line\n" * 4_000 + "> quoted"
    assert history.without_history("> q\n" + text).text == text
    assert history.without_history(text).text == text


@given(
    st.lists(
        st.sampled_from(
            [*ATTRIBUTIONS, *SENT_FROM, "> x", ">", "", "-- ", "--", "From: a", "Subject: b", "hi"]
        )
    )
)
def test_a_cut_is_always_named_and_never_adds_text(lines: list[str]) -> None:
    text = "\n".join(lines)
    for rest in (history.without_history(text), cut.without_signature(text), without_small_print(text, ())):
        assert (rest.text == text) == (rest.cut == ())
        assert set(rest.text.split("\n")) <= {*lines, ""}


LINES = [
    "From: a\n", "From: a\nTo: b\n", ">\n", "On :\n", "On 1@ x:\n", "On 12 Mar 2024 at 10:00 a@b.c\n",
    "On 10:00 " + "wrot " * 110 + ":\n",
    "x wrote:\n", "-" * 40 + "Original" + "-" * 38 + "\n", "--\n", "-- \nx\n",
    "Sent from " + "x" * 100 + "\n", "phone " * 19 + "\n",
    "get " * 29 + "\n", "x\n\n", "this e-mail " * 4 + "\n\n", "information " * 200 + "\n\n",
    "caution " * 10 + "\n\n", "umwelt " * 80 + "\n\n",
    "a<http://", "<http://a", "[cid:", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: a\n", "_" * 30 + "\n",
    "1" * 200 + "<a@b>" * 100 + "\n", "<a@b> 2024 10:00 " * 16 + ":\n",
    "ZjQcmQRYFpfptBannerStart", "vorstand " * 60 + "\n\n", "to unsubscribe " * 38 + "\n\n", "hrb gdpr " * 60 + "\n\n",
    "reply above this line", "Cc: a\n", "from outside mail\n", "external ",
]  # fmt: skip


@pytest.mark.parametrize("unit", LINES)
def test_hostile_texts_are_done_with_at_once(unit: str) -> None:
    text = "hello\n" + unit * (262_144 // len(unit))
    began = time.process_time()
    rest = cut.tidied(text).text
    for step in (history.without_history, cut.without_signature):
        step(rest)
    history.forwarded(rest)
    without_small_print(rest, ())
    assert time.process_time() - began < 2


def test_every_language_has_a_word_for_each_label() -> None:
    for line in ("De : x", "Von: x", "*From:* x", "Da: x", "Van: x", "差出人：x"):
        label = words.LABEL.match(line)
        assert label is not None
        assert label.lastgroup == "from"
