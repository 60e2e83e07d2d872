"""The phone page in a real browser, and what its routes bound and allow."""

import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from bridge.simulator import Webhook
from tests import programs

from .conftest import WAIT_S, Customer, Receiver, until

SCRIPT = "<script>document.title='owned'</script>"
HOSTILE = f"<img src=x onerror=\"document.title='owned'\">{SCRIPT}<b>&amp;</b> \u202egnp"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser of its own for each test."""
    path = programs.chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=programs.BROWSER_ARGS)
        yield browser
        await browser.close()


class Tab:
    """One open page, with everything it complained about or fetched from elsewhere."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.set_default_timeout(WAIT_S * 1000)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._went(request.url, home))

    def _went(self, url: str, home: str) -> None:
        if not url.startswith((home, "data:")):
            self.elsewhere.append(url)


async def opened_tab(browser: Browser, customer: Customer, width: int = 1280, scheme: str = "light") -> Tab:
    context = await browser.new_context(
        viewport={"width": width, "height": 760}, color_scheme="dark" if scheme == "dark" else "light"
    )
    tab = Tab(await context.new_page(), customer.simulator.url)
    await tab.page.goto(customer.simulator.url + "/")
    await expect(tab.page.locator("#live-text")).to_have_text("live", timeout=WAIT_S * 1000)
    return tab


async def test_a_typed_answer_reaches_the_customer_and_the_page(
    browser: Browser, customer: Customer, receiver: Receiver
) -> None:
    customer.simulator.configure(webhook=Webhook(receiver.url))
    tab = await opened_tab(browser, customer)
    await expect(tab.page.locator("#empty")).to_be_visible()
    await customer.send(MessageID="P1", text="Dinner at eight?")
    bubble = tab.page.locator(".bubble.in")
    await expect(bubble.locator(".words")).to_have_text("Dinner at eight?", timeout=WAIT_S * 1000)
    await expect(bubble.locator(".state")).to_contain_text("delivered", timeout=WAIT_S * 1000)
    await expect(bubble.locator(".meta")).to_contain_text("1 segment")
    await expect(bubble.locator(".meta")).to_contain_text("$0.10")
    await tab.page.locator("#text").fill("Ja, größer 👍")
    await tab.page.locator("#text").press("Enter")
    await expect(tab.page.locator(".bubble.out .words")).to_have_text("Ja, größer 👍", timeout=WAIT_S * 1000)
    (fields,) = await until(lambda: receiver.of("SMSReply"))
    assert (fields["MessageID"], fields["Message"]) == ("P1", "Ja, größer 👍")
    await expect(tab.page.locator("#text")).to_have_value("")
    assert (tab.complaints, tab.elsewhere) == ([], [])


async def test_hostile_texts_are_shown_and_stay_inert(browser: Browser, customer: Customer) -> None:
    tab = await opened_tab(browser, customer)
    await customer.send(text=HOSTILE, MessageID="H1", SMSEmailReply="x@y.example")
    await expect(tab.page.locator(".bubble.in .words")).to_have_text(HOSTILE, timeout=WAIT_S * 1000)
    await customer.admin("reply", {"number": "0421000001", "text": HOSTILE})
    await expect(tab.page.locator(".bubble.out .words")).to_have_text(HOSTILE, timeout=WAIT_S * 1000)
    await customer.admin("event", {"message_id": "H1", "status": "FAILED", "result": SCRIPT})
    await expect(tab.page.locator(".bubble.in .state")).to_contain_text(SCRIPT, timeout=WAIT_S * 1000)
    await expect(tab.page.locator("#facts")).to_contain_text(SCRIPT)
    assert await tab.page.locator("#app img, #app script, #app b").count() == 0
    assert "owned" not in await tab.page.title()
    assert (tab.complaints, tab.elsewhere) == ([], [])


async def test_the_buttons_say_what_became_of_an_sms(
    browser: Browser, customer: Customer, receiver: Receiver
) -> None:
    customer.simulator.configure(webhook=Webhook(receiver.url))
    tab = await opened_tab(browser, customer)
    await customer.send(number="0421009906", MessageID="B1")
    await tab.page.locator("#actions button", has_text="Failed").click()
    await expect(tab.page.locator(".bubble.in .badge")).to_have_text(
        "This phone never got it", timeout=WAIT_S * 1000
    )
    await tab.page.locator("#actions button", has_text="Delivered").click()
    await expect(tab.page.locator(".bubble.in .state")).to_contain_text("delivered", timeout=WAIT_S * 1000)
    await until(lambda: len(receiver.hooks) == 2)
    told = {(fields["Status"], fields["Result"]) for fields in receiver.of("SMS")}
    assert told == {("FAILED", "Undelivered"), ("UPDATED", "delivered")}


async def test_a_phone_nobody_wrote_to_can_write_first(browser: Browser, customer: Customer) -> None:
    tab = await opened_tab(browser, customer)
    await tab.page.locator("#new-phone").click()
    await tab.page.locator("#new-number").fill("nonsense")
    await tab.page.locator("#new-number").press("Enter")
    await expect(tab.page.locator("#new-error")).to_contain_text("0421 000 001")
    await tab.page.locator("#new-number").fill("0421 777 777")
    await tab.page.locator("#new-number").press("Enter")
    await expect(tab.page.locator("#number")).to_have_text("+61 421 777 777")
    await tab.page.locator("#text").fill("Hello?")
    await tab.page.locator("#send").click()
    await expect(tab.page.locator(".bubble.out .meta")).to_contain_text("answers none", timeout=WAIT_S * 1000)
    (made,) = await customer.messages()
    assert (made["number"], made["text"], made["answers"]) == ("+61421777777", "Hello?", "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_is_wider_than_a_narrow_window(
    browser: Browser, customer: Customer, scheme: str
) -> None:
    await customer.send(text="x" * 300)
    await customer.send(number="+64211234567", text="y", Mode="Test")
    tab = await opened_tab(browser, customer, 360, scheme)
    for view in ("list", "phone"):
        await expect(tab.page.locator("#app")).to_have_attribute("data-view", view)
        assert await tab.page.evaluate("document.documentElement.scrollWidth") <= 360
        if view == "list":
            await tab.page.locator(".entry", has_text="421 000 001").click()
            await expect(tab.page.locator(".bubble.in")).to_have_count(1)
    await tab.page.locator("#back").click()
    await expect(tab.page.locator(".entry").first).to_be_visible()


async def test_the_page_comes_back_to_an_emptied_vendor(browser: Browser, customer: Customer) -> None:
    tab = await opened_tab(browser, customer)
    await customer.send()
    await expect(tab.page.locator(".entry")).to_have_count(1, timeout=WAIT_S * 1000)
    await customer.admin("reset", {})
    await expect(tab.page.locator(".entry")).to_have_count(0, timeout=WAIT_S * 1000)
    await expect(tab.page.locator("#empty")).to_be_visible()


async def test_the_page_allows_nothing_from_elsewhere(customer: Customer) -> None:
    for path in ("/", "/phone.js", "/phone.css"):
        answer = await customer.http.get(customer.simulator.url + path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert not re.search(r"(?:https?:)?//(?!www\.w3\.org)[a-z]", answer.text.replace("// ", ""))
        assert " style=" not in answer.text
        assert "innerHTML" not in answer.text


async def test_what_the_page_tells_beside_the_phones(customer: Customer) -> None:
    about = (await customer.http.get(f"{customer.simulator.url}/phone/about")).json()
    assert about["magic"] is True
    assert {"ending": "9901", "about": "fails: Undelivered"} in about["after_sending"]
    customer.simulator.configure(hint="swaks --to 0421000001@sms.local")
    assert "swaks" in (await customer.http.get(f"{customer.simulator.url}/phone/about")).text


async def test_the_stream_tells_all_first_then_what_changed(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.simulator.page.PING_S", 0.05)
    await customer.send()
    async with customer.http.stream("GET", f"{customer.simulator.url}/phone/live") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: all"
        assert json.loads((await anext(lines)).removeprefix("data: "))["total"] == 1
        while await anext(lines) != ": still here":
            pass
        await customer.send(number="0421000002")
        while await anext(lines) != "event: changed":
            pass
        (thread,) = json.loads((await anext(lines)).removeprefix("data: "))["threads"]
        assert (thread["number"], thread["text"]) == ("+61421000002", "Hello")


async def test_open_pages_are_bounded(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.simulator.changes.MAX_WATCHERS", 0)
    assert "retry" in (await customer.http.get(f"{customer.simulator.url}/phone/live")).text


async def test_long_threads_and_many_phones_are_cut(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.simulator.page.MAX_ITEMS", 2)
    monkeypatch.setattr("bridge.simulator.page.MAX_THREADS", 1)
    for index in range(3):
        await customer.send(text=f"text {index}")
    await customer.send(number="0421000002")
    url = f"{customer.simulator.url}/phone/thread"
    thread = (await customer.http.get(url, params={"number": "+61421000001"})).json()
    assert ([item["text"] for item in thread["items"]], thread["total"]) == (["text 1", "text 2"], 3)
    assert (await customer.http.get(url)).json() == {"items": [], "total": 0}
    async with customer.http.stream("GET", f"{customer.simulator.url}/phone/live") as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        news = json.loads((await anext(lines)).removeprefix("data: "))
    assert ([one["number"] for one in news["threads"]], news["total"]) == (["+61421000002"], 2)


async def test_an_open_page_does_not_keep_the_vendor_from_stopping(customer: Customer) -> None:
    async with customer.http.stream("GET", f"{customer.simulator.url}/phone/live") as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        customer.simulator.vendor.close()
        rest = [line async for line in lines]
    assert isinstance(stream, httpx.Response)
    assert all(not line.startswith("event") for line in rest)
