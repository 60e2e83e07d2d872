"""The desk in a real browser: live without a reload, hostile words inert, mails whole, readable in the dark."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from bridge.sms import Kind
from bridge.store import Actor
from tests.given_store import until
from tests.web import given
from tests.web.given import Desk

WAIT_MS = 60_000
WIDTHS = (360, 800, 1280)
# Text and its ground: the least contrast of all texts on the page (WCAG 2.2, 1.4.3).
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")

# Every line of text as it is seen: what is cut off (.clamp, .cut) lies on nothing.
OVERLAPPING = (Path(__file__).parent / "overlapping.js").read_text(encoding="utf-8")


class Tab:
    """One open page, with everything it complained about, and what it asked of anybody but the desk."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", lambda request: self._went(request.url))

    def _went(self, url: str) -> None:
        if not url.startswith((f"{self.home}/", "data:")):
            self.elsewhere.append(url)

    async def go(self, path: str) -> None:
        await self.page.goto(self.home + path)

    async def too_wide(self) -> int:
        over: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return max(0, over)

    async def overlapping(self) -> list[str]:
        """The words of every two cells of a row that lie on each other."""
        found: list[str] = await self.page.evaluate(OVERLAPPING)
        return found

    async def frame_fits(self) -> bool:
        """True once the frame is as high as its mail. Asked anew each time: a wait inside the page needs the
        eval that the desk's own policy forbids."""
        gap: int = await self.page.locator("iframe").evaluate(
            "one => Math.abs(one.contentDocument.documentElement.offsetHeight - one.clientHeight)"
        )
        return gap <= 2


@asynccontextmanager
async def shown(browser: Browser, desk: Desk, width: int = 1280, scheme: str = "light") -> AsyncIterator[Tab]:
    """The desk on a real port, in a new tab."""
    context = await browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    )
    async with desk.ready_on_a_port() as port:
        yield Tab(await context.new_page(), f"http://127.0.0.1:{port}")
        await context.close()


async def test_a_new_sms_and_its_news_appear_without_a_reload(browser: Browser, desk: Desk) -> None:
    async with shown(browser, desk) as tab:
        await tab.go("/")
        await expect(tab.page.locator("#rows")).to_contain_text("No messages yet")
        await tab.page.evaluate("window.same = true")
        sms = await desk.sent("Dinner at eight?")
        row = tab.page.locator("#rows tbody tr")
        await expect(row).to_contain_text("Dinner at eight?", timeout=WAIT_MS)
        await expect(row.locator(".badge")).to_have_text("submitted")
        await desk.delivered(sms)
        await expect(row.locator(".badge")).to_have_text("delivered", timeout=WAIT_MS)
        await expect(tab.page.locator("#counts")).to_contain_text("delivered 1", timeout=WAIT_MS)
        assert await tab.page.evaluate("window.same")
        assert tab.complaints == []


async def test_a_story_follows_its_sms_and_keeps_what_the_reader_opened(browser: Browser, desk: Desk) -> None:
    sms = await desk.sent("Dinner at eight?")
    await desk.delivered(sms)
    async with shown(browser, desk) as tab:
        await tab.go(f"/messages/{sms.message_id}")
        await tab.page.locator("details summary").first.click()
        await desk.answered(sms, "Yes, with pleasure")
        await expect(tab.page.locator(".bubble.theirs")).to_have_text("Yes, with pleasure", timeout=WAIT_MS)
        first = tab.page.locator("#story details").first
        assert await first.evaluate("one => one.open")
        assert await first.evaluate("one => one.contains(document.activeElement)")
        assert tab.complaints == []


async def test_the_focus_on_a_row_stays_when_rows_arrive(browser: Browser, desk: Desk) -> None:
    sms = await desk.sent("first")
    async with shown(browser, desk) as tab:
        await tab.go("/")
        await tab.page.locator("#rows a").first.focus()
        await desk.sent("second")
        await expect(tab.page.locator("#rows tbody tr")).to_have_count(2, timeout=WAIT_MS)
        focused = await tab.page.evaluate("document.activeElement.getAttribute('href')")
        assert focused == f"/messages/{sms.message_id}"


async def test_a_service_that_is_gone_is_told_and_forgotten_when_it_is_back(
    browser: Browser, desk: Desk
) -> None:
    async with shown(browser, desk) as tab:
        await tab.go("/")
        await expect(tab.page.locator("#offline")).to_be_hidden()
        await tab.page.route("**/*", lambda route: route.abort())
        await expect(tab.page.locator("#offline")).to_be_visible(timeout=WAIT_MS)
        await tab.page.unroute("**/*")
        await expect(tab.page.locator("#offline")).to_be_hidden(timeout=WAIT_MS)


async def test_hostile_words_run_nothing_and_ask_nobody(browser: Browser, desk: Desk) -> None:
    paths = ["/", "/mails", f"/?text={given.SCRIPT}", f"/nothing/{given.SCRIPT}"]
    for text in given.HOSTILE:
        sms = await desk.sent(text, subject=text)
        await desk.answered(sms, text)
        paths.append(f"/messages/{sms.message_id}")
    paths += [f"/mails/{one}" for one in await desk.made_mails()]
    async with shown(browser, desk, 360) as tab:
        for path in paths:
            await tab.go(path)
            assert (await tab.page.title()).endswith("· SMS Bridge"), path
            assert await tab.page.locator("#owned, img, base, [onerror], [onfocus], [srcdoc]").count() == 0, (
                path
            )
            assert await tab.page.locator("script").count() == 1, path
            assert await tab.too_wide() == 0, path
            for frame in tab.page.frames[1:]:
                assert await frame.locator("script, iframe, base, #owned, [onerror], [onfocus]").count() == 0
        assert tab.elsewhere == []
        assert [one for one in tab.complaints if "404" not in one] == []


async def test_markup_in_a_finished_mail_cannot_run_either(browser: Browser, desk: Desk) -> None:
    """Should a brand's template ever let markup through, the frame around the mail still holds it."""
    called = []
    elsewhere = await asyncio.start_server(lambda *_: called.append("connected"), "127.0.0.1", 0)
    port = elsewhere.sockets[0].getsockname()[1]
    page = "".join(given.HOSTILE) + "<form action=http://127.0.0.1:9/><button id=go>go</button></form>"
    page = page.replace("127.0.0.1:9/", f"127.0.0.1:{port}/")
    await desk.store.note_alarm("k", [("alarm", "k")])
    raw = f"Subject: x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}".encode()
    await desk.store.rendered((1, raw, "x"))
    async with elsewhere, shown(browser, desk) as tab:
        for path in ("/mails/1", "/mails/1/html"):
            await tab.go(path)
            (frame,) = [one for one in tab.page.frames if one.url.endswith("/mails/1/html")]
            await frame.locator("#go").click()
            await frame.locator("a#owned").click()
            await tab.page.wait_for_load_state("networkidle")
            assert await tab.page.title() not in ("owned", "1"), path
            assert await frame.locator("#go").count() == 1, "the frame went nowhere"
        assert any("script" in one and "sandboxed" in one for one in tab.complaints)
        assert called == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_mail_is_shown_whole_with_its_logo(browser: Browser, desk: Desk, scheme: str) -> None:
    sms = await desk.sent("A long text. " * 40)
    await desk.answered(sms, "An even longer answer. " * 60)
    (mail,) = await desk.made_mails()
    async with shown(browser, desk, 360, scheme) as tab:
        await tab.go(f"/mails/{mail}")
        logo = tab.page.frame_locator("iframe").locator("img")
        await expect(logo).to_be_visible()
        assert await logo.evaluate("img => img.naturalWidth") == 120
        for width in (360, 1280, 500):
            await tab.page.set_viewport_size({"width": width, "height": 800})
            await expect(tab.page.locator("iframe")).to_be_visible()
            await until(tab.frame_fits, f"the frame never fitted its mail at {width} px", WAIT_MS // 1000)
        assert await tab.page.locator("iframe").evaluate("one => one.clientHeight") > 800
        ground = "getComputedStyle(document.querySelector('iframe').contentDocument.body).backgroundColor"
        dark = await tab.page.evaluate(ground) == "rgb(15, 23, 32)"
        assert dark == (scheme == "dark")
        assert tab.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_readable_at_every_width(browser: Browser, desk: Desk, scheme: str) -> None:
    held = await desk.sent("wide" * 200, end=Kind.REFUSED_UNREAD, why="x" * 200, subject="y" * 300)
    sms = await desk.sent(
        "A text", sender="a.very.long.name.of.a.person@a.very.long.domain.of.a.company.example"
    )
    await desk.delivered(sms)
    await desk.answered(sms, "שלום")
    await desk.mailed(["waits"])
    (*_, mail) = await desk.made_mails()
    await desk.store.note_alarm("credit-hold", [("alarm", "credit-hold"), ("account", "z" * 90)])
    kim = Actor("kim.of.a.very.long.name", "command line")
    for what, about in (
        ("forget", given.NUMBER),
        ("user add", "ann@a.very.long.domain.example"),
        ("send", 1),
    ):
        await desk.store.privacy.note(kim, what, about, of="M" * 35, configuration="0" * 16)
    await desk.store.opt_out(given.NUMBER, kim, "a-long-name-of-an-account", "a word of the note " * 5)
    paths = ["/", "/?text=none", "/?before=1", "/mails", f"/mails/{mail}", "/nothing", "/audit", "/optouts"]
    paths += [f"/messages/{one.message_id}" for one in (held, sms)]
    async with shown(browser, desk, scheme=scheme) as tab:
        for path in paths:
            for width in WIDTHS:
                await tab.page.set_viewport_size({"width": width, "height": 800})
                await tab.go(path)
                assert await tab.too_wide() == 0, (path, width)
                assert await tab.overlapping() == [], (path, width)
                assert await tab.page.locator("h1").count() == 1, path
                await tab.page.evaluate(
                    "for (const one of document.querySelectorAll('details')) one.open = true"
                )
                least, text = await tab.page.evaluate(CONTRAST)
                assert least >= 4.5, (path, width, least, text)


async def test_all_of_it_can_be_done_with_the_keyboard(browser: Browser, desk: Desk) -> None:
    sms = await desk.sent("A text")
    async with shown(browser, desk) as tab:
        await tab.go("/")
        await tab.page.keyboard.press("Tab")
        await expect(tab.page.locator(".skip")).to_be_in_viewport()
        await tab.page.keyboard.press("Enter")
        for _ in range(20):
            await tab.page.keyboard.press("Tab")
            ring = await tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none"
            if await tab.page.evaluate("!!document.activeElement.closest('#rows')"):
                break
        await tab.page.keyboard.press("Enter")
        await expect(tab.page).to_have_url(re.compile(f"/messages/{sms.message_id}$"))
