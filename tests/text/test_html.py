"""HTML to text, fragment by fragment; whole mails are in `tests/mails`."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sms_text.html import MAX_ELEMENTS, to_text
from bridge.sms_text.marks import LONG_MAIL


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain words", "plain words"),
        ("", ""),
        ("<!-- only a comment -->", ""),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<p style='margin:0'>a</p><p style='margin: 0'>b</p>", "a\nb"),
        ("<p class=MsoNormal>a</p><p class=MsoNormal>b</p>", "a\nb"),
        ("<div>a</div><div>b<br></div><div><br></div><div>c</div>", "a\nb\n\nc"),
        ("one\n  two\t three", "one two three"),
        ("a<b> b</b><i>c </i> d", "a bc d"),
        ("&lt;b&gt; &amp; &euro; &#8217;", "<b> & € ’"),
        (
            "<table><tr><td>Zone</td><td>3</td></tr><tr><td>State</td><td>open</td></tr></table>",
            "Zone 3\nState open",
        ),
        ("<ul><li>a<li>b</ul><ol><li>c<li>d</ol>", "- a\n- b\n1. c\n2. d"),
        ("<ul><li></li></ul>a", "- a"),
        ("<pre>a\n  b\n</pre>c", "a\n  b\n\nc"),
        ("a<hr>b", "a\nb"),
        ("x<script>alert(1)</script>y<style>a{}</style><title>t</title>z", "xyz"),
        (
            "<div style='DISPLAY : none'>pre</div>a<span hidden>b</span><i style='visibility:hidden'>c</i>",
            "a",
        ),
        (
            "<div style='opacity:0'>a</div><div style='opacity:0.9'>b</div><div style='max-height:0px'>c</div>",
            "b",
        ),
        ("<td style='font-size:0px'><div style='font-size:13px'>kept</div></td>", "kept"),
        ('<img src="x" alt="Logo of a clinic"><img alt="👍">', "👍"),
        ("<p>a</p></body></html><p>b</p>", "a\n\nb"),
        ("<html><body>a</body></html><html><body>b</body></html>", "ab"),
        ('<?xml version="1.0" encoding="iso-8859-1"?><html><body>Tür</body></html>', "Tür"),
        ("<![if !mso]>a<![endif]><o:p>b</o:p>", "ab"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("a\0b", "ab"),
        ("<div style='font-size:0; line-height:0'>pre</div>a<p style='FONT-SIZE: 0PX'>b<b>c</b></p>", "a"),
        (
            "<div style='white-space: pre-wrap'>a\n  b <i style='white-space:normal'>c\nd</i></div>e",
            "a\n  b c d\ne",
        ),
        ("<a style='display:block'>a</a><span style='display: block'>b</span>c", "a\nb\nc"),
        ("<ol start=3><li>a<li>b</ol><ol start=x><li>c</ol>", "3. a\n4. b\n1. c"),
    ],
)
def test_html_becomes_the_text_a_reader_sees(markup: str, text: str) -> None:
    assert to_text(markup, cut=True).text.strip("\n") == text


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ('<a href="https://x.example/a">Confirm</a>', "Confirm (https://x.example/a)"),
        ('<a href="https://x.example/a">https://x.example/a</a>', "https://x.example/a"),
        ('<a href="https://x.example/">x.example</a>', "x.example"),
        ('<a href="https://track.example/?u=1">www.x.example</a>', "www.x.example"),
        ('<a href="mailto:ann@x.example">Ann</a>', "Ann"),
        ('<a href="tel:+61255501234">02 5550 1234</a>', "02 5550 1234"),
        ('<a href="tel:+61255501234">call us</a>', "call us (+61255501234)"),
        (
            '<a href="https://safelinks.example/?url=x" originalsrc="https://x.example/a">go</a>',
            "go (https://x.example/a)",
        ),
        ('<a href="javascript:alert(1)">go</a>', "go"),
        ('<a href="https://x.example/icon"><img src="i.png" alt="Icon"></a>after', "after"),
        ("<a>nowhere</a>", "nowhere"),
    ],
)
def test_a_link_keeps_an_address_that_its_text_does_not_show(link: str, text: str) -> None:
    assert to_text(link, cut=True).text == text


HISTORY = [
    '<blockquote type="cite">{}</blockquote>',
    '<blockquote style="border-left: 2px solid #1010FF; margin-left:5px">{}</blockquote>',
    '<div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message</div>{}</div>',
    '<div class="gmail_quote">On x Bob wrote:<br><blockquote class="gmail_quote">{}</blockquote></div>',
    '<div id="divRplyFwdMsg">From: x</div>{}',
    '<div id="appendonsend"></div><hr>{}',
    '<div><div style="border:none;border-top:solid #B5C4DF 1.0pt">From: x</div></div>{}',
    '<div class="yahoo_quoted">{}</div>',
    '<div class="ydp1ayahoo_quoted">{}</div>',
    '<hr id="zwchr"><div>{}</div>',
    '<div name="quote">{}</div>',
    '<hr id="stopSpelling">Date: x{}',
    '<div style="border-top-color: rgb(229, 229, 229); border-top-style: solid">From: x</div>{}',
    '<div class="moz-cite-prefix">x</div><blockquote type="CITE">{}</blockquote>',
    '<div class="protonmail_quote">{}</div>',
    '<div class="zmail_extra">{}</div>',
    '<div id="mail-editor-reference-message-container">{}</div>',
]
SIGNATURES = [
    '<div class="gmail_signature" data-smartmail="gmail_signature">{}</div>',
    '<div data-smartmail="gmail_signature">{}</div>',
    '<pre class="moz-signature">{}</pre>',
    '<div id="Signature">{}</div>',
    '<div id="ms-outlook-mobile-signature">{}</div>',
    '<div id="AppleMailSignature">{}</div>',
    '<div class="ydp1asignature">{}</div>',
    '<div data-marker="__SIG_POST__">{}</div>',
    '<div name="messageSignatureSection">{}</div>',
    '<div class="signature">{}</div>',
    '<div class="bloop_sign">{}</div>',
]


@pytest.mark.parametrize("shape", HISTORY)
def test_what_clients_mark_as_history_is_cut(shape: str) -> None:
    page = to_text(f"<div>Yes.</div>{shape.format('old words')}", cut=True)
    assert page.text.replace(">", "").strip() == "Yes."
    assert page.cut == ("quoted history",)


@pytest.mark.parametrize("shape", SIGNATURES)
def test_what_clients_mark_as_signature_is_cut(shape: str) -> None:
    page = to_text(f"<div>Yes.</div>{shape.format('Ann')}", cut=True)
    assert (page.text, page.cut) == ("Yes.", ("signature",))


@pytest.mark.parametrize("shape", HISTORY + SIGNATURES)
def test_nothing_is_cut_unless_asked(shape: str) -> None:
    page = to_text(f"<div>Yes.</div>{shape.format('old words')}", cut=False)
    assert "old words" in page.text
    assert page.cut == ()


def test_a_page_of_more_elements_than_anyone_sends_is_read_so_far() -> None:
    page = to_text("<b>x</b>" * (MAX_ELEMENTS + 10), cut=True)
    assert page.cut == (LONG_MAIL,)
    assert MAX_ELEMENTS - 10 < len(page.text) < MAX_ELEMENTS


@pytest.mark.parametrize(
    ("sheet", "text"),
    [
        (".pre {display:none}", "a"),
        ("SPAN.PRE { color:red; Display : None !important }", "a"),
        ("<!-- p{} #pre, .other {visibility:hidden} -->", "a"),
        ("@import url(x.css); /* .b{} */ .pre{mso-hide:all}", "a"),
        ("@media screen { .pre {display:none} } p{}", "prea"),
        (".pre{display:none} .pre{display:inline}", "prea"),
        (".x .pre {display:none}", "prea"),
        (".pre{display:none", "prea"),
        ("}}{{.pre{display:none}", "prea"),
    ],
)
def test_what_the_mails_own_style_sheet_hides_is_left_out(sheet: str, text: str) -> None:
    page = f"<html><head><style>{sheet}</style></head><body><span class='x Pre' id='pre'>pre</span>a</body></html>"
    assert to_text(page, cut=True).text == text
    shown = page.replace("id='pre'", "style='display:inline' id='pre'")
    assert to_text(shown, cut=True).text == "prea"


markup = st.sampled_from(
    ["<p>", "</p>", "<li>", "<ol>", "</ol>", "<a href=http://x>", "</a>", "<br>", "<pre>", "</pre>", "<td>", "\n", "x",
     "<blockquote type=cite>", "<div class=gmail_quote>", "\0", "<", "&", " "]
)  # fmt: skip


@given(st.lists(markup), st.booleans())
def test_any_markup_gives_text(pieces: list[str], cut: bool) -> None:
    page = to_text("".join(pieces), cut=cut)
    assert "<p>" not in page.text


@pytest.mark.parametrize(
    "markup",
    [
        "<a>", "<div>", "<table><tr><td>", "<blockquote type=cite>x", "<b><i>", "<div class=gmail_quote>x",
        "<", "&",
        "&#x41;", "<ul><li>", "<pre>\n", "<!--", "<a href=http://x><table><tr><td>y", "<select>",
        "<p><font>",
        "<svg><title>",
        "<style>.a{display:none}", "<style>{{{display:none", "<style>/*none", "<p style='display:none;'>",
        "<![CDATA[", "<p>\0", "<p a='b' c", "</html>", "</html ",
    ],
)  # fmt: skip
def test_hostile_markup_is_done_with_at_once(markup: str) -> None:
    began = time.process_time()
    to_text(markup * (500_000 // len(markup)), cut=True)
    assert time.process_time() - began < 5  # 0.6 s, and four times as long while coverage is traced
