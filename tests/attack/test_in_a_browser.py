"""Hostile words wherever a stranger's words are shown, in a real browser: no node, no script, no request of theirs.

The same pages are made of harmless words; whatever else the browser then finds in the hostile ones was injected.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.async_api import Browser, Frame

from bridge.event import Event, News
from bridge.render import Renderer
from bridge.retry import Answer
from bridge.sms import Input, Kind
from tests.render import samples
from tests.threats import found
from tests.web import given
from tests.web.conftest import browser
from tests.web.given import Desk

__all__ = ["browser"]

OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2060\ufeff"
SAYS = "/*@*/console.error('it ran')/*@*/"  # said by a script that runs, in whatever way it was brought in
WORDS = (
    f"<script>{SAYS}</script>",
    f"</title></textarea></style></script><script>{SAYS}</script>",
    f"<svg/onload={SAYS}>",
    f"<svg><animate onbegin={SAYS} attributeName=x dur=1s></svg>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={SAYS}>",
    f"<img src='ELSEWHERE/x.png' srcset='ELSEWHERE/y.png' onerror={SAYS}>",
    f"<details open ontoggle={SAYS}><summary>x",
    "<link rel=stylesheet href=ELSEWHERE/x.css><base href=ELSEWHERE/>",
    "<style>@import 'ELSEWHERE/x.css';*{background:url(ELSEWHERE/x)}</style>",
    "<meta http-equiv=refresh content='0;url=ELSEWHERE/'>",
    f"<iframe src=ELSEWHERE/></iframe><object data=ELSEWHERE/></object><embed src=javascript:{SAYS}>",
    f"<a href=javascript:{SAYS} autofocus onfocus={SAYS} tabindex=1>x</a>",
    f'" autofocus onfocus="{SAYS}" style="background:url(\'ELSEWHERE/x\')" x="',
    f"' onmouseover='{SAYS}",
    f"javascript:{SAYS}",
    "&lt;script&gt;&#60;script&#62;&amp;#x3c;",
    f"+ADw-script+AD4-{SAYS}+ADw-/script+AD4-",
    "{{ 7 * 7 }}{% for x in y %}${7*7}<%= 7 %>",
    "]]><!--[if mso]><script>1</script><![endif]--> --> <!--",
    f"pay to {OVERRIDES[4]}gnp.exe{OVERRIDES[5:]} \x07\x1b[31m",
)
CENSUS = """() => [...document.querySelectorAll('*')].map(
    (one) => one.tagName + '[' + one.getAttributeNames().sort().join(' ') + ']')"""


@dataclass
class Seen:
    """What a browser found on the pages of a desk."""

    nodes: dict[str, Counter[str]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    acting: list[str] = field(default_factory=list)


async def filled(desk: Desk, words: Sequence[str]) -> list[str]:
    """Put each word wherever a stranger's may come to stand; the paths of the pages that show them."""
    paths = ["/", "/mails", "/?text=a"]
    for word in words:
        (sms,) = await desk.mailed(
            [f"a {word}"], subject=f"b {word}", sender=f"c {word}@clinic.example", cut=(f"d {word}",)
        )
        (claimed,) = await desk.store.claim("node", 1)
        await desk.store.finish(claimed, Input(Kind.SENT, 1, f"e {word}"), Answer.CLEAR)
        failed = Event(
            "webhook", "status", sms.message_id, sms.number, f"f {word}", News.FAILED, result=f"g {word}"
        )
        await desk.store.record_event(failed)
        await desk.store.record_event(
            Event("webhook", "reply", sms.message_id, sms.number, f"h {word}", text=f"i {word}")
        )
        paths.append(f"/messages/{sms.message_id}")
    await desk.store.note_alarm("k", [("alarm", "stopped"), ("account", words[0]), ("why", words[1])])
    await desk.store.postmaster(f"Subject: {words[0]}\r\n\r\n{''.join(words)}".encode(), "192.0.2.1")
    return paths + [f"/mails/{one}" for one in await rendered(desk, words)]


async def rendered(desk: Desk, words: Sequence[str]) -> list[int]:
    """Make all mails that are due, each under a brand that is called by a hostile word."""
    made: list[int] = []
    while work := await desk.store.claim_mail(100):
        for one in work:
            word = words[len(made) % len(words)]
            if one.mail.raw is None:
                brand = replace(samples.CLINIC, name=f"j {word}", footer=f"k {word}")
                brands = {"default": samples.PLAIN, "clinic": brand}
                mails = Renderer(brands, domain="sms.local", instance="x", local=samples.local)
                finished = mails.render(replace(one.mail, to="a@clinic.example"), one.source, one.sms)
                await desk.store.rendered((one.mail.id, finished.raw, finished.subject))
            await desk.store.mail_kept(one.mail.id)
            made.append(one.mail.id)
    return sorted(made)


@asynccontextmanager
async def listener() -> AsyncIterator[tuple[str, list[str]]]:
    """Somewhere else, that notes who connects."""
    called: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.append("connected")
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", called


async def looked_at(browser: Browser, desk: Desk, paths: Sequence[str]) -> Seen:
    seen = Seen()
    context = await browser.new_context()
    async with desk.ready_on_a_port() as port:
        home = f"http://127.0.0.1:{port}/"
        page = await context.new_page()
        page.on("console", lambda one: seen.ran.append(one.text) if "it ran" in one.text else None)
        page.on("dialog", lambda one: seen.ran.append(one.message))
        page.on(
            "request",
            lambda one: None if one.url.startswith((home, "data:")) else seen.elsewhere.append(one.url),
        )
        for place, path in enumerate(paths):
            await page.goto(home.rstrip("/") + path, wait_until="load")
            async with asyncio.timeout(60):  # a page that is led elsewhere is never done
                for count, frame in enumerate(page.frames):
                    await look(frame, f"{place}.{count}", seen)
    await context.close()
    return seen


async def look(frame: Frame, name: str, seen: Seen) -> None:
    seen.nodes[name] = Counter(await frame.evaluate(CENSUS))
    text = await frame.evaluate("document.documentElement.textContent")
    seen.acting += [name for mark in OVERRIDES if mark in text]


@pytest.mark.threat(17, "nodes injected", of="pages and mails full of hostile words")
@pytest.mark.threat(17, "scripts run", of="pages and mails full of hostile words")
@pytest.mark.threat(17, "requests to elsewhere", of="pages and mails full of hostile words")
@pytest.mark.threat(
    17, "marks of direction and of no width that act", of="pages and mails full of hostile words"
)
async def test_no_word_of_a_stranger_is_more_than_text(browser: Browser, tmp_path: Path) -> None:
    async with listener() as (elsewhere, called):
        words = [word.replace("ELSEWHERE", elsewhere) for word in WORDS]
        # Together, so that the pages are few; and each first where a name is cut short.
        words = [" ".join(words[place:] + words[:place]) for place in range(0, len(words), 3)]
        folders = [tmp_path / name for name in ("harmless", "hostile")]
        seen = []
        for folder, shown in zip(
            folders, ([f"word {place}" for place in range(len(words))], words), strict=True
        ):
            folder.mkdir()
            async with given.opened(folder) as desk:
                seen.append(await looked_at(browser, desk, await filled(desk, shown)))
        harmless, hostile = seen
        injected = {
            name: [*(found - harmless.nodes[name]), *(harmless.nodes[name] - found)]
            for name, found in hostile.nodes.items()
            if found != harmless.nodes[name]
        }
        pages = len(hostile.nodes)
        found(sum(map(len, injected.values())), of=pages, what="nodes injected")
        found(len(hostile.ran), of=pages, what="scripts run")
        found(len(hostile.elsewhere) + len(called), of=pages, what="requests to elsewhere")
        found(len(hostile.acting), of=pages, what="marks of direction and of no width that act")
        assert hostile.nodes.keys() == harmless.nodes.keys()
        assert (injected, hostile.ran, hostile.elsewhere, called, hostile.acting) == ({}, [], [], [], [])
