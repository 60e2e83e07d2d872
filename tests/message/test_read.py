"""Reading mails: the caps, the faults of real senders, and that nothing but `MailError` ever comes out."""

import base64
import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import MailError
from bridge.message import charset, read, transfer

FROM = b"From: ann@clinic.example\r\n"
BASE64 = FROM + b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
MIXED = FROM + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"


def nested(depth: int) -> bytes:
    raw = FROM
    for level in range(depth):
        raw += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
    return raw + b"\r\nhi"


def refusal_of(raw: bytes) -> str:
    """The sentence by which a mail is refused, or "" when it is read."""
    try:
        read(raw)
    except MailError as error:
        return str(error)
    return ""


def test_a_mail_at_the_caps_is_read() -> None:
    assert read(nested(20)).plain == "hi"
    assert read(MIXED + b"--x\r\n\r\na\r\n" * 100 + b"--x--").plain is not None
    assert read(FROM + b"X: y\r\n" * 999 + b"\r\nhi").plain == "hi"
    assert len(read(FROM + b"To: " + b"a@b, " * 12_000 + b"\r\n\r\nhi").to_addresses) == 1


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (nested(21), "20 parts deep"),
        (MIXED + b"--x\r\n\r\na\r\n" * 101, "100 parts"),
        (FROM + b"X: y\r\n" * 1_000 + b"\r\nhi", "1,000 header fields"),
        (FROM + b"X: y" + b"\r\n y" * 100_000 + b"\r\n\r\nhi", "256 KiB"),
        (FROM + b"X: " + b"y" * 300_000, "256 KiB"),
        (FROM + b"To: " + b"a@b, " * 14_000 + b"\r\n\r\nhi", "64 KiB"),
        (b"From: " + b" " * 9_000 + b"a@b\r\n\r\nhi", "8 KiB"),
        (FROM + b"Message-ID: <" + b"a" * 9_000 + b">\r\n\r\nhi", "8 KiB"),
        (FROM + b"Content-Type: text/plain; a=" + b"a" * 9_000 + b"\r\n\r\nhi", "8 KiB"),
    ],
)
def test_a_mail_over_a_cap_is_refused_in_one_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(MailError, match=sentence):
        read(raw)


def test_a_long_field_that_nobody_reads_is_skipped() -> None:
    mail = read(FROM + b"X-Autoreply: " + b"y" * 9_000 + b"\r\n\r\nhi")
    assert (mail.plain, mail.auto_headers) == ("hi", frozenset())


def test_a_long_text_is_read_so_far_and_marked() -> None:
    mail = read(FROM + b"\r\n" + b"word " * 100_000)
    assert mail.truncated
    assert mail.plain is not None
    assert len(mail.plain) == 256 * 1024
    markup = read(FROM + b"Content-Type: text/html\r\n\r\n" + b"<p>word</p>" * 100_000)
    assert (markup.truncated, len(markup.html or "")) == (True, 512 * 1024)


def test_pictures_inside_html_do_not_use_up_the_cap() -> None:
    picture = b'<img src="data:image/png;base64,' + b"A" * 900_000 + b'"><p>Zone 3 open</p>'
    mail = read(FROM + b"Content-Type: text/html\r\n\r\n" + picture)
    assert not mail.truncated
    assert (mail.html or "").endswith("<p>Zone 3 open</p>")


def test_message_ids_are_made_safe() -> None:
    def id_of(value: bytes) -> str | None:
        return read(FROM + b"Message-ID: " + value + b"\r\n\r\nx").message_id

    assert id_of(b"<a@b>") == "<a@b>"
    assert id_of(b"\r\n <a@b> (comment)") == "<a@b>"
    assert id_of(b"a@b") == "<a@b>"
    assert id_of(b"<a b\xff\x00@c>") == "<ab@c>"
    assert id_of(b"") is None
    assert id_of(b"<>") is None
    assert id_of(b"<" + b"a" * 600 + b">") is None


def test_references_are_the_last_twenty_or_in_reply_to() -> None:
    many = b" ".join(b"<%d@b>" % number for number in range(30))
    assert read(FROM + b"References: " + many + b"\r\n\r\nx").references[0] == "<10@b>"
    assert read(FROM + b"In-Reply-To: <1@b>\r\n\r\nx").references == ("<1@b>",)


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        (b"=?utf-8?q?a_b=3D?=", "a b="),
        (b"=?utf-8*en?q?a?= =?utf-8?q?b?= c", "ab c"),
        (b"=?utf-8?b?w7w?=", "\u00fc"),
        (b"=?utf-8?b?w7w=?x", "=?utf-8?b?w7w=?x"),
        (b"=?iso-8859-1?q?=FC?= =?utf-8?q?=C3=BC?=", "\u00fc\u00fc"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\u00fc"),
        (b"=?utf-8?b?A?=", ""),
        (b"T\xc3\xbcr", "T\u00fcr"),
        (b"T\xfcr", "T\u00fcr"),
        (b"a\r\n b\t c", "a b c"),
        (b"=?utf-8?q?a=0D=0ABcc:_x@y?=", "a Bcc: x@y"),
        (b"=?x-no-such?q?a?=", "a"),
        (b"x" * 5_000, "x" * 2_000),
    ],
)
def test_subjects_are_one_decoded_line(field: bytes, subject: str) -> None:
    assert read(FROM + b"Subject: " + field + b"\r\n\r\nx").subject == subject


@pytest.mark.parametrize(
    ("kind", "body", "plain"),
    [
        (b"text/plain; charset*=utf-8''iso-8859-1", b"T\xfcr", "T\u00fcr"),
        (b"text/plain; charset*0=iso-; charset*1=8859-1", b"T\xfcr", "T\u00fcr"),
        (b"text/plain charset=iso-8859-2", b"\xb3", "\u0142"),
        (b"text/plain; charset='iso-8859-2'", b"\xb3", "\u0142"),
        (b'text/plain; charset="iso-8859-\\2"', b"\xb3", "\u0142"),
        (b"text/enriched", b"<bold>a</bold> << b\nc\n\nd", "a < b c\nd"),
        (b"TEXT/PLAIN", b"x", "x"),
        (b"text/plain; name=alarm.txt", b"x", "x"),
    ],
)
def test_content_types_are_read_as_clients_write_them(kind: bytes, body: bytes, plain: str) -> None:
    assert read(FROM + b"Content-Type: " + kind + b"\r\n\r\n" + body).plain == plain


def test_a_part_of_a_digest_is_a_mail_and_read_past() -> None:
    mail = read(
        FROM + b"Content-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nSubject: y\r\n\r\nz\r\n--x--"
    )
    assert (mail.plain, mail.html) == (None, None)


def test_the_first_that_speaks_is_the_root_of_related_parts() -> None:
    raw = (
        FROM + b"Content-Type: multipart/related; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: text/html\r\n\r\n<p>a</p>\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>b</p>\r\n--x--"
    )
    assert read(raw).html == "<p>a</p>"


@pytest.mark.parametrize(
    ("octets", "label", "text"),
    [
        (b"\xef\xbb\xbfT\xc3\xbcr", "", "T\u00fcr"),
        ("\ufeffT\u00fcr".encode("utf-32-le"), "utf-32", "T\u00fcr"),
        ("T\u00fcr".encode("utf-16-be"), "utf-16be", "T\u00fcr"),
        ("T\u00fcr".encode("utf-16-le"), "utf-16be", "T\u00fcr"),
        ("\u65e5\u672c".encode("utf-16-le"), "utf-16le", "\u65e5\u672c"),
        (b"plain", "utf-16", "plain"),
        ("\u8b66".encode("iso2022_jp"), "", "\u8b66"),
        (b"\x80", "latin1", "\u20ac"),
        (b"\x80", "windows-1252", "\u20ac"),
        (b"\x81", "latin1", "\x81"),
        (b"\xd0", "x-mac-cyrillic", "\u2013"),
        (b"\xe4", "iso-8859-8-i", "\u05d4"),
        ("\u20ac".encode("iso8859_15"), "ISO_8859-15:1998", "\u20ac"),
        (b"a\0b", "us-ascii", "ab"),
        (b"nothing rot", "rot13", "nothing rot"),
        (b"\\u0041", "unicode_escape", "\\u0041"),
        (b"\\u0041", "raw-unicode-escape", "\\u0041"),
        (b"xn--a", "idna", "xn--a"),
        (b"QQ==", "base64", "QQ=="),
        (b"abc", "cp037", "abc"),
        (b"abc", "\xff" * 100, "abc"),
        (
            "gr\u00fc\u00dfe aus M\u00fcnchen".encode() + b"\xff",
            "utf-8",
            "gr\u00fc\u00dfe aus M\u00fcnchen\ufffd",
        ),
    ],
)
def test_charsets_are_read_by_any_label_and_never_as_codecs_of_other_kinds(
    octets: bytes, label: str, text: str
) -> None:
    assert charset.decode(octets, label) == text


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("gb18030", "您好，您的预约时间是明天下午三点，请准时到达。"),
        ("gb18030", "明天三点见"),
        ("big5", "您好，您的預約時間是明天下午三點，請準時到達。"),
        ("cp932", "明日の予約は午後3時です。よろしくお願いします。"),
        ("cp932", "了解しました"),
        ("euc_jp", "明日の予約は午後3時です。よろしくお願いします。"),
        ("cp949", "내일 오후 3시에 예약이 있습니다. 감사합니다."),
        ("koi8_r", "Здравствуйте, ваш приём завтра в 15:00. Пожалуйста, приходите вовремя."),
        ("cp1251", "Приём завтра"),
        ("cp1253", "Καλημέρα, το ραντεβού σας είναι αύριο στις 3."),
        ("cp1255", "שלום, התור שלך מחר בשלוש"),
        ("cp1256", "مرحبا، موعدك غدا الساعة الثالثة"),
        ("cp874", "สวัสดี นัดหมายของคุณคือพรุ่งนี้บ่ายสามโมง"),
        ("cp1252", "Grüße aus München, bis später – Ärzte für Übelkeit"),
        ("cp1252", "À bientôt, rendez-vous à l'hôpital où l'été dernier…"),
        ("cp1252", "ÄÖÜäöüß"),
        ("cp1252", "ÇÉÈ"),
    ],
)
def test_a_text_without_a_label_is_told_by_what_it_is(codec: str, text: str) -> None:
    """Old gear and mailers of these countries send octets and name no charset."""
    assert charset.decode(text.encode(codec), "") == text
    assert charset.decode(text.encode(codec), "unknown-8bit") == text


@given(
    st.binary(max_size=300),
    st.one_of(st.text(max_size=30), st.sampled_from(["", "utf-8", "utf-16", "gbk", "utf-7"])),
)
def test_charsets_never_raise(octets: bytes, label: str) -> None:
    assert "\0" not in charset.decode(octets, label)


@given(st.binary(max_size=300))
def test_base64_is_decoded_whatever_the_line_ends(octets: bytes) -> None:
    for encoded in (
        base64.encodebytes(octets),
        base64.b64encode(octets),
        base64.b64encode(octets).rstrip(b"="),
    ):
        assert transfer.decode(encoded, "base64") == octets


def test_glued_and_dirty_base64_is_decoded() -> None:
    glued = base64.b64encode(b"Zone 3 ") + b"\n" + base64.b64encode(b"open now")
    assert transfer.decode(glued, "base64") == b"Zone 3 open now"
    dirty = base64.encodebytes(b"Zone 3 is open now, go and look at it") + b""
    assert (
        transfer.decode(dirty[:20] + b"!" + dirty[20:], "base64") == b"Zone 3 is open now, go and look at it"
    )


@pytest.mark.parametrize(
    "text",
    [
        "begin 6 apples\nend",
        "begin 644 plan.txt\nplease go in at the front\nend",
        "begin 644 plan.txt\n%2&5L;&\\\n",
        "we begin 644 x\nend",
        "",
    ],
)
def test_words_that_only_begin_like_a_file_stay(text: str) -> None:
    assert transfer.without_uuencoded(text) == text


def test_a_clear_text_labelled_base64_stays_as_it_is() -> None:
    for words in (
        b"Help me",
        b"Alarm in zone 3\r\nplease come",
        b"Front door\r\n\r\nit is open",
        b"Hi\r\nall of you",
    ):
        assert transfer.decode(words, "base64") == words


@pytest.mark.parametrize(
    ("flowed", "text"),
    [
        ("a \nb\n", "a b\n"),
        ("> a \n> b\n>> c \n>> d\ne", "> a b\n>> c d\ne"),
        ("a \n> b", "a \n> b"),
        ("a \n-- \nsig", "a \n-- \nsig"),
        (" >not a quote", ">not a quote"),
        ("ends soft ", "ends soft "),
    ],
)
def test_flowed_lines_are_joined(flowed: str, text: str) -> None:
    assert transfer.unflow(flowed, delete_space=False) == text


@given(st.binary(max_size=400))
@settings(max_examples=300)
def test_any_bytes_are_a_mail_or_a_mail_error(raw: bytes) -> None:
    assert refusal_of(raw).isascii()


pieces = st.sampled_from(
    [b"\r\n", b"\n", b"--x", b"--x--", b"--y", b"Content-Type: multipart/mixed; boundary=x", b"\r\n\r\n", b"a@b",
     b"Content-Type: multipart/alternative; boundary=y", b"Content-Type: text/html", b"<p>", b"=?utf-8?q?=?=", b" ",
     b"Content-Transfer-Encoding: base64", b"From: ", b"Subject: ", b"\xff", b"\0", b"Content-Type: message/rfc822"]
)  # fmt: skip


@given(st.lists(pieces, max_size=40))
@settings(max_examples=300)
def test_any_shape_of_mime_is_a_mail_or_a_mail_error(shape: list[bytes]) -> None:
    refusal = refusal_of(FROM + b"".join(shape))
    assert refusal.isascii()
    assert refusal != "the mail cannot be read"


def test_a_fault_that_nobody_foresaw_is_a_mail_error() -> None:
    with pytest.raises(MailError, match="cannot be read"):
        read(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw",
    [
        FROM + b"To: " + b"(" * 60_000 + b"\r\n\r\nx",
        FROM + b"To: " + b'"\\' * 30_000 + b"\r\n\r\nx",
        FROM + b"Subject: " + b"=?a?q?" * 10_000 + b"\r\n\r\nx",
        FROM + b"Content-Type: text/plain" + b"; a='" * 1_600 + b"\r\n\r\nx",
        FROM + b"X:\r\n" * 65_000,
        nested(5_000),
        MIXED + b"--x\r\n\r\na\r\n" * 20_000,
        MIXED + b"--xa\r\n" * 500_000,
        MIXED + b"\n" * 4_000_000,
        BASE64 + b"A=A=" * 1_000_000,
        BASE64 + b"AAAA" * 999 + b"!A" * 999_999,
        FROM + b"Content-Type: text/enriched\r\n\r\n" + b"<param><" * 32_000,
        BASE64 + b"QUJD\r\n-- a b\r\n" * 80_000,
        FROM + b"\r\n" + b"begin 644 a\r\n" * 20_000,
        FROM + b"\r\n" + b"begin 644 a\r\n" + b"M\r\n" * 80_000,
        FROM + b"Content-Type: text/html\r\n\r\n" + b"<a>&nbsp; " * 50_000 + b"-----BEGIN PGP MESSAGE-----",
        FROM + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"= " * 130_000,
        FROM + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=" + b" " * 260_000,
    ],
    ids=[f"shape {number}" for number in range(18)],
)  # fmt: skip
def test_hostile_mails_are_done_with_at_once(raw: bytes) -> None:
    began = time.process_time()
    refusal_of(raw)
    assert time.process_time() - began < 2  # far above what it takes, far below what a quadratic reader would


@pytest.mark.parametrize(
    "hostile",
    [
        b"From: x@" + "é.".encode() * 1_300 + b"clinic.example\r\n\r\nx",
        b"From: x@clinic.example\r\nTo: " + b"a@b.c," * 10_000 + b"\r\n\r\nx",
    ],
    ids=["a From of a thousand labels", "a To of ten thousand"],
)
def test_no_list_in_a_header_takes_longer_than_a_thousand_fields(hostile: bytes) -> None:
    fields = b"From: x@clinic.example\r\n" + b"X: y\r\n" * 900 + b"\r\nx"
    assert min(map(_seconds, [hostile] * 5)) < min(map(_seconds, [fields] * 5))


def _seconds(raw: bytes) -> float:
    began = time.perf_counter()
    with contextlib.suppress(MailError):
        read(raw)
    return time.perf_counter() - began
