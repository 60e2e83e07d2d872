"""Bytes to text for any honest charset label. Never raises, and never runs a codec that makes markup of
ASCII.

Labels are read as the WHATWG Encoding Standard reads them: a label names the superset that clients really
send.
"""

import codecs
import re
from encodings.aliases import aliases
from functools import lru_cache

_SUPERSETS = {
    "ascii": "cp1252",
    "latin_1": "cp1252",
    "iso8859_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "utf_8": "utf_8",
    "iso2022_jp": "iso2022_jp_ext",
    "iso2022_jp_1": "iso2022_jp_ext",
}
_ALIASES = {
    "ks_c_5601_1987": "cp949",
    "ks_c_5601": "cp949",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_6_i": "iso8859_6",
    "windows_31j": "cp932",
    "windows_874": "cp874",
    "windows_949": "cp949",
    "windows_936": "gb18030",
    "x_sjis": "cp932",
    "x_euc_jp": "euc_jp",
    "cseucpkdfmtjapanese": "euc_jp",
    "cseuckr": "cp949",
    "csbig5": "big5hkscs",
    "csshiftjis": "cp932",
    "x_windows_949": "cp949",
    "x_gbk": "gb18030",
    "gb_2312": "gb18030",
    "gb2312_80": "gb18030",
    "x_mac_roman": "mac_roman",
    "macintosh": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic",
    "utf8mb4": "utf_8",
    "utf_8_sig": "utf_8",
    "unicode_1_1_utf_8": "utf_8",
    "ansi_x3_4_1968": "cp1252",
    "iso_8859_1_windows_3_1_latin_1": "cp1252",
    "iso8859_15_euro": "iso8859_15",
    "x_cp1252": "cp1252",
    "ansi": "cp1252",
    "koi8_ru": "koi8_u",
}
# These turn plain ASCII into other text, hide markup, or are no charsets of text at all.
_REFUSED = frozenset(
    {
        "utf_7", "unicode_escape", "raw_unicode_escape", "unicode_internal", "idna", "punycode", "undefined",
        "rot_13", "hex_codec", "base64_codec", "bz2_codec", "quopri_codec", "uu_codec", "zlib_codec", "mbcs",
        "oem",
        "charmap",
    }
)  # fmt: skip
_EBCDIC = re.compile(r"cp(?:037|273|424|500|875|1026|1140)")
_KNOWN = frozenset(aliases.values()) | {
    "utf_8", "koi8_r", "koi8_u", "koi8_t", "gb18030", "cp874", "cp1006", "mac_centeuro", "big5hkscs", "cp720",
}  # fmt: skip
_YEAR = re.compile(r"_(?:19|20)\d\d$")  # "ISO_8859-15:1998", as IANA registers it
_HIGH = bytes(range(128, 256))
_LETTERS = bytes(octet for octet in range(128) if chr(octet).isalpha())
_WESTERN = bytes(range(128)) + "äöüßÄÖÜéèàçñ".encode("cp1252")  # "äöü" is what people try first
_FEWEST_HIGH = 6  # octets above 127: three Chinese characters, one Russian word
_GUESSED_FROM = 2_048  # octets: 1 to 4 ms
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def decode(data: bytes, label: str) -> str:
    """The text of ``data``, which the mail calls ``label`` ("" when it says nothing). NULs and BOMs are
    dropped.
    """
    text = _by_mark(data)
    if text is None:
        text = _by_label(data, codec_of(label))
    return text.replace("\0", "").replace("\ufeff", "")


@lru_cache(maxsize=256)
def codec_of(label: str) -> str:
    """The Python codec for a charset label, or ``""`` for one that is unknown or must not be decoded."""
    name = re.sub(r"[^a-z0-9]+", "_", label.strip().lower()[:40]).strip("_")
    name = _ALIASES.get(name, _YEAR.sub("", name))
    name = aliases.get(name, name)
    for prefix in ("", "x_", "windows_"):
        stem = name.removeprefix(prefix)
        for candidate in (stem, f"cp{stem}"):
            codec = _SUPERSETS.get(candidate, candidate)
            if codec in _KNOWN and codec not in _REFUSED and not _EBCDIC.fullmatch(codec):
                return codec
    return ""


def label_in_html(data: bytes) -> str:
    """The charset that the HTML itself names in its first 2 KiB, or ``""``."""
    match = _META.search(data, 0, 2048)
    return match[1].decode("ascii") if match else ""


def _by_mark(data: bytes) -> str | None:
    """The text by its byte order mark, or None without one."""
    if data.startswith(codecs.BOM_UTF8):
        return data.decode("utf-8", "replace")
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return data.decode("utf-32", "replace")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return None


def _by_label(data: bytes, codec: str) -> str:
    if codec in ("utf_16", "utf_16_le", "utf_16_be"):
        return _utf16(data, codec)
    if codec in ("", "utf_8", "cp1252"):
        return _western(data, codec)
    return data.decode(codec, "replace")


def _utf16(data: bytes, codec: str) -> str:
    """UTF-16 without a mark: most senders are little-endian, whatever RFC 2781 says; zero octets tell."""
    sample = data[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if not even and not odd and codec == "utf_16":
        return _western(data, "")
    if even != odd:
        codec = "utf_16_le" if odd > even else "utf_16_be"
    elif codec == "utf_16":
        codec = "utf_16_le"
    return data.decode(codec, "replace")


def _western(data: bytes, codec: str) -> str:
    """UTF-8 where it fits, whatever the label says; else Windows-1252, the usual truth behind a wrong
    label.
    """
    if not codec and b"\x1b$" in data:
        return data.decode("iso2022_jp_ext", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if codec == "utf_8":
        text = data.decode("utf-8", "replace")
        damaged, sound = text.count("\ufffd"), sum(map(text.count, "äöüéèàçñ’–…€"))
        if damaged <= sound or damaged * 4 < sum(1 for c in text[:20_000] if ord(c) > 127 and c != "\ufffd"):
            return text
    if not codec and (guessed := _guessed(data)):
        return data.decode(guessed, "replace")
    return data.decode("cp1252", "replace") if _printable(data) else data.decode("latin-1")


def _guessed(data: bytes) -> str:
    """The codec of a text without a label that is surely not Western, else ``""``.

    Western text has a few octets above 127 among its letters; Chinese, Japanese, Korean, Cyrillic, Greek, Hebrew,
    Arabic and Thai have hardly any others. Only those are asked about, as a guess on "Grüße" can go wrong.
    """
    sample = data[:_GUESSED_FROM]
    high = len(sample) - len(sample.translate(None, _HIGH))
    letters = len(sample) - len(sample.translate(None, _LETTERS))
    if high < _FEWEST_HIGH or high < letters or not sample.translate(None, _WESTERN):
        return ""
    import chardet  # 40 MiB of models, for the few mails that need them

    return codec_of(chardet.detect(sample)["encoding"] or "")


def _printable(data: bytes) -> bool:
    """Whether every octet has a meaning in Windows-1252."""
    return not any(octet in data for octet in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
