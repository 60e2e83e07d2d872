"""What mail clients call the quoted history and the signature in their HTML, one table per meaning.

Observed in mails of the named clients; nothing here reads text. Used by the HTML walk alone.
"""

import re
from typing import Literal

from lxml import etree

Cut = Literal["quoted history", "signature", "the end of a very long mail"]
HISTORY: Cut = "quoted history"
SIGNATURE: Cut = "signature"
LONG_MAIL: Cut = "the end of a very long mail"

# Everything behind these is history: they are empty, or hold only the header of the mail that was answered.
_ENDS_IDS = frozenset(
    {
        "divrplyfwdmsg",  # Outlook on the web, Outlook.com
        "appendonsend",  # Outlook for Android and iOS, new Outlook
        "zwchr",  # Zimbra
        "stopspelling",  # Hotmail
        "mail-editor-reference-message-container",  # new Outlook for Windows and Mac
        "olk_src_body_section",  # Outlook for Mac 2011
        "mailcontent_replyheader",
        "replysplit",  # Freenet, Telekom
        "lotusnotesquote",
    }
)
_HISTORY_CLASSES = frozenset(
    {
        "gmail_attr",
        "moz-cite-prefix",
        "moz-forward-container",
        "moz-email-headers-table",
        "protonmail_quote",
        "tutanota_quote",
        "zmail_extra",
        "yahoo_quoted",
        "outlookmessageheader",
        "freebirdfxcomposer_quote",
        "hey_quote",
        "front-blockquote",
        "quotedtext",
        "alimail-quote",
        "ntes-mailmaster-quote",
        "mail_quote",
        "wmquote",
        "missive_quote",
        "superhuman_quote",
        "spark_quote",
        "edo_quote",
        "acompli_quote",
    }
)
_HISTORY_IDS = frozenset(
    {"reply-intro", "isreplycontent", "isforwardcontent", "mailquote", "yahoo_quoted", "qt"}
)
_SIGNATURE_CLASSES = frozenset(
    {
        "gmail_signature",
        "gmail_signature_prefix",
        "moz-signature",
        "yahoo_signature",
        "yahoo-signature",
        "protonmail_signature_block",
        "tutanota_signature",
        "email-signature",
        "mail_signature",
        "hey_signature",
        "edo_signature",
        "wisestamp_sig",
        "signature",  # GMX, Fastmail and others
        "bloop_sign",  # Airmail
        "front-signature",
    }
)
_SIGNATURE_IDS = frozenset(
    {
        "signature",
        "ms-outlook-mobile-signature",
        "applemailsignature",
        "applemailsignaturedummy",
        "mobile-signature",
        "_rc_sig",
        "composer_signature",  # Samsung
        "k9mail-signature",
        "k9_signature",
    }
)
_SIGNATURE_ATTRIBUTES = (
    ("data-smartmail", "gmail_signature"),
    ("data-marker", "__SIG_POST__"),  # Zimbra
    ("name", "messageSignatureSection"),  # Spark
)
_YAHOO = re.compile(r"ydp\w*(yahoo_quoted|signature)")
# Outlook and Windows Mail draw a thin line over the header of the mail that was answered.
_OUTLOOK_RULE = re.compile(r"border-top:solid#(?:e1e1e1|b5c4df)1\.0pt|border-top-color:rgb\(229,229,229\)")
_QUOTE_BAR = re.compile(r"border-left:[^;]{0,40}(?:solid|\dpx|\dpt)")


def ends_mail(element: etree._Element) -> bool:
    """Whether this element and all that stands behind it is quoted history."""
    name = element.get("id", "").lower()
    if name in _ENDS_IDS or element.get("data-marker", "") in ("__DIVIDER__", "__HEADERS__"):
        return True
    style = element.get("style", "") if element.tag == "div" else ""
    return "border-top" in style and _OUTLOOK_RULE.search(squeezed(style)) is not None


def cut_of(element: etree._Element) -> Cut | None:
    """What a client says this element is, when that is something to cut."""
    if element.tag == "blockquote" and _quotes(element):
        return HISTORY
    identity = element.get("id", "").lower()
    classes = element.get("class", "").lower().split()[:20]
    if identity in _HISTORY_IDS or element.get("name") == "quote" or not _HISTORY_CLASSES.isdisjoint(classes):
        return HISTORY
    if "gmail_quote" in classes or "gmail_quote_container" in classes:
        return None if first_quote_in(element) is not None else HISTORY
    if identity in _SIGNATURE_IDS or not _SIGNATURE_CLASSES.isdisjoint(classes):
        return SIGNATURE
    if any(element.get(attribute) == value for attribute, value in _SIGNATURE_ATTRIBUTES):
        return SIGNATURE
    for name in classes:
        if match := _YAHOO.fullmatch(name):
            return HISTORY if match[1] == "yahoo_quoted" else SIGNATURE
    return None


def first_quote_in(element: etree._Element) -> int | None:
    """The index of the first quoting child of Gmail's quote container; answers may stand between its
    quotes.
    """
    if "gmail_quote" not in element.get("class", "") or element.tag == "blockquote":
        return None
    for index, child in enumerate(element):
        if child.tag == "blockquote":
            return index
    return None


def _quotes(element: etree._Element) -> bool:
    if element.get("type", "").lower() == "cite" or "gmail_quote" in element.get("class", ""):
        return True
    style = element.get("style", "")
    return "border-left" in style.lower() and _QUOTE_BAR.search(squeezed(style)) is not None


def squeezed(style: str) -> str:
    """A style attribute in lower case without blanks, as the patterns here expect it."""
    return re.sub(r"\s+", "", style[:2_000]).lower()
