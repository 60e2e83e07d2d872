"""Hostile texts in a real browser: shown as text, nothing runs, nothing is fetched, nothing sticks out."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, sync_playwright

from bridge.report.values import MailKind
from tests import programs
from tests.render import pictures, samples

TEXTS = [
    "<script>document.title='owned'</script>",
    "<img src='http://127.0.0.1:9/x.png' onerror=\"document.title='owned'\">",
    "<svg onload=document.title='owned'>",
    "</td></tr></table></body><h1 id=owned>big</h1>",
    "--></style><style>body{display:none}</style>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'>",
    "<a href=javascript:alert(1) id=owned>click</a>",
    "<base href=http://127.0.0.1:9/><link rel=stylesheet href=x.css>",
    "\u202egnp.exe\u2066 and more",
    "wide" * 200,
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = programs.chromium()
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=path, args=programs.BROWSER_ARGS)
        yield started
        started.close()


@pytest.mark.parametrize("text", TEXTS)
def test_a_hostile_text_is_inert(browser: Browser, text: str) -> None:
    facts = (("phone", "+61421000001"), ("text", text), ("note", text))
    brand = replace(samples.CLINIC, name=text, footer=text)
    mail = samples.outbox(MailKind.REPLY, facts=facts)
    html = samples.renderer(brand).render(mail, samples.stored(subject=text), (samples.sms(text=text),)).html
    page = browser.new_page(viewport={"width": 360, "height": 500})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    page.set_content(html.replace('src="cid:', 'data-src="cid:'))
    assert page.title().startswith("Reply from")
    assert page.evaluate("document.querySelectorAll('script,iframe,svg,link,base,#owned').length") == 0
    assert page.evaluate("document.querySelectorAll('[onerror],[onload],a').length") == 0
    shown = page.locator(".theirs").inner_text()
    assert shown == text.translate(dict.fromkeys((0x202E, 0x2066)))
    assert page.locator(".theirs").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert asked == []
    page.close()


def test_every_mail_fits_a_phone_and_turns_dark(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 500})
    for name in samples.every():
        page.set_content(pictures.page_of(name, "clinic", pictures=True))
        for scheme, card in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(27, 36, 48)")):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, name
            colour = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
            assert colour == card, name
    page.close()
